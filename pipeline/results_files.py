"""The results of a search as a file: JSON as the API tells it, and CSV for spreadsheets; best first.

The addresses of images belong to whoever serves them, so they are given by a function.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator

from pipeline.description import FLAT_COLUMNS, SIMILARITY_DIGITS, describe_flat, describe_hit, describe_result
from pipeline.images import ImageRecord
from pipeline.judging import Hit
from pipeline.search import SearchResult
from pipeline.spreadsheets import as_cell

AddressOf = Callable[[ImageRecord], str]

COLUMNS = ("rank", "address", "similarity", "strength", "why", *FLAT_COLUMNS)
BYTE_ORDER_MARK = "\ufeff"  # by which Excel knows UTF-8


def json_of(result: SearchResult, address_of: AddressOf) -> dict[str, object]:
    """Return the contract's answer to a search, each result with the `address` of its page."""
    hits = [describe_hit(hit) | {"address": address_of(hit.image)} for hit in result.hits]
    return describe_result(result) | {"results": hits}


def csv_lines(result: SearchResult, address_of: AddressOf) -> Iterator[str]:
    """Yield the lines of a CSV file, a heading first; a result is a row, and its `rank` begins at 1."""
    yield BYTE_ORDER_MARK + _line(COLUMNS)
    for rank, hit in enumerate(result.hits, 1):
        row = {"rank": rank, "address": address_of(hit.image), **_found(hit), **describe_flat(hit.image)}
        yield _line([row.get(name) for name in COLUMNS])


def _found(hit: Hit) -> dict[str, object]:
    return {
        "similarity": None if hit.similarity is None else round(hit.similarity, SIMILARITY_DIGITS),
        "strength": hit.strength,
        "why": json.dumps(hit.why, ensure_ascii=False) if hit.why else None,
    }


def _line(values: tuple[str, ...] | list[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([as_cell(value) for value in values])
    return text.getvalue()
