"""Pages speak the language of their reader, all of it, and programs are answered in English."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from tests.web.markup import Markup
from tests.web.members import log_in
from webapp import language, wording
from webapp.language import ENGLISH, Language, gettext, language_of, languages, ngettext, speaking, translated
from webapp.script_words import COUNTED, MESSAGES
from webapp.sentences import said

CHINESE = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}
ENGLISH_WORDS = re.compile(r"[a-z]{2,} [a-z]{2,}")
SAYING = {"p", "h1", "h2", "h3", "button", "label", "dt", "dd", "legend", "a", "summary", "option", "title", "li", "th"}
POLISH = r"""
msgid ""
msgstr ""
"Language: pl\n"
"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2);\n"
"Content-Type: text/plain; charset=utf-8\n"

msgid "%(number)s picture"
msgid_plural "%(number)s pictures"
msgstr[0] "%(number)s obraz"
msgstr[1] "%(number)s obrazy"
msgstr[2] "%(number)s obrazów"
"""


IN_CHINESE = pytest.mark.usefixtures("chinese")


@pytest.fixture
def chinese() -> Iterator[Language]:
    with speaking(languages()["zh-Hans"]):
        yield languages()["zh-Hans"]


@pytest.mark.parametrize(
    ("accepted", "cookie", "tag"),
    [
        ("", "", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "", "zh-Hans"),
        ("zh-Hans", "", "zh-Hans"),
        ("zh-TW", "", "zh-Hans"),
        ("en-GB,zh;q=0.5", "", "en"),
        ("de,zh;q=0.5,en;q=0.4", "", "zh-Hans"),
        ("de,fr", "", "en"),
        ("zh;q=0, en;q=0.1", "", "en"),
        ("zh;q=much", "", "en"),
        ("*", "", "en"),
        ("zhx", "", "en"),
        ("zh-CN", "en", "en"),
        ("en", "zh-Hans", "zh-Hans"),
        ("en", "../../etc/passwd", "en"),
        ("zh", "klingon", "zh-Hans"),
    ],
)
def test_the_choice_of_the_person_comes_before_that_of_the_browser(accepted: str, cookie: str, tag: str) -> None:
    headers = {"accept-language": accepted, "cookie": f"other=1; language={cookie}" if cookie else ""}
    assert language_of(Headers(headers)).tag == tag


def test_pages_say_which_language_they_are_in(library: TestClient) -> None:
    for sent, tag in (({}, "en"), (CHINESE, "zh-Hans")):
        answer = library.get("/status", headers=sent)
        assert Markup(answer.text).all("html")[0].attributes["lang"] == tag
        assert answer.headers["content-language"] == tag
        assert {"Accept-Language", "Cookie"} <= set(answer.headers["vary"].split(", "))


def test_a_language_is_chosen_with_a_form_and_stays(client: TestClient) -> None:
    form = Markup(client.get("/trash").text)
    assert [e.attributes["value"] for e in form.all("button") if e.attributes.get("name") == "language"] == ["zh-Hans"]
    answer = client.post("/language", data={"language": "zh-Hans", "back": "/trash"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/trash")
    assert "回收站" in client.get("/trash").text
    assert "回收站" in client.get("/trash", headers={"Accept-Language": "en"}).text
    client.post("/language", data={"language": "en", "back": "/trash"})
    assert "回收站" not in client.get("/trash", headers=CHINESE).text


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil.example", ""])
def test_choosing_a_language_leads_nowhere_else(client: TestClient, back: str) -> None:
    assert client.post("/language", data={"language": "en", "back": back}).headers["location"] == "/"


def test_a_language_that_is_not_there_is_refused(client: TestClient) -> None:
    answer = client.post("/language", data={"language": "klingon"})
    assert answer.status_code == 422
    assert "set-cookie" not in answer.headers


def test_whoever_has_not_logged_in_can_choose_a_language(people_client: TestClient) -> None:
    people_client.post("/language", data={"language": "zh-Hans", "back": "/login"})
    page = people_client.get("/login").text
    assert "密码" in page
    assert 'action="/language"' in page


def test_fragments_for_htmx_are_in_the_language_of_their_page(library: TestClient) -> None:
    answer = library.get("/status", headers=CHINESE | {"HX-Request": "true"})
    assert "<html" not in answer.text
    assert "编码器" in answer.text


def test_errors_are_said_in_the_language_of_the_reader(library: TestClient) -> None:
    page = library.get("/nothing", headers=CHINESE)
    assert page.status_code == 404
    assert "这里什么也没有" in page.text
    assert "这个地址上什么也没有。搜索页面会显示所有内容。" in page.text
    notice = library.post("/selection", headers=CHINESE | {"HX-Request": "true"}, data={"action": "tag"})
    assert "没有选择图片。请至少选择一张。" in notice.text


def test_an_error_that_nobody_expected_is_said_in_it_too(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("webapp.routes.trash.listing.list_deleted")
    answer = client.get("/trash", headers=CHINESE)
    assert answer.status_code == 500
    assert "Likeness 内部出了问题。" in answer.text
    assert Markup(answer.text).all("html")[0].attributes["lang"] == "zh-Hans"


@pytest.mark.parametrize("path", ["/api/v1/images/none", "/api/v1/nothing", "/api/v1/images?limit=many"])
def test_programs_are_answered_in_english(library: TestClient, path: str) -> None:
    asked, plain = library.get(path, headers=CHINESE), library.get(path)
    assert asked.json() == plain.json()
    assert asked.json()["error"]["message"].isascii()


def test_what_is_kept_is_kept_in_english(client: TestClient) -> None:
    """A refused file of an upload is read by others later, in their languages."""
    sent = {"file": ("notes.txt", b"just some words, which are no picture")}
    client.post("/upload", headers=CHINESE, data={"batch": "b"}, files=sent)
    assert "不是图片" in client.get("/upload?batch=b", headers=CHINESE).text
    assert "not a picture" in client.get("/upload?batch=b").text


# ---- Numbers and dates


@IN_CHINESE
def test_numbers_and_dates_are_written_as_the_language_has_them() -> None:
    moment = datetime(2026, 11, 5, 9, 7, tzinfo=UTC)
    assert wording.as_date(moment) == "2026年11月5日"
    assert wording.as_short_moment(moment) == "2026年11月5日 09:07"
    assert (wording.as_percent(0.42), wording.as_percent(0.001)) == ("42%", "<1%")
    assert wording.as_number(1234567) == "1,234,567"
    assert (wording.as_size(999), wording.as_size(2_400_000)) == ("999 字节", "2.4 MB")


def test_english_numbers_and_dates_are_those_of_the_source() -> None:
    moment = datetime(2026, 9, 5, 9, 7, tzinfo=UTC)
    assert (wording.as_date(moment), wording.as_short_date(moment)) == ("5 September 2026", "5 Sep 2026")
    assert [wording.as_size(size) for size in (1, 999_999, 31_400_000_000)] == ["1 bytes", "1,000 kB", "31.4 GB"]
    assert (wording.as_percent(0.42), wording.as_number(0.25)) == ("42 %", "0.25")


# ---- Messages


@IN_CHINESE
def test_a_message_that_counts_has_the_form_of_its_number() -> None:
    counted = [ngettext("%(number)s picture", "%(number)s pictures", number) for number in (0, 1, 1204)]
    assert counted == ["0 张图片", "1 张图片", "1,204 张图片"]
    with speaking(ENGLISH):
        counted = [ngettext("%(number)s picture", "%(number)s pictures", number) for number in (0, 1, 1204)]
        assert counted == ["0 pictures", "1 picture", "1,204 pictures"]


def test_another_language_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pl.po").write_text(POLISH)
    monkeypatch.setattr(language, "LANGUAGES", tmp_path)
    languages.cache_clear()
    try:
        polish = languages()["pl"]
        assert polish.name == "polski"
        with speaking(polish):
            counted = [ngettext("%(number)s picture", "%(number)s pictures", number) for number in (1, 3, 5, 22, 1234)]
            assert counted == ["1 obraz", "3 obrazy", "5 obrazów", "22 obrazy", "1\N{NO-BREAK SPACE}234 obrazy"]
            assert gettext("Trash") == "Trash"  # not translated yet
            assert wording.as_date(datetime(2026, 11, 5, tzinfo=UTC)) == "5 listopada 2026"
    finally:
        monkeypatch.undo()
        languages.cache_clear()


@IN_CHINESE
def test_words_of_a_vocabulary_are_translated_and_names_are_not() -> None:
    assert translated("animal", "category") == "动物"
    assert translated("Search", "category") == "Search"


def test_scripts_have_every_word_in_the_language_of_the_page(library: TestClient) -> None:
    for sent, form in (({}, {"one", "other"}), (CHINESE, {"other"})):
        page = Markup(library.get("/", headers=sent).text)
        words = json.loads(
            next(e for e in page.all("meta") if e.attributes.get("name") == "words").attributes["content"]
        )
        assert set(words) == {*MESSAGES, *COUNTED}
        assert set(words["selected"]) == form
    script = "".join(path.read_text() for path in (Path(__file__).parents[2] / "static").glob("*.js"))
    asked = set(re.findall(r'\b(?:words|counted|around)\("(\w+)"', script))
    assert asked == {*MESSAGES, *COUNTED}


# ---- Sentences of errors


@IN_CHINESE
def test_an_error_is_found_as_it_is_or_by_the_message_that_it_was_made_from() -> None:
    assert said("There is no such library.") == "没有这个图库。"
    assert said("This file is larger than the limit of 64 MB. Please upload a smaller version.") == (
        "这个文件超过了 64 MB 的上限。请上传较小的版本。"
    )
    assert said("There were too many wrong passwords. Please try again in 5 minutes.") == (
        "输错密码的次数太多。请在 5 分钟后重试。"
    )


@IN_CHINESE
def test_several_sentences_are_translated_one_by_one() -> None:
    assert said("It has not answered within 4 seconds. Please log in first.") == "4 秒内没有应答。请先登录。"


@IN_CHINESE
def test_what_people_wrote_stays_as_it_is_in_a_sentence() -> None:
    name = "Please log in first. (.*) {name} %(name)s <b>\\1"
    sentence = f"There is a library called “{name}” already. Please choose another name."
    assert said(sentence) == f"已经有名为“{name}”的图库。请换一个名称。"


@IN_CHINESE
@pytest.mark.parametrize("text", ["", "holiday.jpg", "Nothing that Likeness says.", "x" * 5000, "[ [ [ ("])
def test_what_is_no_sentence_of_ours_is_returned_as_it_is(text: str) -> None:
    assert said(text) == text


def test_every_message_of_an_error_is_found_again_when_it_has_been_filled(chinese: Language) -> None:
    """So that no message is taken for another one, which has fewer words of its own."""
    lost = []
    for english, translation in chinese.errors.items():
        names = re.findall(r"\{(\w+)\}", english)
        filled, wanted = english, translation
        for at, name in enumerate(dict.fromkeys(names)):
            filled, wanted = (text.replace(f"{{{name}}}", f"v{at}") for text in (filled, wanted))
        if said(filled) != wanted and len(re.sub(r"\{\w+\}|\W", "", english)) >= 12:
            lost.append((filled, said(filled)))
    assert lost == []


# ---- Nothing is left out


def shown_on(page: str) -> list[str]:
    """Return every text of a page that is seen or read aloud, but for what says itself that it is English."""
    found = [e for e in Markup(page).elements if "en" not in {each.attributes.get("lang") for each in (*e.inside, e)}]
    names = ("aria-label", "title", "placeholder", "alt", "data-ask", "data-ask-more")
    attributes = [e.attributes[name] for e in found for name in names if name in e.attributes]
    return [e.text for e in found if e.tag in SAYING] + attributes


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/upload",
        "/status",
        "/trash",
        "/libraries",
        "/nothing",
        "image",
        "/?text=cat",
        "/searches",
        "/?color=ff0000",
        "like",
    ],
)
def test_no_page_of_the_application_is_partly_english(library: TestClient, path: str) -> None:
    if path == "image":
        path = f"/images/{library.get('/api/v1/images').json()['images'][0]['id']}"
    if path == "like":
        path = f"/?like={library.get('/api/v1/images').json()['images'][0]['id']}&category=animal&sort=oldest"
    shown = shown_on(library.get(path, headers=CHINESE).text)
    commands = re.compile(r"likeness [a-z]+( [a-z]+)?( [A-Z]+)?")
    left = [text for text in shown if ENGLISH_WORDS.search(commands.sub("", text))]
    assert left == []


@pytest.mark.parametrize("path", ["/account", "/people", "/audit", "/libraries"])
def test_no_page_about_people_is_partly_english(people_client: TestClient, path: str) -> None:
    browser = log_in(people_client, "ada")
    left = [text for text in shown_on(browser.get(path, headers=CHINESE).text) if ENGLISH_WORDS.search(text)]
    assert left == []
