"""Applications served by a thread of the test process, to be asked over a real connection."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


@contextmanager
def listening(listener: socket.socket, app: Any) -> Iterator[None]:
    """Serve an application on a socket until the end of the block."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def free_listener(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Return a socket that listens, so that whoever connects waits and is not refused."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen()
    return listener
