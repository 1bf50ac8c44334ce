"""Small parts that several pages have: the places of the navigation, and what the page of the status says of banks."""

from dataclasses import dataclass
from typing import Literal

Place = Literal[
    "search",
    "upload",
    "status",
    "libraries",
    "searches",
    "account",
    "people",
    "audit",
    "duplicates",
    "moderation",
    "banks",
    "",
]
"""The page that is marked in the navigation, "" for one that has no place there."""


@dataclass(frozen=True)
class PausedBank:
    """A bank that rests, and why."""

    name: str
    url: str
    sentence: str
