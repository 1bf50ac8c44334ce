"""Looking up hashes within some bits: what the index finds is what comparing all finds."""

import numpy as np
import pytest

from pipeline.features.near_hashes import SCANNED, NearHashes

SIZE = SCANNED + 1000  # enough that there is an index


@pytest.fixture(scope="module")
def hashes():
    return np.random.default_rng(1).integers(0, 256, (SIZE, 32), np.uint8)


def moved(one, bits):
    """Return a hash that differs in so many bits, spread as far as can be."""
    flat = np.unpackbits(one)
    flat[np.linspace(0, 255, bits).astype(int)] ^= 1
    return np.packbits(flat)


def by_strings(hashes, one, farthest):
    """Return the places and distances by counting letters of binary numbers."""
    value = int.from_bytes(one.tobytes())
    apart = [(int.from_bytes(other.tobytes()) ^ value).bit_count() for other in hashes]
    return sorted((bits, place) for place, bits in enumerate(apart) if bits <= farthest)


@pytest.mark.parametrize("farthest", [0, 10, 31, 47, 63])
def test_everything_within_the_distance_is_found_and_nothing_else(hashes, farthest):
    known = NearHashes(hashes)
    questions = np.stack([moved(hashes[7], farthest), moved(hashes[4900], farthest + 1), hashes[11]])

    found = known.within(questions, farthest)

    for number, question in enumerate(questions):
        mine = found.questions == number
        pairs = list(zip(found.distances[mine].tolist(), found.places[mine].tolist(), strict=True))
        assert pairs == by_strings(hashes, question, farthest)
    assert (farthest, 7) in zip(found.distances.tolist(), found.places.tolist(), strict=True)
    assert list(found.distances) == sorted(found.distances)


def test_hashes_that_come_later_are_found_with_and_without_a_new_index(hashes):
    later = np.stack([moved(hashes[3], 5), hashes[3]])
    grown = NearHashes(hashes).with_more(later)
    again = NearHashes(hashes[:10]).with_more(hashes[10:]).with_more(later)

    for known in (grown, again):
        found = known.within(hashes[3:4], 31)
        assert list(zip(found.places.tolist(), found.distances.tolist(), strict=True)) == [
            (3, 0),
            (SIZE + 1, 0),
            (SIZE, 5),
        ]


def test_nothing_is_found_in_nothing_and_too_far_is_refused(hashes):
    assert len(NearHashes(np.empty((0, 32), np.uint8)).within(hashes[:1], 31).places) == 0
    with pytest.raises(ValueError, match="0 to 63 bits"):
        NearHashes(hashes).within(hashes[:1], 64)
