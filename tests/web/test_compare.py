"""Comparing two pictures over HTTP and in the shell: images, files, and what cannot be compared."""

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.web.conftest import LIBRARY, error_of
from tests.web.photos import encoded, jpeg, photo
from webapp.cli import run

CAT, CLOSER, COFFEE = "cat.jpg", "cat-closer.jpg", "coffee.jpg"


@pytest.fixture(scope="module")
def ids(library: TestClient) -> dict[str, str]:
    listed = library.get("/api/v1/images", params={"limit": 50}).json()["images"]
    return {image["filename"]: image["id"] for image in listed}


def test_two_images_are_compared_and_the_evidence_is_that_of_the_first_with_the_second(
    library: TestClient, ids: dict[str, str]
) -> None:
    answer = library.post("/api/v1/compare", json={"a": ids[CAT], "b": ids[CLOSER]}).json()
    assert answer["verdict"] == "edited"
    assert "crop" in answer["evidence"]["sentence"]
    left, top, width, height = answer["evidence"]["box_in_a"]
    assert (left, top, width, height) == pytest.approx((0.075, 0.075, 0.85, 0.85), abs=0.03)
    assert library.post("/api/v1/compare", json={"a": ids[CAT], "b": ids[COFFEE]}).json()["verdict"] == "different"


def test_a_file_is_compared_with_an_image_and_not_kept(library: TestClient, ids: dict[str, str]) -> None:
    before = library.get("/api/v1/status").json()["states"]
    mirrored = encoded(photo("chelsea.png").transpose(0))  # left to right
    answer = library.post("/api/v1/compare", files={"b": ("x.jpg", mirrored)}, data={"a": ids[CAT]}).json()
    assert answer["verdict"] == "edited"
    assert answer["evidence"]["mirrored"] is True
    same = library.post("/api/v1/compare", files={side: (side, jpeg("coffee.png")) for side in "ab"}).json()
    assert same["verdict"] == "identical"
    assert library.get("/api/v1/status").json()["states"] == before


def test_what_cannot_be_compared_is_said(library: TestClient, ids: dict[str, str]) -> None:
    for body in ({}, {"a": ids[CAT]}, {"a": ids[CAT], "b": 7}, [ids[CAT]]):
        answer = library.post("/api/v1/compare", json=body)
        assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_query"), body
    assert (
        library.post("/api/v1/compare", content=b"{", headers={"Content-Type": "application/json"}).status_code == 422
    )
    assert library.post("/api/v1/compare", json={"a": ids[CAT], "b": "nothing"}).status_code == 404
    text = library.post("/api/v1/compare", files={"b": ("x.txt", b"no picture")}, data={"a": ids[CAT]})
    assert text.status_code == 415
    page = library.post("/compare", files={"a": ("a.jpg", jpeg("coffee.png")), "b": ("b.txt", b"no picture")})
    assert page.status_code == 422
    assert 'id="compare-problem"' in page.text


def test_the_page_of_two_images_says_it_and_names_the_better_values(library: TestClient, ids: dict[str, str]) -> None:
    page = library.get("/compare", params={"a": ids[CAT], "b": ids[CLOSER]})
    assert page.status_code == 200
    assert "is a crop of the left one" in page.text
    assert "more pixels" in page.text
    chosen = library.post("/selection", data={"action": "compare", "image": [ids[CAT], ids[CLOSER]]})
    assert chosen.headers["location"] == f"/compare?a={ids[CAT]}&b={ids[CLOSER]}"
    one = library.post("/selection", data={"action": "compare", "image": [ids[CAT]]})
    assert one.status_code == 422


def test_the_shell_says_the_same(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIKENESS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LIKENESS_MODELS", str(models))
    for name in (CAT, CLOSER):
        (tmp_path / name).write_bytes(LIBRARY[name])
    files = [str(tmp_path / name) for name in (CAT, CLOSER)]
    assert run(["compare", *files]) == 0
    assert capsys.readouterr().out.startswith("edited: The right one is a crop of the left one")
    assert run(["compare", *reversed(files), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "edited"
    assert "The left one is a crop of the right one" in told["evidence"]["sentence"]
    assert run(["compare", files[0], "nothing.jpg"]) == 1
    assert "There is no such picture." in capsys.readouterr().err
