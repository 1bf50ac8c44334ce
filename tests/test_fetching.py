"""Fetching pictures from real servers on this machine: what comes, where nobody is led to, and when it ends.

127.0.0.1 is a place that may be asked only where a test allows it; 127.0.0.2 stands for another machine.
"""

import gzip
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from command import wait_until
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from picture_server import Conversation, PictureServer, serving
from pictures import picture_bytes

from pipeline.errors import AddressUnusable, InvalidQuery, TooManyAttempts, TooManyBytes
from pipeline.fetching import MOST_OF_ONE_A_MINUTE, MOST_REDIRECTS, NOT_FETCHED, Fetcher
from pipeline.settings import read_settings

PICTURE = picture_bytes("disc")
LIMIT = 100_000  # bytes
SOON = 0.4  # seconds, where a test waits for the end of all patience


class Names:
    """A resolver that answers each name with its list of numbers, one list after the other, the last one for good."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.answers = {name.replace("_", "."): list(numbers) for name, numbers in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if host not in self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        left = self.answers[host]
        return left.pop(0) if len(left) > 1 else left[0]


@pytest.fixture
def server() -> Iterator[PictureServer]:
    with serving(PictureServer()) as opened:
        yield opened


@pytest.fixture
def other(server: PictureServer) -> Iterator[PictureServer]:
    """Another machine, with a server on the same port."""
    with serving(PictureServer("127.0.0.2", server.port)) as opened:
        yield opened


MakeFetcher = Callable[..., Fetcher]


@pytest.fixture
def fetcher(server: PictureServer, tmp_path: Path) -> MakeFetcher:
    """Return what makes a fetcher that may ask `server`, unless another list is given."""

    def made(allow: str | None = None, *, seconds: float = 10.0, **options: object) -> Fetcher:
        listed = f"127.0.0.1:{server.port}" if allow is None else allow
        settings = read_settings(data=tmp_path, fetch_allow=listed, max_upload_bytes=LIMIT)
        return Fetcher(settings, seconds=seconds, **options)  # type: ignore[arg-type]

    return made


def bytes_at(fetcher: Fetcher, url: str, who: str = "ada") -> bytes:
    with fetcher.fetched(url, who) as upload:
        return upload.path.read_bytes()


def check_unusable(fetcher: Fetcher, url: str) -> None:
    with pytest.raises(AddressUnusable) as caught:
        bytes_at(fetcher, url)
    assert caught.value.user_message == NOT_FETCHED


# ---- What comes


def test_a_picture_comes_as_it_is_and_is_gone_afterwards(server, fetcher):
    url = server.put("/cat.png?size=large", PICTURE, "Content-Type: text/plain")

    with fetcher().fetched(f"{url}#fragment", "ada") as upload:
        path = upload.path
        assert path.read_bytes() == PICTURE
        assert upload.bytes == len(PICTURE)

    assert not path.exists()


def test_the_request_says_who_asks_and_nothing_of_who_asked_for_it(server, fetcher):
    bytes_at(fetcher(), server.put("/a", PICTURE))

    first, *headers, _, _ = server.heads[0].split("\r\n")
    named = dict(header.split(": ", 1) for header in headers)
    assert first == "GET /a HTTP/1.1"
    assert named["User-Agent"].startswith("Likeness/")
    assert named["Accept-Encoding"] == "identity"
    assert named["Host"] == server.place
    assert set(named) == {"Host", "User-Agent", "Accept", "Accept-Encoding", "Connection"}


def test_bytes_come_in_pieces_and_without_a_length_too(server, fetcher):
    size = f"{len(PICTURE):x}".encode()
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\n" + PICTURE + b"\r\n0\r\n\r\n"

    assert bytes_at(fetcher(), server.put_raw("/chunked", chunked)) == PICTURE
    assert bytes_at(fetcher(), server.put_raw("/endless", b"HTTP/1.0 200 OK\r\n\r\n", PICTURE)) == PICTURE


def test_a_name_is_asked_by_its_number_and_keeps_its_name(server, fetcher):
    names = Names(pictures_example=[["127.0.0.1"]])
    server.put("/a", PICTURE)

    assert bytes_at(fetcher(resolve=names), f"http://pictures.example:{server.port}/a") == PICTURE
    assert f"Host: pictures.example:{server.port}\r\n" in server.heads[0]


def test_a_number_that_does_not_answer_leaves_the_next_one(server, fetcher):
    names = Names(two_example=[["127.0.0.2", "127.0.0.1"]])
    server.put("/a", PICTURE)

    made = fetcher(f"127.0.0.0/8:{server.port}", resolve=names)

    assert bytes_at(made, f"http://two.example:{server.port}/a") == PICTURE


def test_this_machine_knows_its_own_name_by_itself(server, fetcher):
    server.put("/a", PICTURE)

    assert bytes_at(fetcher(), f"http://localhost:{server.port}/a") == PICTURE


def test_the_environment_names_no_proxy_for_it(server, other, fetcher, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{other.place}")

    assert bytes_at(fetcher(), server.put("/a", PICTURE)) == PICTURE
    assert other.heads == []


# ---- Where nobody is led to


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "１２７.0.0.1"])  # noqa: S104
def test_this_machine_is_not_asked(server, fetcher, host):
    server.put("/a", PICTURE)

    check_unusable(fetcher(""), f"http://{host}:{server.port}/a")

    assert server.heads == []


@pytest.mark.parametrize("number", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1"])
def test_a_name_that_stands_for_a_number_within_is_not_asked(server, fetcher, number):
    server.put("/a", PICTURE)

    check_unusable(fetcher("", resolve=Names(a_example=[[number]])), f"http://a.example:{server.port}/a")

    assert server.heads == []


def test_of_several_numbers_only_those_are_asked_that_may_be(server, other, fetcher):
    names = Names(mixed_example=[["127.0.0.1", "127.0.0.2"]])
    server.put("/a", b"within")
    other.put("/a", PICTURE)

    made = fetcher(f"127.0.0.2:{server.port}", resolve=names)

    assert bytes_at(made, f"http://mixed.example:{server.port}/a") == PICTURE
    assert server.heads == []


def test_a_name_that_means_something_else_a_moment_later_is_asked_at_the_number_that_was_checked(
    server, other, fetcher
):
    names = Names(rebound_example=[["127.0.0.2"], ["127.0.0.1"]])
    server.put("/a", b"within")
    other.put("/a", PICTURE)

    made = fetcher(f"127.0.0.2:{server.port}", resolve=names)

    assert bytes_at(made, f"http://rebound.example:{server.port}/a") == PICTURE
    assert names.asked == ["rebound.example"]
    assert server.heads == []


def test_a_name_is_checked_again_after_it_redirected_to_itself(server, other, fetcher):
    names = Names(rebound_example=[["127.0.0.2"], ["127.0.0.1"]])
    server.put("/b", PICTURE)
    other.redirect("/a", "/b")

    check_unusable(
        fetcher(f"127.0.0.2:{server.port}", resolve=names),
        f"http://rebound.example:{server.port}/a",
    )

    assert len(other.heads) == 1
    assert server.heads == []


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2:{port}/b",
        "//127.0.0.2:{port}/b",
        "http://within.example:{port}/b",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:{port}/b",
        "http://user:password@127.0.0.1:{port}/b",
        "file:///etc/passwd",
        "ftp://127.0.0.1:{port}/b",
        "gopher://127.0.0.1:{port}/_b",
        "http://127.1:{port}/b",
        "http://127.0.0.1:22/b",
        "http://[",
    ],
)
def test_a_redirect_leads_nowhere_that_could_not_be_asked_at_once(server, other, fetcher, location):
    other.put("/b", PICTURE)
    names = Names(within_example=[["127.0.0.2"]])

    check_unusable(fetcher(resolve=names), server.redirect("/a", location.format(port=server.port)))

    assert len(server.heads) == 1
    assert other.heads == []


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_redirects_are_followed(server, other, fetcher, status):
    other.put("/c/d", PICTURE)
    other.redirect("/b/x", "../c/d", status)
    url = server.redirect("/a", f"http://127.0.0.2:{server.port}/b/x", status)

    assert bytes_at(fetcher(f"127.0.0.0/8:{server.port}"), url) == PICTURE


def test_redirects_end(server, fetcher):
    for step in range(MOST_REDIRECTS + 2):
        server.redirect(f"/{step}", f"/{step + 1}")
    server.put(f"/{MOST_REDIRECTS + 2}", PICTURE)

    assert bytes_at(fetcher(), server.url("/2")) == PICTURE
    check_unusable(fetcher(), server.url("/1"))
    check_unusable(fetcher(), server.redirect("/loop", "/loop"))


def test_ports_of_other_services_are_not_asked(fetcher):
    names = Names(public_example=[["8.8.8.8"]])

    for port in (22, 25, 3306, 6379, 11211):
        check_unusable(fetcher("", resolve=names), f"http://public.example:{port}/")


def test_where_it_is_off_nothing_is_asked(server, tmp_path):
    url = server.put("/a", PICTURE)
    settings = read_settings(data=tmp_path, fetch_urls=False, fetch_allow=server.place)

    with pytest.raises(InvalidQuery, match="does not fetch"):
        bytes_at(Fetcher(settings), url)
    assert server.heads == []


# ---- What is told


def test_whatever_goes_wrong_on_the_way_is_told_in_the_same_words(server, other, fetcher):
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # and does not listen
        closed = unheard.getsockname()[1]
        names = Names(within_example=[["10.0.0.1"]], closed_example=[["127.0.0.1"]])
        made = fetcher(f"127.0.0.1:{closed},127.0.0.1:{server.port}", resolve=names)
        for url in (
            f"http://closed.example:{closed}/",
            f"http://127.0.0.1:{closed}/",
            "http://nowhere.example/",
            "http://within.example/",
            other.url("/"),
            server.url("/nothing"),
        ):
            check_unusable(made, url)


@pytest.mark.parametrize("status", ["204 No Content", "206 Partial Content", "401 No", "404 No", "500 No", "304 Same"])
def test_only_an_answer_with_a_picture_is_one(server, fetcher, status):
    check_unusable(fetcher(), server.put("/a", PICTURE, status=status))


def test_a_redirect_to_nowhere_is_no_picture(server, fetcher):
    check_unusable(fetcher(), server.put("/a", PICTURE, status="302 Found"))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0\1\2\3",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(200)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
    ],
    ids=["nothing", "bytes", "ssh", "no status", "http 2", "headers", "header", "reason", "chunks", "chunk", "short"],
)
def test_an_answer_that_makes_no_sense_is_no_picture(server, fetcher, answer):
    check_unusable(fetcher(), server.put_raw("/a", answer))


# ---- When it ends


def test_more_than_may_be_sent_is_refused_by_its_length_alone(server, fetcher):
    url = server.put_raw("/a", b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (LIMIT + 1))

    with pytest.raises(TooManyBytes):
        bytes_at(fetcher(), url)


def test_a_body_without_end_is_left_at_the_limit(server, fetcher):
    left = Event()

    def answer(conversation: Conversation) -> None:
        conversation.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while conversation.send(b"x" * 10_000) and not conversation.ended.is_set():
            pass
        left.set()

    with pytest.raises(TooManyBytes):
        bytes_at(fetcher(), server.put_answer("/a", answer))
    assert left.wait(10)


def test_what_was_compressed_is_not_unpacked(server, fetcher):
    bomb = gzip.compress(bytes(LIMIT * 100))
    assert len(bomb) < LIMIT

    check_unusable(fetcher(), server.put("/a", bomb, "Content-Encoding: gzip"))
    assert bytes_at(fetcher(), server.put("/b", bomb)) == bomb  # and is no picture either


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("begin", "drop"),
    [(b"", b""), (b"", b"H"), (HEAD, b"X: y\r\n"), (HEAD + b"\r\n", b"x"), (b"", b"HTTP/1.1 100 Continue\r\n\r\n")],
    ids=["silence", "status", "headers", "body", "informational"],
)
def test_a_server_that_takes_its_time_is_left(server, fetcher, begin, drop):
    left = Event()

    def answer(conversation: Conversation) -> None:
        conversation.send(begin)
        while not conversation.ended.wait(0.02):
            if drop and not conversation.send(drop):
                left.set()
                return

    check_unusable(fetcher(seconds=SOON), server.put_answer("/a", answer))
    assert not drop or left.wait(10)


def test_one_deadline_holds_for_all_redirects(server, fetcher):
    def answer(conversation: Conversation) -> None:
        conversation.ended.wait(SOON / 2)
        conversation.send(b"HTTP/1.1 302 Found\r\nLocation: /a\r\n\r\n")

    check_unusable(fetcher(seconds=SOON), server.put_answer("/a", answer))
    assert len(server.heads) < MOST_REDIRECTS


def test_a_resolver_that_takes_its_time_is_left(fetcher):
    answered = Event()

    def resolve(host: str) -> Sequence[str]:
        answered.wait()
        return [host]

    try:
        check_unusable(fetcher(seconds=SOON, resolve=resolve), "http://slow.example/")
    finally:
        answered.set()


def test_a_name_stands_for_many_numbers_and_few_are_tried(server, fetcher):
    many = [f"127.0.1.{last}" for last in range(1, 200)] + ["127.0.0.1"]
    server.put("/a", PICTURE)

    made = fetcher(f"127.0.0.0/8:{server.port}", resolve=Names(many_example=[many]))

    check_unusable(made, f"http://many.example:{server.port}/a")


# ---- How much at once


def test_nobody_takes_all_the_turns(server, fetcher):
    made, go_on = fetcher(), Event()

    def answer(conversation: Conversation) -> None:
        go_on.wait(10)
        conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")

    slow, quick = server.put_answer("/slow", answer), server.put("/quick", PICTURE)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(bytes_at, made, slow) for _ in range(2)]
        wait_until(lambda: len(server.heads) == 2)
        with pytest.raises(TooManyAttempts) as caught:
            bytes_at(made, quick)
        assert bytes_at(made, quick, "eve") == PICTURE
        go_on.set()
        assert [each.result() for each in waiting] == [b"x", b"x"]
    assert caught.value.retry_seconds > 0
    assert bytes_at(made, quick) == PICTURE


def test_a_person_asks_so_often_a_minute(server, fetcher):
    made, url = fetcher(), server.put("/a", PICTURE)
    for _ in range(MOST_OF_ONE_A_MINUTE):
        bytes_at(made, url)

    with pytest.raises(TooManyAttempts):
        bytes_at(made, url)
    assert bytes_at(made, url, "eve") == PICTURE


# ---- With https


def certificate_for(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a certificate for a name, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    issued = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(issued)
        .issuer_name(issued)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(pem))
    paths[1].write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    return paths


def test_with_https_whoever_has_the_number_must_also_have_the_name(fetcher, tmp_path):
    certificate, key = certificate_for(tmp_path, "pictures.example")
    secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secured.load_cert_chain(certificate, key)
    seen: list[str | None] = []
    secured.sni_callback = lambda _, name, __: seen.append(name)
    names = Names(pictures_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]])
    trust = ssl.create_default_context(cafile=certificate)

    with serving(PictureServer(), secured) as server:
        server.put("/a", PICTURE)
        allow = f"127.0.0.1:{server.port}"
        made = fetcher(allow, resolve=names, trust=trust)

        assert bytes_at(made, f"https://pictures.example:{server.port}/a") == PICTURE
        check_unusable(made, f"https://other.example:{server.port}/a")
        check_unusable(made, f"https://127.0.0.1:{server.port}/a")
        check_unusable(fetcher(allow, resolve=names), f"https://pictures.example:{server.port}/a")
        check_unusable(made, f"http://pictures.example:{server.port}/a")

    assert seen[:2] == ["pictures.example", "other.example"]
    assert len(server.heads) == 1


def test_a_server_that_never_ends_its_greeting_is_left(fetcher):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        check_unusable(fetcher(f"127.0.0.1:{port}", seconds=SOON), f"https://127.0.0.1:{port}/a")
