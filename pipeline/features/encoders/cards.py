"""A CLIP model as data: its two towers, how pictures and words are prepared for them, and what people should know.

A card stands in the catalog of the program (`catalog.toml`), where it may leave open what nobody could verify, and as
`card.json` beside the files of a model that is installed, where every file has its size and SHA-256. The network is
somebody else's business: a card says where files come from, `pipeline.weights` gets them.
"""

import hashlib
import json
import math
import re
import string
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from pipeline.errors import ModelUnusable

CARD_FILE = "card.json"

IMAGE, TEXT, TOKENIZER, OTHER = "image", "text", "tokenizer", "other"
ROLES = (IMAGE, TEXT, TOKENIZER, OTHER)
"""What a file of a model is for; OTHER are those that one of the others names, such as tensors outside of a graph."""

RESIZE_MODES = ("shortest", "longest", "squash")
"""open_clip's: the short side fits and the rest is cropped; the long one and the rest is padded; both sides fit."""

INTERPOLATIONS = ("bicubic", "bilinear")
TEXT_CLEANINGS = ("clip", "canonical", "whitespace", "none")
"""What is done with a text before it is cut into tokens, by open_clip's names: `lower` there is `clip` here."""


NAME_LETTERS = frozenset(string.ascii_lowercase + string.digits + "-._")
LONGEST_NAME = 64  # characters, for which the database has room

MOST_NUMBERS = 16_000
"""Of a vector: what pgvector keeps. The largest models that we know have 1,664."""

MOST_PIXELS = 4_096  # of a side that a network looks at; those we know have 512 at most
MOST_TOKENS = 4_096  # of a text; those we know have 77 at most
MOST_IDS = 2**31  # of which each fits into the narrowest input that a network may have

SHA256 = re.compile("[0-9a-f]{64}")
UNPRINTABLE = ("Cc", "Cs")  # Unicode's control characters, NUL among them, and halves of a character

_KINDS: Mapping[object, tuple[type, ...]] = {
    str: (str,),
    int: (int,),
    bool: (bool,),
    str | None: (str, type(None)),
    int | None: (int, type(None)),
    Mapping[str, Any]: (dict,),
}
"""What JSON may have where a card has this."""


@dataclass(frozen=True)
class ModelFile:
    """One file of a model. `path` is where it lies in the model's folder, `source` its path in the repository.

    `sha256` and `bytes` are None in the catalog where nobody could verify them; they are then taken from the hub at the
    first download, and kept.
    """

    role: str
    path: str
    source: str | None = None
    bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes (3, size, size) float32: (pixel / 255 - mean) / std after resizing."""

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: str = "shortest"
    interpolation: str = "bicubic"


@dataclass(frozen=True)
class Tokenizing:
    """How a text becomes `context_length` token ids: cleaned, lower-cased if `lower`, cut, padded with `pad_id`.

    `end_id` is put last when a text was cut, as CLIP's tokenizer does; None leaves that to the tokenizer file.
    """

    context_length: int
    cleaning: str = "clip"
    lower: bool = True
    pad_id: int = 0
    end_id: int | None = None


@dataclass(frozen=True)
class ModelCard:
    """A CLIP model. `architecture` and `pretrained` are open_clip's names; `precision` is `fp32` or `int8`.

    `revision` is the commit of `repository` on the model hub, None where nobody could verify one. `commercial_use` is
    whether the licence allows it. `quality`, `languages` and `hardware` are sentences for people, with their source.
    """

    name: str
    description: str
    architecture: str
    pretrained: str
    precision: str
    dimension: int
    files: tuple[ModelFile, ...]
    preprocessing: Preprocessing
    tokenizing: Tokenizing
    licence: str
    commercial_use: bool
    languages: str = ""
    quality: str = ""
    hardware: str = ""
    repository: str | None = None
    revision: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Anything else worth keeping in `card.json`, such as the parity report of an export."""

    @property
    def is_pinned(self) -> bool:
        """Whether every file has its size and SHA-256."""
        return all(file.sha256 and file.bytes is not None for file in self.files)

    @property
    def bytes(self) -> int | None:
        """Return the size of all files together, None when one is not known."""
        sizes = [file.bytes for file in self.files]
        return sum(size for size in sizes if size is not None) if None not in sizes else None

    @property
    def fingerprint(self) -> str:
        """Return 32 hex digits that change with anything its vectors depend on. Only a pinned card has one."""
        if not self.is_pinned:
            raise ModelUnusable(f"The files of the model {self.name} are not known yet. Please pull it first.")
        hashes = sorted((file.role, file.path, file.sha256) for file in self.files)
        said = json.dumps([hashes, asdict(self.preprocessing), asdict(self.tokenizing)], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:32]

    def file(self, role: str) -> ModelFile:
        """Return the file of this role. Raises ModelUnusable when there is none."""
        for file in self.files:
            if file.role == role:
                return file
        raise ModelUnusable(f"The model {self.name} has no {role} file. Please pull or export it again.")


