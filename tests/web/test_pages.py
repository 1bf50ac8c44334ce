"""Every page does its work through plain forms, without a script, and gives htmx the part it asks for."""

import re
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from starlette.testclient import TestClient

from tests.web.conftest import LIBRARY, OpenClient, settle, upload
from tests.web.markup import Element, Markup
from tests.web.photos import encoded, photo, plain

CAT, COFFEE = LIBRARY["cat.jpg"], LIBRARY["coffee.jpg"]
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
HTMX = {"HX-Request": "true"}


def read(answer: Any, status: int = 200) -> Markup:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    markup = Markup(answer.text)
    assert markup.problems == []
    return markup


def follow(client: TestClient, answer: Any) -> Markup:
    assert answer.status_code == 303, answer.text
    return read(client.get(answer.headers["location"]))


def tiles(markup: Markup) -> list[str]:
    """Return the ids of the images in the grid."""
    boxes = [
        e for e in markup.all("input") if e.attributes.get("name") == "image" and e.attributes["type"] == "checkbox"
    ]
    return [box.attributes["value"] for box in boxes]


def alerts(markup: Markup) -> str:
    return " ".join(e.text for e in markup.elements if e.attributes.get("role") == "alert")


def fields_of(markup: Markup, action: str) -> dict[str, list[str]]:
    """Return the hidden fields of the form that is sent to `action`."""
    form = next(e for e in markup.all("form") if e.attributes.get("action") == action)
    found: dict[str, list[str]] = {}
    for field in markup.all("input"):
        if form in field.inside and field.attributes.get("type") == "hidden":
            found.setdefault(field.attributes["name"], []).append(field.attributes["value"])
    return found


def id_of(client: TestClient, data: bytes, name: str, **fields: Any) -> str:
    answer = upload(client, data, name, **fields)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


# ---- Search


def test_an_empty_library_invites_to_begin(client: TestClient) -> None:
    markup = read(client.get("/"))
    assert "Drop pictures here" in markup.all("main")[0].text
    assert [e.attributes["action"] for e in markup.all("form") if "data-upload" in e.attributes] == ["/upload"]


def test_the_first_page_shows_everything_newest_first(library: TestClient) -> None:
    newest = [image["id"] for image in library.get("/api/v1/images").json()["images"]]
    markup = read(library.get("/"))
    assert tiles(markup) == newest
    assert f"{len(LIBRARY)} pictures" in markup.all("main")[0].text


def test_a_picture_leads_to_the_address_of_its_search(library: TestClient) -> None:
    sent = library.post("/search", files={"file": ("query.jpg", CAT)}, data={"category": "animal", "min_width": "100"})
    assert sent.headers["location"].startswith("/?")
    assert "category=animal" in sent.headers["location"]
    assert "min_width=100" in sent.headers["location"]
    markup = follow(library, sent)
    first = library.get(f"/api/v1/images/{tiles(markup)[0]}").json()
    assert first["filename"] == "cat.jpg"
    assert "the same picture" in markup.all("main")[0].text
    picture = next(e for e in markup.all("img") if e.attributes["src"].startswith("/pictures/"))
    thumbnail = library.get(picture.attributes["src"])
    assert thumbnail.headers["content-type"] == "image/webp"
    assert "sandbox" in thumbnail.headers["content-security-policy"]


def test_a_search_by_picture_is_the_same_when_its_address_is_opened_again(library: TestClient) -> None:
    address = library.post("/search", files={"file": ("query.jpg", CAT)}).headers["location"]
    assert tiles(read(library.get(address))) == tiles(read(library.get(address)))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"file": ("page.jpg", b"<html>")}, "not"),
        ({"file": ("half.jpg", CAT[:4000])}, "damaged"),
        ({}, "Please send one picture"),
    ],
)
def test_a_picture_that_cannot_be_read_is_a_sentence_on_a_page(
    library: TestClient, files: dict[str, Any], words: str
) -> None:
    answer = library.post("/search", files=files, data={"scheme": "warm"})
    markup = read(answer, answer.status_code)
    assert answer.status_code in {415, 422}
    assert words in alerts(markup)


