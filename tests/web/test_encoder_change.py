"""A change of encoder as people see it: on /status, in the API, and with the buttons that pause and end it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from command import wait_until
from starlette.testclient import TestClient
from tiny_clip import build_tiny_clip

from pipeline import encoder_switch
from pipeline.access import local_owner
from pipeline.encoder_switch import Filling
from pipeline.settings import read_settings
from tests.web.conftest import upload
from tests.web.members import LOCAL
from tests.web.photos import jpeg
from webapp.app import create_app
from webapp.routes.status import _change

NAME = "tiny-a"


@pytest.fixture
def changing(tmp_path: Path, database_of) -> Iterator[TestClient]:
    """An application whose encoder could be changed, with one picture."""
    build_tiny_clip(tmp_path / "models" / NAME, NAME)
    data = tmp_path / "data"
    settings = read_settings(data=data, models=tmp_path / "models", encoder="lite", **database_of(data))
    app = create_app(settings)
    with TestClient(app, base_url=LOCAL, follow_redirects=False) as client:
        assert upload(client, jpeg("chelsea.png")).status_code == 201
        yield client


def begin(client: TestClient, *, resting: bool) -> None:
    backend = client.app.state.running.backend
    with backend.database.exclusively("change of encoder") as held:  # so that nobody finishes it meanwhile
        assert held
        encoder_switch.begin(backend, local_owner(backend), NAME)
        if resting:
            encoder_switch.rest(backend, local_owner(backend), resting=True)


def encoder_of(client: TestClient) -> str:
    return client.get("/api/v1/status").json()["encoder"]["name"]


def test_a_change_is_shown_with_how_far_it_is_and_goes_on_when_told_to(changing):
    begin(changing, resting=True)

    page = changing.get("/status").text
    assert "Changing to <bdi>tiny-a</bdi>" in page
    assert "of 1 pictures are embedded. Searches go on with the present encoder. It rests." in page
    told = changing.get("/api/v1/status").json()["encoder_change"]
    assert (told["name"], told["total"], told["resting"]) == (NAME, 1, True)

    answer = changing.post("/status/encoder", data={"do": "resume"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/status")
    wait_until(lambda: encoder_of(changing) == NAME)
    assert changing.get("/api/v1/status").json()["encoder_change"] is None
    assert "Changing to" not in changing.get("/status").text


def test_a_model_that_failed_is_told_with_its_sentence_to_who_looks_after_the_server(changing, tmp_path):
    text = tmp_path / "models" / NAME / "text.onnx"
    sound = text.read_bytes()
    begin(changing, resting=True)
    text.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    changing.post("/status/encoder", data={"do": "resume"})

    wait_until(lambda: "It rests. The file text.onnx of the model tiny-a is damaged." in changing.get("/status").text)

    assert changing.get("/api/v1/status").json()["encoder_change"]["resting"] is True
    assert encoder_of(changing) == "lite"
    text.write_bytes(sound)
    changing.post("/status/encoder", data={"do": "resume"})
    wait_until(lambda: encoder_of(changing) == NAME)
    assert "Could not be embedded" not in changing.get("/status").text


def test_pictures_that_could_not_be_embedded_are_counted(changing, tmp_path):
    for path in (tmp_path / "data" / "objects").rglob("*"):
        if path.is_file():
            path.unlink()
    begin(changing, resting=False)
    changing.app.state.running.ring()
    wait_until(lambda: encoder_of(changing) == NAME)

    assert "1 picture, which no search finds; the log says why" in changing.get("/status").text


def test_how_many_pictures_there_are_and_what_a_model_lacks_is_told_to_nobody_else():
    filling = Filling(NAME, 3, 4, True, datetime.now(UTC), left_out=2, trouble="The file text.onnx is damaged.")

    assert _change(filling, with_numbers=False).sentence == (
        "75% of the pictures are embedded. Searches go on with the present encoder. It rests."
    )
    assert _change(filling, with_numbers=True).sentence == (
        "3 of 4 pictures are done; 2 of them could not be embedded. Searches go on with the present encoder. "
        "It rests. The file text.onnx is damaged."
    )


def test_a_change_can_be_paused_and_ended_on_the_page(changing):
    begin(changing, resting=True)
    assert changing.post("/status/encoder", data={"do": "pause"}).status_code == 303

    assert changing.post("/status/encoder", data={"do": "cancel"}).status_code == 303

    assert changing.get("/api/v1/status").json()["encoder_change"] is None
    assert encoder_of(changing) == "lite"


def test_steering_what_is_not_there_or_how_nobody_knows_is_refused_with_a_sentence(changing):
    nothing = changing.post("/status/encoder", data={"do": "pause"})
    assert nothing.status_code == 409
    assert "No change of encoder is under way." in nothing.text

    strange = changing.post("/status/encoder", data={"do": "dance"})
    assert strange.status_code == 422
    assert "whether to pause, to resume or to cancel" in strange.text


def test_pictures_and_searches_work_before_and_after_a_change(changing):
    begin(changing, resting=False)
    changing.app.state.running.ring()
    wait_until(lambda: encoder_of(changing) == NAME)

    assert upload(changing, jpeg("coffee.png"), "coffee.jpg").status_code == 201
    found = changing.post("/api/v1/search", files={"file": ("q.jpg", jpeg("coffee.png"))}).json()

    assert found["encoder"] == NAME
    assert found["results"][0]["image"]["filename"] == "coffee.jpg"
    assert changing.post("/api/v1/search", json={"text": "red"}).json()["encoder"] == NAME
