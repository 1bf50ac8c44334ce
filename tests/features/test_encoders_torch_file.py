"""Files are written here byte by byte, after the format's description, because PyTorch is not installed."""

import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ModelUnusable
from pipeline.features.encoders.torch_file import parse_tensors, read_tensors

HEADER = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19." + b"\x80\x02M\xe9\x03." + b"\x80\x02}."
"""Pickles of the magic number 0x1950a86a20f9469cfc6c, of the protocol 1001 and of an empty dictionary."""


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(key: str, length: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + number(length) + b"NtQ"
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) + numbers(shape) + numbers(strides) + b"tR"
    )


def torch_file(tensors: dict[str, bytes], storages: dict[str, list[float]]) -> bytes:
    entries = b"".join(text(name) + content for name, content in tensors.items())
    table = b"\x80\x02ccollections\nOrderedDict\n)R(" + entries + b"u."
    keys = b"\x80\x02](" + b"".join(map(text, storages)) + b"e."
    contents = b"".join(struct.pack(f"<q{len(s)}f", len(s), *s) for s in storages.values())
    return HEADER + table + keys + contents


def test_tensors_are_read_with_their_shape_offset_and_strides():
    content = torch_file(
        {
            "whole": tensor("7", 6, 0, (2, 3), (3, 1)),
            "transposed": tensor("7", 6, 0, (3, 2), (1, 3)),
            "tail": tensor("7", 6, 4, (2,), (1,)),
            "scalar": tensor("8", 1, 0, (), ()),
        },
        {"7": [1, 2, 3, 4, 5, 6], "8": [0.5]},
    )
    read = parse_tensors(content)
    np.testing.assert_array_equal(read["whole"], [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(read["transposed"], [[1, 4], [2, 5], [3, 6]])
    np.testing.assert_array_equal(read["tail"], [5, 6])
    assert read["scalar"] == 0.5
    assert list(read) == ["whole", "transposed", "tail", "scalar"]


@pytest.mark.parametrize(
    "call",
    [
        b"cos\nsystem\n(X\x04\x00\x00\x00truetR",
        b"cbuiltins\neval\n(X\x01\x00\x00\x001tR",
        b"ctorch\nload\n",
        b"ccollections\nCounter\n)R",
        b"cnumpy\nfromfile\n",
    ],
)
def test_a_file_that_names_anything_but_tensors_is_refused(call):
    with pytest.raises(ModelUnusable, match="refused"):
        parse_tensors(HEADER + b"\x80\x02" + call + b".")


@pytest.mark.parametrize(
    "place",
    [
        tensor("7", 4, 0, (5,), (1,)),
        tensor("7", 4, 3, (2,), (1,)),
        tensor("7", 4, -1, (1,), (1,)),
        tensor("7", 4, 3, (2,), (-1,)),
        tensor("7", 4, 0, (2, 2), (1,)),
        tensor("7", 4, 0, (1 << 30, 1 << 30), (1 << 30, 1)),
    ],
)
def test_a_tensor_that_reaches_beyond_its_storage_is_refused(place):
    with pytest.raises(ModelUnusable):
        parse_tensors(torch_file({"bad": place}, {"7": [1, 2, 3, 4]}))


def test_a_file_cut_off_anywhere_is_refused():
    content = torch_file({"whole": tensor("7", 6, 0, (2, 3), (3, 1))}, {"7": [1, 2, 3, 4, 5, 6]})
    for length in range(len(content)):
        with pytest.raises(ModelUnusable):
            parse_tensors(content[:length])


def test_a_file_with_another_hash_is_not_even_opened(tmp_path: Path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"cos\nsystem\n")
    with pytest.raises(ModelUnusable, match=r"weights\.pth is damaged or another version"):
        read_tensors(path, sha256=hashlib.sha256(b"something else").hexdigest())


def test_a_missing_file_is_an_error_with_a_sentence(tmp_path: Path):
    with pytest.raises(ModelUnusable, match=r"gone\.pth cannot be read"):
        read_tensors(tmp_path / "gone.pth", sha256="0" * 64)
