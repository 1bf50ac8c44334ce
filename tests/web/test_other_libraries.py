"""Two people, each with a library, both called "family": what the pages and the API tell each of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from house import House
from starlette.testclient import TestClient

from pipeline.principals import Role, Scope
from pipeline.worker import Worker
from tests.web.conftest import OpenClient, error_of
from tests.web.markup import Markup
from tests.web.members import PASSWORD, Browser, api, backend_of, log_in, make_person, make_token
from tests.web.photos import cropped, encoded, jpeg, photo

IMAGES = "/api/v1/images"


@dataclass(frozen=True)
class Two:
    """Ada and Ben with their browsers, and what each has in the own library."""

    server: TestClient
    root: Browser
    ada: Browser
    ben: Browser
    ada_library: str
    ben_library: str
    ada_image: str
    ben_image: str


@pytest.fixture(scope="module")
def two(open_client: OpenClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    with open_client(tmp_path_factory.mktemp("two"), with_worker=False) as server:
        make_person(server, "root", administrator=True)
        people = {name: make_person(server, name) for name in ("ada", "ben")}
        house = House(backend_of(server))
        libraries = {name: house.library("family", **{name: Role.OWNER}) for name in people}
        tokens = {name: make_token(server, person) for name, person in people.items()}
        images = {}
        for name, files in {
            "ada": (jpeg("chelsea.png"),),
            "ben": (cropped("chelsea.png"), jpeg("chelsea.png")),
        }.items():
            for data in files:
                answer = api(server, tokens[name]).post(
                    IMAGES, files={"file": (f"{name}.jpg", data)}, data={"tags": f"of-{name}"}
                )
                assert answer.status_code == 201, answer.text
                images[name] = answer.json()["id"]
        Worker(backend_of(server)).drain()
        browsers = [log_in(server, name, PASSWORD) for name in ("root", "ada", "ben")]
        yield Two(server, *browsers, libraries["ada"], libraries["ben"], images["ada"], images["ben"])


def tiles(page: str) -> list[str]:
    """Return the addresses of the images in the grids of a page."""
    links = (link.attributes.get("href", "") for link in Markup(page).all("a"))
    return list(dict.fromkeys(link for link in links if link.startswith("/images/") and link.count("/") == 2))


def test_the_search_page_shows_each_their_own_pictures_tags_and_counts(two: Two) -> None:
    for browser, own, others in ((two.ada, "ada", "ben"), (two.ben, "ben", "ada")):
        page = browser.get("/").text
        assert f"of-{own}" in page
        assert f"of-{others}" not in page
        assert len(tiles(page)) == (1 if own == "ada" else 2)


def test_more_like_this_never_leaves_the_library(two: Two) -> None:
    assert tiles(two.ada.get("/", params={"like": two.ada_image}).text) == []
    assert len(tiles(two.ben.get("/", params={"like": two.ben_image}).text)) == 1


def test_a_picture_of_somebody_else_is_told_like_one_that_there_is_not(two: Two) -> None:
    unknown = two.ben_image[:-4] + ("0000" if two.ben_image[-4:] != "0000" else "0001")
    for path in (
        "/images/{}",
        "/images/{}/original",
        "/images/{}/thumbnail",
        "/?like={}",
        "/region?like={}",
        f"{IMAGES}/{{}}",
    ):
        there, nowhere = (two.ada.get(path.format(image_id)) for image_id in (two.ben_image, unknown))
        assert there.status_code == nowhere.status_code == 404
        assert there.text.replace(two.ben_image, unknown) == nowhere.text


def test_the_same_bytes_are_found_in_the_own_library_alone(two: Two) -> None:
    for browser, own in ((two.ada, two.ada_image), (two.ben, two.ben_image)):
        files = {"file": ("query.jpg", jpeg("chelsea.png"))}
        found = browser.request("POST", "/api/v1/search", files=files).json()["results"]
        assert [hit["image"]["id"] for hit in found if hit["why"].get("identical")] == [own]


def test_bytes_that_somebody_else_has_are_new_to_me(two: Two) -> None:
    person = make_person(two.server, "cleo")
    House(backend_of(two.server)).library("only cleo's", cleo=Role.OWNER)
    answer = api(two.server, make_token(two.server, person)).post(
        IMAGES, files={"file": ("cat.jpg", jpeg("chelsea.png"))}
    )

    assert (answer.status_code, answer.json()["existing"]) == (201, False)
    assert answer.json()["library"] == "only cleo's"


def test_a_library_is_filtered_by_its_name_or_its_id_and_the_page_calls_it_by_its_name(two: Two) -> None:
    for asked in ("family", two.ada_library):
        page = two.ada.get("/", params={"library": asked})
        assert tiles(page.text) == [f"/images/{two.ada_image}"]
        assert "in family" in page.text
        listed = two.ada.get(IMAGES, params={"library": asked}).json()["images"]
        assert [(image["library"], image["library_id"]) for image in listed] == [("family", two.ada_library)]


def test_the_id_of_a_foreign_library_finds_nothing_like_one_that_there_is_not(two: Two) -> None:
    for asked in (two.ben_library, "0" * 16):
        assert tiles(two.ada.get("/", params={"library": asked}).text) == []
        assert two.ada.get(IMAGES, params={"library": asked}).json() == {"images": [], "next": None}
        refused = two.ada.request(
            "POST", IMAGES, files={"file": ("a.jpg", jpeg("coffee.png"))}, data={"library": asked}
        )
        assert (refused.status_code, error_of(refused)["message"]) == (422, "There is no such library.")


def test_counts_of_the_status_are_those_of_the_own_pictures(two: Two) -> None:
    def ready(browser: Browser) -> int:
        return int(browser.get("/api/v1/status").json()["states"]["ready"])

    assert (ready(two.ada), ready(two.ben), ready(two.root)) == (1, 2, 0)


def test_where_the_stores_are_is_told_to_administrators(two: Two) -> None:
    database = str(backend_of(two.server).settings.data)
    assert database in two.root.get("/status").text
    assert database in two.root.get("/api/v1/status").text
    assert two.root.get("/readyz").json()["stores"]
    for path in ("/status", "/api/v1/status", "/readyz"):
        answer = two.ada.get(path)
        assert answer.status_code == 200
        assert database not in answer.text
    assert two.ada.get("/api/v1/status").json()["encoder"]["fingerprint"] == ""
    assert two.ada.get("/readyz").json() == {"status": "ready"}
    assert two.ada.get("/metrics").status_code == 403
    assert two.root.get("/metrics").status_code == 200


def test_the_list_of_an_upload_is_its_senders(two: Two) -> None:
    files = {"file": ("flower.png", encoded(photo("flower.jpg"), "PNG"))}
    library = {"batch": "batch-of-cleo", "library": two.ada_library}
    assert two.ada.post("/upload", library, files=files).status_code == 303

    assert "flower.png" in two.ada.get("/upload?batch=batch-of-cleo").text
    assert "flower.png" not in two.ben.get("/upload?batch=batch-of-cleo").text


def test_a_picture_says_who_added_it_and_not_where_it_lies(two: Two) -> None:
    facts = Markup(two.ada.get(f"/images/{two.ada_image}").text)
    table = {name.text: value.text for name, value in zip(facts.all("dt"), facts.all("dd"), strict=True)}

    assert (table["Library"], table["Added by"], table["Found as"]) == ("family", "ada", "ada.jpg")


def test_a_token_for_uploads_gets_its_answer_at_once_also_if_it_asks_to_wait(two: Two) -> None:
    person = make_person(two.server, "dora")
    House(backend_of(two.server)).library("only dora's", dora=Role.OWNER)
    program = api(two.server, make_token(two.server, person, Scope.UPLOAD))
    sent = program.post(IMAGES, files={"file": ("a.jpg", jpeg("coffee.png"))}, data={"wait": "true"})
    looked = program.get(f"{IMAGES}/{sent.json()['id']}")

    assert (sent.status_code, sent.json()["state"]) == (201, "waiting")
    assert looked.status_code == 403
    assert "scope “read”" in error_of(looked)["message"]
