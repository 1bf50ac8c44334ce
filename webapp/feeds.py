"""Feeds as documents: Atom (RFC 4287) and JSON Feed 1.1, of the same entries.

A link leads to the page of an image, where whoever is not logged in is asked to. A thumbnail is in a feed only where
nobody logs in at all: readers could not fetch it elsewhere, and the key of a feed opens no picture.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5
from xml.etree import ElementTree as ET

ATOM = "http://www.w3.org/2005/Atom"
JSON_FEED = "https://jsonfeed.org/version/1.1"
ATOM_TYPE = "application/atom+xml; charset=utf-8"
JSON_TYPE = "application/feed+json; charset=utf-8"
THUMBNAIL_TYPE = "image/webp"

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped."""


@dataclass(frozen=True)
class FeedEntry:
    """An image in a feed. `id` is that of the image; `thumbnail` is "" where none may be told. Addresses are whole."""

    id: str
    title: str
    address: str
    summary: str
    at: datetime
    thumbnail: str = ""


@dataclass(frozen=True)
class FeedDocument:
    """A feed: of which search, where it is itself, where that search is opened, and its entries, newest first."""

    id: str
    title: str
    address: str
    home: str
    updated: datetime
    entries: tuple[FeedEntry, ...]

    def id_of(self, entry: FeedEntry) -> str:
        """Return an id that no other entry of any feed has, and this one always."""
        return uuid5(_space(self.id), entry.id).urn


def atom(feed: FeedDocument) -> bytes:
    """Return the feed as Atom."""
    ET.register_namespace("", ATOM)
    root = ET.Element(f"{{{ATOM}}}feed")
    _add(root, "id", _space(feed.id).urn)
    _add(root, "title", feed.title)
    _add(root, "updated", feed.updated.isoformat())
    _add(_add(root, "author"), "name", "Likeness")
    _add(root, "link", rel="self", type="application/atom+xml", href=feed.address)
    _add(root, "link", rel="alternate", type="text/html", href=feed.home)
    for entry in feed.entries:
        made = _add(root, "entry")
        _add(made, "id", feed.id_of(entry))
        _add(made, "title", entry.title)
        _add(made, "updated", entry.at.isoformat())
        _add(made, "published", entry.at.isoformat())
        _add(made, "link", rel="alternate", type="text/html", href=entry.address)
        if entry.thumbnail:
            _add(made, "link", rel="enclosure", type=THUMBNAIL_TYPE, href=entry.thumbnail)
        _add(made, "summary", entry.summary)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def json_feed(feed: FeedDocument) -> bytes:
    """Return the feed as JSON Feed."""
    told = {
        "version": JSON_FEED,
        "title": feed.title,
        "home_page_url": feed.home,
        "feed_url": feed.address,
        "authors": [{"name": "Likeness"}],
        "items": [
            {
                "id": feed.id_of(entry),
                "url": entry.address,
                "title": entry.title,
                "content_text": entry.summary,
                "date_published": entry.at.isoformat(),
                **({"image": entry.thumbnail} if entry.thumbnail else {}),
            }
            for entry in feed.entries
        ],
    }
    return json.dumps(told).encode()


def _space(search_id: str) -> UUID:
    """Return the UUID of a feed, from which those of its entries are made."""
    return uuid5(NAMESPACE_URL, f"likeness:search:{search_id}")


def _add(parent: ET.Element, name: str, text: str = "", **attributes: str) -> ET.Element:
    made = ET.SubElement(parent, f"{{{ATOM}}}{name}", {key: _xml(value) for key, value in attributes.items()})
    if text:
        made.text = _xml(text)
    return made


def _xml(text: str) -> str:
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
