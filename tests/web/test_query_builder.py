"""A question of several parts: weights, regions, pictures that are added, and selected images as parts."""

from urllib.parse import parse_qs, quote, urlsplit

import pytest
from starlette.testclient import TestClient

from tests.web.conftest import LIBRARY
from tests.web.markup import Markup
from tests.web.photos import encoded, photo

CAT = LIBRARY["cat.jpg"]


@pytest.fixture
def ids(library: TestClient) -> dict[str, str]:
    """The id of each image, by its name."""
    images = library.get("/api/v1/images", params={"limit": 200}).json()["images"]
    return {image["filename"]: image["id"] for image in images}


def read(client: TestClient, address: str) -> Markup:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    markup = Markup(answer.text)
    assert markup.problems == []
    return markup


def links(markup: Markup) -> dict[str, str]:
    """Return the addresses by the words of their links."""
    return {" ".join(e.text.split()): e.attributes["href"] for e in markup.all("a")}


def found(client: TestClient, address: str) -> list[str]:
    """Return the ids of the images on a page of results, in order."""
    boxes = [e.attributes for e in read(client, address).all("input") if e.attributes.get("name") == "image"]
    return [box["value"] for box in boxes]


def similarities(client: TestClient, *terms: dict[str, object]) -> dict[str, float]:
    answer = client.post("/api/v1/search", json={"terms": list(terms), "limit": 100})
    assert answer.status_code == 200, answer.text
    return {hit["image"]["id"]: hit["similarity"] for hit in answer.json()["results"]}


def test_the_page_finds_what_the_api_finds_for_the_same_parts(library: TestClient, ids: dict[str, str]) -> None:
    cat, coffee = ids["cat.jpg"], ids["coffee.jpg"]
    page = found(library, f"/?text={quote('2*cat -cup')}&like={cat}&like={quote(f'-0.5*{coffee}')}")
    api = similarities(
        library,
        {"text": "cat", "weight": 2},
        {"text": "cup", "weight": -1},
        {"image_id": cat},
        {"image_id": coffee, "weight": -0.5},
    )
    assert page == list(api)[: len(page)]
    assert {cat, coffee}.isdisjoint(page)


def test_a_chip_offers_other_weights_its_removal_and_its_place_as_addresses(
    library: TestClient, ids: dict[str, str]
) -> None:
    cat, coffee = ids["cat.jpg"], ids["coffee.jpg"]
    markup = read(library, f"/?text={quote('cat -cup')}&like={cat}&like={coffee}&category=animal")
    chips = [e for e in markup.all("li") if "chip" in e.attributes.get("class", "").split()]
    of_cup = {" ".join(e.text.split()): e.attributes["href"] for e in markup.all("a") if chips[1] in e.inside}
    weights = {
        label: parse_qs(urlsplit(address).query)["text"] for label, address in of_cup.items() if label[-1:].isdigit()
    }
    assert weights == {
        "\N{MINUS SIGN}2": ["cat -2*cup"],
        "\N{MINUS SIGN}1": ["cat -cup"],
        "\N{MINUS SIGN}0.5": ["cat -0.5*cup"],
        "\N{MULTIPLICATION SIGN}0.5": ["cat 0.5*cup"],
        "\N{MULTIPLICATION SIGN}1": ["cat +cup"],
        "\N{MULTIPLICATION SIGN}2": ["cat 2*cup"],
    }
    removed = next(e for e in markup.all("a") if e.attributes.get("aria-label") == "Remove cup").attributes["href"]
    assert parse_qs(urlsplit(removed).query) == {"text": ["cat"], "like": [cat, coffee], "category": ["animal"]}
    of_image = {" ".join(e.text.split()): e.attributes["href"] for e in markup.all("a") if chips[2] in e.inside}
    assert parse_qs(urlsplit(of_image["Move back"]).query)["like"] == [coffee, cat]
    assert "Move forward" not in of_image


def test_the_heading_says_what_was_asked(library: TestClient, ids: dict[str, str]) -> None:
    cat, coffee = ids["cat.jpg"], ids["coffee.jpg"]
    headings = {
        "/": "All pictures",
        "/?category=animal": "Chosen pictures",
        "/?text=cat": "“cat”",
        f"/?like={cat}": "Pictures like this one",
        f"/?like={cat}@0,0,0.5,1": "Pictures with this part",
        f"/?like={cat}&like={coffee}": "Like these 2 pictures",
        f"/?text={quote('cat -cup')}&like={coffee}": "Like this picture, “cat”, away from “cup”",
        f"/?like={quote(f'-1*{cat}')}": "Away from a picture",
    }
    for address, heading in headings.items():
        assert read(library, address).all("h1")[0].text.strip() == heading


