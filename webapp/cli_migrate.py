"""`likeness migrate`: the tables brought to the newest version, as a step of its own before a new version starts."""

import click

from webapp.cli_session import configured

CURRENT = "The tables have the newest version, {version}."
MADE = "The tables were made, in version {version}."
RAISED = "The tables were brought from version {before} to {version}."


@click.command()
def migrate() -> None:
    """Bring the tables to the newest version, and say which that is. Starting does so too."""
    from pipeline.migrating import bring_up_to_date

    before, version = bring_up_to_date(configured())
    sentence = CURRENT if before == version else RAISED if before else MADE
    click.echo(sentence.format(before=before, version=version))
