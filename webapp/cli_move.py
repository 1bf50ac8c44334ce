"""`likeness move`: from the stores of the settings to others."""

from pathlib import Path
from typing import TYPE_CHECKING, Self

import click

from webapp.cli_addresses import TEXT_FILE, address_given
from webapp.cli_errors import say
from webapp.cli_progress import Progress
from webapp.cli_session import configured, stopped_gently

if TYPE_CHECKING:
    from pipeline.moving import Moved

MEGABYTE = 1_000_000
WITHOUT_SECRETS = ("sqlite:", "file:")  # addresses that are files and folders
OF_S3 = ("s3", "s3+http")
FEW = 5  # damaged originals that are named one by one


@click.command("move")
@click.option("--database-url", default="", help="The database to move to, such as postgresql://user@host/name.")
@click.option("--objects-url", default="", help="Where to move the pictures to, such as s3://KEY:SECRET@host/bucket.")
@click.option("--database-url-file", type=TEXT_FILE, help="A file with that address, which may have a password in it.")
@click.option("--objects-url-file", type=TEXT_FILE, help="A file with that address, which may have a secret in it.")
def move_command(
    database_url: str, objects_url: str, database_url_file: Path | None, objects_url_file: Path | None
) -> None:
    """Move everything to other stores while the server answers.

    The settings say where everything is now. Stop it when you like: the same command goes on where it was. When it is
    done, start Likeness with the new addresses; whoever still uses the old ones can search but not change anything.
    """
    database_url = address_given("--database-url", database_url, database_url_file)
    objects_url = address_given("--objects-url", objects_url, objects_url_file)
    if not database_url and not objects_url:
        raise click.UsageError("Please say where to, with --database-url, --objects-url, or both.")
    from pipeline.moving import move

    settings = configured()
    with stopped_gently(), _Bars() as bars:
        moved = move(settings, database_url=database_url, objects_url=objects_url, tell=bars.tell)
    _report(moved)


class _Bars:
    """One progress bar after the other, each under its label. A context manager."""

    def __init__(self) -> None:
        self._current: Progress | None = None

    def tell(self, label: str, done: int, total: int) -> None:
        """Show that so much is done of what the label says."""
        if self._current is None or self._current.label != label:
            self.__exit__()
            self._current = Progress(label, total)
            self._current.__enter__()
        self._current.reach(done)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._current:
            self._current.__exit__(None, None, None)
            self._current = None


def _report(moved: "Moved") -> None:
    """Say what was done, and what to do now."""
    if moved.database:
        click.echo(f"The database is at {moved.database} now; all {moved.rows:,} rows are the same on both sides.")
    if moved.objects:
        size = moved.files.bytes / MEGABYTE
        click.echo(
            f"The pictures are at {moved.objects} now; {moved.files.objects:,} files ({size:,.1f} MB) were copied."
        )
    click.echo(f"Changes had to wait for {moved.waiting_seconds:,.1f} seconds.")
    for sentence in _worth_knowing(moved):
        say(sentence)
    click.echo("Now start every `likeness serve` and `likeness worker` again with the new address:")
    if moved.database:
        click.echo(f"  LIKENESS_DATABASE_URL={moved.database}")
    if moved.objects:
        click.echo(f"  LIKENESS_OBJECTS_URL={_with_credentials(moved.objects)}")
    if not all(place is None or place.startswith(WITHOUT_SECRETS) for place in (moved.database, moved.objects)):
        click.echo("Passwords and keys are not shown here; write them as you gave them.")
    click.echo("Until then they answer searches and refuse changes. Nothing was removed from the old place.")


def _with_credentials(place: str) -> str:
    """Return the address of an object store with the places of its credentials, if it has any."""
    scheme, _, rest = place.partition("://")
    return f"{scheme}://KEY:SECRET@{rest}" if scheme in OF_S3 else place


def _worth_knowing(moved: "Moved") -> list[str]:
    said = []
    if moved.missing:
        said.append(f"{moved.missing:,} originals were missing in the old store already; `likeness doctor` tells more.")
    if moved.files.damaged:
        named = ", ".join(moved.files.damaged[:FEW])
        said.append(f"{len(moved.files.damaged):,} originals were damaged in the old store already, such as {named}.")
    if moved.cleaned:
        said.append(f"{moved.cleaned:,} rows had characters that PostgreSQL cannot keep; these are marks now.")
    if moved.copies:
        named = ", ".join(f"{place} at {address}" for address, place in moved.copies)
        said.append(
            f"The vectors are filled anew from the new database. When you are sure, drop what was filled from the old "
            f"one: {named}."
        )
    if moved.in_place and moved.database:
        said.append(
            f"{moved.in_place:,} pictures were imported in place: their files stay where they are, and must be seen "
            "there by the new servers."
        )
    return said