@pytest.mark.parametrize("how", ["before", "add_to"])
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["page", "htmx"])
def test_a_picture_that_cannot_be_read_leaves_the_search_as_it_was(
    library: TestClient, how: str, headers: dict[str, str]
) -> None:
    address = "/?text=coffee&format=jpeg&sort=newest"
    shown = read(library.get(address))
    sent = {e.attributes["name"]: e.attributes.get("value", "") for e in shown.all("input") if "name" in e.attributes}
    files = {"file": ("page.jpg", b"<html>")}
    answer = library.post("/search", files=files, data={how: sent[how]}, headers=headers)
    markup = read(answer, 415)
    assert "not" in alerts(markup)
    assert tiles(markup) == tiles(shown)
    chips = [
        [e.text for e in one.all("li") if "chip" in e.attributes.get("class", "").split()] for one in (markup, shown)
    ]
    assert chips[0] == chips[1]
    (message,) = [e for e in markup.all("div") if "data-page-url" in e.attributes]
    assert message.attributes["data-page-url"] == address


def test_words_in_the_address_find_pictures(library: TestClient) -> None:
    markup = read(library.get("/", params={"text": "coffee"}))
    first = library.get(f"/api/v1/images/{tiles(markup)[0]}").json()
    assert first["filename"] == "coffee.jpg"
    assert next(e for e in markup.all("input") if e.attributes.get("id") == "text").attributes["value"] == "coffee"


def test_facets_in_the_address_narrow_and_are_shown_as_chosen(library: TestClient) -> None:
    images = library.get("/api/v1/images").json()["images"]
    category = images[0]["category"]["name"]
    markup = read(library.get("/", params={"category": category}))
    assert set(tiles(markup)) == {image["id"] for image in images if image["category"]["name"] == category}
    box = next(e for e in markup.all("input") if e.attributes.get("id") == f"facet-category-{category}")
    assert "checked" in box.attributes
    removals = [e.attributes["href"] for e in markup.all("a") if e.attributes.get("aria-label") == f"Remove {category}"]
    assert removals == ["/"]


def test_the_counts_of_facets_are_what_choosing_them_shows(library: TestClient) -> None:
    markup = read(library.get("/"))
    boxes = [e for e in markup.all("input") if e.attributes.get("id", "").startswith("facet-")]
    assert len(boxes) > 5
    for box in boxes:
        label = next(e for e in box.inside if e.tag == "label")
        name, value = box.attributes["name"], box.attributes["value"]
        assert label.text.endswith(f" {len(tiles(read(library.get('/', params={name: value}))))}"), label.text


def test_more_results_follow_at_their_own_address(client: TestClient) -> None:
    for number in range(62):
        client.post("/api/v1/images", files={"file": ("a.png", plain("red", (8, 8 + number)))}, data={"wait": "false"})
    settle(client)
    first = read(client.get("/"))
    more = next(e for e in first.all("a") if e.attributes.get("id") == "more-link").attributes["href"]
    second = read(client.get(more))
    assert len(tiles(first)) == 60
    assert set(tiles(first)) & set(tiles(second)) == set()
    assert len(tiles(second)) == 2
    block = client.get(more, headers=HTMX | {"HX-Target": "more"}).text
    assert "<main" not in block
    assert tiles(Markup(block)) == tiles(second)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("color=red", 422),
        ("category=dog", 422),
        ("min_brightness=high", 422),
        ("created_after=yesterday", 422),
        ("text=" + "x" * 501, 422),
        ("like=nothing", 404),
        ("picture=nothing", 404),
        ("like=%00", 404),
    ],
)
def test_a_broken_search_is_a_sentence_on_its_page(library: TestClient, query: str, status: int) -> None:
    markup = read(library.get(f"/?{query}"), status)
    assert "This search could not be run" in alerts(markup)
    assert alerts(markup).endswith(".")
    assert [e for e in markup.all("form") if e.attributes.get("id") == "search"]


def test_htmx_is_given_the_results_alone(library: TestClient) -> None:
    answer = library.get("/?text=cat", headers=HTMX | {"HX-Target": "results"})
    assert "<main" not in answer.text
    assert "HX-Request" in answer.headers["vary"]
    assert 'id="results"' in answer.text
    assert 'id="facets"' in answer.text
    restored = library.get("/?text=cat", headers=HTMX | {"HX-History-Restore-Request": "true"})
    assert "<main" in restored.text


# ---- Upload


