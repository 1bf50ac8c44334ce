"""Which encoder `auto` means for an empty database: CLIP where its weights are here or soon can be, else `lite`.

Whoever starts Likeness for the first time does not wait for a hub that is not there, nor for long on a slow line. What
was fetched until then stays, and `likeness models pull` goes on from there.
"""

import logging
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue

from pipeline.errors import ModelUnusable
from pipeline.features.encoders import lite
from pipeline.features.encoders.cards import ModelCard
from pipeline.features.encoders.catalog import CATALOG, DEFAULT
from pipeline.model_hub import OFF, ModelHub
from pipeline.settings import Settings
from pipeline.weights import Progress, pull, state

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 3.0
"""How long the hub may take to answer the first question in all, names and connections included."""

SILENCE_SECONDS = 10.0  # within a download; then the hub is given up

LONGEST_DOWNLOAD_SECONDS = 120.0
"""How long a first start may take because of a download."""

MEASURED_SECONDS = 4.0  # of a download, after which its end can be guessed

LATER = "Run `likeness models pull {name}` and `likeness models use {name}` to change that, whenever you like."


class _TooSlow(Exception):
    """The download would take too long."""


def choose(settings: Settings, on_progress: Progress = lambda _done, _total: None) -> str:
    """Return the name of the encoder for an empty database; its files are there. Never raises for want of a model.

    Why it is not CLIP is logged as a warning, with what to do; where LIKENESS_HUB is `off` that is no surprise.
    """
    models_dir = settings.models_folder
    if state(DEFAULT, models_dir) == "here":
        return DEFAULT
    if settings.hub == OFF:
        logger.info("The encoder is %s, because %s is not here and LIKENESS_HUB is off.", lite.NAME, DEFAULT)
        return lite.NAME
    try:
        _pull(models_dir, settings.hub, on_progress)
    except ModelUnusable as error:
        _tell(error.user_message)
    except _TooSlow:
        _tell(f"The download would take longer than {LONGEST_DOWNLOAD_SECONDS:.0f} seconds.")
    else:
        return DEFAULT
    return lite.NAME


def fetch_missing(name: str, settings: Settings, on_progress: Progress = lambda _done, _total: None) -> None:
    """Get the files of the model `name` that a database works with, if they are not here and a hub may be asked.

    So a second machine needs no command. Raises ModelUnusable when they cannot be had.
    """
    models_dir = settings.models_folder
    if name in CATALOG and settings.hub != OFF and state(name, models_dir) != "here":
        pull(name, models_dir, ModelHub(settings.hub, SILENCE_SECONDS), on_progress)


def _pull(models_dir: Path, address: str, on_progress: Progress) -> None:
    _ask_in_time(CATALOG[DEFAULT], ModelHub(address, ANSWER_SECONDS))
    patience = _Patience(on_progress)
    pull(DEFAULT, models_dir, ModelHub(address, SILENCE_SECONDS), patience.reach)


def _ask_in_time(card: ModelCard, hub: ModelHub) -> None:
    """Raise ModelUnusable unless the hub answers in time. A thread asks: nothing else limits the search for a name."""
    answer: SimpleQueue[Exception | None] = SimpleQueue()

    def ask() -> None:
        file = card.files[-1]
        try:
            hub.describe(card.repository or "", card.revision or "main", file.source or file.path)
        except Exception as error:  # noqa: BLE001 - whoever waits is told, whatever it is
            answer.put(error)
        else:
            answer.put(None)

    threading.Thread(target=ask, name="model-hub", daemon=True).start()
    try:
        error = answer.get(timeout=ANSWER_SECONDS)
    except Empty:
        error = ModelUnusable(f"The model hub {hub.shown} does not answer within {ANSWER_SECONDS:.0f} seconds.")
    if error:
        raise error


class _Patience:
    """Ends a download that would take too long."""

    def __init__(self, on_progress: Progress) -> None:
        self._on_progress = on_progress
        self._begun = time.monotonic()
        self._first: int | None = None

    def reach(self, done: int, total: int) -> None:
        """Pass on how far it is. Raises _TooSlow when the rest would take too long."""
        took = time.monotonic() - self._begun
        if self._first is None and total:
            self._first = done
        fetched = done - (self._first or 0)
        rest = (total - done) * took / fetched if fetched else 0.0
        if took > LONGEST_DOWNLOAD_SECONDS or (took > MEASURED_SECONDS and took + rest > LONGEST_DOWNLOAD_SECONDS):
            raise _TooSlow
        self._on_progress(done, total)


def _tell(why: str) -> None:
    logger.warning(
        "%s The encoder is therefore %s, which knows the names of 1,000 kinds of things. %s",
        why,
        lite.NAME,
        LATER.format(name=DEFAULT),
    )
