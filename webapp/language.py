"""Which language a request is answered in, and messages in it.

Each file `languages/*.po` is a language; English, which is what the source says, needs none. The language is the one
that a person has chosen (a cookie), or else the first of what the browser asks for that is there. Only pages are
translated: programs are answered in English whatever they ask for, and errors are raised and logged in English
(`webapp.sentences` translates them where a page shows them).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from http.cookies import CookieError, SimpleCookie
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from webapp.paths import LANGUAGES

COOKIE = "language"
ERRORS = "error"  # the context of the messages that `webapp.sentences` looks up
COOKIE_SECONDS = 365 * 24 * 3600
MOST_ASKED = 20  # languages read from one header; browsers send a handful
MOST_KEPT = 4096  # numbers as they are written: a page of tiles has the same ones again and again
FOR_PROGRAMS = ("/api/", "/feeds/", "/results.", "/metrics", "/livez", "/readyz")
READ_BY_PEOPLE = "/api/v1/docs"
VARY = "Accept-Language, Cookie"


@dataclass(frozen=True)
class Language:
    """A language that the pages speak. `tag` is as in HTML and HTTP (BCP 47), `name` is what it calls itself.

    `errors` are the messages of errors, with `{placeholders}`, and their translations.
    """

    tag: str
    name: str
    locale: Locale
    messages: NullTranslations
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_source(self) -> bool:
        """Whether this is the language of the source, in which every message is its own translation."""
        return self.tag == ENGLISH.tag


ENGLISH = Language("en", "English", Locale("en"), NullTranslations())

_present: ContextVar[Language] = ContextVar("language", default=ENGLISH)


@lru_cache(maxsize=1)
def languages() -> dict[str, Language]:
    """Return every language under its tag, English first."""
    others = (_read(path) for path in sorted(LANGUAGES.glob("*.po")))
    return {language.tag: language for language in (ENGLISH, *others)}


def present() -> Language:
    """Return the language of the request that is being answered; English outside of any."""
    return _present.get()


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Let everything in the block be in `language`."""
    token = _present.set(language)
    try:
        yield
    finally:
        _present.reset(token)


def gettext(message: str, /, **values: object) -> str:
    """Return a message in the present language, with its `%(placeholders)s` filled."""
    return present().messages.gettext(message) % values


def ngettext(one: str, many: str, number: int, /, **values: object) -> str:
    """Return a message in the form that `number` needs; `%(number)s` is that, written for people."""
    return present().messages.ngettext(one, many, number) % {"number": as_number(number), **values}


def marked(message: str) -> str:
    """Return `message` as it is; it is known as one that `gettext` or `translated` looks up when it is shown."""
    return message


def marked_forms(one: str, many: str) -> tuple[str, str]:
    """Return both forms as they are; they are known as a message that `ngettext` looks up when it is shown."""
    return one, many


def translated(word: str, context: str) -> str:
    """Return a word of a vocabulary, such as a category or a role, in the present language.

    A word that has no translation, as a name that somebody has given, is returned as it is.
    """
    return present().messages.pgettext(context, word)


def as_number(number: float) -> str:
    """Return a number with separated thousands: 12,345."""
    return _number(number, present().tag)


@lru_cache(maxsize=MOST_KEPT)
def _number(number: float, tag: str) -> str:
    return str(format_decimal(number, locale=languages()[tag].locale, decimal_quantization=False))


def language_of(headers: Headers) -> Language:
    """Return the language that somebody has chosen, or else the one that suits what the browser asks for."""
    chosen = languages().get(_cookie_of(headers))
    return chosen or _suited(headers.get("accept-language", ""))


class Speaking:
    """ASGI middleware: everything that answers a request, also in threads, finds its language by `present`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # It is not set back: an unexpected error is answered outside of this, by the same task.
            _present.set(_language_at(scope["path"], Headers(scope=scope)))
        await self.app(scope, receive, send)


def _language_at(path: str, headers: Headers) -> Language:
    if path.startswith(FOR_PROGRAMS) and path != READ_BY_PEOPLE:
        return ENGLISH
    return language_of(headers)


def _read(path: Path) -> Language:
    """Return the language of a catalogue."""
    with path.open("rb") as file:
        catalogue = read_po(file, locale=path.stem)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    locale = Locale.parse(path.stem)
    name = locale.get_display_name(locale) or path.stem
    errors = {str(message.id): str(message.string) for message in catalogue if message.context == ERRORS}
    return Language(path.stem.replace("_", "-"), name, locale, GNUTranslations(compiled), errors)


def _cookie_of(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _suited(accepted: str) -> Language:
    """Return the first language of an Accept-Language header (RFC 9110, section 12.5.4) that there is.

    A language that is there in another script or for another country is better than English.
    """
    wishes = [_wish(part) for part in accepted.split(",")[:MOST_ASKED]]
    for tag, quality in sorted(wishes, key=lambda wish: -wish[1]):
        if quality <= 0:
            continue
        for language in languages().values():
            if language.tag.lower() == tag:
                return language
        for language in languages().values():
            if language.locale.language == tag.partition("-")[0]:
                return language
    return ENGLISH


def _wish(part: str) -> tuple[str, float]:
    tag, _, weight = part.strip().lower().partition(";")
    text = weight.strip().removeprefix("q=") if weight else "1"
    try:
        return tag.strip(), float(text)
    except ValueError:
        return tag.strip(), 0.0
