"""What routes are given: the backend, the worker, who asks, and the frame of every page."""

from dataclasses import dataclass, field
from importlib.metadata import version
from threading import BoundedSemaphore, Thread
from typing import Annotated

from fastapi import Depends, Request

from pipeline.backend import Backend
from pipeline.principals import OWNER, Principal
from pipeline.worker import Worker
from webapp.flash import read_notice
from webapp.pages import Shell
from webapp.wording import as_size

FORMATS = "JPEG, PNG, WebP, AVIF, HEIC, GIF, TIFF, BMP, JPEG 2000"
VERSION = version("likeness")


@dataclass
class Running:
    """What lives as long as the application. `waiters` bounds the uploads that wait for their analysis."""

    backend: Backend
    worker: Worker
    waiters: BoundedSemaphore
    thread: Thread | None = field(default=None)


def get_running(request: Request) -> Running:
    """Return what the application started with."""
    running: Running = request.app.state.running
    return running


def get_backend(request: Request) -> Backend:
    """Return the stores, the encoder and the decoders."""
    return get_running(request).backend


def get_principal() -> Principal:
    """Return who asks: on loopback the owner of everything. Accounts will decide this elsewhere."""
    return OWNER


RunningDependency = Annotated[Running, Depends(get_running)]
BackendDependency = Annotated[Backend, Depends(get_backend)]
PrincipalDependency = Annotated[Principal, Depends(get_principal)]


def shell(
    request: Request,
    active: str = "",
    *,
    notice: str = "",
    undo_url: str = "",
    undo_ids: tuple[str, ...] = (),
) -> Shell:
    """Return the frame of a page, with the sentence the page before has left for it."""
    backend = get_backend(request)
    if not notice:
        notice, undo_ids = read_notice(request)
    return Shell(
        active=active,  # type: ignore[arg-type] # one of the names that pages.Shell lists
        encoder=backend.encoder.name,
        formats=FORMATS,
        max_upload=as_size(backend.settings.max_upload_bytes),
        notice=notice,
        undo_url=undo_url,
        undo_ids=undo_ids,
    )
