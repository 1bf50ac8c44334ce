"""A model that is installed: a folder of its name in the models folder, with its files and its `card.json`.

The card is written last, so a folder that has one was once whole. Here only sizes are looked at; the checksum of
each file is compared when it comes (`pipeline.weights`), and again before it is used (`clip_files`).
"""

import json
from pathlib import Path

from pipeline.errors import ModelUnusable
from pipeline.features.encoders.cards import CARD_FILE, ModelCard, read_card

LONGEST_CARD = 1_000_000  # bytes; a card has a few thousand
DAMAGED_CARD = f"The file {CARD_FILE} of this model is damaged. Please pull, export or import it again."


def installed_card(models_dir: Path, name: str) -> ModelCard | None:
    """Return the card of the model `name` in `models_dir`, or None where there is none.

    Raises ModelUnusable when what lies there is no card of that model.
    """
    path = models_dir / name / CARD_FILE
    try:
        with path.open("rb") as file:
            card = parse_card(file.read(LONGEST_CARD + 1))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ModelUnusable(
            f"The card of the model {name} cannot be read. Please look after {path}.", detail=str(error)
        ) from error
    if card.name != name:
        raise ModelUnusable(
            f"The folder {path.parent} holds the model {card.name}. Please give it that name, or remove it."
        )
    return card


def installed_names(models_dir: Path) -> list[str]:
    """Return the names of the folders in `models_dir` that have a card, in alphabetical order."""
    return sorted(
        path.parent.name for path in models_dir.glob(f"*/{CARD_FILE}") if not path.parent.name.startswith(".")
    )


def parse_card(content: bytes) -> ModelCard:
    """Return the card that the content of a `card.json` describes. Raises ModelUnusable for anything else."""
    try:
        values = json.loads(content[: LONGEST_CARD + 1])
    except (ValueError, RecursionError) as error:
        raise ModelUnusable(DAMAGED_CARD, detail=repr(error)) from error
    if len(content) > LONGEST_CARD or not isinstance(values, dict):
        raise ModelUnusable(DAMAGED_CARD, detail=f"{len(content):,} bytes, {type(values)}")
    return read_card(values)


def check_sizes(folder: Path, card: ModelCard) -> None:
    """Return when every file of `card` is in `folder` with its size. Raises ModelUnusable naming the first other."""
    for file in card.files:
        try:
            size = (folder / file.path).stat().st_size
        except OSError as error:
            raise ModelUnusable(_sentence(card, file.path, "is missing"), detail=str(error)) from error
        if size != file.bytes:
            raise ModelUnusable(
                _sentence(card, file.path, "is damaged"), detail=f"{size:,} bytes instead of {file.bytes}"
            )


def _sentence(card: ModelCard, path: str, what: str) -> str:
    return f"The file {path} of the model {card.name} {what}. Please run `likeness models pull {card.name}`."
