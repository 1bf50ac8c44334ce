"""The commands that look after what is there: retry, reconcile, doctor."""

import time
from typing import TYPE_CHECKING

import click

from webapp.cli_errors import FAILURE
from webapp.cli_progress import Progress
from webapp.cli_session import configured, opened, stopped_gently

if TYPE_CHECKING:
    from pipeline.backend import Backend

LOOK_SECONDS = 0.3  # between two looks at how many pictures still wait


@click.command()
@click.option("--no-wait", is_flag=True, help="Only put them into the queue; a running worker analyzes them.")
def retry(no_wait: bool) -> None:
    """Analyze again what failed."""
    with stopped_gently(), opened() as backend:
        from pipeline import access, curation
        from pipeline.doorbell import Doorbell

        count = curation.retry(backend, access.local_owner(backend))
        click.echo(f"{count:,} pictures will be analyzed again.", err=True)
        with Doorbell(backend.database, backend.settings) as doorbell:
            doorbell.ring()
        if count and not no_wait:
            _work_off(backend, count)


def _work_off(backend: "Backend", count: int) -> None:
    """Return when no picture waits any more, and tell how many failed."""
    from pipeline.bulk_import import working
    from pipeline.images import ImageState
    from pipeline.listing import count_all_states

    with working(backend), Progress("Analyzing", count) as progress:
        while True:
            counts = count_all_states(backend)
            progress.reach(max(progress.done, count - counts[ImageState.WAITING]))
            if not counts[ImageState.WAITING]:
                break
            time.sleep(LOOK_SECONDS)
    click.echo(f"{counts[ImageState.FAILED]:,} pictures failed; `likeness doctor` tells why.", err=True)


@click.command("reconcile")
def reconcile_command() -> None:
    """Repair what crashes left behind, and remove files without a record."""
    with opened() as backend:
        from pipeline.reconcile import reconcile

        click.echo(reconcile(backend, sweep_objects=True).sentence())


@click.command()
@click.pass_context
def doctor(context: click.Context) -> None:
    """Say what is wrong and what to do. The exit status is 1 if there is a problem."""
    from pipeline.doctor import examine

    problems = 0
    for finding in examine(configured(tell=False)):
        problems += finding.level == "problem"
        click.echo(f"{finding.level:<8} {finding.subject}: {finding.sentence}")
    if problems:
        context.exit(FAILURE)
