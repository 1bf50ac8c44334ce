"""Warnings of what goes on in the background: each is written once, not at every look."""

import logging

from pipeline.errors import LikenessError


class ToldOnce:
    """Writes a warning to `log` unless it was the last one that it wrote, whatever the words of the driver were."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._told = ""

    def warn(self, what: str, error: LikenessError) -> None:
        """Write that `what` is so because of `error`."""
        told = f"{what}: {error.user_message}"
        if told != self._told:
            self._log.warning("%s: %s", what, error)
            self._told = told

    def is_over(self, what: str) -> None:
        """Let `what` be news the next time."""
        if self._told.startswith(what):
            self._told = ""