def test_a_part_of_an_image_is_searched_instead_of_the_whole(library: TestClient, ids: dict[str, str]) -> None:
    """Half of the picture is a cat, the other half a cup; each half finds its own."""
    half = photo("chelsea.png").resize((400, 400))
    both = half.copy().resize((800, 400))
    both.paste(half, (0, 0))
    both.paste(photo("coffee.png").resize((400, 400)), (400, 0))
    made = library.post("/api/v1/images", files={"file": ("both.png", encoded(both, "PNG"))}, data={"wait": "true"})
    both_id = made.json()["id"]
    try:
        assert found(library, f"/?like={both_id}@0,0,0.5,1")[0] == ids["cat.jpg"]
        assert found(library, f"/?like={both_id}@0.5,0,0.5,1")[0] == ids["coffee.jpg"]
        sent = {"image_id": both_id, "region": "0.5,0,0.5,1"}
        answer = library.post("/api/v1/search", json=sent).json()
        assert answer["results"][0]["image"]["id"] == ids["coffee.jpg"]
        assert answer == library.post("/api/v1/search", json={"terms": [sent]}).json() | {"took_ms": answer["took_ms"]}
    finally:
        library.delete(f"/api/v1/images/{both_id}", params={"purge": "true"})


def test_a_part_of_a_kept_picture_is_searched_and_paged(library: TestClient, ids: dict[str, str]) -> None:
    both = photo("chelsea.png").resize((400, 400)).resize((800, 400))
    both.paste(photo("coffee.png").resize((400, 400)), (400, 0))
    address = library.post("/search", files={"file": ("q.png", encoded(both, "PNG"))}).headers["location"]
    part = f"{address}@0.5,0,0.5,1"
    assert found(library, part)[0] == ids["coffee.jpg"]
    assert found(library, address) != found(library, part)
    assert found(library, f"{part}&offset=1") == found(library, part)[1:]


def test_a_box_is_typed_in_percent_and_leads_to_the_search(library: TestClient, ids: dict[str, str]) -> None:
    cat = ids["cat.jpg"]
    query = f"text=cup&like={cat}&category=animal&part=1"
    markup = read(library, f"/region?{query}")
    typed = {
        e.attributes["name"]: e.attributes["value"] for e in markup.all("input") if e.attributes.get("type") == "number"
    }
    assert typed == {"left": "25.0", "top": "25.0", "width": "50.0", "height": "50.0"}
    answer = library.get(f"/region?{query}&left=10&top=20&width=95&height=40")
    assert answer.status_code == 303
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert asked == {"text": ["cup"], "like": [f"{cat}@0.1,0.2,0.9,0.4"], "category": ["animal"]}  # cut at the edge
    again = read(library, f"/region?like={quote(asked['like'][0])}")
    typed = {
        e.attributes["name"]: e.attributes["value"] for e in again.all("input") if e.attributes.get("type") == "number"
    }
    assert typed == {"left": "10.0", "top": "20.0", "width": "90.0", "height": "40.0"}


@pytest.mark.parametrize(
    ("sides", "words"),
    [
        ("left=10&top=20&width=30", "four numbers"),
        ("left=10&top=20&width=0&height=10", "inside the picture"),
        ("left=ten&top=20&width=0&height=10", "must be a number"),
        ("left=100&top=0&width=10&height=10", "inside the picture"),
    ],
)
def test_a_box_that_is_none_is_asked_again_with_a_sentence(
    library: TestClient, ids: dict[str, str], sides: str, words: str
) -> None:
    answer = library.get(f"/region?like={ids['cat.jpg']}&{sides}")
    assert answer.status_code == 422
    assert words in " ".join(e.text for e in Markup(answer.text).elements if e.attributes.get("role") == "alert")


