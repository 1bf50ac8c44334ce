"""What the tests below HTTP begin with: settings for a folder of their own, and opened stores in it.

Opening is made cheap, because hundreds of tests need it: the tables are made once and copied, the decoder processes
and the weights of `lite` are shared by all.
"""

import io
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from fakes import GridEncoder
from milvus_server import MilvusServer
from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from putting import Put, putting
from real_servers import PostgresqlServer
from s3_server import S3Server
from skimage import data as sample_data

from pipeline import passwords
from pipeline.backend import Backend
from pipeline.decoders import DecoderPool
from pipeline.features.decode import Limits
from pipeline.features.encoders import registry
from pipeline.features.encoders.protocol import Encoder
from pipeline.features.extractor import FeatureExtractor
from pipeline.settings import PREFIX, Settings, read_settings
from pipeline.stores import records_embeddings
from pipeline.stores.bank_table import BankTable
from pipeline.stores.database import Database
from pipeline.stores.hash_table import HashTable
from pipeline.stores.image_table import ImageTable
from pipeline.stores.opening import open_database, open_objects, open_vectors
from pipeline.stores.records_embeddings import EncoderRow
from pipeline.stores.swatches import SwatchTable

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
"""Photographs that come with scikit-image: a woman, a cat, a cup and a rocket."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

OpenBackend = Callable[[Settings], Backend]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Shells let what they start in the background ignore it, and so would the commands that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

SQLITE, POSTGRESQL = "sqlite", "postgresql"
BOTH = "on_both_databases"


MEMORY = Path("/dev/shm")  # noqa: S108 - Linux has it, for everybody
MOST_IN_MEMORY = 4 << 30  # bytes, several times of what is there at once

if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MOST_IN_MEMORY:
    # Thousands of databases are made and removed, and every upload is synced to its disk: in memory that is nothing.
    # On a disk it takes longer than all the rest; a database of PostgreSQL alone half a second of a core.
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{BOTH}: runs on SQLite and on PostgreSQL")
    os.environ[f"{PREFIX}HUB"] = "off"  # for servers that are started for all tests, before any of them begins


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked `on_both_databases` on each of them, if it has to do with a database at all."""
    if "database_kind" in metafunc.fixturenames and metafunc.definition.get_closest_marker(BOTH):
        metafunc.parametrize("database_kind", [SQLITE, POSTGRESQL], indirect=True)


@pytest.fixture(autouse=True)
def _settings_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them, and the tests off the network."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(f"{PREFIX}HUB", "off")


@pytest.fixture(autouse=True, scope="session")
def _quick_passwords() -> Iterator[None]:
    """Hash passwords with little work: hundreds of people get one, and each would take a core for a tenth of a second.

    Servers that tests start as processes hash them as they should.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        patch.setattr(passwords, "_of_nobody", "")
        yield


@pytest.fixture
def real_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords as servers do."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher())
    monkeypatch.setattr(passwords, "_of_nobody", "")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the network of `lite` is built once for all tests."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def lite(models: Path) -> Encoder:
    return registry.open_encoder("lite", models)


@pytest.fixture(scope="session")
def decoders() -> Iterator[DecoderPool]:
    limits = Limits(max_bytes=64 << 20, max_pixels=100_000_000, max_decode_bytes=160 << 20)
    with DecoderPool(2, limits, 160 << 20, 20.0) as pool:
        yield pool


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables and nothing in them but the `grid` encoder; to be copied."""
    path = tmp_path_factory.mktemp("database") / "likeness.db"
    _begin(Database(f"sqlite:///{path}"))
    return path


