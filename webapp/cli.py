"""The command `likeness`: its commands in the order of a day's work, and how every error ends it.

Exit status 0 is success, 2 wrong usage, 1 anything else. An error is one sentence on stderr; one that nobody
foresaw leaves its traceback in a file and names it.
"""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from webapp.cli_banks import banks_command
from webapp.cli_compare import compare_command
from webapp.cli_decisions import decisions
from webapp.cli_duplicates import duplicates
from webapp.cli_errors import WRONG_USAGE, end_of
from webapp.cli_evaluate import evaluate
from webapp.cli_export import export_command
from webapp.cli_import import import_command
from webapp.cli_library import library
from webapp.cli_migrate import migrate
from webapp.cli_models import models
from webapp.cli_move import move_command
from webapp.cli_people import audit_command, token, user
from webapp.cli_reindex import reindex
from webapp.cli_search import search_command
from webapp.cli_services import serve, worker
from webapp.cli_upkeep import doctor, reconcile_command, retry

COMMANDS = (
    serve,
    worker,
    import_command,
    export_command,
    search_command,
    duplicates,
    compare_command,
    retry,
    reindex,
    reconcile_command,
    migrate,
    move_command,
    doctor,
    models,
    evaluate,
    library,
    banks_command,
    user,
    token,
    audit_command,
    decisions,
)


class _InOrder(click.Group):
    """A group whose help lists the commands as they were added, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.commands)


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="likeness", message="%(prog)s %(version)s")
def likeness() -> None:
    """Find pictures that look alike.

    Settings are read from the environment; LIKENESS_DATA names the data folder (./data if it is not set).
    """


for command in COMMANDS:
    likeness.add_command(command)


def main() -> NoReturn:
    """Run the command line of this process and exit."""
    status = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has left, as `head` does. Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def run(arguments: Sequence[str]) -> int:
    """Run `likeness` with `arguments`; return its exit status."""
    try:
        result = likeness.main(list(arguments), prog_name="likeness", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return WRONG_USAGE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the edge: nothing may end in a traceback
        return end_of(error)
    return result if isinstance(result, int) else 0
