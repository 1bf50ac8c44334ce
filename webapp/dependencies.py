"""What routes are given: the backend, the worker, who asks, and the frame of every page."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from threading import BoundedSemaphore, Thread
from typing import Annotated

from fastapi import Depends, Request

from pipeline import banks
from pipeline.access import may_change_any
from pipeline.backend import Backend
from pipeline.current_backend import CurrentBackend
from pipeline.doorbell import Doorbell
from pipeline.errors import StoreUnavailable
from pipeline.fetching import Fetcher
from pipeline.health import MoveWatch
from pipeline.moderation_queue import count_own, may_moderate
from pipeline.principals import Action, Principal
from pipeline.worker import Worker
from webapp.cookies import Signer
from webapp.flash import read_notice
from webapp.identity import Visitor, visitor_of
from webapp.language import as_number
from webapp.pages import Shell
from webapp.wording import as_size

FORMATS = "JPEG, PNG, WebP, AVIF, HEIC, GIF, TIFF, BMP, JPEG 2000"
VERSION = version("likeness")


MOVED_ALREADY = (
    "This library has moved to other stores. Nothing can be changed here, what is shown is from before the move, and "
    "an hour after it nothing is shown any more. Please start Likeness with the new addresses."
)


NO_PICTURES = "Pictures cannot be loaded at the moment. The page “Status” says more."
TOLD_SECONDS = 30.0  # for which a picture that could not be loaded is told; one that can be ends it at once


class PictureWatch:
    """Whether pictures can be loaded, as those who asked for them have found lately. Nothing is asked for it."""

    def __init__(self) -> None:
        self._failed_at = -TOLD_SECONDS

    @property
    def sentence(self) -> str:
        """What is told on every page while pictures cannot be loaded; "" otherwise."""
        return NO_PICTURES if time.monotonic() - self._failed_at < TOLD_SECONDS else ""

    @contextmanager
    def noticing(self) -> Iterator[None]:
        """Notice whether the block, which loads a picture, finds the store of pictures down."""
        try:
            yield
        except StoreUnavailable:
            self._failed_at = time.monotonic()
            raise
        self._failed_at = -TOLD_SECONDS


@dataclass
class Running:
    """What lives as long as the application. `waiters` bounds the uploads that wait for their analysis.

    `accounts_active` becomes true with the first account, and stays so.
    """

    current: CurrentBackend
    worker: Worker
    waiters: BoundedSemaphore
    signer: Signer
    accounts_active: bool
    doorbell: Doorbell
    thread: Thread | None = field(default=None)
    moves: MoveWatch = field(init=False)
    fetcher: Fetcher = field(init=False)
    pictures: PictureWatch = field(default_factory=PictureWatch)

    def __post_init__(self) -> None:
        self.moves = MoveWatch(self.backend)
        self.fetcher = Fetcher(self.backend.settings)

    @property
    def backend(self) -> Backend:
        """The stores and the encoder of now; a request asks once, so that all of it has the same encoder."""
        return self.current.now

    def ring(self) -> None:
        """Have the worker in this process, and those that Celery runs, look at what waits now."""
        self.worker.bell.set()
        self.doorbell.ring()


def get_running(request: Request) -> Running:
    """Return what the application started with."""
    running: Running = request.app.state.running
    return running


def get_backend(request: Request) -> Backend:
    """Return the stores, the encoder and the decoders."""
    return get_running(request).backend


def get_principal(request: Request) -> Principal:
    """Return who asks, as `identity` has found out."""
    return visitor_of(request).principal


RunningDependency = Annotated[Running, Depends(get_running)]
BackendDependency = Annotated[Backend, Depends(get_backend)]
PrincipalDependency = Annotated[Principal, Depends(get_principal)]
VisitorDependency = Annotated[Visitor, Depends(visitor_of)]


def shell(
    request: Request,
    active: str = "",
    *,
    notice: str = "",
    undo_url: str = "",
    undo_ids: tuple[str, ...] = (),
) -> Shell:
    """Return the frame of a page, with the sentence the page before has left for it."""
    running = get_running(request)
    backend = running.backend
    visitor = visitor_of(request)
    who = visitor.principal
    if not notice:
        notice, undo_ids, undo_url = read_notice(request)
    return Shell(
        active=active,  # type: ignore[arg-type] # one of the names that pages.Shell lists
        encoder=backend.encoder.name,
        formats=FORMATS,
        max_upload=as_size(backend.settings.max_upload_bytes),
        notice=notice,
        undo_url=undo_url,
        undo_ids=undo_ids,
        csrf_token=visitor.csrf_token,
        person=who.name if visitor.has_accounts and visitor.is_known else "",
        has_accounts=visitor.has_accounts,
        may_upload=who.libraries(Action.UPLOAD) != frozenset(),
        may_fetch=running.fetcher.is_on,
        has_libraries=who.roles is None or bool(who.roles),
        may_administrate=who.may_administrate(),
        may_read_audit=who.may_administrate() or who.libraries(Action.MANAGE) != frozenset(),
        may_moderate=visitor.is_known and may_change_any(who),
        has_banks=banks.is_for(who),
        bare=not visitor.is_known,
        moved=_moved(running) if who.may_administrate() else "",
        outage=running.pictures.sentence if visitor.is_known else "",
        moderates=visitor.is_known and may_moderate(who),
        open_cases=_open_cases(backend, who) if visitor.is_known else "",
    )


def _open_cases(backend: Backend, who: Principal) -> str:
    """Return how many pictures wait for a decision of theirs; "" for none, and while the database cannot say."""
    try:
        number = count_own(backend, who)
    except StoreUnavailable:
        return ""  # a page that says so is shown all the same
    return as_number(number) if number else ""


def _moved(running: Running) -> str:
    """Return what is told on every page of a place that the data has left or is coming to; "" where it is at home."""
    away = running.moves.given_up
    if away is None:
        return ""
    return MOVED_ALREADY if away.is_elsewhere else away.sentence
