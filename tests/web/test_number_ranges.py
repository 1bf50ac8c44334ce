"""Sets of numbers as text in an address."""

import pytest

from webapp.number_ranges import MOST_NUMBERS, numbers_from, ranges_of


@pytest.mark.parametrize("numbers", [set(), {7}, {1, 2, 3}, {1, 3, 5}, {2, 3, 9, 10, 11, 40}])
def test_numbers_come_back_from_their_text(numbers):
    assert numbers_from(ranges_of(numbers)) == numbers


def test_neighbors_are_one_range():
    assert ranges_of({3, 1, 2, 9}) == "1-3,9"


@pytest.mark.parametrize("text", ["", "x", "1-", "-2", "3-1", "1-2-3", "1234567", "\uff11"])
def test_what_is_no_range_counts_for_nothing(text):
    assert numbers_from(text) <= {1}


def test_an_address_cannot_ask_for_more_numbers_than_an_upload_has_files():
    assert (
        len(numbers_from(",".join(f"{start}-{start + 99_998}" for start in range(0, 900_000, 99_999)))) < MOST_NUMBERS
    )
