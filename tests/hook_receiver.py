"""A receiver of webhooks on this machine, which answers as it is told and remembers what it was sent."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from certificates import Pair


@dataclass
class Received:
    """One request: its headers and its body."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What was received, and what is answered: the statuses in this order, and 200 when there are none left.

    Until `hold` is set no answer is given, and until `drip` is set one that comes byte by byte.
    """

    address: str = ""
    answers: list[int] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    hold: threading.Event | None = None
    drip: threading.Event | None = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def handle(self) -> None:
        with suppress(OSError):  # a sender that goes, because it does not trust us or will not wait
            super().handle()

    def do_POST(self) -> None:
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver.received.append(Received(self.path, dict(self.headers.items()), body))
        if receiver.hold:
            receiver.hold.wait(30)
        if receiver.drip:
            self._drip(receiver.drip)
            return
        status = receiver.answers.pop(0) if receiver.answers else 200
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", f"{receiver.address}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _drip(self, ended: threading.Event) -> None:
        self.send_response(200)
        self.flush_headers()
        while not ended.wait(0.05):
            self.wfile.write(b"X")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def receiving(pair: Pair | None = None) -> Iterator[Receiver]:
    """Run a receiver for as long as the block lasts; with a certificate it speaks https."""
    server = _Server(("127.0.0.1", 0), _Handler)
    scheme = "http"
    if pair:
        scheme, proof = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        proof.load_cert_chain(pair.certificate, pair.key)
        server.socket = proof.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.receiver = Receiver(f"{scheme}://127.0.0.1:{server.server_port}/hook")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
