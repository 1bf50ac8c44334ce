"""PDQ: equal to the reference implementation, in all orientations."""

import numpy as np
import pytest
from skimage import data

from pipeline.features.pdq import distances, from_hex, in_orientations, luma, pdq, to_hex

REFERENCE = {
    "astronaut": "2d6b1af3a956c529e79ca3d2526fa834d4196c81cedd04de0a26b855fc99b724",
    "chelsea": "5feb5321f01da156898e2bf629a5d3438412cdbd23f48942464526315db33ffd",
    "coffee": "8c629e779a663698b9a33866c026726c21a679f61eb6e1f8c79ba7e23c8299e0",
    "rocket": "8792786c87937064bf1bc0e43f1fc0e03f1cc2e33da4c2537cec821b2ce4f376",
}
"""By Facebook's own code, as the Python package pdqhash 0.2.8 wraps it; the quality of all four is 100."""


def between(one, other):
    return int(distances(np.frombuffer(one, np.uint8)[None], other)[0])


@pytest.mark.parametrize("name", REFERENCE)
def test_hashes_are_those_of_the_reference(name):
    found, quality = pdq(luma(getattr(data, name)()))
    assert between(found, from_hex(REFERENCE[name])) <= 2
    assert quality == 100


def test_the_hash_of_each_orientation_is_that_of_the_turned_picture():
    gray = luma(data.chelsea())
    found = np.frombuffer(in_orientations(gray)[0], np.uint8).reshape(8, 32)
    for number, one in enumerate(found):
        upright = gray if number < 4 else gray[:, ::-1]
        turned = np.ascontiguousarray(np.rot90(upright, -number))  # rot90 turns against the clock
        assert between(one.tobytes(), pdq(turned)[0]) <= 2


def test_a_hash_is_written_as_64_hexadecimal_digits_and_read_again():
    assert to_hex(from_hex(REFERENCE["coffee"])) == REFERENCE["coffee"]
    for wrong in ("", "abc", REFERENCE["coffee"] + "00", "x" * 64):
        with pytest.raises(ValueError, match="hex"):
            from_hex(wrong)


def test_distances_count_the_bits_that_differ():
    hashes = np.zeros((3, 32), np.uint8)
    hashes[1, 0], hashes[2] = 0b101, 255
    assert distances(hashes, bytes(32)).tolist() == [0, 2, 256]
    assert distances(hashes[:0], bytes(32)).tolist() == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (3, 2), (16, 16), (5, 2000)])
def test_tiny_and_thin_pictures_have_a_hash(shape):
    found, quality = pdq(np.full(shape, 99, np.uint8))
    assert len(found) == 32
    assert quality == 0