def as_json(card: ModelCard) -> str:
    """Return the content of `card.json`."""
    return json.dumps(asdict(card), indent=2, ensure_ascii=False) + "\n"


def read_card(values: Mapping[str, Any]) -> ModelCard:
    """Return the card that `values` describe, as a table of the catalog or `card.json` has them.

    Raises ModelUnusable, naming what is wrong, for anything that is no card: it may come from anywhere.
    """
    try:
        given = dict(values)
        card = ModelCard(
            **given
            | {
                "files": tuple(ModelFile(**file) for file in given["files"]),
                "preprocessing": _preprocessing(given["preprocessing"]),
                "tokenizing": Tokenizing(**given["tokenizing"]),
            }
        )
        _check(card)
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        name = values.get("name") if isinstance(values, Mapping) else None
        raise ModelUnusable(
            f"The card of the model {name if isinstance(name, str) else 'in this folder'} cannot be used: "
            f"{_reason(error)}. Please pull or export it again.",
            detail=repr(error),
        ) from error
    return card


def check_name(name: str) -> None:
    """Return when a model may be called `name`: it is also that of its folder. Raises ModelUnusable."""
    if not name or set(name) - NAME_LETTERS or name.startswith(".") or len(name) > LONGEST_NAME:
        raise ModelUnusable(
            f"A model cannot be called {name!r:.80}. Please choose a name of at most {LONGEST_NAME} small letters, "
            "digits, -, _ and dots, which does not begin with a dot."
        )


def _preprocessing(values: Mapping[str, Any]) -> Preprocessing:
    mean, std = (tuple(_number(number) for number in values[name]) for name in ("mean", "std"))
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0:  # noqa: PLR2004 - red, green, blue
        raise ValueError("mean and std must have three numbers, and std positive ones")
    return Preprocessing(**{**values, "mean": mean, "std": std})


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r:.80} is no number")
    return float(value)


def _reason(error: Exception) -> str:
    """Return what a person can read; what Python says of a missing or strange field is for the log."""
    return str(error) if type(error) is ValueError else "a value is missing, unknown, or of another kind"


def _check(card: ModelCard) -> None:
    """Raise ValueError for a value that is none of its kind, or out of all proportion."""
    for record in (card.preprocessing, card.tokenizing, *card.files, card):
        _check_kinds(record)
    check_name(card.name)
    for word, known in (
        (card.preprocessing.resize, RESIZE_MODES),
        (card.preprocessing.interpolation, INTERPOLATIONS),
        (card.tokenizing.cleaning, TEXT_CLEANINGS),
        *((file.role, ROLES) for file in card.files),
    ):
        if word not in known:
            raise ValueError(f"{word!r:.80} is none of {', '.join(known)}")
    for what, size, most in (
        ("dimension", card.dimension, MOST_NUMBERS),
        ("size", card.preprocessing.size, MOST_PIXELS),
        ("context_length", card.tokenizing.context_length, MOST_TOKENS),
    ):
        if not 1 <= size <= most:
            raise ValueError(f"{what} is {size!r:.80}, which is not between 1 and {most:,}")
    for token in (card.tokenizing.pad_id, card.tokenizing.end_id or 0):
        if not 0 <= token < MOST_IDS:
            raise ValueError(f"{token!r:.80} is the number of no token")
    _check_files(card.files)
    as_json(card).encode()  # whatever is in `extra` has to be written and shown


def _check_kinds(record: Any) -> None:
    for one in fields(record):
        value, kinds = getattr(record, one.name), _KINDS.get(one.type)
        if kinds and type(value) not in kinds:
            raise ValueError(f"{one.name} is {value!r:.80}")
        if isinstance(value, str) and any(unicodedata.category(letter) in UNPRINTABLE for letter in value):
            raise ValueError(f"{one.name} has characters that cannot be shown")


def _check_files(files: Sequence[ModelFile]) -> None:
    for file in files:
        parts = file.path.replace("\\", "/").split("/")
        if not all(parts) or any(part.startswith(".") for part in parts) or ":" in file.path:
            raise ValueError(f"{file.path!r:.80} is no place in the folder of a model")
        if file.bytes is not None and file.bytes < 1:
            raise ValueError(f"bytes is {file.bytes!r:.80}")
        if file.sha256 is not None and not SHA256.fullmatch(file.sha256):
            raise ValueError(f"{file.sha256!r:.80} is no SHA-256")
    places = [CARD_FILE, *(file.path for file in files)]
    if len(set(places)) < len(places):
        raise ValueError("two files have one place")
    roles = sorted(file.role for file in files if file.role != OTHER)
    if roles != sorted((IMAGE, TEXT, TOKENIZER)):
        raise ValueError(f"its files must be one each of {IMAGE}, {TEXT} and {TOKENIZER}")
