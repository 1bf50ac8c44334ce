"""Reading tensors out of a PyTorch file of the old format, without PyTorch and without running what it says.

The format is three pickles (magic number, protocol, byte sizes), a pickled `OrderedDict` in which each tensor
names its storage by a persistent id, the pickled list of storage keys, and then every storage in that order:
its length as int64 and its numbers. A pickle may name any function for the reader to call, so everything but
the few names that a table of tensors needs is refused. What the tensors mean is the business of
`lite_network`.
"""

import hashlib
import io
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pipeline.errors import ModelUnusable

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
LENGTH_BYTES = 8

DTYPES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
}
"""The kinds of storage that are read, with their numbers as they lie in the file (little-endian)."""

Tensor = npt.NDArray[np.generic]


@dataclass(frozen=True)
class _TensorPlace:
    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_tensors(path: Path, *, sha256: str) -> dict[str, Tensor]:
    """Return the tensors of the file at `path` by name, after its SHA-256 has been found to be `sha256`.

    Raises ModelUnusable when the file cannot be read, is another file, or holds anything but tensors.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelUnusable(
            f"The model file {path.name} cannot be read. Please install Likeness again.", detail=str(error)
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelUnusable(
            f"The model file {path.name} is damaged or another version. Please install Likeness again.",
            detail=f"SHA-256 {found} instead of {sha256}",
        )
    return parse_tensors(content, name=path.name)


def parse_tensors(content: bytes, *, name: str = "in memory") -> dict[str, Tensor]:
    """Return the tensors in `content`, by name; `name` is for the sentence of a ModelUnusable."""
    try:
        return _parse(io.BytesIO(content))
    except ModelUnusable:
        raise
    except Exception as error:  # the unpickler raises anything at all on damaged input
        raise ModelUnusable(
            f"The model file {name} does not hold what its format promises. Please install Likeness again.",
            detail=repr(error),
        ) from error


def _parse(stream: BinaryIO) -> dict[str, Tensor]:
    reader = _TensorReader(stream)
    if reader.load() != MAGIC_NUMBER or _TensorReader(stream).load() != PROTOCOL_VERSION:
        raise ValueError("not a PyTorch file of the old format")
    _TensorReader(stream).load()  # byte sizes of the writing machine; the storages are little-endian anyway
    table_reader = _TensorReader(stream)
    table = table_reader.load()
    storages = {key: _read_storage(stream, *table_reader.storages[key]) for key in _TensorReader(stream).load()}
    return {name: _view(storages[place.storage], place) for name, place in table.items()}


def _read_storage(stream: BinaryIO, dtype: np.dtype[np.generic], length: int) -> Tensor:
    if int.from_bytes(stream.read(LENGTH_BYTES), "little") != length:
        raise ValueError("a storage has another length than the table says")
    return np.frombuffer(stream.read(length * dtype.itemsize), dtype=dtype, count=length)


def _view(storage: Tensor, place: _TensorPlace) -> Tensor:
    last = place.offset + sum((size - 1) * step for size, step in zip(place.shape, place.strides, strict=True))
    if min(place.shape, default=1) < 1 or min(place.strides, default=0) < 0 or not 0 <= last < storage.size:
        raise ValueError("a tensor reaches beyond its storage")
    byte_strides = tuple(step * storage.itemsize for step in place.strides)
    view = np.lib.stride_tricks.as_strided(storage[place.offset :], place.shape, byte_strides, writeable=False)
    return view.copy()


def _rebuild_tensor(
    storage: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_unused: object
) -> _TensorPlace:
    return _TensorPlace(storage, int(offset), tuple(shape), tuple(strides))


class _TensorReader(pickle.Unpickler):
    """An unpickler that knows ordered dictionaries, tensors and storages, and refuses every other name."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        self.storages: dict[str, tuple[np.dtype[np.generic], int]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        raise ModelUnusable(
            "The model file asks for code to be run, so it was refused. Please install Likeness again.",
            detail=f"{module}.{name}",
        )

    def persistent_load(self, pid: tuple[str, np.dtype[np.generic], str, str, int, object]) -> str:
        _kind, dtype, key, _device, length, _view_metadata = pid
        self.storages[key] = (dtype, length)
        return key
