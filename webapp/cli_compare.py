"""`likeness compare`: what two pictures are to each other, from the shell."""

import json
from pathlib import Path

import click

from webapp.cli_session import opened


@click.command("compare")
@click.argument("a")
@click.argument("b")
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the HTTP API.")
def compare_command(a: str, b: str, *, as_json: bool) -> None:
    """Say whether A and B are one picture, and what was done to it.

    A and B are files, or ids of pictures that are here. In the sentence A is the left one and B the right one.
    """
    with opened() as backend:
        from pipeline.access import local_owner
        from pipeline.comparing import compare_images
        from webapp.evidence_words import describe_comparison, evidence_details, evidence_sentence

        found = compare_images(backend, _side(a), _side(b), local_owner(backend))
        if as_json:
            click.echo(json.dumps(describe_comparison(found), ensure_ascii=False, indent=2))
            return
        click.echo(f"{found.verdict}: {evidence_sentence(found)}")
        for detail in evidence_details(found):
            click.echo(f"  {detail}")


def _side(given: str) -> str | Path:
    """Return a file that is there as its path; anything else is taken for the id of a picture."""
    path = Path(given)
    return path if path.is_file() else given
