"""The application in this process, asked over HTTP as a browser or a program on this machine would."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from command import wait_until
from starlette.testclient import TestClient

from pipeline.backend import open_backend
from pipeline.features.encoders.protocol import Encoder
from pipeline.settings import read_settings
from tests.web.members import LOCAL, make_person
from tests.web.photos import cropped, encoded, jpeg, photo
from webapp.app import create_app

LIBRARY = {
    "cat.jpg": jpeg("chelsea.png"),
    "cat-closer.jpg": cropped("chelsea.png"),
    "coffee.jpg": jpeg("coffee.png"),
    "temple.jpg": jpeg("china.jpg"),
    "flower.png": encoded(photo("flower.jpg"), "PNG"),
    "rocket.webp": encoded(photo("rocket.jpg"), "WEBP"),
    "stars.tif": encoded(photo("hubble_deep_field.jpg"), "TIFF"),
    "motorcycle.jpg": jpeg("motorcycle_left.png"),
    "motorcycle-2.jpg": jpeg("motorcycle_right.png"),
}

OpenClient = Callable[..., AbstractContextManager[TestClient]]


@pytest.fixture(scope="session")
def lite_database(models: Path, lite: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file as the first start leaves it, with all tables and the encoder `lite`; to be copied."""
    data = tmp_path_factory.mktemp("begun")
    del lite  # is open, and so need not be opened by each application
    open_backend(read_settings(data=data, models=models)).close()
    return data / "likeness.db"


@pytest.fixture(scope="session")
def open_client(models: Path, lite_database: Path, database_of: Callable[[Path], dict[str, str]]) -> OpenClient:
    """Return what opens a client of a fresh application over a data folder.

    Its tables are there already, and decoder processes start with the first picture: most tests need none.
    """

    @contextmanager
    def opened(data: Path, *, with_worker: bool = True, **settings: Any) -> Iterator[TestClient]:
        told = database_of(data) | settings
        if "database_url" not in told and not (data / lite_database.name).exists():
            data.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(lite_database, data / lite_database.name)
        read = read_settings(data=data, models=models, **told)
        app = create_app(read, with_worker=with_worker, with_decoders=False)
        with TestClient(app, base_url=LOCAL, raise_server_exceptions=False, follow_redirects=False) as client:
            yield client

    return opened


@pytest.fixture
def client(open_client: OpenClient, tmp_path: Path) -> Iterator[TestClient]:
    """An application without a picture, for one test alone."""
    with open_client(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def idle_client(open_client: OpenClient, tmp_path: Path) -> Iterator[TestClient]:
    """An application that accepts pictures and never analyzes them."""
    with open_client(tmp_path / "data", with_worker=False) as opened:
        yield opened


@pytest.fixture
def people_client(open_client: OpenClient, tmp_path: Path) -> Iterator[TestClient]:
    """An application on which everybody logs in; `ada` administrates, and nothing is ever analyzed."""
    with open_client(tmp_path / "people", with_worker=False, accounts="required") as opened:
        make_person(opened, "ada", administrator=True)
        yield opened


@pytest.fixture(scope="session")
def library(open_client: OpenClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An application with the pictures of LIBRARY, which tests only read."""
    with open_client(tmp_path_factory.mktemp("library")) as opened:
        for name, data in LIBRARY.items():
            answer = upload(opened, data, name, tags=["sample", name.rpartition(".")[2]])
            assert answer.status_code == 201, answer.text
        yield opened


def upload(client: TestClient, data: bytes, name: str = "picture.jpg", **fields: Any) -> Any:
    """Send a picture and wait until it is analyzed."""
    return client.post("/api/v1/images", files={"file": (name, data)}, data={"wait": "true"} | fields)


def settle(client: TestClient) -> None:
    """Return when nothing waits for its analysis."""
    wait_until(lambda: client.get("/api/v1/status").json()["queue_depth"] == 0)


def error_of(answer: Any) -> dict[str, str]:
    """Return code and message of an error that has the shape of the contract."""
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["message"].endswith((".", "?")), body
    return body["error"]
