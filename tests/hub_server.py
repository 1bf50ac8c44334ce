"""A model hub on this machine that speaks what `huggingface_hub` asks for, and can be disturbed.

As the public one does, it answers HEAD with the commit, the size and the checksum of a file (SHA-256 of large ones,
git's SHA-1 of small ones), and GET with its bytes, from any place on. It counts the bytes it sends.
"""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 1_000_000  # bytes from which on a file is kept by its SHA-256, as Git LFS does
PIECE = 1 << 16


@dataclass
class Hub:
    """What the server has and what it did. Some fields disturb it while they are set."""

    files: dict[str, bytes] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)
    asked: list[str] = field(default_factory=list)
    begun: list[tuple[str, int]] = field(default_factory=list)
    """The files whose bytes were asked for, each with the place from which on."""
    cut_after: int | None = None
    """Break the connection after so many bytes of a file, once for each time it is set."""
    leaves: bool = False
    """Answer nobody any more once a connection was broken."""
    down: bool = False
    """Answer nobody."""
    wrong: bool = False
    """Send other bytes than the checksum says."""
    whole_only: bool = False
    """Do not understand Range."""
    storage: str = ""
    """Send those who want a large file to another server, as the public hub does."""
    authorizations: list[str | None] = field(default_factory=list)
    """With what each request was signed."""
    nameless: bool = False
    """Do not tell checksums."""
    before_piece: Callable[[], object] = lambda: None
    """Called before each piece of a body."""
    before_answer: Callable[[], object] = lambda: None
    """Called before each answer."""
    seconds_a_piece: float = 0.0
    """Take so long for each piece of a body."""
    address: str = ""

    def put(self, repository: str, files: dict[str, bytes]) -> None:
        self.files |= {f"{repository}/{path}": content for path, content in files.items()}

    @property
    def bytes_sent(self) -> int:
        return sum(self.sent.values())


def etag(content: bytes) -> str:
    if len(content) >= LARGE:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve on a free port; the address is in `hub.address`."""

    class Handler(_Handler):
        served = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: Hub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        hub = self.served
        hub.asked.append(f"{self.command} {self.path}")
        hub.authorizations.append(self.headers.get("Authorization"))
        hub.before_answer()
        if hub.down:
            self.close_connection = True
            return
        name = unquote(urlsplit(self.path).path).lstrip("/")  # a proxy is asked for a whole address
        repository, _, rest = name.partition("/resolve/")
        revision, _, path = rest.partition("/")
        content = hub.files.get(f"{repository}/{path}")
        if content is None or revision not in {"main", COMMIT}:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        elsewhere = bool(hub.storage) and len(content) >= LARGE
        start = self._start() if body and not hub.whole_only and not elsewhere else 0
        self.send_response(302 if elsewhere else 206 if start else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        if elsewhere:
            self.send_header("Location", f"{hub.storage}{self.path}?signed=yes")
        self.send_header("Content-Length", "0" if elsewhere else str(len(content) - start))
        if not hub.nameless:
            self.send_header("ETag", f'"{etag(content)}"')
            self.send_header("X-Linked-Etag", f'"{etag(content)}"')
            self.send_header("X-Linked-Size", str(len(content)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if body and not elsewhere:
            self._send(f"{repository}/{path}", bytes(len(content)) if hub.wrong else content, start)

    def _start(self) -> int:
        asked = self.headers.get("Range", "")
        return int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0

    def _send(self, name: str, content: bytes, start: int) -> None:
        hub = self.served
        hub.begun.append((name, start))
        limit, end = hub.cut_after, len(content)
        if limit is not None and start + limit < end:
            hub.cut_after, end, self.close_connection = None, start + limit, True
            hub.down = hub.leaves
        try:
            for place in range(start, end, PIECE):
                hub.before_piece()
                threading.Event().wait(hub.seconds_a_piece)
                piece = content[place : min(place + PIECE, end)]
                self.wfile.write(piece)
                hub.sent[name] += len(piece)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""
