"""Values for the page about saved searches, from none at all to hostile names."""

from dataclasses import replace

from tests.web.samples import HOSTILE, LONG, RIGHT_TO_LEFT, SHELL
from tests.web.samples_people import LONG_NAME, MEMBER, TOKEN
from webapp.pages_accounts import Secret
from webapp.pages_searches import SavedSearchPanel, SearchesPage, WebhookLine

PLAIN = SavedSearchPanel(
    "s1", "red wine", "“red wine” · animal · in family", "/?text=red+wine", "5 Nov 2026", "3 new pictures found"
)
LONG_ADDRESS = "https://hooks.example.org/" + "a" * 200


def searches_pages() -> dict[str, SearchesPage]:
    told = WebhookLine("https://hooks.example.org/in", "Last taken on 5 Nov 2026, 12:00 UTC")
    failing = WebhookLine(LONG_ADDRESS, "Nothing is sent", "The receiver answered with status 500.", may_try_again=True)
    full = SearchesPage(
        replace(MEMBER, active="searches"),
        (
            PLAIN,
            replace(PLAIN, id="s2", name=HOSTILE, asks=HOSTILE, feed_since="5 Nov 2026", webhook=told),
            replace(PLAIN, id="s3", name=LONG_NAME, asks=LONG, paused=True, webhook=failing),
            replace(PLAIN, id="s4", name=RIGHT_TO_LEFT, problem="The picture that this search compares with is gone."),
        ),
    )
    problems = replace(
        PLAIN,
        rename_problem="The name of a search is missing. Please write one.",
        typed_name=HOSTILE,
        webhook_problem="The receiver could not be reached.",
        typed_address=HOSTILE,
    )
    shown = Secret(
        f"The Atom feed of “{HOSTILE}”", f"https://pictures.example/feeds/{TOKEN}.atom", "It is.", "/searches"
    )
    return {
        "none": SearchesPage(replace(SHELL, active="searches"), ()),
        "full": full,
        "secrets": replace(full, secrets=(shown, replace(shown, title="The JSON feed"))),
        "problems": replace(full, searches=(problems,), problem="This search is too long to be kept."),
        "without-webhooks": replace(full, has_webhooks=False),
    }
