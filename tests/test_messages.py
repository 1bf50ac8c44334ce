"""The catalogues have everything that the source says, and nothing that it no longer says."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.catalog import Catalog

from webapp.paths import LANGUAGES, TEMPLATES

ROOT = Path(__file__).resolve().parent.parent
CATALOGUES = sorted(LANGUAGES.glob("*.po"))

JINJA = r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}"
TAG = r"<(?:\{\{.*?\}\}|\{%.*?%\}|[^>{]|\{)*>"
TOKENS = re.compile(f"({JINJA}|{TAG})", re.DOTALL)
WORDED = re.compile(
    r'\b(?:aria-label|title|placeholder|data-placeholder|data-ask|data-ask-more|data-label|alt)="([^"]*)"'
)
SAME_EVERYWHERE = {"Likeness", "· Likeness", "Ctrl", "Enter", "Shift", "Esc", "API"} | {
    "#3a6ea5",
    "2.5 MB",
    "https://example.org/hook",
}


"""Names, keys, and examples of what is typed."""


@pytest.fixture(scope="module")
def messages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("messages", ROOT / "deploy" / "messages.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["messages"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_a_catalogue_is_complete_and_as_the_script_writes_it(messages: ModuleType, path: Path) -> None:
    old = messages.read(path)
    new = messages.updated(old)
    assert list(messages.faults(old, new)) == []
    assert messages.text_of(new) == path.read_bytes(), "please run `make messages`"


def test_there_is_a_catalogue() -> None:
    assert [path.stem for path in CATALOGUES] == ["zh_Hans"]


@pytest.mark.parametrize(
    ("message", "translation"),
    [
        ("Hello %(name)s", "你好"),
        ("Hello %(name)s", "你好 %(nom)s"),
        ("Hello {name}", "你好 {nom}"),
        ("<b>bold</b>", "粗"),
        ("so many %%", "这么多 %"),
        ("said", ""),
    ],
)
def test_a_translation_that_does_not_fit_is_a_fault(messages: ModuleType, message: str, translation: str) -> None:
    new = Catalog(locale="zh_Hans")
    new.add(message, translation)
    assert len(list(messages.faults(new, new))) >= 1


def test_what_is_no_longer_said_is_a_fault(messages: ModuleType) -> None:
    old = Catalog(locale="zh_Hans")
    old.add("gone", "没了")
    assert len(list(messages.faults(old, Catalog(locale="zh_Hans")))) == 1


def test_errors_are_found_in_the_source(messages: ModuleType, tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text(
        '"""This is what the module is for."""\n'
        'GONE = "It is gone. Please look elsewhere."\n'
        'FULL = "There is room for {number:,} of {what}."\n'
        "def check(file, limit):\n"
        '    """Return nothing at all, ever."""\n'
        '    log.warning("This is for the log.")\n'
        '    raise NotFound(f"The file {file.name} has more than {limit:,} lines; {limit} is the limit.")\n'
    )
    assert sorted(messages.errors_of(source)) == [
        "It is gone. Please look elsewhere.",
        "The file {file_name} has more than {limit} lines; {limit} is the limit.",
        "There is room for {number} of {what}.",
    ]


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.stem)
def test_no_words_stand_in_a_template_that_are_not_messages(path: Path) -> None:
    """Words of the API's own reference stay English; the page says so with `lang`."""
    if path.name in {"api_docs.html", "_icons.html", "_logo.html"}:
        return
    tokens = TOKENS.split(path.read_text())
    found = [text.strip() for text in tokens[::2]]
    for tag in tokens[1::2]:
        if tag.startswith("<"):
            found += [re.sub(JINJA, "", value) for value in WORDED.findall(tag)]
    words = [text for text in found if re.search(r"[A-Za-z]{2}", text) and text not in SAME_EVERYWHERE]
    assert words == []
