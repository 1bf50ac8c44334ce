"""What the page about saved searches shows: one frozen dataclass a page, as in `webapp.pages`.

The addresses to which the forms are posted, with their fields, are listed at the page; each form has the hidden field
`csrf_token` as well.
"""

from dataclasses import dataclass

from webapp.pages import Shell
from webapp.pages_accounts import Secret


@dataclass(frozen=True)
class WebhookLine:
    """Where the matches of a search are sent. `state` says how that goes, `error` what came of the last try.

    `may_try_again` is true where something waits for another try, or was given up.
    """

    address: str
    state: str
    error: str = ""
    may_try_again: bool = False


@dataclass(frozen=True)
class SavedSearchPanel:
    """A saved search. `asks` is what it asks for in words, `open_url` leads to its results.

    `found` says how many matches there are to see; `feed_since` is since when its feed address works, "" without one.
    `problem` says why it finds nothing now. `webhook_problem` and `rename_problem` are shown at their forms, with the
    `typed_…` values that were refused.
    """

    id: str
    name: str
    asks: str
    open_url: str
    since: str
    found: str
    paused: bool = False
    problem: str = ""
    feed_since: str = ""
    webhook: WebhookLine | None = None
    webhook_problem: str = ""
    typed_address: str = ""
    rename_problem: str = ""
    typed_name: str = ""

    @property
    def is_open(self) -> bool:
        """Whether its forms are unfolded: one of them was refused."""
        return bool(self.webhook_problem or self.rename_problem)


@dataclass(frozen=True)
class SearchesPage:
    """`/searches`. A new one is posted there: `name`, and `query`, the address of the search.

    Posted below `/searches/{id}/`: `rename` (`name`), `pause` (`paused` = 1 or 0), `delete`, `feed` (`do` = make or
    end), `webhook` (`address`), `webhook/remove`, `webhook/retry`. `secrets` are shown once, on the answer to making
    them. `problem` is that of a search that was not saved. `has_webhooks` is false where they are switched off.
    """

    shell: Shell
    searches: tuple[SavedSearchPanel, ...]
    secrets: tuple[Secret, ...] = ()
    problem: str = ""
    has_webhooks: bool = True
