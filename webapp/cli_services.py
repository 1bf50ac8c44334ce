"""`likeness serve` and `likeness worker`: the commands that stay."""

import socket
import sys
import threading
from typing import TYPE_CHECKING

import click

from webapp.cli_session import configured, opened, stopped_gently

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

DEFAULT_PORT = 8000
HIGHEST_PORT = 65_535
BACKLOG = 2048  # connections that may wait to be accepted, as uvicorn itself asks for
STOP_SECONDS = 20  # how long a request in hand may take after the signal to stop

NOT_LOOPBACK = (
    "This version of Likeness has no accounts yet, so it serves only this machine: 127.0.0.1, localhost or ::1."
)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; this machine only.")
@click.option(
    "--port",
    default=DEFAULT_PORT,
    show_default=True,
    type=click.IntRange(0, HIGHEST_PORT),
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--no-worker", is_flag=True, help="Only answer; `likeness worker` analyzes the pictures.")
def serve(host: str, port: int, no_worker: bool) -> None:
    """Serve the web application, with a worker in it."""
    from webapp.security import LOOPBACK_NAMES

    if host not in LOOPBACK_NAMES:
        raise click.BadParameter(NOT_LOOPBACK, param_hint="--host")
    listener = _listen(host, port)
    settings = configured()

    from webapp.app import create_app

    with stopped_gently():
        _run(create_app(settings, with_worker=not no_worker), listener, host)


@click.command()
def worker() -> None:
    """Analyze waiting pictures until stopped; as many as wanted may run."""
    with stopped_gently(), opened() as backend:
        from pipeline.worker import Worker

        working = Worker(backend)
        thread = threading.Thread(target=working.run, name="worker", daemon=True)
        thread.start()
        click.echo("Waiting for pictures. Control-C stops.", err=True)
        try:
            thread.join()
        except KeyboardInterrupt:
            click.echo("Finishing the pictures in hand.", err=True)
            working.stop()
            thread.join()


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises a sentence when the port is taken or not allowed."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise click.ClickException(
            f"Port {port} of {host} cannot be used: {reason}. Please choose another with --port."
        ) from error
    return listener


def _run(app: "ASGIApp", listener: socket.socket, host: str) -> None:
    """Serve `app` until SIGINT or SIGTERM; requests and pictures in hand are finished. Raises what stops its start."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                name = f"[{host}]" if ":" in host else host
                click.echo(f"Likeness is at http://{name}:{listener.getsockname()[1]}  (Control-C stops it)")
                sys.stdout.flush()

    start = _Start(app)
    config = uvicorn.Config(
        start,
        log_config=None,
        log_level="critical",  # what goes wrong in a request is logged by webapp.errors already
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    try:
        Server(config).run(sockets=[listener])
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
