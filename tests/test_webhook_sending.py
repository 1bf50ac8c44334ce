"""Sending one webhook: where it may go, and what becomes of receivers that misbehave."""

import socket
import threading
import time

import pytest
from certificates import made_pair
from hook_receiver import receiving

from pipeline.errors import InvalidQuery, ReceiverUnavailable
from pipeline.webhook_sending import (
    LONGEST_ADDRESS,
    NO_ADDRESS,
    NO_HTTP,
    NO_TLS,
    NOT_PUBLIC,
    NOT_REACHED,
    NOT_TAKEN,
    TOO_SLOW,
    Allowed,
    check,
    send,
)

HERE = Allowed("127.0.0.0/8")


def refused(address: str, **options) -> ReceiverUnavailable:
    with pytest.raises(ReceiverUnavailable) as caught:
        send(address, b"{}", {}, allowed=options.pop("allowed", HERE), **options)
    return caught.value


def refusal(address: str, **options) -> str:
    """What people are told."""
    return refused(address, **options).user_message


def cause(address: str, **options) -> str:
    """What the log is told of a receiver on this machine, which is not public: people are told the same of all."""
    error = refused(address, **options)
    assert error.user_message == NOT_TAKEN
    return str(error.detail)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "example.org/hook",
        "ftp://example.org/",
        "file:///etc/passwd",
        "http://",
        "http://name:secret@example.org/",
        "http://example.org:99999/",
        "http://example.org:0/",
        "http://[::1/",
        "http://exa mple.org/",
        "http://example.org/\r\nX-Injected: 1",
        "http://exämple.org/",
    ],
)
def test_what_is_no_address_of_a_receiver_is_refused(address):
    with pytest.raises(InvalidQuery) as caught:
        check(address, HERE)

    assert caught.value.user_message == NO_ADDRESS


def test_an_address_can_be_too_long():
    with pytest.raises(InvalidQuery, match="characters"):
        check("http://127.0.0.1/" + "a" * LONGEST_ADDRESS, HERE)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]", "10.0.0.1"]
)
def test_this_machine_is_refused_however_it_is_written(host):
    with pytest.raises(InvalidQuery) as caught:
        check(f"http://{host}/", Allowed())

    shown = host.strip("[]")
    assert caught.value.user_message == NOT_PUBLIC.format(host=shown)


def test_a_host_is_allowed_by_its_name_or_its_network():
    for allowed in ("localhost", "LOCALHOST", "127.0.0.0/8, ::1/128", "127.0.0.1,::1"):
        assert check(" http://localhost:8080/hook?a=b#part ", Allowed(allowed)) == "http://localhost:8080/hook?a=b"
    with pytest.raises(InvalidQuery):
        check("http://localhost/", Allowed("10.0.0.0/8,example.org"))


def test_a_host_with_one_address_inside_is_refused_altogether(monkeypatch):
    def two(*_, **__):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, 80)) for place in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", two)

    assert refusal("http://rebound.example/", allowed=Allowed()) == NOT_PUBLIC.format(host="rebound.example")


def test_a_host_is_looked_up_once_and_the_connection_goes_to_what_was_checked(monkeypatch):
    """A second look-up would give another address to whoever runs the name server of the host."""
    asked = []
    with receiving() as receiver:
        port = int(receiver.address.rsplit(":", 1)[1].split("/")[0])
        real = socket.getaddrinfo

        def look_up(host, *rest, **options):
            asked.append(host)
            return real("127.0.0.1" if host == "hooks.example" else host, *rest, **options)

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        send(f"http://hooks.example:{port}/in?a=b", b"{}", {"X-Ours": "1"}, allowed=HERE)

    (one,) = receiver.received
    assert asked.count("hooks.example") == 1
    assert (one.path, one.body, one.headers["Host"]) == ("/in?a=b", b"{}", f"hooks.example:{port}")
    assert one.headers["X-Ours"] == "1"


def test_a_receiver_that_does_not_answer_is_left():
    with receiving() as receiver:
        receiver.hold = threading.Event()
        begun = time.monotonic()

        assert cause(receiver.address, seconds=0.3).startswith(TOO_SLOW)
        assert time.monotonic() - begun < 20  # the receiver would hold on for 30
        receiver.hold.set()


def test_a_receiver_that_answers_byte_by_byte_is_left():
    with receiving() as receiver:
        receiver.drip = threading.Event()

        assert cause(receiver.address, seconds=0.5).startswith(TOO_SLOW)
        receiver.drip.set()


def test_a_receiver_over_tls_proves_who_it_is(tmp_path, monkeypatch):
    pair = made_pair(tmp_path / "pair")
    with receiving(pair) as receiver:
        assert cause(receiver.address, seconds=5).startswith(NO_TLS)

        monkeypatch.setenv("SSL_CERT_FILE", str(pair.certificate))
        send(receiver.address, b"{}", {}, allowed=HERE)
        receiver.drip = threading.Event()
        assert cause(receiver.address, seconds=0.5).startswith(TOO_SLOW)
        receiver.drip.set()

    assert [one.body for one in receiver.received] == [b"{}", b"{}"]


def test_a_receiver_that_never_shakes_hands_is_left():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert cause(f"https://127.0.0.1:{silent.getsockname()[1]}/", seconds=0.3).startswith(TOO_SLOW)


def test_what_is_no_receiver_is_told_in_words_to_the_log_and_in_one_sentence_to_people():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert cause(f"http://127.0.0.1:{port}/").startswith(NOT_REACHED)
    with receiving() as receiver:
        assert cause(receiver.address.replace("http:", "https:"), seconds=5).startswith(NO_TLS)
    with answering_with(b"HELO\r\n\r\n") as port:
        assert cause(f"http://127.0.0.1:{port}/", seconds=5).startswith(NO_HTTP)
    assert refusal("http://nowhere.invalid/") == NOT_PUBLIC.format(host="nowhere.invalid")


def test_a_resolver_that_takes_its_time_is_left(monkeypatch):
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(30) and [])

    assert refusal("http://slow.example/", seconds=0.2) == NOT_PUBLIC.format(host="slow.example")
    assert not answered.is_set()
    answered.set()


class answering_with:  # noqa: N801 - reads as what it does
    """A server that sends some bytes to whoever comes first."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def __enter__(self) -> int:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self._server.getsockname()[1]

    def __exit__(self, *_) -> None:
        self._server.close()
        self._thread.join()

    def _serve(self) -> None:
        connection, _ = self._server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(self._answer)