def test_many_files_are_uploaded_by_one_form_and_listed(client: TestClient) -> None:
    files = [
        ("file", ("cat.jpg", CAT)),
        ("file", ("page.jpg", b"<html><script>")),
        ("file", ("cat again.jpg", CAT)),
        ("file", (HOSTILE, COFFEE)),
    ]
    sent = client.post("/upload", files=files)
    settle(client)
    markup = follow(client, sent)
    cards = [e for e in markup.all("li") if e.attributes.get("id", "").startswith("card-")]
    assert sorted(e.attributes["data-outcome"] for e in cards) == ["added", "added", "existing", "refused"]
    refused = next(e for e in cards if e.attributes["data-outcome"] == "refused")
    assert re.search(r"page\.jpg .*\. *$", refused.text)
    assert "4 files: 2 added, 1 already here, 1 refused" in markup.all("main")[0].text
    assert "<script>alert" not in client.get(sent.headers["location"]).text
    # Whoever comes back without the address finds the same list.
    assert client.get("/upload").text.count('id="card-') == 4


def test_one_file_of_a_script_is_answered_with_its_card(idle_client: TestClient) -> None:
    batch = "abcDEF123"
    answer = idle_client.post("/upload", files={"file": ("cat.jpg", CAT)}, data={"batch": batch}, headers=HTMX)
    assert answer.status_code == 200
    assert "<main" not in answer.text
    assert answer.text.count('id="card-') == 1
    assert f"batch={batch}" in answer.text


def test_the_list_asks_for_news_until_nothing_waits(open_client: OpenClient, tmp_path: Path) -> None:
    with open_client(tmp_path, with_worker=False) as client:
        address = client.post("/upload", files={"file": ("cat.jpg", CAT)}).headers["location"]
        assert "every 1s" in client.get(address).text
        client.app.state.running.worker.drain()
        assert 'data-outcome="added"' in client.get(address).text


@pytest.mark.parametrize("batch", ["", "../x", "x" * 44, "<script>", "a b"])
def test_a_wrong_list_is_a_new_one(idle_client: TestClient, batch: str) -> None:
    sent = idle_client.post("/upload", files={"file": ("cat.jpg", CAT)}, data={"batch": batch})
    assert re.fullmatch(r"/upload\?batch=[\w-]{16,43}&library=main", sent.headers["location"])
    assert idle_client.get("/upload", params={"batch": batch}).status_code == 200


def test_an_upload_without_a_file_is_a_sentence(library: TestClient) -> None:
    assert "Please choose at least one picture." in alerts(read(library.post("/upload", data={"batch": "x"}), 422))


# ---- One image


def test_an_image_has_its_picture_colors_category_and_facts(library: TestClient) -> None:
    images = library.get("/api/v1/images").json()["images"]
    assert any(image["keywords"] for image in images)
    for image in images:
        markup = read(library.get(f"/images/{image['id']}"))
        words = markup.all("main")[0].text
        assert image["filename"] in markup.all("h1")[0].text
        assert image["category"]["name"] in words
        for keyword in image["keywords"]:
            assert f"/?text={keyword['word'].replace(' ', '+')}" in [e.attributes["href"] for e in markup.all("a")]
        assert all(swatch["hex"] in words for swatch in image["color"]["palette"])
        assert f"{image['width']} \N{MULTIPLICATION SIGN} {image['height']}" in words
        sources = [picture.attributes["src"] for picture in markup.all("img") if "src" in picture.attributes]
        for address in sources:
            source = library.get(unescape(address))
            assert source.headers["content-type"] == "image/webp"


def test_caption_and_tags_are_edited(client: TestClient) -> None:
    image = id_of(client, CAT, "cat.jpg")
    markup = follow(client, client.post(f"/images/{image}/edit", data={"caption": HOSTILE, "tags": "a, <b>, a"}))
    assert markup.all("textarea")[0].text == HOSTILE
    assert client.get(f"/api/v1/images/{image}").json()["tags"] == ["<b>", "a"]
    assert "<script>alert" not in client.get(f"/images/{image}").text
    assert "<script>alert" not in client.get("/").text
    found = read(client.get("/", params={"tag": "<b>"}))
    assert tiles(found) == [image]


def test_an_edit_of_htmx_is_answered_with_the_details(client: TestClient) -> None:
    image = id_of(client, CAT, "cat.jpg")
    answer = client.post(f"/images/{image}/edit", data={"caption": "Chelsea", "tags": ""}, headers=HTMX)
    assert answer.status_code == 200
    assert "<main" not in answer.text
    assert "Chelsea" in answer.text


