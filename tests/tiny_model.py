"""A model of three small files, as it lies on a hub, and what is known of it before it is here.

It is the one of `tiny_clip`, with networks that weigh more than they need to, so that their download can be disturbed.
"""

import hashlib
import random
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import onnx
from hub_server import Hub, serving
from tiny_clip import build_tiny_clip

from pipeline.features.encoders.cards import ModelCard, ModelFile, as_json

NAME = "tiny"
REPOSITORY = "someone/tiny-clip"


def contents() -> dict[str, bytes]:
    """Return the files by their place in the repository; the first is large, as Git LFS sees it."""
    return dict(_made()[1])


@cache
def _made() -> tuple[ModelCard, Mapping[str, bytes]]:
    drawn = random.Random(7)  # noqa: S311 - bytes to tell apart, no secrets
    with tempfile.TemporaryDirectory() as folder:
        card = build_tiny_clip(Path(folder), NAME)
        files = {
            "onnx/image.onnx": _heavier(Path(folder, "image.onnx"), drawn.randbytes(750_000)),
            "onnx/text.onnx": _heavier(Path(folder, "text.onnx"), drawn.randbytes(100_000)),
            "tokenizer.json": Path(folder, "tokenizer.json").read_bytes(),
        }
    return card, files


def _heavier(path: Path, ballast: bytes) -> bytes:
    """Return a network with something in it that nobody reads, twice as long as `ballast`."""
    network = onnx.load(str(path))
    network.metadata_props.add(key="ballast", value=ballast.hex())
    return bytes(network.SerializeToString())


IMAGE_BYTES = len(contents()["onnx/image.onnx"])


def tiny_card(*, pinned: bool = True, name: str = NAME) -> ModelCard:
    roles = dict(zip(contents(), ("image", "text", "tokenizer"), strict=True))
    files = tuple(
        ModelFile(roles[source], Path(source).name, source, len(content), hashlib.sha256(content).hexdigest())
        for source, content in contents().items()
    )
    if not pinned:
        files = tuple(replace(file, bytes=None, sha256=None) for file in files)
    return replace(_made()[0], name=name, files=files, licence="MIT", repository=REPOSITORY)


@contextmanager
def serving_the_model() -> Iterator[Hub]:
    """Serve the model from a hub of its own."""
    with serving(Hub()) as served:
        served.put(REPOSITORY, contents())
        yield served


def announce(models_dir: Path, card: ModelCard | None = None) -> ModelCard:
    """Let the models folder know the model, as it is when the card is there and the files are lost."""
    card = card or tiny_card()
    (models_dir / card.name).mkdir(parents=True)
    (models_dir / card.name / "card.json").write_text(as_json(card), encoding="utf-8")
    return card


def files_in(folder: Path) -> Mapping[str, bytes]:
    """Return what lies in a folder, but for the card."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "card.json"
    }
