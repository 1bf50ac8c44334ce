"""What a page says when there is nothing to show openly: why, and what to try."""

import io
from dataclasses import replace

import pytest
from PIL import Image
from starlette.testclient import TestClient

from pipeline.search import SearchResult
from tests.web.markup import Markup
from webapp.emptiness import Shown, emptiness_of

NONE = SearchResult((), "none", False, "lite", 1.0)
WEAK = replace(NONE, verdict="weak")
FOLDED = Shown(ready=9, waiting=0, any_open=False, any_weak=True)
WORD, PICTURE = {"text": ("owl",)}, {"picture": ("key",)}


def said(result=NONE, fields=WORD, shown=FOLDED, color=None):
    return emptiness_of(result, fields, shown, (("Upload pictures", "/upload"),), lambda: color)


def test_nothing_is_said_when_pictures_are_shown_or_nothing_could_be_asked():
    assert said(shown=replace(FOLDED, any_open=True)) is None
    assert said(result=None) is None


@pytest.mark.parametrize(
    ("options", "title", "tried"),
    [
        ({}, "Nothing alike", "another word for it, or a picture"),
        ({"result": WEAK}, "No good match", "another word for it, or a picture"),
        ({"fields": {"text": ("-owl",)}}, "Nothing to be like", "Add what you are looking for"),
        ({"fields": PICTURE}, "Nothing alike", "another picture of it, or a word"),
        ({"fields": {**WORD, **PICTURE}}, "Nothing alike", "the picture or the words alone"),
        ({"shown": replace(FOLDED, waiting=1)}, "Nothing alike so far", "1 picture is still being analyzed"),
        ({"shown": replace(FOLDED, waiting=1200, any_weak=False)}, "Nothing yet", "1,200 pictures are still being"),
        ({"shown": Shown(0, 0, any_open=False, any_weak=False)}, "The library is empty", "nothing to find yet"),
        ({"fields": {"category": ("food",)}}, "No picture passes these filters", "Take one of them away"),
        ({"shown": replace(FOLDED, any_weak=False)}, "Nothing found", "none passes the filters"),
    ],
)
def test_the_reason_and_what_to_try_are_said(options, title, tried):
    empty = said(**options)
    assert empty.title == title
    assert tried in empty.explanation


def test_a_plain_picture_is_told_so_and_its_color_offered():
    empty = said(fields=PICTURE, color="#a0b0c0")
    assert empty.title == "This picture is too plain"
    assert empty.actions == (("Look for its color", "/?color=%23a0b0c0"),)


def test_a_search_under_filters_can_be_made_without_them():
    assert said(fields={**WORD, "category": ("food",)}).actions == (
        ("Search without the filters", "/?text=owl"),
        ("Show all pictures", "/"),
    )


def test_the_name_of_a_category_leads_to_the_category():
    for result in (NONE, WEAK):
        assert said(result, {"text": ("Animal",)}).actions[0] == ("Show the category “animal”", "/?category=animal")


def test_a_gray_picture_finds_nothing_alike_and_is_told_to_be_too_plain(library: TestClient) -> None:
    file = io.BytesIO()
    Image.new("RGB", (300, 200), "#8a8d90").save(file, "PNG")
    answer = library.post("/search", files={"file": ("gray.png", file.getvalue())}, follow_redirects=True)

    markup = Markup(answer.text)
    assert "This picture is too plain" in [e.text for e in markup.all("h2")]
    (way,) = [e for e in markup.all("a") if e.text == "Look for its color"]
    assert way.attributes["href"] in {"/?color=%238a8d90", "/?color=%238a8e91"}  # its thumbnail is not lossless
    assert any("weaker match" in e.text for e in markup.all("summary"))
