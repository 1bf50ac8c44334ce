"""The trash: what was deleted can be found, restored, or thrown away for good."""

import pytest
from starlette.testclient import TestClient

from tests.web.conftest import upload
from tests.web.photos import jpeg


@pytest.fixture
def deleted(client: TestClient) -> str:
    image = upload(client, jpeg("coffee.png")).json()
    client.delete(f"/api/v1/images/{image['id']}")
    return str(image["id"])


def test_an_empty_trash_says_so(client: TestClient) -> None:
    assert "The trash is empty" in client.get("/trash").text


def test_a_deleted_picture_lies_in_the_trash_and_can_be_restored(client: TestClient, deleted: str) -> None:
    assert deleted in client.get("/trash").text

    client.post("/selection", data={"action": "restore", "image": deleted, "back": "/trash"})

    assert deleted not in client.get("/trash").text
    assert client.get(f"/api/v1/images/{deleted}").json()["state"] == "ready"


def test_deleting_for_good_asks_first(client: TestClient, deleted: str) -> None:
    asked = client.post("/selection", data={"action": "purge", "image": deleted})

    assert "Delete 1 picture for good?" in asked.text
    assert deleted in client.get("/trash").text


def test_what_was_deleted_for_good_cannot_be_restored(client: TestClient, deleted: str) -> None:
    client.post("/selection", data={"action": "purge", "image": deleted, "confirmed": "1"})

    assert deleted not in client.get("/trash").text
    assert client.post(f"/api/v1/images/{deleted}/restore").status_code == 404
