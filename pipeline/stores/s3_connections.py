"""How an S3 service is reached: connections that are kept, how long is waited, and what is asked once more.

A service that is down is found out within seconds, while an upload may take as long as the line needs, provided that
it moves.
"""

import hashlib
import ssl
import time
from base64 import b64encode
from typing import Any

import certifi
import urllib3
from urllib3 import HTTPHeaderDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

CONNECT_SECONDS = 1.5
"""Waited for a connection. A host with two addresses is waited for twice, which still leaves time to say so."""

ANSWER_SECONDS = 3.0
"""Waited for the next bytes of an answer to what is read, listed or removed; a service in good health needs 0.1 s."""

KEPT_SECONDS = 20.0
"""Waited for the answer to what is sent: a busy service may take that long to write an upload to its disks."""

STALLED_SECONDS = 30.0
"""After which an upload that does not move is given up. The time counts anew for each piece of PIECE_BYTES."""

PIECE_BYTES = 1 << 16

AGAIN_WITHIN_SECONDS = 1.0
"""What fails sooner is tried again, as after a restart of the service; what fails later has been waited for enough."""

PAUSES_SECONDS = (0.1, 0.3)
"""Before the second and the third try."""

CONNECTIONS = 32
"""Kept open to be used again; more threads than that make further ones, which are closed after use."""

PASSING = frozenset({500, 502, 503, 504})
"""Answers of a service that is starting or has too much to do."""

SENDING = frozenset({"PUT", "POST"})
READING = urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS)
WRITING = urllib3.Timeout(connect=CONNECT_SECONDS, read=KEPT_SECONDS)


class _Patient:
    """A connection that sends in pieces, each with its own time, once it stands.

    Otherwise the time to connect would also be all the time there is to send a whole body.
    """

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.sock.settimeout(STALLED_SECONDS)  # type: ignore[attr-defined]

    def send(self, data: Any) -> None:
        view = memoryview(data)  # all that is sent here are bytes
        for start in range(0, len(view), PIECE_BYTES):
            super().send(view[start : start + PIECE_BYTES])  # type: ignore[misc]


class _PatientHttp(_Patient, HTTPConnection):
    pass


class _PatientHttps(_Patient, HTTPSConnection):
    pass


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PatientHttp


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _PatientHttps


class S3Connections(urllib3.PoolManager):
    """The connections of one process to a service, for any number of threads."""

    def __init__(self) -> None:
        super().__init__(maxsize=CONNECTIONS, retries=False, ssl_context=_trust())
        self.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        self._answered = -float("inf")

    @property
    def silent_seconds(self) -> float:
        """How long ago the service answered last, whatever it said."""
        return time.monotonic() - self._answered

    def urlopen(self, method: str, url: str, **how: Any) -> BaseHTTPResponse:  # type: ignore[override]
        """Ask, and again where it failed at once. Every request to S3 may be made twice.

        An answer that leads elsewhere is not followed, since what was signed for one host is refused by another.
        Raises HTTPError when there is no answer. An answer that says that the service is busy is returned at last.
        """
        how.setdefault("timeout", WRITING if method in SENDING else READING)
        _add_md5(how.get("headers"), how.get("body"))
        deadline = time.monotonic() + AGAIN_WITHIN_SECONDS
        for pause in PAUSES_SECONDS:
            try:
                answer = self._ask(method, url, **how)
            except HTTPError:
                if time.monotonic() > deadline:
                    raise
            else:
                if answer.status not in PASSING or time.monotonic() > deadline:
                    return answer
                answer.drain_conn()
            time.sleep(pause)
        return self._ask(method, url, **how)

    def _ask(self, method: str, url: str, **how: Any) -> BaseHTTPResponse:
        answer = super().urlopen(method, url, redirect=False, **how)
        self._answered = time.monotonic()
        return _as_minio_reads_it(answer)


def _add_md5(headers: HTTPHeaderDict | None, body: bytes | None) -> None:
    """Let the service check what comes by its MD5. The client tells that only with TLS.

    Without, it signs the SHA-256 of the bytes, which not every service compares with the bytes.
    """
    if headers is not None and isinstance(body, bytes) and "content-md5" not in headers:
        headers["Content-MD5"] = b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _as_minio_reads_it(answer: BaseHTTPResponse) -> BaseHTTPResponse:
    """Let an error that comes as text/xml pass for application/xml, the only kind whose code the client reads."""
    kind, _, rest = answer.headers.get("content-type", "").partition(";")
    if kind.strip().lower() == "text/xml":
        answer.headers["content-type"] = ";".join(filter(None, ("application/xml", rest)))
    return answer


def _trust() -> ssl.SSLContext:
    """Trust whom this machine trusts, also by SSL_CERT_FILE, and the public authorities where it knows none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
