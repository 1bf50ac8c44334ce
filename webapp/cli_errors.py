"""How an error ends a command: the sentence that is printed, and the exit status."""

import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from pipeline.errors import LikenessError

FAILURE = 1
WRONG_USAGE = 2

STOPPED = "Stopped."
UNEXPECTED = "Likeness made an error; it is described in {path}. Please try again, and report it if it stays."
LOG_NAME = "errors.log"


def end_of(error: BaseException) -> int:
    """Print what `error` means to a person, as one sentence on stderr; return the exit status."""
    match error:
        case click.UsageError():
            say(f"{error.format_message()}{_hint(error.ctx)}")
            return WRONG_USAGE
        case click.ClickException():
            say(error.format_message())
        case click.Abort() | KeyboardInterrupt():
            say(STOPPED)
        case BrokenPipeError():
            pass
        case LikenessError():
            say(error.user_message)
        case OSError() if error.strerror:
            say(f"{error.filename or 'The system'}: {error.strerror}.")
        case _:
            say(UNEXPECTED.format(path=_keep_traceback(error)))
    return FAILURE


@contextmanager
def as_wrong_usage_of(option: str) -> Iterator[None]:
    """Let an error of ours in the block be that of whoever gave `option`."""
    try:
        yield
    except LikenessError as error:
        raise click.BadParameter(error.user_message, param_hint=option) from error


def say(sentence: str) -> None:
    """Print a sentence on stderr, on a line of its own."""
    click.echo(" ".join(sentence.split()), err=True)


def _hint(context: click.Context | None) -> str:
    return f" See `{context.command_path} --help`." if context else ""


def _keep_traceback(error: BaseException) -> Path:
    """Append the traceback to a file in the data folder, or elsewhere if that cannot be written to."""
    text = f"{datetime.now(UTC).isoformat()}\n{''.join(traceback.format_exception(error))}\n"
    for folder in (_data_folder(), Path(tempfile.gettempdir())):
        path = folder / LOG_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError:
            continue
        return path
    return Path("no file, because none could be written")


def _data_folder() -> Path:
    from pipeline.settings import read_settings

    try:
        return read_settings().data
    except LikenessError:
        return Path(tempfile.gettempdir())