@pytest.mark.parametrize(
    ("query", "status"),
    [("text=cat", 422), ("like=nothing", 404), ("picture=nothing", 404), ("", 422), ("like=a&part=3", 422)],
)
def test_a_part_of_what_is_no_picture_cannot_be_chosen(library: TestClient, query: str, status: int) -> None:
    assert library.get(f"/region?{query}").status_code == status


def test_a_picture_is_added_to_the_search_that_is_looked_at(library: TestClient, ids: dict[str, str]) -> None:
    before = f"text=cup&like={ids['coffee.jpg']}&category=animal"
    add_to = [
        e.attributes["value"] for e in read(library, f"/?{before}").all("input") if e.attributes.get("name") == "add_to"
    ]
    assert [parse_qs(value) for value in add_to] == [parse_qs(before)]
    answer = library.post("/search", files={"file": ("q.jpg", CAT)}, data={"add_to": add_to[0]})
    assert answer.status_code == 303
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert {name: asked[name] for name in ("text", "like", "category")} == parse_qs(before)
    assert len(asked["picture"]) == 1
    full = "&".join(f"like={number}" for number in range(10))
    assert library.post("/search", files={"file": ("q.jpg", CAT)}, data={"add_to": full}).status_code == 422


@pytest.mark.parametrize(("action", "written"), [("more", "{}"), ("less", "-0.5*{}")])
def test_selected_images_become_parts_of_the_search(
    library: TestClient, ids: dict[str, str], action: str, written: str
) -> None:
    cat, coffee = ids["cat.jpg"], ids["coffee.jpg"]
    sent = {"action": action, "image": [cat, coffee], "back": f"/?text=cup&like={cat}&offset=60"}
    asked = parse_qs(urlsplit(library.post("/selection", data=sent).headers["location"]).query)
    assert asked == {"text": ["cup"], "like": [cat, written.format(coffee)]}
    many = {"action": action, "image": [str(number) for number in range(11)], "back": "/"}
    answer = library.post("/selection", data=many)
    assert answer.status_code == 422
    assert "10 parts" in answer.text


def test_a_search_that_cannot_be_read_says_so_and_can_be_taken_away(library: TestClient) -> None:
    answer = library.get("/?text=9*cat")
    assert answer.status_code == 422
    assert "between -2 and 2" in answer.text
    assert links(Markup(answer.text)).keys() & {"Clear all", ""}


def test_what_a_text_is_found_by_is_chosen_on_the_page_and_kept(library: TestClient) -> None:
    def chosen(markup: Markup) -> list[str]:
        return [
            e.attributes["value"]
            for e in markup.all("option")
            if "selected" in e.attributes and any(up.attributes.get("id") == "by" for up in e.inside)
        ]

    both, words = read(library, "/?text=cat"), read(library, "/?text=cat&by=words")
    assert (chosen(both), chosen(words)) == ([""], ["words"])
    by_words = library.post("/api/v1/search", json={"text": "cat", "content_weight": 0, "limit": 60}).json()
    assert found(library, "/?text=cat&by=words") == [hit["image"]["id"] for hit in by_words["results"]]
    assert len(found(library, "/?text=cat&by=words")) < len(found(library, "/?text=cat&by=content"))
    kept = [e.attributes["href"] for e in words.all("a") if "text=" in e.attributes.get("href", "")]
    assert kept
    assert [address for address in kept if "by=words" not in address] == []
    assert not any(e.attributes.get("id") == "by" for e in read(library, "/?category=animal").all("select"))
    assert library.get("/?text=cat&by=luck").status_code == 422


@pytest.mark.parametrize(("address", "is_offered"), [("/?picture={0}", True), ("/?picture={0}&picture={1}", False)])
def test_saving_is_offered_where_it_can_be_done(library: TestClient, address: str, is_offered: bool) -> None:
    keys = [
        library.post("/search", files={"file": ("q.jpg", data)}).headers["location"].partition("picture=")[2]
        for data in (CAT, LIBRARY["coffee.jpg"])
    ]
    forms = read(library, address.format(*keys)).all("form")
    assert any(e.attributes.get("id") == "save-search" for e in forms) == is_offered


def test_an_address_is_not_saved_as_words(library: TestClient) -> None:
    body = {"name": "cats", "query": {"text": "https://pictures.example/cat.jpg"}}
    answer = library.post("/api/v1/searches", json=body)
    assert answer.status_code == 422
    assert "An address is no words" in answer.json()["error"]["message"]
