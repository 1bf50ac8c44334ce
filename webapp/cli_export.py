"""`likeness export`: originals and metadata into a folder or a ZIP file."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from webapp.cli_errors import FAILURE
from webapp.cli_filters import filter_options, read_options
from webapp.cli_progress import track
from webapp.cli_session import opened, stopped_gently


@click.command("export")
@click.argument("place", metavar="DIR|FILE.zip", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Write over what is there.")
@filter_options
@click.pass_context
def export_command(context: click.Context, /, *, place: Path, force: bool, **filters: Any) -> None:
    """Export originals, metadata.csv and metadata.json to a folder or a ZIP file.

    Without filters it is everything that has not been deleted. The exit status is 1 if an original is missing.
    """
    where = read_options(filters)
    with stopped_gently(), opened() as backend:
        from pipeline.access import local_owner
        from pipeline.export import FolderTarget, check_free, export, list_rows, zip_file

        if not force:
            check_free(place)
        rows = list_rows(backend, where, local_owner(backend))
        as_zip = place.suffix.lower() == ".zip"
        with zip_file(place) if as_zip else nullcontext(FolderTarget(place)) as target:
            done, missing = 0, []  # not the images themselves, of which there may be a million
            for item in track(export(backend, rows, target), "Exporting", len(rows)):
                if item.problem:
                    missing.append(f"missing  {item.image.filename} ({item.image.id}): {item.problem}")
                else:
                    done += 1
    for line in missing:
        click.echo(line)
    click.echo(f"Exported {done:,} pictures to {place}.", err=True)
    if missing:
        context.exit(FAILURE)
