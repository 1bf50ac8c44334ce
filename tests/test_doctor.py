from pathlib import Path

import pytest
from pictures import picture_bytes, torn
from putting import Put, putting

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
