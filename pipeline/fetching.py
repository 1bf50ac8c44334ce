"""Fetching a picture from an address that somebody has typed, without being led where they could not go themselves.

A name is resolved here, once; each number is checked by `public_addresses`; and the connection is made to that very
number, so that a name which means something else a moment later leads nowhere new (DNS rebinding). Host header, SNI
and certificate stay with the name. Redirects are followed by hand, with the whole check each time. No proxy is used,
whatever the environment says: it would resolve the name again, out of sight. Nothing is decompressed, no cookie is
kept, and one deadline holds for all of it, however slowly a server drips.

Who asks is told the picture, or one sentence that is the same for whatever went wrong on the way: a name that does not
exist, a port that is closed and a network that is refused cannot be told apart.
"""

import io
import logging
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from http.client import HTTPException, HTTPResponse
from importlib.metadata import version
from ipaddress import ip_address
from typing import BinaryIO, cast
from urllib.parse import urljoin

from pipeline.errors import AddressUnusable, InvalidQuery
from pipeline.features.limits import check_bytes
from pipeline.looking_up import Resolve, looked_up, resolve
from pipeline.public_addresses import IPAddress, WebAddress, may_be_asked, read_address, read_allowed
from pipeline.settings import Settings
from pipeline.turns import Turns
from pipeline.uploads import Upload, spooled

log = logging.getLogger(__name__)

FETCH_SECONDS = 15.0
"""For all of it: names, redirects and bytes. Who waits for a search has gone by then."""

CONNECT_SECONDS = 4.0  # for each number of a name, so that one which does not answer leaves time for another
MOST_NUMBERS = 3  # of a name that are tried
MOST_REDIRECTS = 5
MOST_AT_ONCE = 8  # each holds a thread of the server, which has forty
MOST_OF_ONE_AT_ONCE = 2
MOST_OF_ONE_A_MINUTE = 20  # a person looks at what was found before they ask again

REDIRECTS = frozenset({301, 302, 303, 307, 308})
OK = 200
PIECE = 1 << 16  # bytes read at once

NOT_FETCHED = (
    "No picture could be fetched from this address: it does not answer with one in time, or is not open to everybody. "
    "Please save the picture and send it as a file."
)
OFF = "This server does not fetch pictures from addresses. Please save the picture and send it as a file."


