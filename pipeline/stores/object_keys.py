"""What an object's key may be: plain segments with slashes between them, alike in every object store."""

import re

SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def is_key(text: str) -> bool:
    """Whether this is a key, and so the name of an object of ours."""
    return all(SEGMENT.fullmatch(segment) for segment in text.split("/"))


def segments_of(key: str) -> list[str]:
    """Return the segments of a key. Raises ValueError for what is none, such as a path that leads elsewhere."""
    if not is_key(key):
        raise ValueError(f"not an object key: {key!r}")
    return key.split("/")
