"""What only S3 has: addresses and credentials, and what happens on the way to a server and back."""

import hashlib
import io
import ipaddress
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from minio import Minio
from s3_server import KEY as ACCESS_KEY
from s3_server import SECRET, Line, S3Server

from pipeline.errors import ConfigurationError, ObjectNotFound, StoreUnavailable
from pipeline.stores.objects_s3 import S3Objects
from pipeline.stores.protocols import ObjectStore
from pipeline.stores.s3_address import read_address
from pipeline.stores.s3_etag import checker_of

KEY = "originals/main/0a1b2c"
CONTENT = np.random.default_rng(2).bytes(300_000)


def asked(objects: ObjectStore) -> dict[str, Callable[[], object]]:
    """Return everything that a store can be asked."""
    return {
        "put": lambda: objects.put(KEY, io.BytesIO(CONTENT)),
        "open": lambda: objects.open(KEY).close(),
        "exists": lambda: objects.exists(KEY),
        "delete": lambda: objects.delete(KEY),
        "list": lambda: list(objects.list("")),
        "check": lambda: objects.check(),  # noqa: PLW0108 - only looked up when it is asked
    }


QUESTIONS = list(asked(None))


def read(objects: ObjectStore, key: str = KEY) -> bytes:
    with objects.open(key) as stream:
        return stream.read()


@pytest.fixture
def line(s3: S3Server) -> Iterator[Line]:
    line = Line(s3.port)
    yield line
    line.close()


@pytest.fixture
def own_s3() -> Iterator[S3Server]:
    """A server to be stopped."""
    server = S3Server()
    yield server
    server.close()


# ---- Addresses


def test_an_address_tells_host_bucket_prefix_and_credentials():
    at = read_address("s3://key:a%2Fb%2Bc%40d%3A@s3.example.org:9000/my-pictures/likeness/one")

    assert (at.host, at.secure, at.bucket, at.prefix) == ("s3.example.org:9000", True, "my-pictures", "likeness/one/")
    assert (at.key, at.secret) == ("key", "a/b+c@d:")
    assert (at.region, at.virtual, at.etag_is_md5) == ("us-east-1", None, True)


def test_the_options_of_an_address_are_its_region_its_style_and_what_its_etags_are():
    at = read_address("s3+http://10.0.0.1/bucket?region=garage&style=virtual&etag=any")

    assert (at.secure, at.region, at.virtual, at.etag_is_md5) == (False, "garage", True, False)
    assert read_address("s3://s3.amazonaws.com/bucket").region is None
    assert read_address("s3://[::1]:9000/bucket").host == "[::1]:9000"


@pytest.mark.parametrize(
    "url",
    [
        "s3://ak:hush@host",
        "s3://ak:hush@host/",
        "s3://ak:hush@/bucket",
        "s3://ak:hush@host/Bucket",
        "s3://ak:hush@host/10.0.0.1",
        "s3://ak:hush@host/bucket/../other",
        "s3://ak:hush@host/bucket/a b",
        "s3://ak:hush@host/bucket?regoin=here",
        "s3://ak:hush@host/bucket?style=other",
        "s3://ak:hush@host/bucket?region",
        "s3://ak:hush@host/bucket#part",
        "s3://ak:hush@host:99999/bucket",
        "s3://ak:hush@host:port/bucket",
        "s3://ak:hush/with+slash@host/bucket",
        "s3://ak:hush#sign@host/bucket",
        "s3://ak:hush?sign@host/bucket",
        "s3://ak:hush[sign@host/bucket",
        "s3://:hush@host/bucket",
        "s3://ak@host/bucket",
    ],
)
def test_an_address_that_means_nothing_is_refused_without_telling_its_secret(url):
    with pytest.raises(ConfigurationError, match="LIKENESS_OBJECTS_URL") as caught:
        S3Objects(url)

    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_address_that_is_shown_has_no_secret(s3):
    objects = S3Objects(s3.url("shown"))

    assert objects.address == f"s3+http://127.0.0.1:{s3.port}/shown"
    objects.check()


