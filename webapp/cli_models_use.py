"""The commands of `likeness models` that change the encoder of a database: use, pause, resume, cancel, drop."""

import time
from typing import TYPE_CHECKING

import click

from webapp.cli_errors import say
from webapp.cli_progress import Progress
from webapp.cli_session import configured, opened, opened_currently, stopped_gently

if TYPE_CHECKING:
    from pipeline.current_backend import CurrentBackend

LOOK_SECONDS = 1.0  # between two looks at how many pictures are done

IN_USE_NOW = "Searches use the encoder {name} now."
ENDED_EARLY = "The change was paused or ended before it was done"
LEFT_OUT = "No search finds them; the log says why. Whoever uploads one again has it tried again."


@click.command("use")
@click.argument("name")
@click.option("--no-wait", is_flag=True, help="Only begin; running servers and workers do the rest.")
def use(name: str, *, no_wait: bool) -> None:
    """Change to another encoder while searches go on.

    Every picture is embedded anew from its original; when the last one is done, searches go over to the new encoder.
    After an interruption the same command goes on. What the old encoder computed is kept, so changing back computes
    only what came in meanwhile; `likeness models drop` removes it.
    """
    from pipeline import access, encoder_switch
    from pipeline.doorbell import Doorbell
    from pipeline.errors import Conflict

    is_new = not encoder_switch.roles(configured(tell=False))
    with stopped_gently(), opened_currently(first_encoder=name) as current:
        if current.now.settings.encoder not in {"auto", name}:
            say(
                f"LIKENESS_ENCODER says {current.now.settings.encoder}. Please set it to {name} or auto: after "
                "the change nothing starts with it."
            )
        if is_new and current.now.encoder.name == name:
            click.echo(IN_USE_NOW.format(name=name))
            return
        encoder_switch.begin(current.now, access.local_owner(current.now), name)
        with Doorbell(current.now.database, current.now.settings) as doorbell:
            doorbell.ring()
        if no_wait:
            click.echo(
                f"The change to {name} has begun; /status and `likeness models list` show how far it is.", err=True
            )
            return
        try:
            trouble = _fill(current)
        except KeyboardInterrupt:
            click.echo("Running servers and workers go on with it, or the same command does.", err=True)
            raise
        used = encoder_switch.active_name(current.now)
        if used != name:
            raise Conflict((f"{trouble} " if trouble else "") + f"{ENDED_EARLY}, so searches use {used} as before.")
        click.echo(IN_USE_NOW.format(name=name))
        if left_out := encoder_switch.count_left_out(current.now):
            say(f"{left_out:,} {'picture' if left_out == 1 else 'pictures'} could not be embedded. {LEFT_OUT}")


def _fill(current: "CurrentBackend") -> str | None:
    """Work beside whoever else does, until no change is under way; return why it rests, if it does by itself."""
    from pipeline import encoder_switch
    from pipeline.bulk_import import working

    with working(current):
        found = encoder_switch.filling(current.now)
        with Progress("Embedding", found.total if found else 0) as progress:
            while (found := encoder_switch.filling(current.now)) and not found.resting:
                progress.reach(max(progress.done, found.done))
                time.sleep(LOOK_SECONDS)
    return found.trouble if found else None


@click.command("pause")
def pause() -> None:
    """Let the change of encoder rest; searches go on as before."""
    _let_rest(resting=True)
    click.echo("The change of encoder rests. `likeness models resume` goes on with it.")


@click.command("resume")
def resume() -> None:
    """Go on with a change of encoder that rests."""
    _let_rest(resting=False)
    click.echo("The change of encoder goes on wherever a server or worker runs.")


@click.command("cancel")
def cancel() -> None:
    """End a change of encoder; what was computed is kept for another time."""
    with opened() as backend:
        from pipeline import access, encoder_switch

        encoder_switch.cancel(backend, access.local_owner(backend))
    click.echo("The change of encoder was ended; searches use the same encoder as before.")


@click.command("drop")
@click.argument("name")
def drop(name: str) -> None:
    """Remove what an encoder computed that is not in use any more."""
    with opened() as backend:
        from pipeline import access, encoder_switch

        dropped = encoder_switch.drop(backend, access.local_owner(backend), name)
    click.echo(f"{dropped:,} vectors of {name} were removed.")


def _let_rest(*, resting: bool) -> None:
    with opened() as backend:
        from pipeline import access, encoder_switch

        encoder_switch.rest(backend, access.local_owner(backend), resting=resting)
