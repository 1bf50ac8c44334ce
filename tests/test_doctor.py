from pathlib import Path

import pytest
from pictures import picture_bytes, torn
from putting import Put, putting
from redis_server import RedisServer

from pipeline.backend import Backend, open_backend
from pipeline.doctor import Finding, examine
from pipeline.settings import Settings, read_settings
from pipeline.stores.tables import embeddings
from pipeline.worker import Worker


def findings(settings: Settings) -> dict[str, Finding]:
    return {finding.subject: finding for finding in examine(settings)}


def test_a_fresh_installation_is_well(settings: Settings) -> None:
    open_backend(settings).close()
    assert {finding.level for finding in examine(settings)} == {"ok"}


@pytest.mark.parametrize("made", [False, True])
def test_where_nothing_was_started_the_doctor_makes_nothing(tmp_path: Path, *, made: bool) -> None:
    data = tmp_path / "new" / "data"
    if made:
        data.mkdir(parents=True)
    before = set(tmp_path.rglob("*"))

    found = findings(read_settings(data=data))

    assert set(tmp_path.rglob("*")) == before
    assert {finding.level for finding in found.values()} == {"ok"}
    assert "none yet" in found["Database"].sentence


def test_a_misspelt_variable_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_DATABSE_URL", "postgresql://host/name")
    found = findings(settings)["Settings"]
    assert found.level == "note"
    assert "LIKENESS_DATABSE_URL is not known" in found.sentence


def test_what_was_never_started_is_looked_at_as_well(tmp_path: Path) -> None:
    """Every store is told, whatever the others do, and without the secrets of its address."""
    settings = read_settings(
        data=tmp_path / "data",
        database_url="postgresql://nobody:secret@127.0.0.1:1/none",
        objects_url="s3+http://KEY:secret@127.0.0.1:1/pictures",
        vectors_url="milvus://nobody:secret@127.0.0.1:1",
        queue_url="redis://:secret@127.0.0.1:1/0",
    )

    found = findings(settings)

    for subject, address in {
        "Database": "postgresql://nobody@127.0.0.1:1/none",
        "Picture files": "s3+http://127.0.0.1:1/pictures",
        "Vector engine": "milvus://127.0.0.1:1",
        "Queue": "redis://127.0.0.1:1/0",
    }.items():
        assert found[subject].level == "problem"
        assert "does not answer. " in found[subject].sentence
        assert found[subject].sentence.endswith(f"It was looked for at {address}.")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("elastic://host", "is not known"),
        ("pgvector://", "that is not PostgreSQL"),
        ("pgvector://nobody:secret@127.0.0.1:1/none", "looked for at pgvector://nobody@127.0.0.1:1/none."),
    ],
)
def test_an_address_of_vectors_that_leads_nowhere_is_told_before_the_first_start(
    tmp_path: Path, address: str, told: str
) -> None:
    found = findings(read_settings(data=tmp_path / "data", vectors_url=address))["Vector engine"]
    assert found.level == "problem"
    assert told in found.sentence
    assert not (tmp_path / "data").exists()


def test_a_queue_is_told_with_what_is_wrong_with_it(tmp_path: Path) -> None:
    redis = RedisServer(durable=False)
    redis.ask("CONFIG SET requirepass a-secret")
    right, wrong, none = (redis.url.replace("//", f"//{user}") for user in (":a-secret@", ":another@", ""))

    found = [findings(read_settings(data=tmp_path, queue_url=url))["Queue"] for url in (right, wrong, none)]

    redis.close()
    assert [finding.level for finding in found] == ["ok", "problem", "problem"]
    assert found[0].sentence == "It answers. Messages that wait for a Celery worker: 0."
    assert all("refuses the password" in finding.sentence for finding in found[1:])
    assert not any("secret" in finding.sentence or "another" in finding.sentence for finding in found)


def test_vectors_that_nobody_holds_are_told(lite_backend: Backend) -> None:
    image = putting(lite_backend)()
    Worker(lite_backend).drain()
    assert findings(lite_backend.settings)["Vector index"].level == "ok"
    with lite_backend.database.write() as connection:
        connection.execute(embeddings.delete().where(embeddings.c.image_row == image.row))
    assert findings(lite_backend.settings)["Vector index"].level == "problem"


def test_a_data_folder_that_cannot_be_made_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = findings(read_settings(data=tmp_path / "file" / "data"))
    assert found["Data folder"].level == "problem"
    assert "LIKENESS_DATA" in found["Data folder"].sentence


def test_a_database_of_noise_is_called_damaged(settings: Settings) -> None:
    settings.data.mkdir()
    (settings.data / "likeness.db").write_bytes(b"this is no database" * 500)
    found = findings(settings)
    assert found["Database"].level == "problem"
    assert "damaged" in found["Database"].sentence


def test_objects_that_cannot_be_written_are_a_problem(settings: Settings) -> None:
    settings.data.mkdir()
    (settings.data / "objects").touch()
    assert findings(settings)["Picture files"].level == "problem"


def test_an_encoder_that_the_data_was_not_made_with_is_a_problem(backend: Backend) -> None:
    found = findings(backend.settings)  # the tables name the encoder of the tests, which the registry does not know
    assert found["Start"].level == "problem"
    assert "grid" in found["Start"].sentence


@pytest.fixture
def lite_backend(settings: Settings) -> Backend:
    with open_backend(settings) as opened:
        yield opened


def test_pictures_that_failed_are_listed_with_their_sentences(lite_backend: Backend) -> None:
    put: Put = putting(lite_backend)
    put(torn(picture_bytes("noise", size=(400, 300))), filename="torn.png")
    put(filename="good.png")
    Worker(lite_backend).drain()
    found = findings(lite_backend.settings)
    assert found["Failed picture"].level == "note"
    assert found["Failed picture"].sentence.startswith("torn.png: ")
    assert "1 ready, 1 failed" in found["Pictures"].sentence
    assert "problem" not in {finding.level for finding in found.values()}


def test_a_missing_original_is_a_problem(lite_backend: Backend) -> None:
    image = putting(lite_backend)(filename="lost.png")
    lite_backend.objects.delete(image.object_key)
    found = findings(lite_backend.settings)["Originals"]
    assert found.level == "problem"
    assert "lost.png" in found.sentence
