"""Originals over HTTP on a server that strips them, through every address that gives them out."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import told
from PIL import ExifTags, Image
from starlette.testclient import TestClient
from told import SECRET

from pipeline.principals import Role
from tests.web.conftest import OpenClient, error_of, upload
from tests.web.members import Browser, api, give_role, make_person, make_token


@pytest.fixture(scope="module")
def strict(open_client: OpenClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An application that strips originals."""
    with open_client(tmp_path_factory.mktemp("strict"), strip_originals=True) as opened:
        yield opened


def addresses(image: str) -> tuple[str, ...]:
    return f"/images/{image}/original", f"/images/{image}/original?download=true", f"/api/v1/images/{image}/original"


def test_every_address_of_an_original_gives_it_without_its_metadata(strict: TestClient) -> None:
    image = upload(strict, told.jpeg(), "a.jpg").json()["id"]
    for address in addresses(image):
        answer = strict.get(address)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/jpeg"
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert SECRET not in answer.content
        assert told.frames(answer.content) == told.frames(told.jpeg())
    packed = strict.post("/selection", data={"action": "zip", "image": image})
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert archive.read("a.jpg") == strict.get(addresses(image)[0]).content


def test_what_is_made_anew_has_the_type_and_name_of_what_it_is(strict: TestClient) -> None:
    data = told.saved(told.photo(160, 120), "TIFF", exif=told.exif())
    image = upload(strict, data, "a.tif").json()["id"]
    answer = strict.get(f"/images/{image}/original")
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["content-disposition"] == "inline; filename*=UTF-8''a.webp"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert SECRET not in answer.content


def test_a_browser_that_has_the_stripped_file_is_not_sent_it_again(strict: TestClient) -> None:
    image = upload(strict, told.png(), "a.png").json()
    tag = strict.get(f"/images/{image['id']}/original").headers["etag"]
    for address in addresses(image["id"]):
        again = strict.get(address, headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        whole = strict.get(address, headers={"If-None-Match": f'"{image["sha256"]}"'})
        assert whole.status_code == 200


def test_what_cannot_be_stripped_is_refused_in_a_sentence(open_client: OpenClient, tmp_path: Path) -> None:
    with open_client(tmp_path / "data", strip_originals=True) as client:
        image = upload(client, told.jpeg_without_pixels(), "a.png").json()
        for address in addresses(image["id"]):
            answer = client.get(address)
            assert answer.status_code == 422
            assert SECRET not in answer.content
        assert "cannot be given out" in error_of(answer)["message"]


def test_a_page_tells_only_moderators_what_the_originals_leave_out(open_client: OpenClient, tmp_path: Path) -> None:
    with open_client(tmp_path / "data", strip_originals=True, accounts="required") as client:
        anna, bob = (make_person(client, name) for name in ("anna", "bob"))
        give_role(client, "main", bob, Role.VIEWER)
        picture = io.BytesIO()
        with_place = Image.Exif()
        with_place[ExifTags.Base.Model] = "Zeitkapsel 3000"
        Image.new("RGB", (60, 40), "navy").save(picture, "JPEG", exif=with_place)
        image = upload(api(client, make_token(client, anna)), picture.getvalue(), "a.jpg").json()["id"]
        pages = {}
        for name in ("anna", "bob"):
            browser = Browser(client)
            browser.log_in(name)
            pages[name] = browser.get(f"/images/{image}").text

    assert "Zeitkapsel 3000" in pages["anna"]
    assert "a.jpg" in pages["bob"]
    assert "Zeitkapsel 3000" not in pages["bob"]
