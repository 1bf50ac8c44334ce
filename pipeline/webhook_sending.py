"""Sending one webhook: to an address that may be reached, over a connection to the very place that was checked.

People give these addresses, and the server that sends stands where they may not reach: so a host must have public
addresses only, unless it is allowed by name or network, and it is not looked up a second time between the check and
the connection. Redirects are not followed, no proxy is used, and of the answer nothing but its status is read.

What people are told must not map the network within. A name that does not exist, one that nothing answers for in time
and one with an address inside are refused in the same sentence; and of a host that is allowed without being public
they read its status, if it speaks HTTP, but not why it took nothing. Logs say more, to whoever runs the server.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from pipeline.errors import InvalidQuery, ReceiverUnavailable
from pipeline.looking_up import looked_up
from pipeline.public_addresses import IPAddress, is_public

LONGEST_ADDRESS = 2000
ANSWER_SECONDS = 10.0
"""From the first connection to the status of the answer; receivers are to take the matches in and work afterwards."""

LOOK_UP_SECONDS = 5.0
"""For a name, when an address is given: whoever waits for the page is answered, whatever the resolver does."""

PORTS = {"http": 80, "https": 443}
GONE = 410
OK, REDIRECT, BAD = 200, 300, 400

NO_ADDRESS = "The address of a webhook looks like https://example.org/hook, without a name and password in it."
TOO_LONG = f"The address of a webhook can have {LONGEST_ADDRESS:,} characters."
NOT_PUBLIC = (
    "Nothing is sent to the host {host}: it cannot be found, or is not public. Whoever runs this server can allow it."
)
NOT_TAKEN = "The receiver did not take it. Whoever runs this server finds the cause in its log."
NOT_REACHED = "The receiver could not be reached."
NO_TLS = "The receiver could not prove who it is: its certificate is not valid, or it speaks no TLS."
TOO_SLOW = f"The receiver did not answer within {ANSWER_SECONDS:g} seconds."
NO_HTTP = "The receiver did not answer as a web server does."
REDIRECTED = "The receiver answered with a redirect ({status}), which is not followed. Please give the final address."
REFUSED = "The receiver answered with status {status}."


@dataclass(frozen=True)
class Allowed:
    """Hosts and networks that may be reached although they are not public."""

    listed: str = ""

    def host(self, host: str) -> bool:
        """Whether a host is allowed by its name, whatever its addresses are."""
        return host in self._parts()

    def address(self, address: IPAddress) -> bool:
        """Whether an address is allowed: it is public, or in one of the networks."""
        return is_public(address) or any(
            address in ipaddress.ip_network(part, strict=False) for part in self._parts() if _is_network(part)
        )

    def _parts(self) -> list[str]:
        return [part.strip().lower() for part in self.listed.split(",") if part.strip()]


def check(address: str, allowed: Allowed) -> str:
    """Return an address that webhooks may be sent to, as it is kept. Raises InvalidQuery, saying what is wrong."""
    text = address.strip()
    if len(text) > LONGEST_ADDRESS:
        raise InvalidQuery(TOO_LONG)
    parts = _split(text)
    try:
        _places(parts, allowed, time.monotonic() + LOOK_UP_SECONDS)
    except ReceiverUnavailable as error:
        raise InvalidQuery(error.user_message, detail=error.detail) from error
    return parts._replace(fragment="").geturl()


def host_of(address: str) -> str:
    """Return the host of an address, for people and logs: the rest of it may be secret."""
    return urlsplit(address).hostname or ""


def send(
    address: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allowed: Allowed,
    seconds: float = ANSWER_SECONDS,
) -> None:
    """Post `body` to `address`; return when the receiver has answered that it took it.

    Raises ReceiverUnavailable with a sentence for everything else. `detail` is for logs, and "410" when it wants no
    more.
    """
    try:
        parts = _split(address)
    except InvalidQuery as error:
        raise ReceiverUnavailable(error.user_message) from error
    deadline = time.monotonic() + seconds
    places = _places(parts, allowed, deadline)
    are_public = all(is_public(ipaddress.ip_address(place)) for place in places)
    with _in_words(deadline, are_public), _connected(parts, places, deadline) as connection:
        target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        connection.request("POST", target, body, {**headers, "Host": _host_header(parts)})
        status = connection.getresponse().status
        _left(deadline)  # an answer that was cut off is none
    if OK <= status < REDIRECT:
        return
    sentence = REDIRECTED if REDIRECT <= status < BAD else REFUSED
    raise ReceiverUnavailable(sentence.format(status=status), detail=str(status))


@contextmanager
def _in_words(deadline: float, are_public: bool) -> Iterator[None]:
    """Turn what a network raises into a sentence, for people only where its addresses are public.

    After the deadline everything is slowness.
    """
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        cause = TOO_SLOW if time.monotonic() >= deadline else _cause(error)
        raise ReceiverUnavailable(cause if are_public else NOT_TAKEN, detail=f"{cause} {error!r}") from error


def _cause(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return NO_TLS
    return NOT_REACHED if isinstance(error, OSError) else NO_HTTP


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in PORTS and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:
        raise InvalidQuery(NO_ADDRESS) from error
    if not usable or parts.username is not None or not address.isascii() or not address.isprintable() or " " in address:
        raise InvalidQuery(NO_ADDRESS)
    return parts


def _places(parts: SplitResult, allowed: Allowed, deadline: float) -> list[str]:
    """Return the addresses of a host, every one of which may be reached. Raises ReceiverUnavailable."""
    host = parts.hostname or ""
    try:
        places = looked_up(host, max(0.0, deadline - time.monotonic()))
    except (OSError, UnicodeError) as error:
        raise ReceiverUnavailable(NOT_PUBLIC.format(host=host), detail=repr(error)) from error
    if not allowed.host(host) and not all(allowed.address(ipaddress.ip_address(place)) for place in places):
        raise ReceiverUnavailable(NOT_PUBLIC.format(host=host), detail="not public")
    return places


@contextmanager
def _connected(parts: SplitResult, places: list[str], deadline: float) -> Iterator[http.client.HTTPConnection]:
    """Give a connection to one of the places, which ends at the deadline whatever the other side does."""
    connection = http.client.HTTPConnection(parts.hostname or "", _port(parts))
    connection.sock = _connect(places, _port(parts), deadline)
    # Time is counted between two bytes by sockets themselves, so a receiver could answer forever, byte by byte.
    end = threading.Timer(max(0.0, deadline - time.monotonic()), _shut, (connection,))
    end.daemon = True
    end.start()
    try:
        if parts.scheme == "https":
            secured = ssl.create_default_context().wrap_socket(
                connection.sock, server_hostname=parts.hostname, do_handshake_on_connect=False
            )
            connection.sock = secured  # before the handshake, which has to end in time as well
            secured.do_handshake()
        yield connection
    finally:
        end.cancel()
        connection.close()


def _connect(places: list[str], port: int, deadline: float) -> socket.socket:
    for place in places[:-1]:
        with suppress(OSError):  # the next one may answer
            return socket.create_connection((place, port), _left(deadline) / len(places))
    return socket.create_connection((places[-1], port), _left(deadline))


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _shut(connection: http.client.HTTPConnection) -> None:
    with suppress(OSError):  # closed already
        # That of the plain socket: TLS has a farewell of its own, which whoever reads at this moment must not meet.
        socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


def _port(parts: SplitResult) -> int:
    return parts.port or PORTS[parts.scheme]


def _host_header(parts: SplitResult) -> str:
    return parts.netloc


def _is_network(part: str) -> bool:
    try:
        ipaddress.ip_network(part, strict=False)
    except ValueError:
        return False
    return True
