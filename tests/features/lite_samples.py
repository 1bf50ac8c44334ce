"""Sample pictures from scikit-image and scikit-learn as working copies, for the tests of encoders."""

import numpy as np
import numpy.typing as npt
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image

from pipeline.features.picture import Facts, Picture

WORKING_SIDE_PX = 512


def picture(pixels: npt.NDArray[np.uint8]) -> Picture:
    image = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    shrink = WORKING_SIDE_PX / min(image.size)
    if shrink < 1:
        image = image.resize((round(image.width * shrink), round(image.height * shrink)), Image.Resampling.BICUBIC)
    return Picture(np.asarray(image), None, Facts("PNG", "image/png", image.width, image.height))


def sample(name: str) -> Picture:
    """Return "chelsea" (a tabby cat), "coffee" (a cup), "page" (printed text), "china.jpg" (a temple) and so on."""
    return picture(load_sample_image(name) if name.endswith(".jpg") else getattr(data, name)())
