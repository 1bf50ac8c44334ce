"""`likeness duplicates`: looking for copies in all that is there."""

from typing import TYPE_CHECKING

import click

from webapp.cli_errors import FAILURE, say
from webapp.cli_progress import Progress
from webapp.cli_session import opened_currently, stopped_gently

if TYPE_CHECKING:
    from pipeline.current_backend import CurrentBackend
    from pipeline.duplicate_scanning import Scanned

PATIENCE_SECONDS = 600.0  # for a store that is down, as `likeness import` has it

INTERRUPTED = "Stopped. What was found is kept; run the same command again, without --again, to go on from here."
NOTHING = "No two pictures are copies of each other, or of the same scene."
SAID = {
    "identical": ("pair is identical", "pairs are identical"),
    "re-encoded": ("pair is one picture encoded anew", "pairs are one picture encoded anew"),
    "edited": ("pair is one picture edited", "pairs are one picture edited"),
    "same-scene": ("pair is two photos of one scene", "pairs are two photos of one scene"),
}


@click.group("duplicates")
def duplicates() -> None:
    """Find copies among all pictures."""


@duplicates.command("scan")
@click.option("--library", help="Id or name of the library to check; others are compared with it all the same.")
@click.option("--again", is_flag=True, help="Also what has been checked before.")
@click.pass_context
def scan_command(context: click.Context, *, library: str | None, again: bool) -> None:
    """Check what has not been checked yet, with a progress bar; workers do the same whenever nothing else waits.

    What an interrupted scan has found is kept, and the same command goes on from there. Several may run at once.
    """
    with stopped_gently(), opened_currently() as backend:
        try:
            scanned = _scan(backend, library, again=again)
        except KeyboardInterrupt:
            say(INTERRUPTED)
            context.exit(FAILURE)
    _report(scanned)


def _scan(backend: "CurrentBackend", library: str | None, *, again: bool) -> "Scanned":
    from pipeline import duplicate_scanning, fingerprint_filling
    from pipeline.access import local_owner
    from pipeline.duplicate_checking import progress
    from pipeline.patience import Patience

    owner = local_owner(backend.now)
    chosen = _library_id(backend, library) if library is not None else None
    patience = Patience(PATIENCE_SECONDS, say)
    if lacking := fingerprint_filling.count_lacking(backend.now):
        with Progress("Making fingerprints", lacking) as bar:
            duplicate_scanning.fill(backend, bar.reach, patience)
    before = progress(backend.now, owner, chosen)
    with Progress("Checking", before.total) as bar:
        bar.reach(0 if again else before.checked)
        return duplicate_scanning.scan(
            backend, lambda now: bar.reach(now.checked), library=chosen, again=again, patience=patience
        )


def _library_id(backend: "CurrentBackend", asked: str) -> str:
    from pipeline import libraries
    from pipeline.access import local_owner

    return libraries.find_library(backend.now, local_owner(backend.now), asked).id


def _report(scanned: "Scanned") -> None:
    aligned = f", {scanned.compared:,} pairs compared" if scanned.compared else ""
    pictures = "picture" if scanned.checked == 1 else "pictures"
    click.echo(f"Checked {scanned.checked:,} {pictures} in {scanned.seconds:,.0f} s{aligned}.", err=True)
    for verdict, count in scanned.pairs.items():
        one, several = SAID[verdict.value]
        click.echo(f"{count:,} {one if count == 1 else several}")
    if not scanned.pairs:
        click.echo(NOTHING)
