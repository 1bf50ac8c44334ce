"""The application as one object: routes, errors, security, and what starts and stops with it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from threading import BoundedSemaphore, Thread

from fastapi import APIRouter, Depends, FastAPI, Security
from fastapi.security import HTTPBearer
from starlette.routing import BaseRoute

from pipeline import accounts
from pipeline.backend import Backend, OnDownload, open_backend
from pipeline.current_backend import CurrentBackend
from pipeline.doorbell import Doorbell
from pipeline.listing import read_ahead
from pipeline.settings import Settings
from pipeline.worker import Worker
from webapp import errors
from webapp.cookies import Signer
from webapp.dependencies import VERSION, Running
from webapp.identity import check_csrf, identify
from webapp.language import Speaking
from webapp.oidc_settings import open_provider
from webapp.rendering import mount_static
from webapp.routes import (
    account,
    api_banks,
    api_compare,
    api_docs,
    api_duplicates,
    api_images,
    api_libraries,
    api_moderation,
    api_search,
    api_searches,
    api_status,
    audit,
    banks,
    compare,
    duplicate_queue,
    duplicates,
    feeds,
    health,
    images,
    invitations,
    language,
    libraries,
    login,
    moderation,
    oidc,
    people,
    regions,
    results,
    search,
    searches,
    selection,
    stacks,
    status,
    trash,
    uploads,
)
from webapp.security import Guard
from webapp.server_timing import ServerTiming

FORM_BYTES = 512 << 10  # room in a body for fields: a thousand selected pictures take a third of it
BANK_FILES = ("pictures", "hashes", "try")  # what a bank is sent as a file
PAGE_UPLOAD_FILES = 32  # files of the largest size that one form without JavaScript may hold together


TOKEN_SCHEME = HTTPBearer(
    scheme_name="token", auto_error=False, description="An API token. Not needed on loopback without accounts."
)
"""For the OpenAPI document alone: who asks is found out by `identify`."""


MODULES = (
    search,
    results,
    uploads,
    images,
    regions,
    selection,
    status,
    trash,
    api_duplicates,
    api_images,
    api_libraries,
    api_search,
    api_searches,
    api_status,
    api_docs,
    health,
    login,
    oidc,
    account,
    people,
    audit,
    libraries,
    invitations,
    language,
    searches,
    feeds,
    moderation,
    api_moderation,
    compare,
    api_compare,
    duplicate_queue,
    duplicates,
    banks,
    api_banks,
    stacks,
)
"""Whose routes there are; where two would answer, the first does."""


def create_app(
    settings: Settings,
    *,
    with_worker: bool = True,
    with_decoders: bool = True,
    once_open: Callable[[Backend], None] | None = None,
    on_download: OnDownload | None = None,
) -> FastAPI:
    """Return the application. Its stores are opened when it starts and closed when it stops.

    Opening raises ConfigurationError, StoreUnavailable or ModelUnusable. `once_open` is called with the stores before
    anything is answered; what it raises ends the start. `on_download` is told how far a model is that has to be
    fetched. Decoder processes are started at once, so that the first visitor does not wait for them, or, where
    `with_decoders` is false, when the first picture comes.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opened = open_backend(settings, on_download)
        with CurrentBackend(opened) as current, Doorbell(opened.database, settings) as doorbell:
            backend = current.now
            if once_open:
                once_open(backend)
            if with_decoders:
                backend.decoders.start()
            backend.swatches.warm()
            worker = Worker(current)
            running = Running(
                current,
                worker,
                waiters=BoundedSemaphore(settings.max_waiting_uploads),
                signer=Signer(accounts.signing_key(backend)),
                accounts_active=accounts.are_active(backend),
                doorbell=doorbell,
            )
            if with_worker:
                running.thread = Thread(target=worker.run, name="worker", daemon=True)
                running.thread.start()
            app.state.running = running
            reading = Thread(target=read_ahead, args=(backend,), name="reading", daemon=True)
            reading.start()
            yield
            worker.stop()
            reading.join()
            if running.thread:
                running.thread.join()

    app = FastAPI(
        title="Likeness",
        version=VERSION,
        summary="Find pictures that look alike.",
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        routes=_routes(),
    )
    app.state.oidc = open_provider(settings)
    errors.install(app)
    mount_static(app)
    one_file = settings.max_upload_bytes + FORM_BYTES
    with_files = dict.fromkeys(("/search", "/api/v1/search", "/api/v1/images"), one_file)
    with_files |= dict.fromkeys(("/compare", "/api/v1/compare"), one_file * 2)
    with_files["/upload"] = one_file * PAGE_UPLOAD_FILES
    with_files |= {f"{place}/banks/*/{what}": one_file for place in ("", "/api/v1") for what in BANK_FILES}
    app.add_middleware(ServerTiming)
    app.add_middleware(Guard, max_body_bytes=with_files, default_body_bytes=FORM_BYTES, public_url=settings.public_url)
    app.add_middleware(Speaking)
    return app


@cache
def _routes() -> list[BaseRoute]:
    """Return the routes, which all applications of a process share: finding out what each takes and gives is slow."""
    everything = APIRouter(dependencies=[Depends(identify), Depends(check_csrf), Security(TOKEN_SCHEME)])
    for module in MODULES:
        everything.include_router(module.router)
    return everything.routes
