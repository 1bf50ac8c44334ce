"""Every error of the HTTP API has one shape and the right status, wherever it comes from."""

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pipeline import errors
from tests.web.conftest import OpenClient, error_of, upload
from tests.web.photos import jpeg, plain
from webapp.errors import STATUS, STATUS_OF_CODE, status_of

CAT = jpeg("chelsea.png")
IMAGES, SEARCH = "/api/v1/images", "/api/v1/search"

OUR_ERRORS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.LikenessError)]


@pytest.mark.parametrize("kind", OUR_ERRORS)
def test_every_error_has_a_status_of_its_own(kind: type[errors.LikenessError]) -> None:
    assert kind in STATUS
    more = {"retry_seconds": 1} if kind is errors.TooManyAttempts else {}
    assert status_of(kind("A sentence.", **more)) == STATUS_OF_CODE[kind.code]


def test_no_two_errors_share_a_code() -> None:
    assert len({kind.code for kind in OUR_ERRORS}) == len(OUR_ERRORS)


def test_statuses_are_those_of_the_contract() -> None:
    assert set(STATUS.values()) <= {401, 403, 404, 409, 413, 415, 422, 429, 503, 500}
    assert STATUS[errors.StoreUnavailable] == 503
    assert STATUS[errors.TooManyPixels] == 413
    assert STATUS[errors.UnsupportedFormat] == 415
    assert STATUS[errors.DamagedImage] == 422


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/", "/api/v1/images/", "/api/v2/images", "/api/v1/%00%ff"])
def test_an_unknown_address_is_404(library: TestClient, path: str) -> None:
    answer = library.get(path)
    assert (answer.status_code, error_of(answer)["code"]) in {(404, "not_found"), (404, "image_not_found")}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", IMAGES, {"GET", "POST"}),
        ("GET", SEARCH, {"POST"}),
        ("POST", f"{IMAGES}/x", {"GET", "PATCH", "DELETE"}),
        ("DELETE", "/api/v1/status", {"GET"}),
    ],
)
def test_a_wrong_method_is_405_and_names_the_right_ones(
    library: TestClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = library.request(method, path)
    assert (answer.status_code, error_of(answer)["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) <= allowed


MULTIPART = "multipart/form-data; boundary=line"


@pytest.mark.parametrize("path", [IMAGES, SEARCH])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param("multipart/form-data", b"--line\r\n", id="no boundary"),
        pytest.param(MULTIPART, b"garbage", id="garbage"),
        pytest.param(MULTIPART, b'--line\r\nContent-Disposition: form-data; name="file"', id="an end in a header"),
        pytest.param(MULTIPART, b"--line\r\nContent-Disposition: form-data\r\n\r\nx\r\n--line--", id="no name"),
        pytest.param(MULTIPART, b"--line\r\n: :\r\n\r\nx\r\n--line--", id="no header"),
        pytest.param("multipart/form-data; boundary=\xe4\xff; charset=nonsense", b"--line--", id="odd letters"),
        pytest.param(
            MULTIPART,
            b'--line\r\nContent-Disposition: form-data; name="x"\r\n\r\n' + b"y" * 2_000_000,
            id="a long field",
        ),
    ],
)
def test_a_broken_form_is_422(library: TestClient, path: str, kind: str, body: bytes) -> None:
    answer = library.post(path, content=body, headers={"Content-Type": kind.encode("latin-1")})
    if path == SEARCH and answer.status_code == 200:
        assert answer.json()["verdict"] == "match"  # read as a form without fields: nothing asked, everything listed
        return
    assert answer.status_code == 422, answer.text
    assert error_of(answer)["code"] == "invalid_query"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"json": {"file": "cat.jpg"}}, id="JSON"),
        pytest.param({"data": {"file": "cat.jpg"}}, id="a field instead of a file"),
        pytest.param({"files": {"picture": ("cat.jpg", CAT)}}, id="another field"),
        pytest.param({"files": [("file", ("a.jpg", CAT)), ("file", ("b.jpg", CAT))]}, id="two files"),
        pytest.param({"content": CAT, "headers": {"Content-Type": "image/jpeg"}}, id="the bytes alone"),
    ],
)
def test_an_upload_without_exactly_one_file_is_422(library: TestClient, sent: dict[str, Any]) -> None:
    answer = library.post(IMAGES, **sent)
    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_query")
    assert "file" in error_of(answer)["message"]


def test_more_fields_than_anybody_needs_are_422(library: TestClient) -> None:
    answer = library.post(
        SEARCH, files={"file": ("cat.jpg", CAT)}, data={f"field{number}": "x" for number in range(3000)}
    )
    assert answer.status_code == 422
    error_of(answer)


