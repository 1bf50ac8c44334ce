"""`likeness banks`: banks of known pictures, from the machine itself, to whose owner all of them belong."""

import sys
from pathlib import Path

import click

from webapp.cli_errors import FAILURE, say
from webapp.cli_session import opened

BANK = click.argument("bank")
ACTIONS = ("allow", "warn", "hold", "refuse")  # as pipeline.bank_rules has them, which --help need not load
LEVELS = ("exact", "strict", "normal", "loose")
KINDS = ("known", "good")
MOST_TOLD = 20  # refused lines told one by one


@click.group("banks")
def banks_command() -> None:
    """Make, fill and export banks of known pictures. BANK is an id, or a name that only one has."""


@banks_command.command("list")
def list_banks() -> None:
    """List the banks with what they do."""
    with opened() as backend:
        from pipeline import banks
        from pipeline.access import local_owner
        from pipeline.bank_rules import level_of

        for info in banks.list_banks(backend, local_owner(backend)):
            bank = info.bank
            level = level_of(bank.max_distance) or f"{bank.max_distance} bits"
            resting = f"  paused: {bank.paused}" if bank.paused else ""
            place = info.library_name or "the whole server"
            does = "good" if bank.kind == "good" else bank.action
            click.echo(f"{bank.id}  {bank.name}  {place}  {does}, {level}  {info.entries:,} entries{resting}")


@banks_command.command("make")
@click.argument("name")
@click.option("--library", help="The library it is for; without it the whole server.")
@click.option("--kind", type=click.Choice(KINDS), default="known", show_default=True)
@click.option("--action", type=click.Choice(ACTIONS), default="hold", show_default=True)
@click.option("--level", type=click.Choice(LEVELS), default="normal", show_default=True, help="How near a match is.")
@click.option("--sentence", default="", help="What whoever sends such a picture reads.")
def make_bank(*, name: str, library: str | None, kind: str, action: str, level: str, sentence: str) -> None:
    """Make a bank called NAME."""
    with opened() as backend:
        from pipeline import banks, libraries
        from pipeline.access import local_owner
        from pipeline.bank_rules import LEVELS as DISTANCES
        from pipeline.bank_rules import BankAction, Kind
        from pipeline.principals import Action

        owner = local_owner(backend)
        place = libraries.find_library(backend, owner, library, Action.MANAGE).id if library else None
        settings = banks.BankSettings(name, BankAction(action), sentence, DISTANCES[level])
        made = banks.make(backend, owner, place, settings, kind=Kind(kind))
        click.echo(f"The bank {made.bank.name} is there; its id is {made.bank.id}.")


@banks_command.command("add")
@BANK
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--notes", default="", help="Kept with each.")
@click.pass_context
def add_pictures(context: click.Context, /, *, bank: str, files: tuple[Path, ...], notes: str) -> None:
    """Keep in BANK what the pictures FILES look like. The exit status is 1 if one could not be read."""
    added = known = refused = 0
    with opened() as backend:
        from pipeline import bank_entries, banks
        from pipeline.access import local_owner
        from pipeline.errors import ImageRejected
        from pipeline.uploads import existing_file

        owner = local_owner(backend)
        bank_id = banks.by_name(backend, owner, bank).bank.id
        for file in files:
            try:
                upload = existing_file(file, max_bytes=backend.settings.max_upload_bytes)
                done = bank_entries.add_picture(backend, owner, bank_id, upload, notes=notes)
            except ImageRejected as error:
                say(f"{file}: {error.user_message}")
                refused += 1
                continue
            added, known = added + done.added, known + done.known
    click.echo(f"{added:,} added, {known:,} there already, {refused:,} refused.")
    if refused:
        context.exit(FAILURE)


@banks_command.command("import")
@BANK
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
def import_hashes(*, bank: str, file: Path) -> None:
    """Add the PDQ hashes of FILE (- for what is piped in) to BANK: CSV as other tools write it, or one on each line.

    Lines that cannot be used are told with their numbers, and stop nothing.
    """
    with opened() as backend:
        from pipeline import bank_entries, banks
        from pipeline.access import local_owner
        from pipeline.bank_files import read_hashes, text_of

        owner = local_owner(backend)
        bank_id = banks.by_name(backend, owner, bank).bank.id
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        done = bank_entries.add_hashes(backend, owner, bank_id, read_hashes(text_of(data)), origin=file.name)
    for line in done.refused[:MOST_TOLD]:
        say(f"line {line.number}: {line.reason}")
    if done.refused_count > MOST_TOLD:
        say(f"and {done.refused_count - MOST_TOLD:,} more lines.")
    click.echo(f"{done.added:,} added, {done.known:,} there already, {done.refused_count:,} lines refused.")


@banks_command.command("export")
@BANK
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
def export_hashes(*, bank: str, file: Path | None) -> None:
    """Write the hashes of BANK as CSV to FILE, or to where it is piped."""
    with opened() as backend:
        from pipeline import bank_entries, banks
        from pipeline.access import local_owner

        owner = local_owner(backend)
        lines = bank_entries.export_lines(backend, owner, banks.by_name(backend, owner, bank).bank.id)
        if file is None:
            for line in lines:
                click.echo(line.rstrip("\r\n"))
            return
        with file.open("w", newline="", encoding="utf-8") as written:
            written.writelines(lines)
    click.echo(f"Written to {file}.", err=True)
