"""`likeness import`: folders of pictures, with progress, reasons of refusals, and a way to go on after a stop."""

import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from webapp.cli_errors import FAILURE, say
from webapp.cli_progress import Progress, track
from webapp.cli_session import opened, stopped_gently

if TYPE_CHECKING:
    from pipeline.backend import Backend
    from pipeline.bulk_import import Destination, FileResult
    from pipeline.doorbell import Doorbell
    from pipeline.folder_walk import Listing
    from pipeline.patience import Patience

LOOK_SECONDS = 0.3  # between two looks at how many pictures still wait
PATIENCE_SECONDS = 600.0  # for a store that is down: long enough for any restart, short enough to be noticed
LOOK_PAUSES = 20.0  # pauses are so many times as long as a look, so that looking costs little when very many wait
LONGEST_PAUSE_SECONDS = 10.0  # also after a look that took long because the database was down meanwhile

INTERRUPTED = "Stopped. What is in stays in; run the same command again to go on from here."


@click.command("import")
@click.argument("places", metavar="DIR...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--library", default="main", show_default=True, help="Library the pictures go into.")
@click.option("--in-place", is_flag=True, help="Refer to the files where they lie instead of copying them.")
@click.option("--no-wait", is_flag=True, help="Only take the files in; a running worker analyzes them.")
@click.option(
    "--exclude", multiple=True, metavar="GLOB", help="Leave out files and folders like this; may be repeated."
)
@click.pass_context
def import_command(
    context: click.Context,
    *,
    places: tuple[Path, ...],
    library: str,
    in_place: bool,
    no_wait: bool,
    exclude: tuple[str, ...],
) -> None:
    """Import folders of pictures, with everything below them.

    Files that were imported before and have not changed are skipped without being read, so an import that was
    stopped is simply run again. A deleted picture comes back when a new file has the very same bytes. Refused files
    are listed on stdout with the reason, and the others go in.
    """
    with stopped_gently(), opened() as backend:
        from pipeline.access import local_owner, upload_library
        from pipeline.bulk_import import Destination

        owner = local_owner(backend)
        destination = Destination(upload_library(backend, library, owner), owner, in_place=in_place)
        folders = [str(place.resolve()) for place in places]
        try:
            results = _import(backend, folders, exclude, destination, wait=not no_wait)
        except KeyboardInterrupt:
            say(INTERRUPTED)
            context.exit(FAILURE)
        _report(results)


def _import(
    backend: "Backend",
    folders: list[str],
    exclude: tuple[str, ...],
    destination: "Destination",
    *,
    wait: bool,
) -> "list[FileResult]":
    from pipeline.bulk_import import list_failures, working
    from pipeline.doorbell import Doorbell

    listing = _list(backend, folders, exclude)
    click.echo(f"Found {len(listing.files):,} files.", err=True)
    with Doorbell(backend.database, backend.settings) as doorbell:
        if not wait:
            return _accept_all(backend, listing, folders, destination, doorbell)
        with working(backend) as worker:
            results = _accept_all(backend, listing, folders, destination, doorbell)
            worker.bell.set()
            _wait(backend, folders, destination.library)
    failures = _patience().bear(lambda: list_failures(backend, folders, destination.library))
    return _with_failures(results, failures)


def _list(backend: "Backend", folders: list[str], exclude: tuple[str, ...]) -> "Listing":
    from pipeline.folder_walk import list_files

    # Our own copies must not be imported when the data folder lies among the pictures.
    return list_files(folders, exclude=exclude, never_enter=[str(backend.settings.data)])


def _accept_all(
    backend: "Backend", listing: "Listing", folders: list[str], destination: "Destination", doorbell: "Doorbell"
) -> "list[FileResult]":
    from pipeline.bulk_import import FileResult, Outcome, import_files

    results = [FileResult(found.path, Outcome.REFUSED, found.reason) for found in listing.unreadable]
    taken = import_files(backend, listing.files, folders, destination, _patience())
    for result in track(taken, "Taking in", len(listing.files)):
        results.append(result)
        doorbell.ring()
    return results


def _patience() -> "Patience":
    from pipeline.patience import Patience

    return Patience(PATIENCE_SECONDS, say)


def _wait(backend: "Backend", folders: list[str], library: str) -> None:
    """Return when everything imported from `folders` is analyzed, by this process or another."""
    from pipeline.bulk_import import count_waiting

    patience = _patience()

    def look() -> int:
        return patience.bear(lambda: count_waiting(backend, folders, library))

    total = waiting = look()
    with Progress("Analyzing", total) as progress:
        pause = LOOK_SECONDS
        while waiting:
            time.sleep(pause)
            started = time.monotonic()
            waiting = look()
            pause = min(max(LOOK_SECONDS, LOOK_PAUSES * (time.monotonic() - started)), LONGEST_PAUSE_SECONDS)
            progress.reach(max(progress.done, total - waiting))


def _with_failures(results: "list[FileResult]", failures: "list[FileResult]") -> "list[FileResult]":
    """Return the results with those files as refused whose analysis failed, in this import or an earlier one."""
    from pipeline.bulk_import import as_text

    failed = {failure.path: failure for failure in failures}
    return [failed.get(as_text(result.path), result) for result in results]


def _report(results: "list[FileResult]") -> None:
    refused = [result for result in results if result.outcome == "refused"]
    for result in refused:
        click.echo(f"refused  {_one_line(result.path)}: {result.sentence}")
    counts = Counter(result.outcome.value for result in results)
    parts = [
        (counts["new"], "imported"),
        (counts["existing"], "were there already"),
        (counts["restored"], "restored from the trash"),
        (counts["unchanged"], "unchanged since the last import"),
        (counts["refused"], "refused"),
    ]
    said = ", ".join(f"{count:,} {what}" for count, what in parts if count)
    click.echo(f"{said[0].upper()}{said[1:]}." if said else "There was nothing to import.", err=True)
    for reason, count in Counter(result.sentence for result in refused).most_common():
        click.echo(f"  {count:,}: {reason}", err=True)


def _one_line(path: str) -> str:
    """Return a path so that it can be printed: bytes that are no text and line breaks as escapes."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
