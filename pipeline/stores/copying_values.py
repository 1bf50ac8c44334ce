"""Text that not every database can keep: NUL characters, and halves of characters.

SQLite keeps whatever it is given; PostgreSQL ends a text at a NUL and refuses it, and JSONB refuses a surrogate that
has no other half. Nobody can see either, so both are left out on the way.
"""

from collections.abc import Sequence
from typing import Any

NUL = "\x00"


def cleaned(row: tuple[Any, ...], positions: Sequence[int]) -> tuple[Any, ...]:
    """Return `row` with what PostgreSQL keeps in these positions, the very same one when nothing is in the way."""
    for at in positions:
        value = row[at]
        if value is not None and not (isinstance(value, str) and _can_be_kept(value)):
            clean = _clean(value)
            if clean != value:
                row = (*row[:at], clean, *row[at + 1 :])
    return row


def _can_be_kept(text: str) -> bool:
    return text.isascii() and NUL not in text


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(NUL, "").encode("utf-8", errors="replace").decode()
    if isinstance(value, dict):
        return {_clean(name): _clean(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_clean(part) for part in value]
    return value
