"""Addresses of searches as they are kept: read into their fields, and the search that these ask for."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from pipeline import access
from pipeline.backend import Backend
from pipeline.errors import InvalidQuery, NotFound
from pipeline.principals import Principal
from pipeline.search import SearchQuery
from webapp.forms import FILTER_FIELDS, Fields
from webapp.links import SUBJECTS, is_web_address
from webapp.routes.search import query_of

LONGEST_QUERY = 8000  # characters; an address of one page has a few hundred
MOST_PAIRS = 200

TOO_LONG = "This search is too long to be kept. Please leave something out."
NOTHING_ASKED = "A saved search needs something to look for: words, a picture, or a filter."
AN_ADDRESS = "An address is no words to be kept. Please search with the picture that is there, and save that search."


def fields_of_address(address: str) -> dict[str, list[str]]:
    """Return the fields of the address of a search; others, such as the place in its results, are left out.

    Raises InvalidQuery when it is no such address.
    """
    if len(address) > LONGEST_QUERY:
        raise InvalidQuery(TOO_LONG)
    try:
        pairs = parse_qsl(urlsplit(address).query, max_num_fields=MOST_PAIRS)
    except ValueError as error:
        raise InvalidQuery(TOO_LONG) from error
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        if name in SUBJECTS or name in FILTER_FIELDS:
            fields.setdefault(name, []).append(value)
    return fields


def fields_of_json(query: Mapping[str, object]) -> dict[str, list[str]]:
    """Return the fields of a search that a program sent: a value or a list of them under each name.

    Raises InvalidQuery for a name that is not one: without it, the search would find something else.
    """
    unknown = [name for name in query if name not in SUBJECTS and name not in FILTER_FIELDS]
    if unknown:
        raise InvalidQuery(
            f"A search has no field “{unknown[0][:40]}”. It has {', '.join((*SUBJECTS, *FILTER_FIELDS))}."
        )
    fields: dict[str, list[str]] = {}
    for name, value in query.items():
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str | int | float) and not isinstance(one, bool) for one in values):
            raise InvalidQuery(f"The value of {name} must be a text, a number, or a list of these.")
        fields[name] = [str(one) for one in values if one != ""]
    return {name: values for name, values in fields.items() if values}


def read_query(
    backend: Backend, principal: Principal, fields: Fields
) -> tuple[Mapping[str, Sequence[str]], SearchQuery]:
    """Return the fields with the ids of libraries instead of their names, and the search that they ask for.

    Raises InvalidQuery, and NotFound for a library that does not exist for `principal`.
    """
    if not fields:
        raise InvalidQuery(NOTHING_ASKED)
    if any(is_web_address(text) for text in fields.get("text", ())):
        raise InvalidQuery(AN_ADDRESS)
    values = [value for several in fields.values() for value in several]
    if len(values) > MOST_PAIRS or sum(map(len, values)) > LONGEST_QUERY:
        raise InvalidQuery(TOO_LONG)
    named = {name: list(values) for name, values in fields.items()}
    if asked := named.get("library"):
        named["library"] = list(access.library_ids(backend, asked, principal))
        known = access.library_labels(backend, principal)
        if any(library not in known for library in named["library"]):
            raise NotFound(access.NO_LIBRARY)
    return named, query_of(named)
