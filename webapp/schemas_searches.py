"""The shapes of the HTTP API for saved searches."""

from typing import Literal

from pydantic import BaseModel, Field

FieldValue = str | int | float | list[str | int | float]


class Webhook(BaseModel):
    """Where new matches are sent. `state` is `ok`, `failing` (it is tried again) or `stopped` (it is not)."""

    address: str
    state: Literal["ok", "failing", "stopped"]
    delivered_at: str | None
    error: str | None


class NewAddresses(BaseModel):
    """What is shown once: the addresses of a feed that was just made, the secret of a webhook that was just set."""

    feed_atom: str | None = None
    feed_json: str | None = None
    webhook_secret: str | None = None


class SavedSearch(BaseModel):
    """A saved search. `query` has the fields of its address, `problem` says why it finds nothing now.

    `feed_since` is null without a feed. `made` has what this call has made, and is null otherwise.
    """

    id: str
    name: str
    query: dict[str, list[str]]
    url: str
    created_at: str
    paused: bool
    problem: str | None
    found: int
    feed_since: str | None
    webhook: Webhook | None
    made: NewAddresses | None = None


class SavedSearchList(BaseModel):
    searches: list[SavedSearch]


class NewSavedSearch(BaseModel):
    """`query` has the fields of the address of a search: `text`, `like` (the id of an image), `picture`, and filters.

    With `feed` it gets a feed address, with `webhook` its matches are sent there.
    """

    name: str
    query: dict[str, FieldValue]
    feed: bool = False
    webhook: str | None = None


class SavedSearchPatch(BaseModel):
    """What can be changed. `feed` true makes a new address and ends the old one, false ends it.

    `webhook` sets one, with a new secret; "" removes it. `retry` true sends now what was given up.
    """

    name: str | None = None
    paused: bool | None = None
    feed: bool | None = None
    webhook: str | None = Field(None, description="An address, or an empty text.")
    retry: bool = False
