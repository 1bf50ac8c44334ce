"""An application whose data has moved away from under it: it says so, and after a while it shows nothing any more."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline.health import READING_TIME
from pipeline.moving import move
from pipeline.stores.tables import moves
from tests.web.members import backend_of, log_in, make_person

SAID = "has moved to other stores"


def move_away(client: TestClient, folder: Path, *, what: str) -> None:
    urls = {
        "database": {"database_url": f"sqlite:///{folder}/new.db"},
        "objects": {"objects_url": (folder / "new").as_uri()},
    }
    move(backend_of(client).settings, **urls[what])
    client.app.state.running.moves.look_again()  # instead of waiting for it


@pytest.mark.parametrize("what", ["database", "objects"])
def test_it_is_not_ready_and_says_so_on_every_page(idle_client: TestClient, tmp_path: Path, what: str) -> None:
    assert idle_client.get("/readyz").status_code == 200
    assert SAID not in idle_client.get("/").text

    move_away(idle_client, tmp_path, what=what)

    ready = idle_client.get("/readyz")
    assert (ready.status_code, ready.json()["down"]) == (503, ["Place of the data"])
    for path in ("/", "/upload", "/trash", "/status"):
        page = idle_client.get(path)
        assert (page.status_code, SAID in page.text) == (200, True), path


def test_only_who_looks_after_the_server_is_told(people_client: TestClient, tmp_path: Path) -> None:
    make_person(people_client, "bob")
    ada, bob = (log_in(people_client, name) for name in ("ada", "bob"))

    move_away(people_client, tmp_path, what="database")

    assert [SAID in person.get("/").text for person in (ada, bob)] == [True, False]


def test_after_a_while_nothing_is_shown_any_more(idle_client: TestClient, tmp_path: Path) -> None:
    move_away(idle_client, tmp_path, what="database")
    with backend_of(idle_client).database.engine.begin() as connection:
        connection.execute(moves.update().values(moved_at=datetime.now(UTC) - 2 * READING_TIME))
    idle_client.app.state.running.moves.look_again()

    for path in ("/", "/trash", "/api/v1/images/0190a1b2-0000-7000-8000-000000000000", "/metrics"):
        answer = idle_client.get(path)
        assert (answer.status_code, SAID in answer.text) == (503, True), path
    assert idle_client.get("/status").status_code == 200
    assert idle_client.get("/livez").status_code == 200


def test_it_is_at_home_again_when_the_data_has_come_back(idle_client: TestClient, tmp_path: Path) -> None:
    move_away(idle_client, tmp_path, what="database")
    settings = backend_of(idle_client).settings
    new = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/new.db"})

    move(new, database_url=settings.database_url)
    idle_client.app.state.running.moves.look_again()

    assert idle_client.get("/readyz").status_code == 200
    assert SAID not in idle_client.get("/").text
