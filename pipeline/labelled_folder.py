"""Pictures with known answers, to measure on: read from `images.csv`, or from a folder for each class.

`images.csv` has the columns path, set, label, category, and if known group and sha256_source; empty label or category
means unknown. Beside it may lie `captions/captions.json` and `colour/truth.json`.
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import InvalidQuery
from pipeline.features.picture import CATEGORIES
from pipeline.folder_walk import list_files

CSV_NAME = "images.csv"
CAPTIONS = Path("captions", "captions.json")
COLORS = Path("colour", "truth.json")

FITTING_DIGITS = frozenset("01234567")
"""First digits of `sha256_source` of the rows that a category head may be fitted on: about half."""

UNUSABLE = "{path} cannot be used: {reason}. Please see `likeness evaluate --help` for the format."
NOTHING = (
    "There is nothing to measure in {folder}: no images.csv, no folder of pictures for each class, no "
    "captions/captions.json and no colour/truth.json."
)


@dataclass(frozen=True)
class LabelledPicture:
    """A picture with what is known of it, "" for what is not. Labels are classes only within their `set`.

    `fitted` says whether a category head may have been fitted on it; None when the folder does not tell.
    """

    path: Path
    set: str
    label: str
    category: str
    fitted: bool | None = None


@dataclass(frozen=True)
class CaptionedPicture:
    """A picture with sentences that describe it, at least one."""

    path: Path
    captions: tuple[str, ...]


@dataclass(frozen=True)
class ColoredPicture:
    """A picture with its true palette: (`#rrggbb`, share 0 to 1) of each color. `kind` groups pictures alike."""

    path: Path
    kind: str
    palette: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class LabelledFolder:
    """Everything in a folder that can be measured on."""

    folder: Path
    pictures: tuple[LabelledPicture, ...]
    captioned: tuple[CaptionedPicture, ...]
    colored: tuple[ColoredPicture, ...]


def read_labelled_folder(folder: Path) -> LabelledFolder:
    """Read the answers in `folder`. Raises InvalidQuery when there are none, or a file is not as it should be."""
    table = folder / CSV_NAME
    found = LabelledFolder(
        folder=folder,
        pictures=_read_table(table) if table.is_file() else _read_classes(folder),
        captioned=_read_captions(folder / CAPTIONS, folder),
        colored=_read_colors(folder / COLORS, folder),
    )
    if not (found.pictures or found.captioned or found.colored):
        raise InvalidQuery(NOTHING.format(folder=folder))
    return found


def _read_table(table: Path) -> tuple[LabelledPicture, ...]:
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    side_of_group: dict[str, bool] = {}
    found = []
    try:
        for row in rows:
            path, category = row["path"], _checked_category(row["category"])
            side = row.get("sha256_source", "")[:1]
            fitted: bool | None = side in FITTING_DIGITS if side else None
            if fitted is not None and category:
                # A group, such as the photos of one person, stays on the side of its first picture.
                fitted = side_of_group.setdefault(row.get("group") or path, fitted)
            found.append(LabelledPicture(table.parent / path, row["set"], row["label"], category, fitted))
    except (KeyError, ValueError) as error:
        raise InvalidQuery(UNUSABLE.format(path=table, reason=error)) from error
    return tuple(found)


def _checked_category(name: str) -> str:
    if name and name not in CATEGORIES:
        raise ValueError(f"{name} is not one of the ten categories")
    return name


def _read_classes(folder: Path) -> tuple[LabelledPicture, ...]:
    """Return the pictures below each folder in `folder`; the name of that folder is their label."""
    known = {(folder / CAPTIONS).parent, (folder / COLORS).parent}
    classes = [path for path in sorted(folder.iterdir()) if path.is_dir() and path not in known]
    return tuple(
        LabelledPicture(Path(path), folder.name, place.name, place.name if place.name in CATEGORIES else "")
        for place in classes
        if not place.name.startswith(".")
        for path in list_files([str(place)]).files
    )


def _read_captions(path: Path, folder: Path) -> tuple[CaptionedPicture, ...]:
    if not path.is_file():
        return ()
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return tuple(CaptionedPicture(folder / item["path"], tuple(item["captions"])) for item in entries)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidQuery(UNUSABLE.format(path=path, reason=error)) from error


def _read_colors(path: Path, folder: Path) -> tuple[ColoredPicture, ...]:
    if not path.is_file():
        return ()
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            ColoredPicture(
                folder / item["path"],
                item["kind"],
                tuple((color["hex"], float(color["share"])) for color in item["palette"]),
            )
            for item in entries
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidQuery(UNUSABLE.format(path=path, reason=error)) from error
