"""Single sign-on, as the rest of the application sees it: where it begins, where it ends, and who came back.

`webapp.oidc_client` does it; `webapp.oidc_settings` opens it.
"""

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

START = "/oidc/start"
CALLBACK = "/oidc/callback"
"""Where the provider sends people back to; registered there with the address of this server before it."""


@dataclass(frozen=True)
class Pending:
    """A login on its way: what only the browser that began it can bring back."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Identity:
    """Whom the provider has confirmed. `name` is for people; `email` is None unless the provider has verified it."""

    issuer: str
    subject: str
    name: str
    email: str | None

    @property
    def key(self) -> str:
        """What never changes and nobody else has: issuer and subject, with a space between."""
        return f"{self.issuer} {self.subject}"


class Provider(Protocol):
    """One provider and what it knows us by. Safe for threads."""

    def begin(self) -> tuple[str, Pending]:
        """Return the address to send the browser to, and what it must bring back.

        Raises ProviderUnavailable.
        """

    def finish(self, code: str, pending: Pending) -> Identity:
        """Return who came back with `code`, which the provider takes only once.

        Raises NotLoggedIn when the provider does not confirm it or what it says cannot be believed, and
        ProviderUnavailable.
        """


def start_url(next_url: str) -> str:
    """Return where single sign-on begins that leads to `next_url` afterwards; "" and "/" are the start page."""
    return f"{START}?{urlencode({'next': next_url})}" if next_url not in {"", "/"} else START
