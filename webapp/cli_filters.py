"""The filters of the contract as options, the same for every command that takes them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from webapp.filter_help import FLAGS, REPEATED, SINGLE

if TYPE_CHECKING:
    from pipeline.filters import Filter
    from pipeline.images import ImageState
    from pipeline.sorting import Sort

Command = TypeVar("Command", bound=Callable[..., Any])


def filter_options(command: Command) -> Command:
    """Give a command the options of every filter, under the names of the contract with hyphens."""
    for name, text in reversed({**REPEATED, **SINGLE, **FLAGS}.items()):
        option = f"--{name.replace('_', '-')}"
        command = click.option(option, name, multiple=name in REPEATED, is_flag=name in FLAGS, help=text)(command)
    return command


def read_options(values: dict[str, Any]) -> "Filter":
    """Return the filter of the options in `values`. Raises a usage error naming what is wrong."""
    from pipeline.errors import InvalidQuery
    from webapp.forms import read_filter

    try:
        return read_filter(fields_of_options(values))
    except InvalidQuery as error:
        raise click.UsageError(error.user_message, click.get_current_context()) from error


def read_view(values: dict[str, Any]) -> "tuple[Sort, tuple[ImageState, ...]]":
    """Return the order and the states of the options in `values`. Raises a usage error naming what is wrong."""
    from pipeline.errors import InvalidQuery
    from webapp.forms import read_sort, read_states

    fields = fields_of_options(values)
    try:
        return read_sort(fields), read_states(fields)
    except InvalidQuery as error:
        raise click.UsageError(error.user_message, click.get_current_context()) from error


def fields_of_options(values: dict[str, Any]) -> dict[str, list[str]]:
    """Return the options that are set as the fields of a form."""
    texts = {name: ["true"] if value is True else value for name, value in values.items() if value}
    return {name: [value] if isinstance(value, str) else list(value) for name, value in texts.items()}
