"""A web server on this machine that answers as it is told, also as no honest server would."""

import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Answer = Callable[["Conversation"], None]


@dataclass
class Conversation:
    """One request: its head as text, and what sends bytes back, which is false once nobody listens any more."""

    head: str
    send: Callable[[bytes], bool]
    ended: threading.Event


@dataclass
class PictureServer:
    """Answers each path by `answers`, everything else with 404; `heads` are the requests as they came."""

    host: str = "127.0.0.1"
    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    heads: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    """Set when the server stops; whoever waits in an answer waits for this."""

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.place}{path}"

    def put(self, path: str, body: bytes, *headers: str, status: str = "200 OK") -> str:
        """Answer a path with a body and its length; return its address."""
        lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", "")
        return self.put_raw(path, "\r\n".join(lines).encode() + body)

    def put_raw(self, path: str, *pieces: bytes) -> str:
        """Answer a path with these bytes and close the connection; return its address."""

        def answer(conversation: Conversation) -> None:
            for piece in pieces:
                conversation.send(piece)

        return self.put_answer(path, answer)

    def put_answer(self, path: str, answer: Answer) -> str:
        self.answers[path] = answer
        return self.url(path)

    def redirect(self, path: str, location: str, status: str = "302 Found") -> str:
        return self.put(path, b"", f"Location: {location}", status=status)


@contextmanager
def serving(server: PictureServer, secured: ssl.SSLContext | None = None) -> Iterator[PictureServer]:
    """Serve on `server.port`, or on a free one, which is then written there."""
    with _Server((server.host, server.port), _Handler) as listening:
        listening.served, listening.secured = server, secured
        server.port = listening.server_address[1]
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            listening.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    served: PictureServer
    secured: ssl.SSLContext | None

    def get_request(self):
        connection, place = super().get_request()
        if self.secured is None:
            return connection, place
        return self.secured.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), place

    def handle_error(self, *_: object) -> None:
        """Say nothing: what was wrong with a connection is the business of the test."""


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        try:
            head = self._head()
        except OSError:
            return  # nobody listens any more, or does not believe the certificate
        if not head:
            return
        served = self.server.served
        served.heads.append(head)
        answer = served.answers.get(head.split(" ")[1])
        if answer is None:
            self._send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        else:
            answer(Conversation(head, self._send, served.ended))

    def _head(self) -> str:
        head = ""
        while not head.endswith("\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return ""
            head += line.decode("latin-1")
        return head

    def _send(self, data: bytes) -> bool:
        try:
            self.wfile.write(data)
        except OSError:
            return False
        return True
