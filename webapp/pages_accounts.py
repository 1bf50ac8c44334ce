"""What the pages about people show: logging in, one's account, the people of this server, and the audit log.

One frozen dataclass a page, as in `webapp.pages`. Times and periods are ready to be read ("5 November 2026, 12:00"),
and "" stands for what there is not. The addresses to which the forms are posted, with their fields, are listed at
each page; each form has the hidden field `csrf_token` as well.
"""

from dataclasses import dataclass
from typing import Literal

from webapp.pages import Shell

Choices = tuple[tuple[str, str], ...]
"""What a list to choose from offers: the value that is sent, and the words for it."""


@dataclass(frozen=True)
class Secret:
    """Something that is shown this once: a token, or a link that works once.

    `title` says what it is ("The token “backup”"), `value` is to be copied, `sentence` says what to do with it and how
    long it works. `page_url` is the page without it, which a reload shall lead to instead of making another.
    """

    title: str
    value: str
    sentence: str
    page_url: str


@dataclass(frozen=True)
class LoginPage:
    """`/login`, posted there: `name`, `password`, `next`.

    `name` is what was typed before. `next_url` is where to go afterwards, "" for the start page. `oidc_name` is what
    people call the single sign-on ("" without one) and `oidc_url` where it starts, `next` included.
    """

    shell: Shell
    name: str = ""
    problem: str = ""
    next_url: str = ""
    oidc_name: str = ""
    oidc_url: str = ""


@dataclass(frozen=True)
class WelcomePage:
    """A one-time link that makes an account or sets a password, posted to `action_url`: `name`, `password`, `again`.

    `purpose` chooses the words: the first account of this server, or a password for an account that is there already.
    With `name_is_fixed` the name is shown, and sent, but cannot be changed.
    """

    shell: Shell
    purpose: Literal["first", "password"]
    action_url: str
    name: str = ""
    name_is_fixed: bool = False
    problem: str = ""


@dataclass(frozen=True)
class SessionLine:
    """One browser in which somebody is logged in. `browser` is its name in words, or what it said about itself."""

    id: str
    browser: str
    address: str
    since: str
    last_used: str
    this_one: bool


@dataclass(frozen=True)
class TokenLine:
    """One API token. `scopes` in words ("read, upload"), `expires` and `last_used` in words ("never")."""

    id: str
    name: str
    scopes: str
    made: str
    expires: str
    last_used: str
    expired: bool = False


@dataclass(frozen=True)
class ScopeChoice:
    """What an API token may be used for, as a checkbox with its sentence."""

    value: str
    title: str
    sentence: str
    chosen: bool = False


@dataclass(frozen=True)
class LibraryLine:
    """A library that somebody is a member of, and as what."""

    name: str
    url: str
    role: str


SCOPE_CHOICES = (
    ScopeChoice("read", "Read", "Search, look at and download pictures.", chosen=True),
    ScopeChoice("upload", "Upload", "Add pictures; with Read also change and delete those you added."),
    ScopeChoice("moderate", "Moderate", "Read, and change and delete pictures, those of others too."),
    ScopeChoice("manage", "Manage", "Read, and look after members and libraries; delete for good."),
)
"""In English, as all choices here; templates translate them."""

EXPIRY_CHOICES: Choices = (("30", "30 days"), ("90", "90 days"), ("365", "1 year"), ("never", "never"))
"""Days after which a token stops working."""


@dataclass(frozen=True)
class AccountPage:
    """`/account`: what somebody can do with their own account.

    Posted: `/account/password` (`current`, `password`, `again`), `/account/sessions/{id}/revoke`,
    `/account/sessions/revoke-others`, `/account/tokens` (`name`, `scope` several times, `expires`) and
    `/account/tokens/{id}/revoke`. `new_token` is shown once, on the answer to making it. `has_password` is false for
    who has only ever used single sign-on. A `…_problem` is shown at its form; `token_name` is what was typed there.
    """

    shell: Shell
    name: str
    sessions: tuple[SessionLine, ...]
    tokens: tuple[TokenLine, ...]
    libraries: tuple[LibraryLine, ...]
    has_password: bool = True
    new_token: Secret | None = None
    password_problem: str = ""
    token_problem: str = ""
    token_name: str = ""
    scopes: tuple[ScopeChoice, ...] = SCOPE_CHOICES
    expiries: Choices = EXPIRY_CHOICES
    expires: str = "90"


@dataclass(frozen=True)
class PersonLine:
    """One account, as administrators see it. `libraries` in words: "3 libraries"."""

    id: str
    name: str
    email: str
    administrator: bool
    active: bool
    made: str
    last_seen: str
    libraries: str
    is_me: bool = False


@dataclass(frozen=True)
class PeoplePage:
    """`/people`, for administrators.

    Posted: `/people` (`name`, `email`, `administrator` = 1), and without fields `/people/{id}/deactivate`,
    `/people/{id}/activate`, `/people/{id}/link`; `/people/{id}/administrator` with `administrator` = 1 or 0.
    `new_link` is shown once. `asks_email` is true where single sign-on recognizes people by it.
    """

    shell: Shell
    people: tuple[PersonLine, ...]
    new_link: Secret | None = None
    problem: str = ""
    name: str = ""
    email: str = ""
    asks_email: bool = False


@dataclass(frozen=True)
class AuditLine:
    """One thing that was done. `at` is read, in UTC; `datetime` is the same for machines (ISO 8601).

    `action` is the event, `detail` is more about it in words, `library` the name of the library.
    """

    at: str
    datetime: str
    who: str
    action: str
    subject: str
    library: str
    address: str
    detail: str = ""


@dataclass(frozen=True)
class AuditPage:
    """`/audit`, newest first. `older_url` shows the next ones; `csv_url` downloads all of it.

    `explanation` says whose deeds these are: of all libraries, or of those that one owns.
    """

    shell: Shell
    explanation: str
    lines: tuple[AuditLine, ...]
    older_url: str | None
    csv_url: str