def test_an_edit_that_is_too_long_keeps_what_was_typed(client: TestClient) -> None:
    image = id_of(client, CAT, "cat.jpg", caption="old")
    markup = read(client.post(f"/images/{image}/edit", data={"caption": "new " * 600, "tags": "kept"}), 422)
    assert "A caption can have 2,000 characters" in alerts(markup)
    assert markup.all("textarea")[0].text.startswith("new new")
    assert client.get(f"/api/v1/images/{image}").json()["caption"] == "old"


def test_deleting_on_the_page_of_an_image_can_be_undone(client: TestClient) -> None:
    image = id_of(client, CAT, "cat.jpg")
    deleted = follow(client, client.post(f"/images/{image}/delete"))
    assert "deleted" in deleted.all("main")[0].text.lower()
    assert tiles(read(client.get("/"))) == []
    follow(client, client.post(f"/images/{image}/restore"))
    assert tiles(read(client.get("/"))) == [image]


@pytest.mark.parametrize(
    "path", ["/images/nothing", "/images/%00", "/images/" + "x" * 3000, "/nothing", "/pictures/none"]
)
def test_what_is_not_there_is_a_page_with_a_sentence(library: TestClient, path: str) -> None:
    markup = read(library.get(path), 404)
    assert alerts(markup).endswith(".")
    assert "Go to the search" in markup.all("main")[0].text


def test_htmx_is_told_an_error_beside_what_is_there(library: TestClient) -> None:
    answer = library.get("/images/nothing", headers=HTMX)
    assert answer.status_code == 404
    assert answer.headers["hx-retarget"] == "#notice"
    assert "<main" not in answer.text


# ---- Many at once


@pytest.fixture
def three(client: TestClient) -> tuple[TestClient, list[str]]:
    """A client with three pictures, two of which have the same name."""
    names = {"cat.jpg": CAT, "Cat.JPG": COFFEE, "../..\\con?.png": plain("red")}
    return client, [id_of(client, data, name) for name, data in names.items()]


def test_many_are_tagged_at_once(three: tuple[TestClient, list[str]]) -> None:
    client, images = three
    sent = client.post("/selection", data={"action": "tag", "tags": "x, y", "image": images[:2], "back": "/?tag=x"})
    markup = follow(client, sent)
    assert set(tiles(markup)) == set(images[:2])
    assert "2 pictures tagged." in markup.elements[0].text


def test_many_are_deleted_after_a_question_and_come_back_by_undo(three: tuple[TestClient, list[str]]) -> None:
    client, images = three
    asked = read(client.post("/selection", data={"action": "delete", "image": images[:2], "back": "/?scheme=warm"}))
    assert "Delete 2 pictures?" in asked.all("h1")[0].text
    assert len(tiles(read(client.get("/")))) == 3
    confirmed = client.post("/selection", data=fields_of(asked, "/selection"))
    assert confirmed.headers["location"] == "/?scheme=warm"
    after = follow(client, confirmed)
    undo = next(e for e in after.elements if e.attributes.get("id") == "notice")
    assert "2 pictures deleted." in undo.text
    assert tiles(read(client.get("/"))) == [images[2]]
    form = next(e for e in after.all("form") if undo in e.inside and e.attributes["action"] == "/selection")
    fields = [e for e in after.all("input") if form in e.inside]
    data: dict[str, list[str]] = {}
    for field in fields:
        data.setdefault(field.attributes["name"], []).append(field.attributes["value"])
    follow(client, client.post("/selection", data=data))
    assert len(tiles(read(client.get("/")))) == 3


def test_a_sentence_is_shown_once(three: tuple[TestClient, list[str]]) -> None:
    client, images = three
    sent = client.post("/selection", data={"action": "tag", "tags": "x", "image": images, "back": "/"})
    assert "3 pictures tagged." in client.get(sent.headers["location"]).text
    assert "3 pictures tagged." not in client.get("/").text


