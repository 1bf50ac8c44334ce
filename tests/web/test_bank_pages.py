"""Banks in the browser and over the API: made, filled, tried out, and what whoever uploads is told."""

import re

from command import wait_until
from starlette.testclient import TestClient

from tests.web.conftest import error_of, upload
from tests.web.photos import cropped, encoded, jpeg, photo

SENTENCE = "Cats have their own library."


def made(client: TestClient, **fields: str) -> str:
    """Make a bank as the page does, and return its address."""
    sent = {"name": "Cats", "library": "main", "kind": "known", "action": "refuse", "sentence": SENTENCE}
    answer = client.post(
        "/banks", data=sent | {"level": "31", "percent": "100", "guarded": "1", "thumbnails": "1"} | fields
    )
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def test_a_bank_is_made_filled_and_refuses_with_its_sentence(client: TestClient) -> None:
    upload(client, encoded(photo("chelsea.png"), "WEBP"), "old.webp")
    bank = made(client)
    filled = client.post(f"{bank}/pictures", files={"file": ("cat.jpg", jpeg("chelsea.png"))}, data={"notes": "mine"})
    assert filled.status_code == 303

    refused = upload(client, encoded(photo("chelsea.png"), "PNG"), "cat.png")

    assert refused.status_code == 422
    assert error_of_failed(refused) == {"code": "refused_by_bank", "message": SENTENCE}
    client.post("/upload", files={"file": ("again.png", encoded(photo("chelsea.png"), "PNG"))}, data={"batch": "b"})
    wait_until(lambda: SENTENCE in client.get("/upload?batch=b").text)
    wait_until(lambda: "old.webp" in client.get(bank).text)
    page = client.get(bank).text
    assert "1 picture that is here looks like one of this bank." in page
    assert "mine" in page
    thumbnail = re.search(rf'src="({bank}/entries/\d+/thumbnail)"', page)
    assert thumbnail
    assert client.get(thumbnail[1]).headers["content-type"] == "image/webp"

    held = client.post(f"{bank}/hold", data={"number": "1"})
    assert held.status_code == 303
    assert client.get("/api/v1/status").json()["states"]["held"] == 1
    assert client.post(f"{bank}/hold", data={"number": "5"}).status_code == 409


def error_of_failed(answer) -> dict[str, str]:
    """Return the error of an upload that was waited for, which comes with the image."""
    assert answer.json()["state"] == "failed"
    return answer.json()["error"]


def test_a_picture_is_tried_out_and_lines_that_cannot_be_used_are_told(client: TestClient) -> None:
    upload(client, jpeg("coffee.png"))
    bank = made(client, action="hold", level="47")
    client.post(f"{bank}/pictures", files={"file": ("cat.jpg", jpeg("chelsea.png"))})

    tried = client.post(f"{bank}/try", files={"file": ("cat.png", encoded(photo("chelsea.png"), "PNG"))})
    other = client.post(f"{bank}/try", files={"file": ("part.jpg", cropped("chelsea.png"))})
    imported = client.post(f"{bank}/hashes", files={"file": ("list.csv", f"pdq\n{'ab' * 32}\nxyz\n".encode())})

    assert "It would match entry 1" in tried.text
    assert "held. Whoever sends it reads: “Cats have their own library.”" in tried.text
    assert "It would not match" in other.text
    assert "1 entry was added. 1 line could not be used:" in imported.text
    assert "Its hash has 3 characters" in imported.text
    assert client.get(f"{bank}/hashes.csv").text.startswith("hash,quality,notes\r\n" + "ab" * 32)
    for path, sent in ((f"{bank}/try", {}), (f"{bank}/hashes", {}), (f"{bank}/pictures", {}), (f"{bank}/delete", {})):
        assert client.post(path, data=sent).status_code == 422, path
    assert client.get("/api/v1/images").json()["images"][0]["filename"] == "picture.jpg", "nothing was kept"


