"""Brings the catalogues of the languages up to date with what the source says; `make messages` runs it.

    python deploy/messages.py                 write new messages into each catalogue, take out what is no longer said
    python deploy/messages.py --check         change nothing; fail when a catalogue is behind, or lacks a translation
    python deploy/messages.py --add de        begin another language

Messages come from four places: `_("…")` and `ngettext(…)` in templates and in Python, `marked("…")` in Python,
sentences of errors, and the vocabularies below, whose words are values of the API and are translated for the eye only.
Errors are found by reading the source: whatever looks like a sentence in a module whose errors can reach a page.
docs/languages.md tells translators the rest.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pipeline import health  # noqa: E402
from pipeline.access import DEEDS  # noqa: E402
from pipeline.features.picture import CATEGORIES, COLOR_NAMES, EXIF_FIELDS, SCHEMES  # noqa: E402
from pipeline.principals import Role, Scope  # noqa: E402
from pipeline.shapes import ORIENTATIONS  # noqa: E402
from pipeline.stores.records_audit import Event  # noqa: E402
from webapp import pages_accounts, pages_libraries, wording  # noqa: E402
from webapp.language import ERRORS  # noqa: E402
from webapp.paths import LANGUAGES  # noqa: E402
from webapp.routes.regions import SIDES  # noqa: E402

WIDTH = 120
MOST_TOLD = 20  # faults of one catalogue
KEYWORDS: dict[str, tuple[int, ...] | None] = {"_": None, "gettext": None, "marked": None, "ngettext": (1, 2)} | {
    "marked_forms": (1, 2)
}
FOR_THE_SHELL = re.compile(
    r"webapp/(app|cli|script_words|api_form|oidc_settings|pages_|filter_help|schemas)|webapp/routes/api_|pipeline/("
    r"audit|backend|bulk_import|celery|decoder_messages|doctor|encoder_choice|evaluation|export|folder_walk|labelled_folder|"
    r"migrating|model_|moving|patience|reindexing|reconcile|settings|spreadsheets|telling|weights|worker|"
    r"features/category|features/encoders/(?!clip_text|lite_text)|features/stripping|"
    r"stores/(copying|migrations|opening|s3_address|vectors_milvus_address))"
)
"""Modules whose sentences no page shows: those that only the shell runs, and what fails before anything is served."""

DETAILS = (
    *("administrator", "before", "email", "files", "how", "invited by", "person", "pictures", "role", "scopes"),
    *("sessions", "sessions ended", "tokens", "yes", "no", *Role, "by single sign-on", "by a link that works once"),
    *("(this machine)", "a library of others", "reason", "hashes kept"),
    *("entries", "entry", "level", "does", "kind", "matched", "of uploads", "until", "name", "action", "sentence"),
    *("max distance", "ratio", "expires at", "notes", "guarded", "keeps thumbnails"),
)
"""What the audit log says of its entries, beside names."""

SENTENCE = re.compile(r"^[A-Z{“].* .*[.!?]$", re.DOTALL)
NOT_SAID = {
    "debug",
    "info",
    "warning",
    "error",
    "exception",
    "compile",
    "text",
    "execute",
    "marked",
    "marked_forms",
    "_",
    "gettext",
    "ngettext",
}
"""Calls whose texts are no errors: of loggers, patterns, statements, and messages that are found otherwise."""


def vocabularies() -> Iterator[tuple[str, str]]:
    """Yield each word that `translated` may be asked for, with its context."""
    for context, words in {
        "category": CATEGORIES,
        "color_name": COLOR_NAMES,
        "orientation": ORIENTATIONS,
        "scheme": SCHEMES,
        "side": SIDES,
        "scope": [
            *Scope,
            *(text for choice in pages_accounts.SCOPE_CHOICES for text in (choice.title, choice.sentence)),
        ],
        "period": [words for _, words in pages_accounts.EXPIRY_CHOICES],
        "role": [*Role, *(words for _, words in pages_libraries.ROLE_CHOICES), *map(wording.with_article, Role)],
        "store": [*health.NAMES, "Queue", *(name.lower() for name in health.NAMES)],
        "camera": [name.replace("_", " ").capitalize() for name in EXIF_FIELDS],
        "audit": Event,
        "detail": DETAILS,
        "value": [
            *DEEDS.values(),
            "The name of a token",
            "The name of a search",
            "The name of a bank",
            "The sentence of a bank",
            "The reason",
            *("this picture", "these pictures", "approved", "removed"),
            "{number} seconds",
            "{number} minutes",
        ],
    }.items():
        for word in words:
            yield context, str(word)


def errors_of(path: Path) -> Iterator[str]:
    """Yield the sentences in a module, with `{placeholders}` for what is put into them."""
    tree = ast.parse(path.read_text())
    skipped = {id(inside) for node in ast.walk(tree) if _is_not_said(node) for inside in ast.walk(node)}
    skipped |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = re.sub(r"\{(\w+)[^{}]*\}", r"{\1}", node.value)  # of str.format: without how a value is written
        elif isinstance(node, ast.JoinedStr):
            text = _text_of(node)
        else:
            continue
        if SENTENCE.match(text):
            yield text


def _is_not_said(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):  # a docstring
        return True
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    return (function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")) in NOT_SAID


def _text_of(node: ast.JoinedStr) -> str:
    """Return an f-string as a message; each placeholder is called after what is put there."""
    names: dict[str, str] = {}
    parts = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
            continue
        said = ast.unparse(part.value) if isinstance(part, ast.FormattedValue) else ""
        name = "_".join(re.findall(r"[A-Za-z]\w*", said)[-2:]).lower()[:24] or "value"
        while name in names and names[name] != said:
            name += "_"
        names[name] = said
        parts.append(f"{{{name}}}")
    return "".join(parts)


def collected() -> Catalog:
    """Return every message that the source has, without translations."""
    catalogue = Catalog(project="Likeness", fuzzy=False)
    for path in sorted((ROOT / "templates").glob("*.html")):
        _take(catalogue, path, "jinja2.ext:babel_extract")
    for path in sorted((ROOT / "webapp").rglob("*.py")):
        _take(catalogue, path, "python")
    for path in sorted([*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "webapp").rglob("*.py")]):
        name = path.relative_to(ROOT).as_posix()
        if FOR_THE_SHELL.match(name):
            continue
        for sentence in errors_of(path):
            catalogue.add(sentence, locations=[(name, 0)], context=ERRORS)
    for context, word in vocabularies():
        catalogue.add(word, context=context)
    return catalogue


def _take(catalogue: Catalog, path: Path, method: str) -> None:
    for _, message, comments, context in extract_from_file(
        method, path, keywords=KEYWORDS, comment_tags=["Translators:"]
    ):
        location = (path.relative_to(ROOT).as_posix(), 0)
        catalogue.add(message, locations=[location], auto_comments=comments, context=context)


def updated(old: Catalog) -> Catalog:
    """Return a catalogue with the messages of now, in their order, and the translations that it had for them."""
    new = Catalog(locale=old.locale, project="Likeness", header_comment=old.header_comment, fuzzy=False)
    for message in collected():
        if not message.id:
            continue
        before = old.get(message.id, message.context)
        string = before.string if before is not None else None
        comments = before.user_comments if before is not None else ()
        new.add(
            message.id,
            string,
            message.locations,
            message.flags,
            message.auto_comments,
            comments,
            context=message.context,
        )
    return new


def faults(old: Catalog, new: Catalog) -> Iterator[str]:
    """Yield what is wrong with a catalogue, in sentences."""
    known = {(message.context, message.id) for message in new if message.id}
    for message in old:
        if message.id and (message.context, message.id) not in known:
            yield f"is no longer said: {message.id!r}"
    for message in new:
        if not message.id:
            continue
        wanted = message.id if isinstance(message.id, tuple) else (message.id,)
        given = message.string if isinstance(message.string, tuple) else (message.string,)
        if not all(given):
            yield f"has no translation: {message.id!r}"
            continue
        for text in given:
            if placeholders(text) != placeholders(wanted[-1]):
                yield f"has other placeholders than {wanted[-1]!r}: {text!r}"
            if markup(text) != markup(wanted[-1]):
                yield f"has other elements than {wanted[-1]!r}: {text!r}"


def placeholders(text: str) -> set[str]:
    """Return the `%(names)s` and `{names}` in a message, and `%` where a sign for percent is not doubled."""
    named = set(re.findall(r"%\(\w+\)s|\{\w+\}", text))
    bare = re.sub(r"%\(\w+\)s|%%", "", text)
    return named | ({"%"} if "%" in bare else set())


def markup(text: str) -> list[str]:
    """Return the tags in a message, sorted: a language may order the words that they are around in another way."""
    return sorted(re.findall(r"<[^>]+>", text))


def read(path: Path) -> Catalog:
    """Return a catalogue."""
    with path.open("rb") as file:
        return read_po(file, locale=path.stem)


def text_of(catalogue: Catalog) -> bytes:
    """Return a catalogue as it is kept: without what changes with every other edit, numbers of lines and dates."""
    written = BytesIO()
    write_po(written, catalogue, width=WIDTH, include_lineno=False)
    return re.sub(
        rb'^"(?!Language:|Plural-Forms|MIME|Content)[A-Z][A-Za-z-]+: .*\\n"\n',
        b"",
        written.getvalue(),
        flags=re.MULTILINE,
    )


def main(arguments: Iterable[str] | None = None) -> int:
    """Update or check; return the exit status."""
    parser = argparse.ArgumentParser(description="Bring the catalogues of the languages up to date.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail when something is missing")
    parser.add_argument("--add", metavar="LOCALE", help="begin another language, such as de or pt_BR")
    asked = parser.parse_args(None if arguments is None else list(arguments))
    if asked.add:
        (LANGUAGES / f"{asked.add}.po").write_bytes(text_of(updated(Catalog(locale=asked.add))))
    problems = 0
    for path in sorted(LANGUAGES.glob("*.po")):
        old = read(path)
        new = updated(old)
        found = list(faults(old, new))
        if not asked.check:
            path.write_bytes(text_of(new))
            found = [fault for fault in found if not fault.startswith("is no longer")]
        for fault in found[:MOST_TOLD]:
            print(f"{path.name}: {fault}")
        if len(found) > MOST_TOLD:
            print(f"{path.name}: and {len(found) - MOST_TOLD} more")
        problems += len(found)
    return 1 if problems and asked.check else 0


if __name__ == "__main__":
    sys.exit(main())
