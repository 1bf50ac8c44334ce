"""A model of three small files, as it lies on a hub, and what is known of it before it is here."""

import hashlib
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hub_server import Hub, serving

from pipeline.features.encoders.cards import ModelCard, ModelFile, Preprocessing, Tokenizing, as_json

NAME = "tiny"
REPOSITORY = "someone/tiny-clip"
IMAGE_BYTES = 1_500_000


def contents() -> dict[str, bytes]:
    """Return the files by their place in the repository; the first is large, as Git LFS sees it."""
    drawn = random.Random(7)  # noqa: S311 - bytes to tell apart, no secrets
    return {
        "onnx/image.onnx": drawn.randbytes(IMAGE_BYTES),
        "onnx/text.onnx": drawn.randbytes(200_000),
        "tokenizer.json": b'{"tokens": []}',
    }


def tiny_card(*, pinned: bool = True, name: str = NAME) -> ModelCard:
    roles = dict(zip(contents(), ("image", "text", "tokenizer"), strict=True))
    files = tuple(
        ModelFile(roles[source], Path(source).name, source, len(content), hashlib.sha256(content).hexdigest())
        for source, content in contents().items()
    )
    if not pinned:
        files = tuple(replace(file, bytes=None, sha256=None) for file in files)
    return ModelCard(
        name=name,
        description="A tiny model",
        architecture="Tiny",
        pretrained="nothing",
        precision="fp32",
        dimension=8,
        files=files,
        preprocessing=Preprocessing(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        tokenizing=Tokenizing(8),
        licence="MIT",
        commercial_use=True,
        repository=REPOSITORY,
    )


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