class Fetcher:
    """Fetches pictures for the people of one process, within the limits above and those of the settings."""

    def __init__(
        self,
        settings: Settings,
        *,
        resolve: Resolve = resolve,
        trust: ssl.SSLContext | None = None,
        seconds: float = FETCH_SECONDS,
    ) -> None:
        self.is_on = settings.fetch_urls
        self._allowed = read_allowed(settings.fetch_allow)
        self._max_bytes = settings.max_upload_bytes
        self._resolve = resolve
        self._given_trust = trust
        self._seconds = seconds
        self._turns = Turns(
            at_once=MOST_AT_ONCE, of_one_at_once=MOST_OF_ONE_AT_ONCE, of_one_a_minute=MOST_OF_ONE_A_MINUTE
        )

    @contextmanager
    def fetched(self, text: str, who: str) -> Iterator[Upload]:
        """Give what lies at the address `text` as a file that is gone when the block ends; `who` takes a turn for it.

        Whether it is a picture is seen from its bytes alone, by whoever reads it. Raises InvalidQuery for what is no
        address and where fetching is off, AddressUnusable for whatever goes wrong on the way, TooManyBytes, and
        TooManyAttempts.
        """
        if not self.is_on:
            raise InvalidQuery(OFF)
        address = read_address(text)
        with ExitStack() as kept:
            with self._turns.taken(who), self._answer(address) as body:
                upload = kept.enter_context(spooled(body, "", max_bytes=self._max_bytes))
            yield upload

    @contextmanager
    def _answer(self, address: WebAddress) -> Iterator[BinaryIO]:
        """Give the bytes of an address, or of what it redirects to."""
        deadline = time.monotonic() + self._seconds
        for _ in range(MOST_REDIRECTS + 1):
            with ExitStack() as opened:
                with _in_one_sentence():
                    answer = opened.enter_context(self._ask(address, deadline))
                    elsewhere = answer.getheader("Location", "") if answer.status in REDIRECTS else ""
                    if elsewhere:
                        address = _redirected(address, elsewhere)
                        continue
                    self._check(answer)
                yield cast(BinaryIO, _Body(answer))
                return
        raise _unusable("it redirects too often")

    @contextmanager
    def _ask(self, address: WebAddress, deadline: float) -> Iterator[HTTPResponse]:
        """Send a request to a number that was checked, and give its answer, of which only the head was read."""
        with self._connected(address, self._numbers(address, deadline), deadline) as connection:
            connection.settimeout(_left(deadline))
            connection.sendall(_request(address))
            with HTTPResponse(cast(socket.socket, _Incoming(connection, deadline)), method="GET") as answer:
                answer.begin()
                yield answer

    def _check(self, answer: HTTPResponse) -> None:
        """Raise AddressUnusable unless this can be a picture as it is, and TooManyBytes if it says that it is large."""
        if answer.status != OK:
            raise _unusable(f"its status is {answer.status}")
        if answer.getheader("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
            raise _unusable("it is compressed, which was not asked for")
        check_bytes(answer.length or 0, self._max_bytes)

    def _numbers(self, address: WebAddress, deadline: float) -> list[IPAddress]:
        """Return the numbers that may be asked for an address. Raises AddressUnusable if there are none."""
        found = [address.number] if address.number else self._resolved(address.host, deadline)
        numbers = [number for number in found if may_be_asked(address, number, self._allowed)]
        if not numbers:
            raise _unusable("it is not public")
        return numbers[:MOST_NUMBERS]

    def _resolved(self, host: str, deadline: float) -> list[IPAddress]:
        """Return the numbers of a name. Raises OSError."""
        return [ip_address(number) for number in looked_up(host, _left(deadline), self._resolve)]

    @contextmanager
    def _connected(self, address: WebAddress, numbers: Sequence[IPAddress], deadline: float) -> Iterator[socket.socket]:
        """Give a connection to the first of `numbers` that takes it; with https, to whoever proves to have the name."""
        connection = _connect(numbers, address.port, deadline)
        with connection:
            if address.scheme == "http":
                yield connection
                return
            connection.settimeout(_left(deadline))
            with self._trust.wrap_socket(connection, server_hostname=address.host) as secured:
                yield secured

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        """Return the certificates of the system, read when they are first needed."""
        return self._given_trust or ssl.create_default_context()


class _Incoming(io.RawIOBase):
    """What comes in over a connection, until the deadline: each read waits no longer than what is left of it."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return itself with a buffer, as an HTTPResponse asks a socket to."""
        del mode
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # what a BufferedReader gives
        self._connection.settimeout(_left(self._deadline))
        return self._connection.recv_into(buffer)


class _Body:
    """The bytes of an answer; those that end too early are no picture."""

    def __init__(self, answer: HTTPResponse) -> None:
        self._answer = answer

    def read(self, size: int) -> bytes:
        with _in_one_sentence():
            piece = self._answer.read(min(size, PIECE))
            if not piece and self._answer.length:
                raise _unusable("it ends too early")
            return piece


@contextmanager
def _in_one_sentence() -> Iterator[None]:
    """Turn whatever goes wrong with a network or a server into one AddressUnusable."""
    try:
        yield
    except (OSError, HTTPException, ValueError) as error:  # also timeouts, TLS, and headers that make no sense
        raise _unusable(type(error).__name__) from error


def _unusable(why: str) -> AddressUnusable:
    log.info("a picture was not fetched: %s", why)  # not from where: that is theirs who asked
    return AddressUnusable(NOT_FETCHED, detail=why)


def _redirected(address: WebAddress, location: str) -> WebAddress:
    try:
        return read_address(urljoin(str(address), location.strip()))
    except InvalidQuery as error:
        raise _unusable("it redirects to what is no address") from error


def _request(address: WebAddress) -> bytes:
    lines = (
        f"GET {address.target} HTTP/1.1",
        f"Host: {address.place}",
        f"User-Agent: Likeness/{version('likeness')} (self-hosted picture search)",
        "Accept: image/avif,image/webp,image/*,*/*;q=0.5",
        "Accept-Encoding: identity",
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode("ascii")


def _connect(numbers: Sequence[IPAddress], port: int, deadline: float) -> socket.socket:
    failure: OSError = TimeoutError()
    for number in numbers:
        try:
            return socket.create_connection((str(number), port), min(CONNECT_SECONDS, _left(deadline)))
        except OSError as error:
            failure = error
    raise failure


def _left(deadline: float) -> float:
    """Return the seconds that are left. Raises TimeoutError when there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