def _begin(database: Database) -> None:
    database.migrate()
    with database.write() as connection:
        row = EncoderRow(GridEncoder.fingerprint, GridEncoder.name, GridEncoder.dimension)
        records_embeddings.activate_encoder(connection, row)
    database.close()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A PostgreSQL server for all tests; those that stop it start one of their own."""
    server = PostgresqlServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def empty_postgresql(postgresql: PostgresqlServer) -> str:
    """The name of a PostgreSQL database with all tables and nothing in them but the `grid` encoder; to be copied."""
    url = postgresql.new_database()
    database = Database(url)
    _begin(database)
    return database.url.database or ""


@pytest.fixture(scope="module")
def sqlite_template(empty_database: Path) -> Path:
    """The SQLite file that tests get copies of; modules that begin with more have their own (`filled`)."""
    return empty_database


@pytest.fixture(scope="module")
def postgresql_template(empty_postgresql: str) -> str:
    """The PostgreSQL database that tests get copies of, likewise."""
    return empty_postgresql


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """An S3 server for all tests; those that stop or disturb it start one of their own."""
    server = S3Server()
    yield server
    server.close()


@pytest.fixture
def postgresql_url(postgresql: PostgresqlServer, postgresql_template: str) -> Iterator[str]:
    """The address of a PostgreSQL database of this test alone, with all tables and the `grid` encoder."""
    url = postgresql.new_database(postgresql_template)
    yield url
    postgresql.drop_database(url)


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    """Which database a test runs on: SQLite, unless TEST_DATABASE or the mark `on_both_databases` say otherwise."""
    return getattr(request, "param", None) or os.environ.get("TEST_DATABASE", SQLITE)


@pytest.fixture(scope="session")
def database_of(request: pytest.FixtureRequest) -> Callable[[Path], dict[str, str]]:
    """Return the settings that name the database of an application over a data folder, as TEST_DATABASE wishes."""
    urls: dict[Path, str] = {}

    def settings_of(data: Path) -> dict[str, str]:
        if os.environ.get("TEST_DATABASE", SQLITE) == SQLITE:
            return {}
        if data not in urls:
            urls[data] = request.getfixturevalue("postgresql").new_database()
        return {"database_url": urls[data]}

    return settings_of


@pytest.fixture(scope="session")
def milvus() -> Iterator[MilvusServer]:
    """A Milvus server for all tests; those that stop it start one of their own."""
    server = MilvusServer()
    yield server
    server.close()


@pytest.fixture
def settings(tmp_path: Path, models: Path, database_kind: str, request: pytest.FixtureRequest) -> Settings:
    """Settings for an empty data folder and, on PostgreSQL, for a database of this test alone."""
    elsewhere = {"database_url": request.getfixturevalue("postgresql_url")} if database_kind == POSTGRESQL else {}
    return read_settings(data=tmp_path / "data", models=models, **elsewhere)


@pytest.fixture
def open_grid_backend(sqlite_template: Path, decoders: DecoderPool) -> Iterator[OpenBackend]:
    """Open stores with the `grid` encoder for given settings; closed at the end of the test."""
    opened: list[Backend] = []

    def open_for(settings: Settings) -> Backend:
        settings.data.mkdir(parents=True, exist_ok=True)
        file = settings.data / "likeness.db"
        if not file.exists() and settings.database_url == f"sqlite:///{file}":
            shutil.copyfile(sqlite_template, file)
        database = open_database(settings)
        encoder = GridEncoder()
        row = EncoderRow(encoder.fingerprint, encoder.name, encoder.dimension)
        opened.append(
            Backend(
                settings=settings,
                database=database,
                objects=open_objects(settings.objects_url),
                vectors=open_vectors(settings.vectors_url, database, row, settings),
                swatches=SwatchTable(database),
                images=ImageTable(database),
                banks=BankTable(database),
                hashes=HashTable(database),
                extractor=FeatureExtractor(encoder, 1),
                decoders=decoders,
            )
        )
        return opened[-1]

    yield open_for
    for backend in opened:
        backend.extractor.close()
        backend.vectors.close()
        backend.database.close()


@pytest.fixture
def backend(settings: Settings, open_grid_backend: OpenBackend) -> Backend:
    """Opened stores in an empty folder, with the `grid` encoder."""
    return open_grid_backend(settings)


@pytest.fixture
def database(backend: Backend) -> Database:
    return backend.database


@pytest.fixture
def put(backend: Backend) -> Put:
    """Accept bytes, or a picture drawn from the keywords of `picture_bytes`, and return the record."""
    return putting(backend)


@pytest.fixture(scope="session")
def photos() -> dict[str, bytes]:
    """Photographs as JPEG files, by name."""
    files = {}
    for name in PHOTOS:
        file = io.BytesIO()
        Image.fromarray(getattr(sample_data, name)()).save(file, "JPEG", quality=90)
        files[name] = file.getvalue()
    return files


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium, one for all tests: a process can have but one Playwright."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    required = bool(os.environ.get("CI") or os.environ.get("REQUIRE_BROWSER"))
    if program is None and not required:
        pytest.skip("No Chromium is installed, so nothing is tested in a browser.")
    assert program is not None, "No Chromium is installed, and here one is required."
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=BROWSER_ARGUMENTS)
        yield launched
        launched.close()
