"""Each server down in turn: pages and calls say so soon, /readyz names it, and everything recovers by itself.

The application is a process of its own, as it is run: on PostgreSQL with pgvector, an S3 server and Redis. Another one
has its vectors in Milvus.
"""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from command import wait_until
from milvus_server import MilvusServer
from pictures import picture_bytes
from real_servers import PostgresqlServer
from redis_server import RedisServer
from s3_server import S3Server

LIKENESS = (sys.executable, "-c", "from webapp.cli import main; main()")
SOON_SECONDS = 15.0
"""Within which an answer must come here. It comes within five on a machine that has nothing else to do."""

IMAGES, SEARCH = "/api/v1/images", "/api/v1/search"


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the headers, the text, and after how many seconds."""

    status: int
    headers: dict[str, str]
    text: str
    seconds: float

    def json(self) -> dict:
        return json.loads(self.text)


@dataclass(frozen=True)
class Application:
    """A running application, and how it is asked."""

    address: str

    def ask(self, path: str, data: bytes | None = None, **headers: str) -> Answer:
        request = urllib.request.Request(self.address + path, data, headers)  # noqa: S310 - our own server
        started = time.monotonic()
        try:
            response = urllib.request.urlopen(request, timeout=60)  # noqa: S310
        except urllib.error.HTTPError as error:
            response = error
        with response:
            answer = Answer(
                response.status,
                _headers(response),
                response.read().decode(errors="replace"),
                time.monotonic() - started,
            )
        print(f"{answer.status} {path} after {answer.seconds:.2f} s")  # noqa: T201 - shown when the test fails
        return answer

    def send(self, path: str, picture: bytes, **fields: str) -> Answer:
        """Post a picture and fields as a form does."""
        header = "Content-Disposition: form-data; name="
        parts = [f'{header}"{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
        parts.append(f'{header}"file"; filename="a.png"\r\n\r\n'.encode() + picture)
        body = b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + b"--x--\r\n"
        return self.ask(path, body, **{"Content-Type": "multipart/form-data; boundary=x", "Accept": "text/html"})

    def is_ready(self) -> bool:
        return self.ask("/readyz").status == 200


@dataclass(frozen=True)
class Site(Application):
    """An application with the servers that it uses."""

    postgresql: PostgresqlServer
    s3: S3Server
    redis: RedisServer


def _headers(response: object) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, models: Path, lite: object) -> Iterator[Site]:
    del lite  # so that its network is among the models
    postgresql, s3, redis = PostgresqlServer(), S3Server(), RedisServer()
    urls = {
        "LIKENESS_DATABASE_URL": postgresql.new_database(),
        "LIKENESS_VECTORS_URL": "pgvector://",
        "LIKENESS_OBJECTS_URL": s3.url("pictures"),
        "LIKENESS_QUEUE_URL": redis.url,
    }
    with served(tmp_path_factory.mktemp("data"), models, urls) as application:
        yield Site(application.address, postgresql, s3, redis)
    for server in (redis, s3, postgresql):
        server.close()


@pytest.fixture(scope="module")
def site_on_milvus(
    tmp_path_factory: pytest.TempPathFactory, models: Path, lite: object, milvus: MilvusServer
) -> Iterator[Application]:
    """An application that has its vectors in Milvus, and everything else in a folder."""
    del lite
    with served(tmp_path_factory.mktemp("data"), models, {"LIKENESS_VECTORS_URL": milvus.url}) as application:
        yield application


@contextmanager
def served(data: Path, models: Path, urls: dict[str, str]) -> Iterator[Application]:
    """Serve an application that has one picture for as long as the block lasts."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LIKENESS_")} | {
        "LIKENESS_DATA": str(data),
        "LIKENESS_MODELS": str(models),
        "LIKENESS_HUB": "off",
        "LIKENESS_RETRY_SECONDS": "0.2",
        "LIKENESS_LEASE_SECONDS": "5",  # what a worker holds when the database goes is waited for as long as this
    }
    command = [*LIKENESS, "serve", "--port", "0"]
    with subprocess.Popen(
        command, env=environment | urls, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        opened = Application(process.stdout.readline().split()[3].rstrip("/"))
        assert opened.send(IMAGES, picture_bytes("noise", seed=1), wait="true").json()["state"] == "ready"
        yield opened
        process.terminate()


@contextmanager
def down(site: Application, kill: Callable[[], None], start: Callable[[], None]) -> Iterator[None]:
    """Let a server be down for as long as the block lasts, and return when everything is ready again."""
    kill()
    try:
        yield
    finally:
        start()
    wait_until(site.is_ready)


def told(answer: Answer, sentence: str) -> None:
    """Check that this is 503, soon, with when to come again and a sentence."""
    assert answer.status == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert sentence in answer.text
    assert "Traceback" not in answer.text
    assert answer.seconds < SOON_SECONDS


def check_everything_works(site: Application, seed: int) -> None:
    """Upload a picture, find it by itself, and look at it."""
    picture = picture_bytes("noise", seed=seed)
    image = site.send(IMAGES, picture, wait="true").json()
    assert image["state"] == "ready"
    found = site.send(SEARCH, picture).json()["results"]
    assert found[0]["image"]["id"] == image["id"]
    assert site.ask(f"/images/{image['id']}").status == 200
    assert site.ask("/").status == 200


def test_the_database_is_down(site):
    with down(site, site.postgresql.kill, site.postgresql.start):
        for path in ("/", "/upload", "/trash", IMAGES, f"{IMAGES}/x", "/?text=dog"):
            told(site.ask(path), "The database does not answer.")
        for path in (IMAGES, SEARCH, "/search", "/upload"):
            told(site.send(path, picture_bytes()), "The database does not answer.")
        ready = site.ask("/readyz")
        assert (ready.status, ready.json()["down"]) == (503, ["Database", "Vector index"])
        assert ready.seconds < SOON_SECONDS
        assert '<a class="button primary" href="/?text=dog&amp;color=red">Try again</a>' in (
            site.ask("/?text=dog&color=red", Accept="text/html").text
        )
        assert site.ask("/livez").status == 200
        assert site.ask("/status").status == 200
    check_everything_works(site, seed=10)


def test_the_object_store_is_down(site):
    (image, *_) = site.ask(IMAGES).json()["images"]
    with down(site, site.s3.kill, site.s3.start):
        for path in (IMAGES, "/upload"):
            told(site.send(path, picture_bytes(seed=2)), "The object store does not answer.")
        told(site.ask(f"{IMAGES}/{image['id']}/original"), "The object store does not answer.")
        assert "Pictures cannot be loaded" not in site.ask("/").text  # nobody has tried
        told(site.ask(f"/images/{image['id']}/thumbnail"), "The object store does not answer.")
        for path in ("/", IMAGES, f"/images/{image['id']}", "/?text=dog"):
            assert site.ask(path).status == 200, path
        assert "Pictures cannot be loaded" in site.ask("/").text
        ready = site.ask("/readyz")
        assert (ready.status, ready.json()["down"]) == (503, ["Picture files"])
    check_everything_works(site, seed=20)
    assert site.ask(f"/images/{image['id']}/thumbnail?px=1").status == 200
    assert "Pictures cannot be loaded" not in site.ask("/").text


def test_the_object_store_hangs(site):
    with down(site, site.s3.pause, site.s3.go_on):
        ready = site.ask("/readyz")
        assert (ready.status, ready.json()["down"]) == (503, ["Picture files"])
        assert ready.seconds < SOON_SECONDS
        told(site.send(IMAGES, picture_bytes(seed=3)), "The object store does not answer.")
    check_everything_works(site, seed=30)


def test_the_database_hangs(site):
    with down(site, site.postgresql.pause, site.postgresql.go_on):
        for path in ("/", IMAGES, "/?text=dog"):
            told(site.ask(path), "The database does not answer.")
        told(site.send(IMAGES, picture_bytes(seed=4)), "The database does not answer.")
        ready = site.ask("/readyz")
        assert (ready.status, ready.json()["down"]) == (503, ["Database", "Vector index"])
        assert ready.seconds < SOON_SECONDS
        assert site.ask("/livez").status == 200
    check_everything_works(site, seed=60)


def test_milvus_hangs(site_on_milvus, milvus):
    site = site_on_milvus
    check_everything_works(site, seed=70)
    (image, *_) = site.ask(IMAGES).json()["images"]
    with down(site, milvus.pause, milvus.go_on):
        ready = site.ask("/readyz")
        assert (ready.status, ready.json()["down"]) == (503, ["Vector index"])
        assert ready.seconds < SOON_SECONDS
        for path in ("/?text=dog", f"/?like={image['id']}"):
            told(site.ask(path), "The vector engine does not answer.")
        for path in (SEARCH, "/search"):
            told(site.send(path, picture_bytes()), "The vector engine does not answer.")
        for path in ("/", IMAGES, f"/images/{image['id']}", "/status", "/upload", "/livez"):
            answer = site.ask(path)
            assert (answer.status, answer.seconds < SOON_SECONDS) == (200, True), path
        accepted = site.send(IMAGES, picture_bytes("noise", seed=71), wait="true")
        assert (accepted.status, accepted.json()["state"]) == (201, "ready")
    found = site.send(SEARCH, picture_bytes("noise", seed=71)).json()["results"]
    assert found[0]["image"]["id"] == accepted.json()["id"]
    check_everything_works(site, seed=72)


def test_redis_is_down_and_nobody_minds(site):
    site.redis.kill()
    assert site.ask("/readyz").status == 200
    check_everything_works(site, seed=40)
    site.redis.start()


def test_what_was_accepted_before_the_database_went_is_analyzed_afterwards(site):
    with down(site, site.postgresql.kill, site.postgresql.start):
        pass
    before = site.ask("/api/v1/status").json()["states"]["ready"]
    for seed in range(50, 54):
        assert site.send(IMAGES, picture_bytes("noise", size=(900, 700), seed=seed)).status == 201
    with down(site, site.postgresql.kill, site.postgresql.start):
        pass
    wait_until(lambda: site.ask("/api/v1/status").json()["states"]["ready"] == before + 4)
