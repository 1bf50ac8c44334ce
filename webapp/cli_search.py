"""`likeness search`: a search from the shell, as a table or as the JSON that the API answers."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from webapp.cli_filters import filter_options, read_options, read_view
from webapp.cli_session import opened
from webapp.filter_help import VIEW

if TYPE_CHECKING:
    from pipeline.backend import Backend
    from pipeline.questions import Term
    from pipeline.search import SearchResult

DEFAULT_LIMIT = 20
HIGHEST_LIMIT = 100
HEAVIEST = 2.0
VERDICTS = {
    "match": "",
    "weak": "Nothing looks much like it; these are the nearest.",
    "none": "Nothing here is like it.",
}


@click.command("search")
@click.option(
    "--image",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A picture file to search with.",
)
@click.option("--text", help='Words to search with, weighted as in the text box: "2*dog -leash".')
@click.option(
    "--limit",
    default=DEFAULT_LIMIT,
    show_default=True,
    type=click.IntRange(1, HIGHEST_LIMIT),
    help="Results at most.",
)
@click.option("--sort", help=VIEW["sort"])
@click.option("--state", multiple=True, help=VIEW["state"])
@click.option(
    "--content-weight",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, HEAVIEST),
    help="What it counts how alike pictures are, or how well they fit the words.",
)
@click.option(
    "--words-weight",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, HEAVIEST),
    help="What it counts that captions, tags and file names have the words.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the HTTP API.")
@filter_options
def search_command(
    image: Path | None,
    text: str | None,
    limit: int,
    sort: str | None,
    state: tuple[str, ...],
    content_weight: float,
    words_weight: float,
    as_json: bool,
    **filters: Any,
) -> None:
    """Search by a picture, by words, or by both; with filters alone, list what passes them, newest first.

    Words are looked for in what pictures show, and in captions, tags and file names.
    """
    where = read_options(filters)
    order, states = read_view({"sort": sort, "state": state})
    with opened() as backend:
        from pipeline.access import local_owner
        from pipeline.description import describe_result
        from pipeline.fusion import Weights
        from pipeline.search import SearchQuery, search

        query = SearchQuery(
            terms=_terms(backend, image, text),
            where=where,
            sort=order,
            states=states,
            limit=limit,
            weights=Weights(content_weight, words_weight),
        )
        result = search(backend, query, local_owner(backend))
        if as_json:
            click.echo(json.dumps(describe_result(result), ensure_ascii=False, indent=2))
        else:
            _print_table(result)


def _terms(backend: "Backend", image: Path | None, text: str | None) -> "tuple[Term, ...]":
    from pipeline.errors import InvalidQuery
    from pipeline.query_pictures import read_query_picture
    from pipeline.questions import Term
    from pipeline.uploads import existing_file
    from webapp.query_parts import MOST_PARTS, read_words

    terms = []
    if image:
        upload = existing_file(image, max_bytes=backend.settings.max_upload_bytes)
        terms.append(Term(picture=read_query_picture(backend, upload)))
    terms += [Term(text=words, weight=weight) for weight, words in read_words(text or "")]
    if len(terms) > MOST_PARTS:
        raise InvalidQuery(f"A search can have {MOST_PARTS} parts.")
    return tuple(terms)


def _print_table(result: "SearchResult") -> None:
    from webapp.wording import as_reason

    for hit in result.hits:
        similarity = f"{hit.similarity:.3f}" if hit.similarity is not None else "-"
        line = f"{similarity:>6}  {hit.strength or '-':<8}  {hit.image.id}  {hit.image.filename}  {as_reason(hit.why)}"
        click.echo(line.rstrip())
    if result.ignored and not result.reason:
        words = ", ".join(result.ignored)
        click.echo(f"Looked for in captions, tags and file names only: {words}.", err=True)
    if result.reason:
        click.echo(result.reason, err=True)
    elif VERDICTS[result.verdict]:
        click.echo(VERDICTS[result.verdict], err=True)
    elif result.has_more:
        click.echo("There are more; --limit shows up to 100.", err=True)
