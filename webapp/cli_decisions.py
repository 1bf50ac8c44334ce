"""`likeness decisions`: what people decided on duplicates, for scripts and archives."""

import click

from webapp.cli_session import opened


@click.command("decisions")
@click.option(
    "--format", "kind", type=click.Choice(("csv", "json")), default="csv", show_default=True, help="What is printed."
)
def decisions(kind: str) -> None:
    """Print the log of decisions on duplicates, newest first."""
    with opened() as backend:
        from pipeline import decision_export
        from pipeline.access import local_owner

        lines = decision_export.csv_lines if kind == "csv" else decision_export.json_lines
        for line in lines(backend, local_owner(backend)):
            click.echo(line, nl=False)
