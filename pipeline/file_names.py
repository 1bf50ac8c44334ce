"""Names under which pictures can be written to any file system, no two of them the same."""

from pathlib import PurePosixPath

FORBIDDEN = frozenset('<>:"/\\|?*')
"""What Windows refuses in a name; "/" is all that Unix adds to it but the zero byte, which is not printable."""

RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"com{number}" for number in range(1, 10)), *(f"lpt{n}" for n in range(1, 10))}
)
"""Stems that are devices on Windows, whatever the suffix."""

LONGEST_BYTES = 200
"""Of a name in UTF-8. File systems allow 255; the number that tells equal names apart needs room."""

LONGEST_SUFFIX_BYTES = 20  # what is longer after the last dot is part of the name

UNNAMED = "unnamed"


class SafeNames:
    """Gives each file a name of its own: the one it has, made safe, and numbered where two would be the same.

    Case does not tell names apart, since it does not on Windows and macOS.
    """

    def __init__(self) -> None:
        self._last_number: dict[str, int] = {}

    def give(self, filename: str) -> str:
        """Return a safe name like `filename` that has not been given yet."""
        safe = _safe(filename)
        path = PurePosixPath(safe)
        name, number = safe, self._last_number.get(safe.casefold(), 0)
        while number and name.casefold() in self._last_number:
            number += 1
            name = f"{path.stem} ({number}){path.suffix}"
        self._last_number[safe.casefold()] = max(number, 1)
        self._last_number.setdefault(name.casefold(), 1)
        return name


def _safe(filename: str) -> str:
    kept = "".join("_" if letter in FORBIDDEN or not letter.isprintable() else letter for letter in filename)
    kept = kept.strip(" .") or UNNAMED
    kept = f"_{kept}" if kept.startswith("-") else kept  # `rm *` would take it for an option
    kept = f"_{kept}" if kept.split(".")[0].casefold() in RESERVED else kept
    return kept if len(kept.encode()) <= LONGEST_BYTES else _shortened(kept)


def _shortened(name: str) -> str:
    suffix = PurePosixPath(name).suffix.encode()
    kept_suffix = suffix if len(suffix) <= LONGEST_SUFFIX_BYTES else b""
    stem = name.encode()[: LONGEST_BYTES - len(kept_suffix)]
    return (stem + kept_suffix).decode("utf-8", "ignore").rstrip(" .") or UNNAMED
