"""`/api/v1/images`, line by line as the contract has it."""

import hashlib
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from command import wait_until
from PIL import Image
from starlette.testclient import TestClient

from pipeline.features.picture import CATEGORIES, COLOR_NAMES
from tests.web.conftest import LIBRARY, OpenClient, error_of, upload
from tests.web.photos import encoded, jpeg, photo, plain
from webapp import schemas

IMAGES = "/api/v1/images"
CAT = jpeg("chelsea.png")
PNG = encoded(photo("coffee.png"), "PNG")


def listed(client: TestClient, **query: Any) -> list[dict[str, Any]]:
    answer = client.get(IMAGES, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["images"]


def damaged(data: bytes) -> bytes:
    """Return a file whose middle is zeros: its header promises a picture that cannot be decoded."""
    middle = len(data) // 2
    return data[:middle] + bytes(400) + data[middle + 400 :]


def png_of(width: int, height: int, rows: bytes = b"") -> bytes:
    """Return a PNG that promises a picture of this size and holds `rows`."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    packed = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


# ---- Uploading


def test_a_new_picture_is_created_and_analyzed(client: TestClient) -> None:
    answer = upload(client, CAT, "cat.jpg", caption="Chelsea", tags=["cat", "striped"])
    assert answer.status_code == 201
    image = answer.json()
    schemas.UploadedImage.model_validate(image, strict=True)
    assert image["state"] == "ready"
    assert image["error"] is None
    assert image["existing"] is False
    assert image["filename"] == "cat.jpg"
    assert image["media_type"] == "image/jpeg"
    assert image["bytes"] == len(CAT)
    assert (image["width"], image["height"]) == photo("chelsea.png").size
    assert image["sha256"] == hashlib.sha256(CAT).hexdigest()
    assert image["caption"] == "Chelsea"
    assert image["tags"] == ["cat", "striped"]
    assert image["library"] == "main"
    assert set(image["category"]["scores"]) == set(CATEGORIES)
    assert sum(image["category"]["scores"].values()) == pytest.approx(1, abs=1e-3)
    assert image["category"]["confidence"] == image["category"]["scores"][image["category"]["name"]]
    assert {keyword["word"] for keyword in image["keywords"]} >= {"tabby"}
    assert set(image["color"]["names"]) == set(COLOR_NAMES)
    assert 1 <= len(image["color"]["palette"]) <= 6
    assert sum(swatch["share"] for swatch in image["color"]["palette"]) == pytest.approx(1, abs=0.02)


def test_without_wait_the_answer_comes_before_the_analysis(idle_client: TestClient) -> None:
    answer = idle_client.post(IMAGES, files={"file": ("cat.jpg", CAT)})
    assert answer.status_code == 201
    assert answer.json()["state"] == "waiting"
    assert answer.json()["category"] is None
    assert answer.json()["keywords"] == []
    assert answer.json()["color"] is None
    assert answer.json()["encoder"] is None


def test_the_very_same_bytes_are_there_already(client: TestClient) -> None:
    first = upload(client, CAT, "cat.jpg").json()
    again = upload(client, CAT, "another name.jpg")
    assert again.status_code == 200
    assert again.json()["existing"] is True
    assert again.json()["id"] == first["id"]
    assert len(listed(client)) == 1


def test_the_same_bytes_in_another_library_are_another_image(client: TestClient) -> None:
    first = upload(client, CAT).json()
    other = upload(client, CAT, library="holiday-2026")
    assert other.status_code == 201
    assert other.json()["library"] == "holiday-2026"
    assert other.json()["id"] != first["id"]


def test_too_many_who_wait_are_answered_waiting(open_client: OpenClient, tmp_path: Path) -> None:
    with open_client(tmp_path, with_worker=False, max_waiting_uploads=1) as client:
        running = client.app.state.running
        assert running.waiters.acquire(blocking=False)
        answer = upload(client, CAT)
    assert answer.status_code == 201
    assert answer.json()["state"] == "waiting"


def test_a_picture_that_fails_in_analysis_is_kept_with_its_sentence_and_answered_with_4xx(client: TestClient) -> None:
    answer = upload(client, damaged(PNG), "half.png")
    assert answer.status_code == 422
    assert answer.json()["state"] == "failed"
    assert set(answer.json()["error"]) == {"code", "message"}
    (kept,) = listed(client, state="failed")
    assert kept["error"] == answer.json()["error"]["message"]
    assert "damaged" in kept["error"]


@pytest.mark.parametrize(
    ("data", "name", "status"),
    [
        pytest.param(b"", "empty.jpg", 415, id="nothing"),
        pytest.param(b"<html><script>alert(1)</script></html>", "page.jpg", 415, id="HTML"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "drawing.svg", 415, id="SVG"),
        pytest.param(b"%PDF-1.7\n", "paper.pdf", 415, id="PDF"),
        pytest.param(b"\0" * 4096, "zeros.png", 415, id="zeros"),
        pytest.param(png_of(100_000, 100_000), "bomb.png", 413, id="bomb"),
    ],
)
def test_what_can_be_seen_to_be_bad_is_refused_at_once(
    library: TestClient, data: bytes, name: str, status: int
) -> None:
    before = len(listed(library))
    answer = library.post(IMAGES, files={"file": (name, data)})
    assert answer.status_code == status, answer.text
    assert error_of(answer)["message"]
    assert len(listed(library)) == before


def test_a_file_above_the_limit_is_413(open_client: OpenClient, tmp_path: Path) -> None:
    with open_client(tmp_path, max_upload_bytes=10_000) as client:
        answer = upload(client, CAT)
        assert (answer.status_code, error_of(answer)["code"]) == (413, "too_many_bytes")
        assert upload(client, plain("red")).status_code == 201


def test_a_body_beyond_every_limit_is_413(open_client: OpenClient, tmp_path: Path) -> None:
    with open_client(tmp_path, max_upload_bytes=10_000) as client:
        answer = upload(client, b"x" * 2_000_000)
    assert (answer.status_code, error_of(answer)["code"]) == (413, "too_many_bytes")


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"wait": "perhaps"}, id="wait is no truth"),
        pytest.param({"library": "../../etc"}, id="a path as library"),
        pytest.param({"library": "x" * 65}, id="a long library"),
        pytest.param({"caption": "x" * 2001}, id="a long caption"),
        pytest.param({"tags": ["x" * 101]}, id="a long tag"),
        pytest.param({"tags": [f"tag{number}" for number in range(51)]}, id="many tags"),
    ],
)
def test_a_wrong_field_is_refused_and_nothing_is_kept(
    open_client: OpenClient, tmp_path: Path, fields: dict[str, Any]
) -> None:
    with open_client(tmp_path) as client:
        answer = upload(client, CAT, **fields)
        assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_query")
        assert listed(client) == []
    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\cat.jpg", "cat.jpg"),
        ("x" * 300 + ".jpg", "x" * 255),
        ("cat\u202egpj.exe", "catgpj.exe"),
        ("Kätzchen 猫.jpg", "Kätzchen 猫.jpg"),
        ("<script>alert(1)<", "<script>alert(1)<"),
    ],
)
def test_file_names_are_kept_without_what_could_harm(idle_client: TestClient, sent: str, kept: str) -> None:
    answer = upload_now(idle_client, CAT, sent)
    assert answer["filename"] == kept
    original = idle_client.get(f"{IMAGES}/{answer['id']}/original")
    assert original.status_code == 200
    assert original.content == CAT


def upload_now(client: TestClient, data: bytes, name: str) -> dict[str, Any]:
    return client.post(IMAGES, files={"file": (name, data)}).json()


# ---- Reading


def test_one_image_is_told_as_the_list_tells_it(library: TestClient) -> None:
    for image in listed(library):
        answer = library.get(f"{IMAGES}/{image['id']}")
        assert answer.json() == image
        schemas.Image.model_validate(image, strict=True)
        assert set(image) == set(schemas.Image.model_fields)


def test_the_list_is_newest_first_and_paged_by_cursor(library: TestClient) -> None:
    seen: list[str] = []
    cursor = None
    while True:
        page = library.get(IMAGES, params={"limit": 4} | ({"cursor": cursor} if cursor else {})).json()
        seen += [image["filename"] for image in page["images"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == list(reversed(LIBRARY))


def test_pages_do_not_shift_while_new_pictures_arrive(idle_client: TestClient) -> None:
    for color in ("red", "green", "blue", "white"):
        upload_now(idle_client, plain(color), f"{color}.png")
    page = idle_client.get(IMAGES, params={"limit": 2}).json()
    upload_now(idle_client, plain("black"), "black.png")
    rest = idle_client.get(IMAGES, params={"limit": 2, "cursor": page["next"]}).json()
    names = [image["filename"] for image in page["images"] + rest["images"]]
    assert names == ["white.png", "blue.png", "green.png", "red.png"]
    assert rest["next"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor=r12", "state=gone"])
def test_a_wrong_parameter_of_the_list_is_422(library: TestClient, query: str) -> None:
    assert error_of(library.get(f"{IMAGES}?{query}"))["code"] == "invalid_query"


def test_the_list_shows_all_states_or_one(client: TestClient) -> None:
    upload(client, CAT)
    upload(client, damaged(PNG), "half.png")
    assert {image["state"] for image in listed(client)} == {"ready", "failed"}
    assert [image["filename"] for image in listed(client, state="failed")] == ["half.png"]
    assert [image["state"] for image in listed(client, state="ready")] == ["ready"]


def test_unknown_images_are_404_everywhere(library: TestClient) -> None:
    for method, path in [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/original"),
        ("GET", "/thumbnail"),
        ("POST", "/restore"),
    ]:
        answer = library.request(method, f"{IMAGES}/018f0000-0000-7000-8000-000000000000{path}")
        assert (answer.status_code, error_of(answer)["code"]) == (404, "image_not_found"), path
    assert library.patch(f"{IMAGES}/nothing", json={"caption": "x"}).status_code == 404


# ---- Changing


def test_caption_and_tags_are_changed_alone_or_together(client: TestClient) -> None:
    address = f"{IMAGES}/{upload(client, CAT, caption='old', tags=['a', 'b']).json()['id']}"
    assert client.patch(address, json={"caption": "new"}).json()["caption"] == "new"
    assert client.get(address).json()["tags"] == ["a", "b"]
    changed = client.patch(address, json={"tags": ["c", " c ", ""]}).json()
    assert (changed["caption"], changed["tags"]) == ("new", ["c"])
    assert client.patch(address, json={"caption": "", "tags": []}).json()["tags"] == []
    assert client.get(address).json()["caption"] == ""


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'{"caption": 5}', b'{"tags": "a"}', b'{"tags": [1]}', b'"x"', b"\xff"],
)
def test_a_broken_change_is_422_and_changes_nothing(client: TestClient, body: bytes) -> None:
    address = f"{IMAGES}/{upload(client, CAT, caption='kept').json()['id']}"
    answer = client.patch(address, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert error_of(answer)["code"] == "invalid_query"
    assert client.get(address).json()["caption"] == "kept"


def test_a_change_beyond_every_limit_is_413(open_client: OpenClient, tmp_path: Path) -> None:
    with open_client(tmp_path, max_upload_bytes=10_000) as client:
        address = f"{IMAGES}/{upload(client, plain('red')).json()['id']}"
        answer = client.patch(address, json={"caption": "x" * 2_000_000})
    assert (answer.status_code, error_of(answer)["code"]) == (413, "too_many_bytes")


def test_a_tag_with_a_comma_is_two_tags_because_filters_part_there(client: TestClient) -> None:
    image = upload(client, CAT, tags=["red, white"]).json()
    assert image["tags"] == ["red", "white"]
    assert [found["id"] for found in listed(client, tag="red,white")] == [image["id"]]


# ---- Deleting


def test_a_deleted_image_is_gone_at_once_and_comes_back(client: TestClient) -> None:
    image = upload(client, CAT).json()
    address = f"{IMAGES}/{image['id']}"
    answer = client.delete(address)
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get(address).status_code == 404
    assert client.get(f"{address}/original").status_code == 404
    assert listed(client) == []
    assert client.post("/api/v1/search", files={"file": ("cat.jpg", CAT)}).json()["results"] == []
    assert client.delete(address).status_code == 404
    assert client.post(f"{address}/restore").json() == {
        key: image[key] for key in image if key not in {"existing", "copies", "warnings"}
    }
    assert listed(client) != []


def test_the_same_bytes_bring_a_deleted_image_back(client: TestClient) -> None:
    image = upload(client, CAT, caption="kept").json()
    client.delete(f"{IMAGES}/{image['id']}")
    again = upload(client, CAT)
    assert (again.status_code, again.json()["id"], again.json()["caption"]) == (200, image["id"], "kept")


def test_a_purged_image_never_comes_back(client: TestClient) -> None:
    address = f"{IMAGES}/{upload(client, CAT).json()['id']}"
    assert client.delete(address, params={"purge": "true"}).status_code == 204
    assert client.post(f"{address}/restore").status_code == 404
    assert client.get(address).status_code == 404
    assert upload(client, CAT).status_code == 201


def test_a_deleted_image_can_be_purged(client: TestClient) -> None:
    address = f"{IMAGES}/{upload(client, CAT).json()['id']}"
    client.delete(address)
    assert client.delete(address, params={"purge": "true"}).status_code == 204
    assert client.post(f"{address}/restore").status_code == 404


def test_an_image_purged_while_somebody_waits_for_it_is_no_error_of_ours(
    open_client: OpenClient, tmp_path: Path
) -> None:
    with open_client(tmp_path, with_worker=False) as client:
        backend = client.app.state.running.backend
        image = upload_now(client, CAT, "cat.jpg")
        waits = PurgeOnLook(backend.database, client, image["id"])
        object.__setattr__(backend, "database", waits)
        answer = upload(client, CAT)
    assert answer.status_code == 404
    assert error_of(answer)["code"] == "image_not_found"


class PurgeOnLook:
    """A real database, in front of whose first reading after a change somebody else purges the image."""

    def __init__(self, database: Any, client: TestClient, image_id: str) -> None:
        self.database = database
        self.client = client
        self.image_id = image_id
        self.is_changed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.database, name)

    def write(self, *how: Any) -> Any:
        self.is_changed = True
        return self.database.write(*how)

    def read(self) -> Any:
        if self.is_changed and self.image_id:
            image_id, self.image_id = self.image_id, ""
            assert self.client.delete(f"{IMAGES}/{image_id}", params={"purge": "true"}).status_code == 204
        return self.database.read()


def test_an_image_purged_while_it_is_restored_is_not_found(open_client: OpenClient, tmp_path: Path) -> None:
    with open_client(tmp_path, with_worker=False) as client:
        backend = client.app.state.running.backend
        image = upload(client, CAT, wait="false").json()
        address = f"{IMAGES}/{image['id']}"
        client.delete(address)
        object.__setattr__(backend, "database", PurgeOnChange(backend.database, client, address))
        answer = client.post(f"{address}/restore")
    assert answer.status_code == 404
    assert error_of(answer)["code"] == "image_not_found"


class PurgeOnChange:
    """A real database, in front of whose first change somebody else purges the image."""

    def __init__(self, database: Any, client: TestClient, address: str) -> None:
        self.database = database
        self.client = client
        self.address = address

    def __getattr__(self, name: str) -> Any:
        return getattr(self.database, name)

    def write(self, *how: Any) -> Any:
        address, self.address = self.address, ""
        if address:
            assert self.client.delete(address, params={"purge": "true"}).status_code == 204
        return self.database.write(*how)


# ---- Files


def test_the_original_is_the_very_bytes_under_safe_headers(library: TestClient) -> None:
    for image in listed(library):
        answer = library.get(f"{IMAGES}/{image['id']}/original")
        assert answer.content == LIBRARY[image["filename"]]
        assert answer.headers["content-type"] == image["media_type"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        wanted = "attachment" if image["media_type"] == "image/tiff" else "inline"
        assert answer.headers["content-disposition"].startswith(wanted)


def test_an_original_that_is_known_already_is_not_sent_again(library: TestClient) -> None:
    address = f"{IMAGES}/{listed(library)[0]['id']}/original"
    tag = library.get(address).headers["etag"]
    again = library.get(address, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert library.get(address, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("px", [1, 320, 321, 640, 1600, 4096])
def test_thumbnails_are_webp_of_the_asked_size_or_the_picture_s_own(client: TestClient, px: int) -> None:
    large = encoded(photo("coffee.png", side_px=600).resize((2400, 1600)))
    image = upload(client, large).json()
    answer = client.get(f"{IMAGES}/{image['id']}/thumbnail", params={"px": px})
    assert answer.headers["content-type"] == "image/webp"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "immutable" in answer.headers["cache-control"]
    from_thumbnail = Image.open(BytesIO(answer.content))
    wanted = next((size for size in (320, 640, 1600) if size >= px), 1600)
    assert max(from_thumbnail.size) == wanted
    assert from_thumbnail.width / from_thumbnail.height == pytest.approx(1.5, abs=0.01)


def test_a_small_picture_is_not_enlarged(library: TestClient) -> None:
    image = listed(library)[0]
    answer = library.get(f"{IMAGES}/{image['id']}/thumbnail", params={"px": 1600})
    assert max(Image.open(BytesIO(answer.content)).size) == max(image["width"], image["height"])


@pytest.mark.parametrize("px", ["0", "4097", "-1", "x", "1e9", "NaN"])
def test_a_wrong_size_of_a_thumbnail_is_422(library: TestClient, px: str) -> None:
    answer = library.get(f"{IMAGES}/{listed(library)[0]['id']}/thumbnail", params={"px": px})
    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_query")


def test_a_picture_turned_by_exif_is_told_upright(client: TestClient) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the tag Orientation: turn by 90 degrees
    turned = encoded(photo("coffee.png"), exif=exif.tobytes())
    image = upload(client, turned).json()
    assert (image["width"], image["height"]) == photo("coffee.png").size[::-1]


def test_whoever_waits_is_served_before_an_older_backlog(open_client: OpenClient, tmp_path: Path) -> None:
    with open_client(tmp_path, with_worker=False, batch_size=2) as client:
        worker = client.app.state.running.worker
        backlog = [upload_now(client, plain("red", (9, 9 + number)), "red.png")["id"] for number in range(6)]
        with ThreadPoolExecutor(1) as pool:
            waited = pool.submit(upload, client, CAT)
            wait_until(lambda: bool(worker.hurried))
            finished: list[int] = []
            worker.drain(lambda number: (finished.append(number), worker.stop())[0])
            assert waited.result(30).json()["state"] == "ready"
        assert worker.hurried == set()
        states = [client.get(f"{IMAGES}/{image}").json()["state"] for image in backlog]
    assert states.count("waiting") == 5
    assert finished == [2]
