"""A text that is looked for in captions, tags and file names as well, as programs and people see it."""

import html
import re

import pytest
from command import wait_until
from starlette.testclient import TestClient

from tests.web.conftest import LIBRARY, error_of, settle, upload
from webapp import schemas

SEARCH = "/api/v1/search"


def ask(client: TestClient, **asked: object) -> dict:
    answer = client.post(SEARCH, json=asked)
    assert answer.status_code == 200, answer.text
    schemas.SearchAnswer.model_validate(answer.json(), strict=True)
    return answer.json()


def names(answer: dict) -> list[str]:
    return [hit["image"]["filename"] for hit in answer["results"]]


@pytest.fixture
def captioned(client: TestClient) -> TestClient:
    """A cat with a caption and tags, and a cup without."""
    data = {"caption": "Mein Liebling schläft", "tags": ["Zuhause", "北京烤鸭"]}
    upload(client, LIBRARY["cat.jpg"], "Minka_2024.jpg", **data)
    upload(client, LIBRARY["coffee.jpg"], "cup.jpg")
    settle(client)
    return client


def test_a_word_that_the_encoder_does_not_know_is_found_where_somebody_wrote_it(captioned: TestClient) -> None:
    for text, words in (
        ("Liebling ", {"caption": ["liebling"]}),
        ("SCHLAFT ", {"caption": ["schlaft"]}),
        ("烤鸭", {"tags": ["烤鸭"]}),
        ("minka", {"name": ["minka"]}),
    ):
        answer = ask(captioned, text=text)
        assert names(answer) == ["Minka_2024.jpg"], text
        [hit] = answer["results"]
        assert (hit["why"]["words"], hit["similarity"]) == (words, None)
        assert (answer["verdict"], answer["by_words_alone"], answer["has_more"]) == ("match", True, False)


def test_what_somebody_wrote_comes_beside_what_is_seen(captioned: TestClient) -> None:
    answer = ask(captioned, text="cat zuhause ")

    assert names(answer)[0] == "Minka_2024.jpg"
    first = answer["results"][0]
    assert first["why"]["words"]["tags"] == ["zuhause"]
    assert first["why"]["content"] == first["similarity"]
    assert answer["by_words_alone"] is False


def test_weights_say_what_content_and_words_count(captioned: TestClient) -> None:
    assert names(ask(captioned, text="cup minka ", content_weight=0)) == ["cup.jpg", "Minka_2024.jpg"]
    assert "words" not in ask(captioned, text="cup minka ", words_weight=0)["results"][0]["why"]
    for wrong in ({"words_weight": 3}, {"content_weight": "much"}, {"content_weight": 0, "words_weight": 0}):
        answer = captioned.post(SEARCH, json={"text": "cup"} | wrong)
        assert answer.status_code == 422
        assert error_of(answer)["message"].endswith(".")


def test_the_page_says_which_words_were_found_where(captioned: TestClient) -> None:
    text = html.unescape(captioned.get("/", params={"text": "Liebling Minka"}).text)

    assert "were looked for in captions, tags and file names only" in text
    assert "caption: liebling · file name: minka" in re.sub(r"\s+", " ", text)
    assert "Minka_2024.jpg" in text
    assert "cup.jpg" not in text


def test_the_page_says_when_no_picture_has_all_of_the_words(captioned: TestClient) -> None:
    text = html.unescape(captioned.get("/", params={"text": "Liebling Hausboot "}).text)

    assert "No picture has all of these words" in text
    assert "caption: liebling" in text


def test_the_page_of_a_text_that_nobody_knows_says_so(captioned: TestClient) -> None:
    for text in ("qwertz", "红伞", "\N{CAT}"):
        answer = captioned.get("/", params={"text": text})
        assert answer.status_code == 200
        assert "This search could not be run" not in answer.text
        reason = ask(captioned, text=text)["reason"]
        assert ask(captioned, text=text, words_weight=0)["results"] == []
        assert f"<h2>Nothing found</h2><p>{html.escape(reason)}" in answer.text
        assert (names(ask(captioned, text=text)), ask(captioned, text=text)["verdict"]) == ([], "none")


def test_a_color_that_the_encoder_does_not_know_leads_to_its_filter(captioned: TestClient) -> None:
    for text, language, label in (("Red", "en", "red"), ("红色", "zh-Hans", "红色")):
        page = captioned.get("/", params={"text": text}, headers={"Accept-Language": language}).text
        assert re.search(rf'<a class="button" href="/\?color_name=red">[^<]*{label}', page), text


def test_a_text_that_nobody_knows_yet_may_be_saved_and_finds_what_comes(captioned: TestClient) -> None:
    saved = captioned.post("/api/v1/searches", json={"name": "unknown", "query": {"text": "qwertz"}})
    assert saved.status_code == 201, saved.text
    upload(captioned, LIBRARY["rocket.webp"], "b.webp", caption="qwertz")
    settle(captioned)
    wait_until(lambda: captioned.get("/api/v1/searches").json()["searches"][0]["found"] == 1)
