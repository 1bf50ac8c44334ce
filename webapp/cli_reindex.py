"""The command `reindex`: the vector index made anew, or moved to another engine while searches go on."""

from pathlib import Path

import click

from webapp.cli_addresses import TEXT_FILE, address_given
from webapp.cli_progress import Progress
from webapp.cli_session import opened, stopped_gently


@click.command()
@click.option("--to", "url", metavar="URL", help="Fill another engine and let it answer, such as pgvector://.")
@click.option("--to-file", "file", type=TEXT_FILE, help="The same with the address in a file, for one with a password.")
def reindex(url: str | None, file: Path | None) -> None:
    """Rebuild the vector index from the database; searches go on meanwhile.

    With --to, another engine is filled instead and takes over when it holds everything: faiss://, pgvector://,
    pgvector://user:password@host/name or milvus://host:19530. After an interruption the same command goes on.
    """
    url = address_given("--to", url, file) or None
    with stopped_gently(), opened() as backend:
        from pipeline import reindexing

        with Progress("Filling", reindexing.count_changes(backend)) as progress:
            if url is None:
                held = backend.vectors.rebuild(lambda number: progress.reach(progress.done + number))
            else:
                switched = reindexing.switch(backend, url, progress.reach)
    if url is None:
        click.echo(f"The index holds {held:,} vectors.")
        return
    click.echo(f"Searches use {switched.address} now, which holds {switched.vectors:,} vectors.")
    click.echo(
        "Please set LIKENESS_VECTORS_URL to the new address. Until then the database, which keeps the address with "
        f"any password in it, leads whoever starts with {switched.origin} there.",
        err=True,
    )
