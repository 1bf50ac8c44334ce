"""The filters of the contract as options, the same for every command that takes them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pipeline.filters import Filter

Command = TypeVar("Command", bound=Callable[..., Any])

REPEATED = {
    "library": "Only pictures of the library with this name or id.",
    "category": "Only pictures of this category, such as animal.",
    "scheme": "warm, cool or neutral.",
    "color": "Only pictures with this color, such as #ff0000.",
    "color_name": "Only pictures with one of the eleven basic colors, such as blue.",
    "tag": "Only pictures with this tag; several must all be there.",
}
SINGLE = {
    "color_tolerance": "How far a color may be off, as CIEDE2000.",
    "color_share": "The part of the picture that a color must have, 0 to 1.",
    "min_brightness": "0 to 1.",
    "max_brightness": "0 to 1.",
    "min_saturation": "0 to 1.",
    "max_saturation": "0 to 1.",
    "created_after": "Only pictures that came in later, such as 2026-11-20.",
    "created_before": "Only pictures that came in earlier.",
    "min_width": "In pixels.",
    "min_height": "In pixels.",
}


def filter_options(command: Command) -> Command:
    """Give a command the options of every filter, under the names of the contract with hyphens."""
    for name, text in reversed({**REPEATED, **SINGLE}.items()):
        option = f"--{name.replace('_', '-')}"
        command = click.option(option, name, multiple=name in REPEATED, help=text)(command)
    return command


def read_options(values: dict[str, Any]) -> "Filter":
    """Return the filter of the options in `values`. Raises a usage error naming what is wrong."""
    from pipeline.errors import InvalidQuery
    from webapp.forms import read_filter

    fields = {name: [values[name]] if name in SINGLE else list(values[name]) for name in values if values[name]}
    try:
        return read_filter(fields)
    except InvalidQuery as error:
        raise click.UsageError(error.user_message, click.get_current_context()) from error
