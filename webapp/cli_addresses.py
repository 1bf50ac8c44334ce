"""Addresses of stores that a command is given: written out, or in a file, as they may have secrets in them.

What is written on a command line stands in the history of the shell and in the list of processes.
"""

from pathlib import Path

import click

TEXT_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


def address_given(option: str, url: str | None, file: Path | None) -> str:
    """Return the address of `option`, or of the file that `option`-file names; "" for neither."""
    if file is None:
        return url or ""
    if url:
        raise click.UsageError(f"Please give {option} or {option}-file, not both.")
    try:
        address = file.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError as error:
        raise click.UsageError(f"The file of {option}-file, {file}, is no text.") from error
    if not address or len(address.split()) > 1:
        raise click.UsageError(f"The file of {option}-file, {file}, must have one address in it, and nothing else.")
    return address
