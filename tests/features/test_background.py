"""Which colors surround what a picture shows, on pictures that are drawn for it."""

import numpy as np
from PIL import Image, ImageDraw
from skimage import data

from pipeline.features.palette import extract_palette
from pipeline.features.picture import Facts, Picture

SIZE = (320, 240)


def picture_of(image: Image.Image | np.ndarray, alpha: np.ndarray | None = None) -> Picture:
    pixels = np.asarray(image.convert("RGB") if isinstance(image, Image.Image) else image)
    height, width = pixels.shape[:2]
    return Picture(pixels, alpha, Facts("PNG", "image/png", width, height))


def backgrounds(picture: Picture) -> dict[str, bool]:
    return {swatch.hex: swatch.is_background for swatch in extract_palette(picture).swatches}


def on(ground: str, box: tuple[int, int, int, int], color: str = "#d02020") -> Image.Image:
    image = Image.new("RGB", SIZE, ground)
    ImageDraw.Draw(image).rectangle(box, fill=color)
    return image


def test_a_thing_on_white_stands_before_white():
    assert backgrounds(picture_of(on("#ffffff", (80, 60, 240, 180)))) == {"#ffffff": True, "#d02020": False}


def test_a_thing_that_is_cut_off_on_one_side_still_has_a_background():
    assert backgrounds(picture_of(on("#ffffff", (120, 60, 220, 239))))["#ffffff"]


def test_sky_above_and_grass_below_are_no_background():
    image = on("#88bbee", (0, 120, 319, 239), "#308030")
    assert not any(backgrounds(picture_of(image)).values())


def test_a_picture_of_one_color_has_no_background():
    assert backgrounds(picture_of(Image.new("RGB", SIZE, "#3366cc"))) == {"#3366cc": False}


def test_shades_of_a_wall_are_one_background():
    image = on("#d8d8d8", (0, 140, 319, 239), "#b8b8b8")
    ImageDraw.Draw(image).ellipse((90, 60, 230, 200), fill="#d02020")
    found = backgrounds(picture_of(image))
    assert {code for code, is_background in found.items() if is_background} == {"#d8d8d8", "#b8b8b8"}


def test_what_is_cut_out_has_no_background():
    alpha = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    alpha[60:180, 80:240] = 255
    assert backgrounds(picture_of(on("#ffffff", (80, 60, 240, 180)), alpha)) == {"#d02020": False}


def test_a_photograph_that_fills_its_frame_has_none():
    assert not any(backgrounds(picture_of(data.chelsea())).values())
