"""A search as it is kept in the database, and read again from there.

What people typed is read by `webapp`, which may be in another process than the one that compares new images with it. So
what was read is kept beside what was typed: every field of a term and of a filter that is not as it begins.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.errors import InvalidQuery
from pipeline.filters import Filter
from pipeline.query_pictures import Region
from pipeline.questions import Term
from pipeline.search import SearchQuery

OUTDATED = "This search was saved by another version of Likeness and cannot be read any more. Please save it anew."

_FILTER = TypeAdapter(Filter)
_TERM_FIELDS = frozenset(field.name for field in fields(Term)) - {"picture"}
_FILTER_FIELDS = frozenset(field.name for field in fields(Filter))


def to_json(query: SearchQuery) -> dict[str, Any]:
    """Return terms and filter as JSON has them. A term that is a picture must be kept, and is named by its key."""
    begun = Term()
    return {
        "terms": [
            {
                name: asdict(value) if isinstance(value, Region) else value
                for name in sorted(_TERM_FIELDS)
                if (value := getattr(term, name)) != getattr(begun, name)
            }
            for term in query.terms
        ],
        "where": _FILTER.dump_python(query.where, mode="json", exclude_defaults=True),
    }


def from_json(kept: Mapping[str, Any]) -> SearchQuery:
    """Return the search of which `to_json` made this.

    Raises InvalidQuery for one with a field that is not known any more: without it, it would find something else.
    """
    terms, where = kept["terms"], kept["where"]
    if not set(where) <= _FILTER_FIELDS or not all(set(term) <= _TERM_FIELDS for term in terms):
        raise InvalidQuery(OUTDATED)
    try:
        return SearchQuery(tuple(_term(term) for term in terms), _FILTER.validate_python(where))
    except (ValidationError, TypeError) as error:
        raise InvalidQuery(OUTDATED, detail=str(error).splitlines()[0]) from error


def _term(kept: Mapping[str, Any]) -> Term:
    region = kept.get("region")
    return Term(**{**kept, "region": Region(**region) if region else None})