def test_prefixes_keep_stores_in_one_bucket_apart(s3):
    url = s3.url()
    one, two = S3Objects(f"{url}/one"), S3Objects(f"{url}/two/deep")
    one.put(KEY, io.BytesIO(b"1"))
    two.put(KEY, io.BytesIO(b"2"))

    assert (read(one), read(two)) == (b"1", b"2")
    assert [stored.key for stored in two.list("originals/")] == [KEY]
    assert sorted(stored.key for stored in S3Objects(url).list("")) == [f"one/{KEY}", f"two/deep/{KEY}"]


# ---- Credentials


@pytest.mark.parametrize("what", QUESTIONS)
def test_a_wrong_secret_is_said_to_be_refused(s3, what):
    objects = S3Objects(s3.url(secret=SECRET[::-1]))

    with pytest.raises(StoreUnavailable, match="refused the credentials") as caught:
        asked(objects)[what]()
    assert SECRET not in str(caught.value)


def test_credentials_may_come_from_the_environment(s3, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    objects = S3Objects(f"s3+http://127.0.0.1:{s3.port}/from-the-environment")

    objects.put(KEY, io.BytesIO(CONTENT))
    assert read(objects) == CONTENT


def test_where_there_are_no_credentials_the_sentence_says_how_to_give_them(s3, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/")  # where nothing listens

    with pytest.raises(StoreUnavailable, match="AWS_ACCESS_KEY_ID"):
        S3Objects(f"s3+http://127.0.0.1:{s3.port}/bucket").check()


# ---- Buckets


def test_a_bucket_that_many_make_at_once_is_made(s3):
    url = s3.url()
    keys = [f"{KEY}{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: S3Objects(url).put(key, io.BytesIO(b"x")), keys))

    assert sorted(stored.key for stored in S3Objects(url).list("")) == keys


@pytest.mark.parametrize("what", ["open", "exists", "list", "put", "check"])
def test_a_bucket_that_is_gone_is_no_object_that_is_gone(s3, what):
    url = s3.url()
    objects = S3Objects(url)
    objects.put(KEY, io.BytesIO(CONTENT))
    objects.delete(KEY)
    at = read_address(url)
    Minio(at.host, at.key, at.secret, secure=False).remove_bucket(at.bucket)

    with pytest.raises(StoreUnavailable, match="bucket"):
        asked(objects)[what]()


def test_what_others_keep_in_the_bucket_is_not_listed(s3):
    url = s3.url()
    objects = S3Objects(url)
    objects.put(KEY, io.BytesIO(CONTENT))
    for name in (".hidden", "two words.txt", "originals/main/Ü", "originals/.DS_Store"):
        file = s3.file(url, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("left by somebody else")

    assert [stored.key for stored in S3Objects(url).list("")] == [KEY]


def test_a_long_listing_is_read_page_by_page(s3, line):
    url = s3.url("long-listing", port=line.port)
    for number in range(2100):
        file = s3.file(url, f"originals/main/{number:04x}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

    listing = S3Objects(url).list("originals/")
    keys = [stored.key for stored in islice(listing, 1000)]
    first_page = line.answers
    keys += [stored.key for stored in listing]
    assert sorted(keys) == [f"originals/main/{number:04x}" for number in range(2100)]
    assert line.answers > first_page


# ---- On the way


@pytest.mark.parametrize("how", ["damaged", "cut"])
@pytest.mark.parametrize("place", [0, 20_000])
def test_what_came_wrong_once_is_read_again(s3, line, how, place):
    objects = S3Objects(s3.url(port=line.port))
    objects.put(KEY, io.BytesIO(CONTENT))
    line.place = place
    setattr(line, how, 1)

    assert read(objects) == CONTENT
    assert getattr(line, how) == 0


@pytest.mark.parametrize("how", ["damaged", "cut"])
def test_what_always_comes_wrong_is_never_passed_on(s3, line, how):
    objects = S3Objects(s3.url(port=line.port))
    objects.put(KEY, io.BytesIO(CONTENT))
    setattr(line, how, 1000)

    with pytest.raises(StoreUnavailable, match="damaged"):
        objects.open(KEY)


@pytest.mark.parametrize("size", [300_000, 40_000_000], ids=["at once", "in parts"])
def test_what_is_damaged_on_its_way_to_the_server_is_not_kept(s3, line, size):
    objects = S3Objects(s3.url(port=line.port))
    objects.put(KEY, io.BytesIO(CONTENT))
    line.spoiled = 1

    with pytest.raises(StoreUnavailable):
        objects.put(KEY, io.BytesIO(bytes(size)))
    assert line.spoiled == 0
    assert read(objects) == CONTENT


def test_where_etags_are_not_md5_they_are_not_looked_at(s3, line):
    objects = S3Objects(s3.url(port=line.port, options="?etag=any"))
    objects.put(KEY, io.BytesIO(CONTENT))
    line.damaged = 1

    assert len(read(objects)) == len(CONTENT)


def test_an_upload_over_a_slow_line_is_waited_for(s3, line):
    content = np.random.default_rng(3).bytes(8_000_000)
    objects = S3Objects(s3.url(port=line.port))
    line.slow = 0.015  # some two seconds in all: longer than is waited for a connection
    objects.put(KEY, io.BytesIO(content))
    line.slow = 0.0

    assert read(objects) == content


def test_a_server_that_hangs_is_told_whatever_it_is_asked(own_s3):
    own_s3.pause()
    try:
        objects = S3Objects(own_s3.url())
        with ThreadPoolExecutor(6) as pool:
            answers = [pool.submit(ask) for ask in asked(objects).values()]
            assert [type(answer.exception()) for answer in answers] == [StoreUnavailable] * 6
    finally:
        own_s3.go_on()

    objects.put(KEY, io.BytesIO(CONTENT))
    assert read(objects) == CONTENT


def test_a_server_that_was_killed_and_is_back_is_used_again_with_all_it_had(own_s3):
    objects = S3Objects(own_s3.url())
    keys = [f"{KEY}{number:02}" for number in range(16)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: objects.put(key, io.BytesIO(CONTENT)), keys))
        for _ in range(2):
            own_s3.kill()
            with pytest.raises(StoreUnavailable, match="does not answer"):
                objects.open(KEY)
            own_s3.start()
            assert set(pool.map(lambda key: read(objects, key), keys)) == {CONTENT}
    objects.check()


# ---- Answers that no server at hand gives


@contextmanager
def answering(*answers: tuple[int, str, str], etag: str = "") -> Iterator[SimpleNamespace]:
    """Listen, and give these answers (status, media type, body) one after the other, the last again and again."""
    asked_for = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, media_type, body = answers[min(len(asked_for), len(answers) - 1)]
            asked_for.append(self.path)
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            if etag:
                self.send_header("ETag", f'"{etag}"')
            self.end_headers()
            self.wfile.write(body.encode())

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        port = server.server_address[1]
        yield SimpleNamespace(objects=S3Objects(f"s3+http://ak:sk@127.0.0.1:{port}/bucket"), asked_for=asked_for)
    finally:
        server.shutdown()
        server.server_close()


def coded(status: int, code: str) -> tuple[int, str, str]:
    return status, "application/xml", f"<Error><Code>{code}</Code><Message>m</Message></Error>"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (coded(403, "RequestTimeTooSkewed"), "clock"),
        (coded(403, "InvalidAccessKeyId"), "credentials"),
        (coded(403, "SomethingNew"), "credentials"),
        (coded(400, "AuthorizationHeaderMalformed"), "region"),
        (coded(301, "PermanentRedirect"), "region"),
        (coded(507, "XMinioStorageFull"), "full"),
        (coded(403, "QuotaExceeded"), "full"),
        (coded(404, "NoSuchBucket"), "bucket"),
        (coded(400, "BadDigest"), "damaged on its way"),
        (coded(503, "SlowDown"), "cannot do its work"),
        ((404, "text/html", "<h1>Not here</h1>"), "no S3 service"),
        ((200, "application/xml", "no list"), "no S3 service"),
    ],
)
def test_an_answer_that_refuses_is_put_in_words(answer, sentence):
    with answering(answer) as service, pytest.raises(StoreUnavailable, match=sentence):
        list(service.objects.list(""))


def test_a_page_that_is_not_there_is_no_object_that_is_gone():
    with answering((404, "text/html", "<h1>Not here</h1>")) as service, pytest.raises(StoreUnavailable):
        service.objects.open(KEY)
    with answering(coded(404, "NoSuchKey")) as service, pytest.raises(ObjectNotFound):
        service.objects.open(KEY)


def test_a_service_that_is_busy_for_a_moment_is_asked_again():
    with answering(coded(503, "SlowDown"), coded(500, "InternalError"), (200, "text/plain", "whole")) as service:
        assert read(service.objects) == b"whole"
    assert len(service.asked_for) == 3


# ---- ETags


def test_an_object_that_another_program_put_in_parts_of_another_size_is_read():
    """Of which there are as many as there would be of ours: what came twice alike is what lies there."""
    content, part = "ab" * 10_000_000, 12 << 20
    pieces = (content[start : start + part].encode() for start in range(0, len(content), part))
    etag = md5(b"".join(map(md5, pieces))).hex() + "-2"
    whole, other = ((200, "application/octet-stream", body) for body in (content, content[:-1] + "!"))

    with answering(whole, etag=etag) as server:
        assert read(server.objects) == content.encode()
    with answering(whole, other, etag=etag) as server, pytest.raises(StoreUnavailable, match="damaged"):
        server.objects.open(KEY)


def md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


@pytest.mark.parametrize("pieces", [1, 7, 10, 64])
def test_the_etag_of_an_object_in_parts_is_the_md5_of_their_md5s(pieces):
    content = bytes(range(256))[:95]
    etag = md5(b"".join(md5(content[start : start + 10]) for start in range(0, 95, 10))).hex() + "-10"

    for sent, right in ((content, True), (content[:-1] + b"!", False), (content[:-1], False)):
        checker = checker_of({"etag": f'"{etag}"'}, 95, 10)
        for start in range(0, len(sent), pieces):
            checker.update(sent[start : start + pieces])
        assert checker.is_right() is right
    assert checker.found() == hashlib.sha256(sent).hexdigest()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"etag": '"W/abc"'},
        {"etag": f'"{"0" * 32}"', "x-amz-server-side-encryption": "aws:kms"},
        {"etag": f'"{"0" * 32}"', "x-amz-server-side-encryption-customer-algorithm": "AES256"},
        {"etag": f'"{"0" * 32}-7"'},  # parts of another size, put by another program
    ],
)
def test_an_etag_that_is_no_md5_says_nothing(headers):
    checker = checker_of(headers, 95, 10)
    checker.update(b"whatever")

    assert checker.is_right()


# ---- With TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of this machine that nobody trusts, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "s3 of the tests")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path_factory.mktemp("certificate") / "both.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


def test_with_tls_only_a_server_that_is_trusted_is_spoken_to(certificate, monkeypatch):
    server = S3Server("--cert", str(certificate), "--key", str(certificate))
    try:
        url = server.url().replace("s3+http://", "s3://")
        with pytest.raises(StoreUnavailable, match="certificate"):
            S3Objects(url).put(KEY, io.BytesIO(CONTENT))

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        objects = S3Objects(url)
        objects.put(KEY, io.BytesIO(CONTENT))
        assert read(objects) == CONTENT
    finally:
        server.close()
