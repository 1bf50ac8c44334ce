"""The words that scripts say, in the language of the page; `static/words.js` reads them from its head."""

import json
from functools import lru_cache

from webapp.language import languages, marked, marked_forms, present

MESSAGES = {
    "copied": marked("Copied"),
    "copied_what": marked("Copied %(what)s"),
    "copy_this": marked("Copy this:"),
    "no_answer": marked("Likeness does not answer. Is it still running?"),
    "sending": marked("Sending…"),
    "sending_part": marked("Sending: %(done)s of %(all)s"),
    "being_checked": marked("Sent; being checked…"),
    "connection_lost": marked("The connection was lost"),
    "server_busy": marked("The server is busy"),
    "refused": marked("The server could not take this file."),
    "try_when_back": marked("%(reason)s. Try again when it is back."),
    "trying_again": marked("%(reason)s; trying again in %(seconds)s s"),
    "logged_out": marked("You have been logged out. %(link)s, then try again."),
    "log_in_again": marked("Log in again"),
    "canceled": marked("Canceled"),
    "waiting": marked("Waiting to be sent"),
    "press_key": marked("Press a key…"),
    "key_taken": marked("This key is taken by the page itself. Please choose another one."),
}
COUNTED = {
    "selected": marked_forms("%(number)s picture selected", "%(number)s pictures selected"),
    "delete": marked_forms("Delete %(number)s picture", "Delete %(number)s pictures"),
    "delete_question": marked_forms("Delete %(number)s picture?", "Delete %(number)s pictures?"),
}
HIGHEST_TRIED = 200
"""No language has a plural form that no number up to this one takes (Unicode CLDR, plural rules)."""


def script_words() -> str:
    """Return every message as JSON; one that counts has a form for each category of `Intl.PluralRules`."""
    return _words_of(present().tag)


@lru_cache(maxsize=64)
def _words_of(tag: str) -> str:
    language = languages()[tag]
    samples: dict[str, int] = {}
    for number in range(HIGHEST_TRIED):
        samples.setdefault(language.locale.plural_form(number), number)
    words: dict[str, str | dict[str, str]] = {
        key: language.messages.gettext(message) for key, message in MESSAGES.items()
    }
    for key, (one, many) in COUNTED.items():
        words[key] = {form: language.messages.ngettext(one, many, number) for form, number in samples.items()}
    return json.dumps(words, ensure_ascii=False)
