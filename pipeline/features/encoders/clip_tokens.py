"""From a text to the token ids of a CLIP model, by the tokenizer file that belongs to it and open_clip's cleaning.

Follows `tokenizer.py` of open_clip_torch 3.3.0: the same ids for the same text, without PyTorch.
"""

import html
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ftfy
import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from pipeline.errors import ModelUnusable
from pipeline.features.encoders.cards import Tokenizing

MAX_TEXT_CHARACTERS = 10_000
"""What lies beyond is not looked at. No model reads more than some hundred words, and cleaning takes time."""

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class Tokens:
    """A text as (context_length,) ids, and the words of the cleaned text that they do and do not stand for.

    `count` ids come from the text and the marks around it, the rest is padding.
    """

    ids: npt.NDArray[np.int64]
    count: int
    understood: tuple[str, ...]
    ignored: tuple[str, ...]


class ClipTokenizer:
    """Cleans and cuts texts; one instance may be shared by threads."""

    def __init__(self, tokenizer: Tokenizer, how: Tokenizing) -> None:
        self._tokenizer = tokenizer
        self._how = how
        self._cleaned = _CLEANINGS[how.cleaning]

    def clean(self, text: str) -> str:
        """Return `text` as it is cut into tokens; two texts that come out alike have the same ids."""
        readable = text[:MAX_TEXT_CHARACTERS].encode("utf-8", "replace").decode()  # half a surrogate pair is no text
        cleaned = self._cleaned(readable)
        return cleaned.lower() if self._how.lower else cleaned

    def tokens(self, cleaned: str) -> Tokens:
        """Return the ids of a text that `clean` returned."""
        encoding = self._tokenizer.encode(cleaned)
        found = encoding.ids[: self._how.context_length]
        if self._how.end_id is not None and len(encoding.ids) > len(found):
            found[-1] = self._how.end_id
        ids = np.full(self._how.context_length, self._how.pad_id, np.int64)
        ids[: len(found)] = found
        return Tokens(ids, len(found), *self._words(cleaned, encoding.offsets, len(found)))

    def _words(
        self, cleaned: str, offsets: list[tuple[int, int]], kept: int
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if self._how.end_id is None:  # the file has cut the text, and what is left of it has offsets
            reached = max((end for _, end in offsets), default=0)
        elif len(offsets) <= kept:
            return tuple(cleaned.split()), ()
        else:
            reached = max((end for _, end in offsets[: kept - 1]), default=0)
        return tuple(cleaned[:reached].split()), tuple(cleaned[reached:].split())


def load_tokenizer(path: Path, how: Tokenizing) -> ClipTokenizer:
    """Return the tokenizer in the file `tokenizer.json` at `path`. Raises ModelUnusable when it is none."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        if how.end_id is None:
            tokenizer.enable_truncation(how.context_length)
    except Exception as error:  # the library raises Exception itself
        raise ModelUnusable(
            f"The tokenizer {path.name} of the model in {path.parent.name} cannot be used. "
            "Please pull or export it again.",
            detail=repr(error),
        ) from error
    return ClipTokenizer(tokenizer, how)


def _basic(text: str) -> str:
    return html.unescape(html.unescape(ftfy.fix_text(text))).strip()


def _whitespace(text: str) -> str:
    return " ".join(_basic(text).split())


def _clip(text: str) -> str:
    return _whitespace(text).lower()


def _canonical(text: str) -> str:
    """Clean as SigLIP was trained, by big_vision's `canonicalize_text`: no punctuation, one space, small letters."""
    plain = _basic(text).replace("_", " ").translate(_NO_PUNCTUATION)
    return " ".join(plain.lower().split())


def _as_it_is(text: str) -> str:
    return text


_CLEANINGS: dict[str, Callable[[str], str]] = {
    "clip": _clip,
    "canonical": _canonical,
    "whitespace": _whitespace,
    "none": _as_it_is,
}
