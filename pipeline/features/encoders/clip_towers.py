"""The two networks of a CLIP model, whatever names, types and sizes the ONNX files in the wild declare.

An input is the only one there is, beside an attention mask; an output is recognized by its name, or else by its shape.
What a tower returns is checked and made unit length, so that nothing but usable vectors leaves this module.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from pipeline.errors import ModelUnusable
from pipeline.features.encoders.cards import IMAGE, OTHER, TEXT, ModelCard
from pipeline.features.encoders.clip_files import checked_path
from pipeline.features.encoders.onnx_runtime import on_graphics_card, open_session
from pipeline.features.encoders.protocol import Embedding

MASK_INPUT = "attention_mask"
PICTURE_OUTPUTS = ("image_embeds", "embedding", "image_features")
TEXT_OUTPUTS = ("text_embeds", "embedding", "text_features")

_DTYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}
_FLOATS = (np.float32, np.float16)
_WHOLE = (np.int64, np.int32)


class Tower:
    """One network of a model; may be shared by threads.

    `takes_batches` is whether it takes several rows at a time, `on_card` whether it runs on a graphics card.
    """

    def __init__(self, session: onnxruntime.InferenceSession, card: ModelCard, inputs: Sequence[Any]) -> None:
        self._session = session
        self._card = card
        self._dtypes = {given.name: _DTYPES[given.type] for given in inputs}
        self._output = ""
        batch = inputs[0].shape[0]
        self.takes_batches = not isinstance(batch, int)
        self.on_card = on_graphics_card(session)
        if isinstance(batch, int) and batch != 1:
            raise unfit(card, f"it takes {batch} at a time only")

    def run(self, feed: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        """Return (n, dimension), each row of unit length, for arrays of n rows.

        Raises ModelUnusable when the network fails, or returns what has no direction.
        """
        count = len(next(iter(feed.values())))
        if self.takes_batches or count == 1:
            return self._unit_rows(self._run(feed, [self._output])[0])
        rows = [
            self._run({name: rows[at : at + 1] for name, rows in feed.items()}, [self._output])[0]
            for at in range(count)
        ]
        return self._unit_rows(np.concatenate(rows))

    def choose_output(self, feed: dict[str, npt.NDArray[Any]], preferred: Sequence[str]) -> None:
        """Find the output with the vector by running the network once on one row. Raises ModelUnusable for none."""
        names = [given.name for given in self._session.get_outputs()]
        found = dict(zip(names, self._run(feed, None), strict=True))
        for name in sorted(names, key=lambda name: preferred.index(name) if name in preferred else len(preferred)):
            if np.shape(found[name]) == (1, self._card.dimension):
                self._output = name
                return
        shapes = ", ".join(f"{name} {np.shape(value)}" for name, value in found.items())
        raise unfit(self._card, f"no output is (1, {self._card.dimension}): {shapes}")

    def _run(self, feed: dict[str, npt.NDArray[Any]], outputs: list[str] | None) -> list[npt.NDArray[Any]]:
        typed = {name: np.asarray(rows, self._dtypes[name]) for name, rows in feed.items()}
        try:
            return list(self._session.run(outputs, typed))
        except Exception as error:  # its errors share no base class but Exception
            raise unfit(self._card, repr(error)) from error

    def _unit_rows(self, rows: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        exact = np.asarray(rows, np.float64)
        lengths = np.linalg.norm(exact, axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and (lengths > 0).all()):
            raise ModelUnusable(
                f"The model {self._card.name} returned no usable numbers. Please try again, or use another model."
            )
        return np.asarray(exact / lengths, np.float32)


class ImageTower(Tower):
    """The network that embeds pictures."""

    def __init__(self, session: onnxruntime.InferenceSession, card: ModelCard) -> None:
        given = _the_input(session, card)
        size = card.preprocessing.size
        _check(card, given, _FLOATS, (None, 3, size, size))
        super().__init__(session, card, [given])
        self._input = given.name
        self.choose_output({given.name: np.zeros((1, 3, size, size), np.float32)}, PICTURE_OUTPUTS)

    def embed(self, prepared: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return (n, dimension) of unit length for (n, 3, size, size)."""
        return self.run({self._input: prepared})


class TextTower(Tower):
    """The network that embeds texts."""

    def __init__(self, session: onnxruntime.InferenceSession, card: ModelCard) -> None:
        given = _the_input(session, card, beside=MASK_INPUT)
        masks = [found for found in session.get_inputs() if found.name == MASK_INPUT]
        for found in (given, *masks):
            _check(card, found, _WHOLE, (None, card.tokenizing.context_length))
        super().__init__(session, card, [given, *masks])
        self._input, self._masked = given.name, bool(masks)
        self._length = card.tokenizing.context_length
        padding = np.full((1, self._length), card.tokenizing.pad_id, np.int64)
        self.choose_output(self._feed(padding, 1), TEXT_OUTPUTS)

    def embed(self, ids: npt.NDArray[np.int64], count: int) -> Embedding:
        """Return (dimension,) of unit length for (context_length,) ids, of which `count` are not padding."""
        return np.asarray(self.run(self._feed(ids[None], count))[0], np.float32)

    def _feed(self, ids: npt.NDArray[np.int64], count: int) -> dict[str, npt.NDArray[Any]]:
        feed = {self._input: ids}
        if self._masked:
            feed[MASK_INPUT] = (np.arange(self._length) < count).astype(np.int64)[None]
        return feed


def open_image_tower(folder: Path, card: ModelCard, device: str) -> ImageTower:
    """Return the tower, its files checked. Raises ModelUnusable when one is damaged or does not fit the card."""
    return ImageTower(_open(folder, card, IMAGE, device), card)


def open_text_tower(folder: Path, card: ModelCard, device: str) -> TextTower:
    """Return the tower, its files checked. Raises ModelUnusable when one is damaged or does not fit the card."""
    return TextTower(_open(folder, card, TEXT, device), card)


def unfit(card: ModelCard, detail: str) -> ModelUnusable:
    """Return the error of a network that is not what its card says."""
    return ModelUnusable(
        f"A network of the model {card.name} does not fit its card. Please pull or export it again.", detail=detail
    )


def _open(folder: Path, card: ModelCard, role: str, device: str) -> onnxruntime.InferenceSession:
    for beside in card.files:
        if beside.role == OTHER:
            checked_path(folder, card, beside)
    return open_session(checked_path(folder, card, card.file(role)), card.name, device)


def _the_input(session: onnxruntime.InferenceSession, card: ModelCard, beside: str | None = None) -> Any:
    inputs = [given for given in session.get_inputs() if given.name != beside]
    if len(inputs) == 1:
        return inputs[0]
    # A graph with both towers in it asks for pictures and texts at once, and there is nothing to give for the other.
    raise unfit(card, f"it takes {', '.join(given.name for given in inputs) or 'nothing'} at once")


def _check(card: ModelCard, given: Any, dtypes: Sequence[type[np.generic]], shape: Sequence[int | None]) -> None:
    fits = len(given.shape) == len(shape) and all(
        not isinstance(found, int) or wanted in {None, found} for found, wanted in zip(given.shape, shape, strict=True)
    )
    if not fits or _DTYPES.get(given.type) not in dtypes:
        raise unfit(card, f"{given.name} is {given.type} {given.shape}")