def test_a_bank_is_set_paused_seen_on_the_status_page_and_deleted(client: TestClient) -> None:
    image = upload(client, jpeg("coffee.png")).json()
    bank = made(client)
    assert client.post("/banks", data={"name": "cats", "library": "main"}).status_code == 409
    assert client.post(f"{bank}/settings", data={"name": "", "level": "31"}).status_code == 422
    kept = client.post(f"/images/{image['id']}/bank", data={"bank": bank.removeprefix("/banks/")})
    assert kept.status_code == 303

    client.post(f"{bank}/settings", data={"name": "Felines", "action": "warn", "level": "20", "percent": "25"})
    client.post(f"{bank}/pause")

    page = client.get(bank).text
    for words in ("Felines", "up to 20 bits", "acts on 25% of the uploads", "keeps hashes only", "owner has paused it"):
        assert words in page, words
    assert "owner has paused it" in client.get("/status").text
    assert "Felines" in client.get("/banks").text
    assert client.post(f"{bank}/delete", data={"confirmed": "1"}).headers["location"] == "/banks"
    assert client.get(bank).status_code == 404
    assert "bank deleted" in client.get("/audit").text


def test_programs_do_the_same(client: TestClient) -> None:
    image = upload(client, jpeg("chelsea.png")).json()
    bank = client.post("/api/v1/banks", json={"name": "Cats", "library": "main", "action": "warn"}).json()
    assert (bank["level"], bank["entries"]) == ("normal", 0)
    at = f"/api/v1/banks/{bank['id']}"

    added = client.post(f"{at}/entries", json={"images": [image["id"]], "hashes": [{"hash": "ab" * 32}, {"hash": "x"}]})

    assert added.status_code == 201
    assert added.json() == {
        "added": 2,
        "known": 0,
        "refused": [{"line": 2, "reason": "Its hash has 1 characters, where a PDQ hash has 64 hexadecimal digits."}],
        "refused_count": 1,
    }
    wait_until(lambda: client.get(at).json()["comparing"] == 0)
    (match,) = client.get(f"{at}/matches").json()["matches"]
    assert (match["done"], match["distance"], match["image"]["id"]) == ("found", 0, image["id"])
    assert client.get(f"{at}/hold").json()["number"] == 1
    page = client.get(f"{at}/entries", params={"limit": 1}).json()
    rest = client.get(f"{at}/entries", params={"limit": 1, "cursor": page["next"]}).json()
    assert ({page["entries"][0]["hash"], rest["entries"][0]["hash"]} >= {"ab" * 32}, rest["next"]) == (True, None)
    tried = client.post(f"{at}/try", files={"file": ("cat.jpg", jpeg("chelsea.png"))}).json()
    assert (tried["done"], tried["nearest"][0]["distance"]) == ("warn", 0)
    warned = upload(client, encoded(photo("chelsea.png"), "PNG"), "cat.png").json()
    assert warned["warnings"] == ["This picture looks like one of those that are watched for here."]
    assert image["warnings"] == []
    changed = client.patch(at, json={"max_distance": 47, "paused": True, "expires_at": "2030-01-01"}).json()
    assert (changed["level"], changed["expires_at"]) == ("loose", "2030-01-01T00:00:00+00:00")
    assert changed["paused"]
    assert client.patch(at, json={"max_distance": 64}).status_code == 422
    assert (
        error_of(client.post("/api/v1/banks", json={"name": "x", "library": "nowhere"}))["code"] == "library_not_found"
    )
    entry = f"{at}/entries/{rest['entries'][0]['id']}"
    for sent, told in (
        ({"expires_at": "2030-01-01"}, ("", "2030-01-01T00:00:00+00:00")),
        ({"notes": "x"}, ("x", "2030-01-01T00:00:00+00:00")),
        ({"expires_at": None}, ("x", None)),
    ):
        answer = client.patch(entry, json=sent).json()
        assert (answer["notes"], answer["expires_at"]) == told
    assert client.patch(entry, json={}).status_code == 422
    assert client.delete(entry).status_code == 204
    assert client.delete(at).status_code == 204
