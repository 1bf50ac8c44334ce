"""`likeness serve` and `likeness worker`: the commands that stay."""

import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from webapp.cli_errors import say
from webapp.cli_progress import shown_in_megabytes
from webapp.cli_session import FETCHING, configured, opened_currently, stopped_gently
from webapp.cli_transport import Certificate, address_of, bind, read_certificate, server_config

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from pipeline.backend import Backend
    from pipeline.settings import Settings

DEFAULT_PORT = 8000
HIGHEST_PORT = 65_535
LOOK_UP_SECONDS = 0.5  # between two looks whether somebody has told the worker to end
START_SECONDS = 10.0  # for stores that are asked at the start; clients take their time to connect, and nobody waits

ONLY_WITH_ACCOUNTS = (
    "Likeness serves other machines only with accounts, so that it knows who asks. Set LIKENESS_ACCOUNTS=required and "
    "start again: it prints a link with which you make the first account."
)
UNENCRYPTED = (
    "Passwords and pictures travel unencrypted to this address. docs/deploy/https.md says how to put TLS in front."
)
FIRST_ACCOUNT = (
    "Nobody has an account yet. Open this link to make the first one (it works once, for 24 hours): "
    "{base}/welcome/{secret}"
)

PEM_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; others than this machine's need accounts.",
)
@click.option(
    "--port",
    default=DEFAULT_PORT,
    show_default=True,
    type=click.IntRange(0, HIGHEST_PORT),
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--tls-cert", type=PEM_FILE, help="PEM file of a certificate and those above it, to serve https.")
@click.option("--tls-key", type=PEM_FILE, help="PEM file of its key.")
@click.option("--no-worker", is_flag=True, help="Only answer; `likeness worker` analyzes the pictures.")
def serve(host: str, port: int, tls_cert: Path | None, tls_key: Path | None, no_worker: bool) -> None:
    """Serve the web application, with a worker in it."""
    certificate = read_certificate(tls_cert, tls_key)
    with bind(host, port) as listener:
        beginning = _Beginning(configured(), host, listener, certificate)

        from webapp.app import create_app

        with stopped_gently(), shown_in_megabytes(FETCHING) as on_download:
            app = create_app(
                beginning.settings, with_worker=not no_worker, once_open=beginning.check, on_download=on_download
            )
            _run(app, beginning)


@click.command()
def worker() -> None:
    """Analyze waiting pictures until stopped; as many as wanted may run."""
    with stopped_gently(), opened_currently() as current:
        from pipeline.worker import Worker

        working = Worker(current)
        click.echo("Waiting for pictures. Control-C stops.", err=True)
        _tell_what_is_down(current.now)
        work_until_told(working.run, stop=working.stop)


def work_until_told(work: Callable[[], None], *, stop: Callable[[], None]) -> None:
    """Do `work` in a thread until it ends; at Control-C or SIGTERM call `stop` and wait for that.

    This looks up every now and then: a signal that comes between two steps of Python and a wait without an end is not
    seen before that end. It does not join the thread either: in Python 3.11 a thread whose join was interrupted counts
    as ended, and its stores would be closed under it.
    """
    ended = threading.Event()

    def working() -> None:
        try:
            work()
        finally:
            ended.set()

    def wait() -> None:
        while not ended.wait(LOOK_UP_SECONDS):
            pass

    thread = threading.Thread(target=working, name="worker", daemon=True)
    try:
        thread.start()
        wait()
    except KeyboardInterrupt:
        click.echo("Finishing the pictures in hand.", err=True)
        stop()
        if thread.ident is not None:  # it has begun
            wait()


def _tell_what_is_down(backend: "Backend") -> None:
    """Say in a moment on stderr which stores do not answer; who starts them later need not start Likeness again."""
    from pipeline.doorbell import ask_queue
    from pipeline.health import check_stores

    def tell() -> None:
        queue_says = ask_queue(backend.settings)
        for report in check_stores(backend, seconds=START_SECONDS):
            if not report.healthy:
                say(f"{report.name}: {report.sentence} It was looked for at {report.address}.")
        if (queue := queue_says()) and not queue.healthy:
            say(f"{queue.name}: {queue.sentence} It was looked for at {queue.address}.")

    threading.Thread(target=tell, name="telling", daemon=True).start()


@dataclass
class _Beginning:
    """What is looked at before the server listens, and said when it does."""

    settings: "Settings"
    host: str
    listener: socket.socket
    certificate: Certificate | None
    secret: str | None = field(default=None)
    backend: "Backend | None" = field(default=None)

    @property
    def _is_open(self) -> bool:
        """Whether other machines can reach it."""
        from webapp.security import LOOPBACK_NAMES

        return self.host not in LOOPBACK_NAMES

    def check(self, backend: "Backend") -> None:
        """Make the link for the first account where one is needed. Raises a sentence where anybody could get in."""
        from pipeline import accounts, welcomes

        self.backend = backend
        active = accounts.are_active(backend)
        if self._is_open and not active:
            raise click.UsageError(ONLY_WITH_ACCOUNTS)
        self.secret = welcomes.first_run_secret(backend) if active else None

    def tell(self) -> None:
        """Print where the server is, and what there is to know about it."""
        address = address_of(self.host, self.listener.getsockname()[1], self.certificate)
        click.echo(f"Likeness is at {address}  (Control-C stops it)")
        if self.secret:
            click.echo(FIRST_ACCOUNT.format(base=self.settings.public_url or address, secret=self.secret))
        sys.stdout.flush()
        if self.backend:
            _tell_what_is_down(self.backend)
        if self._is_open and not self.certificate and not self.settings.trusted_proxies:
            say(UNENCRYPTED)


def _run(app: "ASGIApp", beginning: _Beginning) -> None:
    """Serve `app` until SIGINT or SIGTERM; requests and pictures in hand are finished. Raises what stops its start."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                beginning.tell()

    start = _Start(app)
    config = server_config(start, beginning.settings.trusted_proxies, beginning.certificate)
    try:
        Server(config).run(sockets=[beginning.listener])
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)
    except SystemExit:
        if start.failure is None:
            raise
    if start.failure:
        raise start.failure


class _Start:
    """ASGI middleware that keeps what stops the application from starting, so that it can be told in a sentence.

    Without it the server would print a traceback.
    """

    def __init__(self, app: "ASGIApp") -> None:
        self.app = app
        self.failure: Exception | None = None

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return

        async def send_quietly(message: "Message") -> None:
            await send({**message, "message": ""} if message["type"].endswith(".failed") else message)

        try:
            await self.app(scope, receive, send_quietly)
        except Exception as error:  # noqa: BLE001 - raised again by whoever started the server
            self.failure = error
