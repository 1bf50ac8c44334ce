"""What most commands begin with: the settings, where the log goes, and the opened stores."""

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from webapp.cli_errors import say
from webapp.cli_progress import shown_in_megabytes

if TYPE_CHECKING:
    from pipeline.backend import Backend
    from pipeline.current_backend import CurrentBackend
    from pipeline.settings import Settings

FETCHING = "Fetching the encoder"
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configured(*, tell: bool = True) -> "Settings":
    """Return the settings, with the log going to stderr as they say. Raises ConfigurationError.

    Variables that have no effect, misspelt ones say, are told on stderr as well, unless somebody else does.
    """
    from pipeline.settings import doubtful_variables, read_settings

    settings = read_settings()
    for sentence in doubtful_variables() if tell else ():
        say(sentence)
    logging.basicConfig(level=settings.log_level.upper(), format=LOG_FORMAT, stream=sys.stderr)
    return settings


@contextmanager
def opened() -> "Iterator[Backend]":
    """Give the opened stores of the settings, and close them at the end."""
    with _open() as backend:
        yield backend


@contextmanager
def opened_currently(*, first_encoder: str | None = None) -> "Iterator[CurrentBackend]":
    """Give them for a command that goes on for long: they follow a change of encoder.

    A database that has none yet begins with `first_encoder`, if that is given.
    """
    from pipeline.current_backend import CurrentBackend

    with CurrentBackend(_open(first_encoder)) as current:
        yield current


def _open(first_encoder: str | None = None) -> "Backend":
    """Open the stores; a model that has to be fetched first is seen to come."""
    from pipeline.backend import open_backend

    settings = configured()
    with shown_in_megabytes(FETCHING) as on_download:
        return open_backend(settings, on_download, first_encoder=first_encoder)


@contextmanager
def stopped_gently() -> Iterator[None]:
    """Let SIGTERM, which service managers send, end the block as gently as Control-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
