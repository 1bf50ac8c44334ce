"""Sets of numbers as short text for an address: 1-40,42."""

import re
from collections.abc import Set as AbstractSet

RANGE = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")
MOST_NUMBERS = 100_000  # in all; more than an upload has files, and soon counted


def ranges_of(numbers: AbstractSet[int]) -> str:
    """Return the numbers as ranges, in ascending order."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in parts)


def numbers_from(text: str) -> set[int]:
    """Return the numbers of `ranges_of`; what is not a range counts for nothing."""
    numbers: set[int] = set()
    for part in text.split(","):
        found = RANGE.fullmatch(part)
        if found:
            first, last = int(found[1]), int(found[2] or found[1])
            if len(numbers) + last - first >= MOST_NUMBERS:
                break
            numbers |= set(range(first, last + 1))
    return numbers