@pytest.mark.parametrize("name", ["", "-", "a b", "ä", "../x", "x" * 65, ".hidden", "a/b"])
def test_a_library_has_a_plain_name(library: TestClient, name: str) -> None:
    answer = library.post("/api/v1/libraries", json={"name": name})
    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_query")


# ---- A store that is down


@pytest.fixture
def broken(open_client: OpenClient, tmp_path: Path) -> Any:
    """An application with one picture, whose folder of files has become a file."""
    with open_client(tmp_path / "data") as client:
        assert upload(client, CAT).status_code == 201
        objects = tmp_path / "data" / "objects"
        objects.rename(tmp_path / "away")
        objects.write_bytes(b"in the way")
        yield client


def test_a_store_that_is_down_is_503_with_a_time_to_try_again(broken: TestClient) -> None:
    (image,) = broken.get(IMAGES).json()["images"]
    for answer in (
        broken.post(IMAGES, files={"file": ("red.png", plain("red"))}),
        broken.get(f"{IMAGES}/{image['id']}/original"),
        broken.get(f"{IMAGES}/{image['id']}/thumbnail"),
    ):
        assert (answer.status_code, error_of(answer)["code"]) == (503, "store_unavailable")
        assert int(answer.headers["retry-after"]) > 0


def test_what_needs_no_files_goes_on_while_they_are_down(broken: TestClient) -> None:
    assert len(broken.get(IMAGES).json()["images"]) == 1
    assert broken.post(SEARCH, json={"text": "cat"}).status_code == 200
    assert broken.post(SEARCH, files={"file": ("cat.jpg", CAT)}).status_code == 200


def test_the_status_tells_which_store_is_down(broken: TestClient) -> None:
    stores = broken.get("/api/v1/status").json()["stores"]
    assert {store["name"]: store["healthy"] for store in stores} == {
        "Database": True,
        "Picture files": False,
        "Vector index": True,
    }
    assert broken.get("/livez").status_code == 200
    ready = broken.get("/readyz")
    assert ready.status_code == 503
    assert int(ready.headers["retry-after"]) > 0
    assert broken.get("/metrics").status_code == 200
    page = broken.get("/status")
    assert page.status_code == 200
    assert "Not everything works" in page.text


def test_pages_say_it_in_a_sentence(broken: TestClient) -> None:
    (image,) = broken.get(IMAGES).json()["images"]
    assert broken.get("/").status_code == 200
    assert broken.get(f"/images/{image['id']}").status_code == 200
    for answer in (
        broken.post("/upload", files={"file": ("red.png", plain("red"))}),
        broken.get(f"/images/{image['id']}/original"),
        broken.post("/selection", data={"action": "zip", "image": image["id"]}),
    ):
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "The folder of the pictures cannot be used." in answer.text


def test_a_database_that_is_down_is_503_and_the_status_still_answers(open_client: OpenClient, tmp_path: Path) -> None:
    with open_client(tmp_path / "data", with_worker=False) as client:
        broken_database(client)
        for path in (IMAGES, f"{IMAGES}/x"):
            answer = client.get(path)
            assert (answer.status_code, error_of(answer)["code"]) == (503, "store_unavailable")
            assert int(answer.headers["retry-after"]) > 0
        assert client.get("/").status_code == 503
        assert client.get("/status").status_code == 200
        stores = client.get("/api/v1/status").json()["stores"]
        assert [store["name"] for store in stores if store["healthy"]] == ["Picture files"]
        assert client.get("/livez").status_code == 200
        assert client.get("/readyz").status_code == 503


def broken_database(client: TestClient) -> None:
    """Take the tables away under the application, as a database that went away would."""
    database = client.app.state.running.backend.database
    database.engine.dispose()
    path = Path(database.url.database)
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    path.mkdir()


def test_an_error_nobody_foresaw_is_500_with_the_same_headers_as_any_answer(
    open_client: OpenClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_client(tmp_path, with_worker=False) as client:

        @client.app.get("/api/v1/bug")
        def bug() -> None:
            raise ZeroDivisionError

        answer = client.get("/api/v1/bug")
        normal = client.get("/livez")
    assert answer.status_code == 500
    assert error_of(answer)["code"] == "error"
    assert "unexpected error at /api/v1/bug" in caplog.text
    for name in ("content-security-policy", "x-content-type-options", "x-frame-options"):
        assert answer.headers[name] == normal.headers[name]


def test_errors_of_every_kind_are_json_even_for_a_browser(library: TestClient) -> None:
    answer = library.get("/api/v1/nothing", headers={"Accept": "text/html"})
    assert json.loads(answer.text)["error"]["code"] == "not_found"