def test_many_are_downloaded_as_one_archive_of_the_very_bytes(three: tuple[TestClient, list[str]]) -> None:
    client, images = three
    answer = client.post("/selection", data={"action": "zip", "image": [*images, images[0]]})
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith("attachment")
    with ZipFile(BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        contents = {name: archive.read(name) for name in archive.namelist()}
    assert sorted(contents.values()) == sorted([CAT, COFFEE, plain("red")])
    assert len({name.casefold() for name in contents}) == 3
    assert not [name for name in contents if re.search(r'[<>:"/\\|?*]|^\.\.', name)]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"action": "delete"}, 422),
        ({"action": "explode", "image": "x"}, 422),
        ({"action": "zip", "image": "nothing"}, 404),
        ({"action": "delete", "image": "nothing"}, 404),
        ({"action": "delete", "image": ["x"] * 1500}, 422),
        ({"action": "tag", "image": "x"}, 422),
    ],
)
def test_a_selection_that_makes_no_sense_is_a_sentence(library: TestClient, data: dict[str, Any], status: int) -> None:
    assert alerts(read(library.post("/selection", data=data), status)).endswith(".")


# ---- Status


def test_the_status_tells_what_failed_and_tries_again(client: TestClient) -> None:
    data = encoded(photo("coffee.png"), "PNG")
    middle = len(data) // 2
    broken = data[:middle] + bytes(400) + data[middle + 400 :]
    assert upload(client, broken, f"{HOSTILE}.png").status_code == 422
    markup = read(client.get("/status"))
    words = markup.all("main")[0].text
    assert "1 could not be analyzed" in words
    assert "damaged" in words
    assert "<script>alert" not in client.get("/status").text
    again = follow(client, client.post("/status/retry"))
    assert "1 picture will be analyzed again." in again.elements[0].text
    (failed,) = client.get("/api/v1/images").json()["images"]
    page = read(client.get(f"/images/{failed['id']}"))
    assert page.all("h1")
    assert client.post(f"/images/{failed['id']}/retry").status_code == 303


def test_the_status_asks_again_only_while_something_waits(open_client: OpenClient, tmp_path: Path) -> None:
    with open_client(tmp_path, with_worker=False) as client:
        assert "every 2s" not in client.get("/status").text
        client.post("/api/v1/images", files={"file": ("cat.jpg", CAT)})
        assert "every 2s" in client.get("/status").text
        assert "1 picture waits" in read(client.get("/status")).all("h1")[0].text
        block = client.get("/status", headers=HTMX)
        assert block.text.lstrip().startswith("<section")


def test_the_status_tells_how_far_the_check_for_duplicates_is(open_client: OpenClient, tmp_path: Path) -> None:
    with open_client(tmp_path, with_worker=False) as client:
        client.post("/api/v1/images", files={"file": ("cat.jpg", CAT)})
        worker = client.app.state.running.worker
        worker.drain()
        assert "0 of 1 pictures, 1 to go" in client.get("/status").text
        worker.bell.clear()  # as it does when it has analyzed what was rung for
        worker.check()
        assert "all of 1 picture<" in client.get("/status").text


def test_every_form_works_without_a_script(library: TestClient) -> None:
    image = library.get("/api/v1/images").json()["images"][0]["id"]
    for path in ("/", "/upload", "/status", f"/images/{image}", "/?text=cat"):
        markup = read(library.get(path))
        for form in [e for e in markup.all("form") if e.attributes.get("method") != "dialog"]:
            assert form.attributes["action"].startswith("/"), (path, form)
            assert can_be_sent(markup, form), (path, form.attributes)


def can_be_sent(markup: Markup, form: Element) -> bool:
    """Whether a form has a button that sends it, inside or elsewhere on the page."""
    kinds = {"submit", ""}
    return any(
        button.attributes.get("type", "") in kinds
        and (form in button.inside or button.attributes.get("form", "no") == form.attributes.get("id"))
        for button in markup.all("button")
    )


def test_the_next_tiles_end_where_nobody_scrolls(library: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """An offset that is too deep is read as none, so a page that led there would begin again at the top."""
    monkeypatch.setattr("webapp.routes.search.PAGE_SIZE", 2)
    monkeypatch.setattr("webapp.routes.search.DEEPEST", 5)

    following = {
        offset: f"offset={offset + 2}" in library.get("/", params={"offset": offset}).text for offset in (0, 2, 4)
    }

    assert following == {0: True, 2: True, 4: False}


@pytest.mark.parametrize("params", [{}, {"category": "animal"}, {"tag": "sample"}, {"library": "main"}])
def test_the_number_of_pictures_is_that_of_all_pages(library: TestClient, params: dict[str, str]) -> None:
    listed = library.get("/api/v1/images", params={**params, "state": "ready", "limit": "100"}).json()["images"]
    assert f"{len(listed)} picture" in library.get("/", params=params).text
