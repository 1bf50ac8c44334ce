"""A sentence that is shown once, on the page after a redirect, with the way to undo what it tells.

It travels in a cookie of a minute. It holds no secret and grants nothing: undoing is an ordinary request that is
checked like any other.
"""

import base64
import binascii
import json

from fastapi import Request
from starlette.responses import Response

from webapp.links import is_own_address

COOKIE = "notice"
SECONDS = 60
MOST_UNDO_IDS = 60
"""Ids that a cookie of 4 kB can bear, packed; a larger deletion is undone in parts from the trash."""


def leave_notice(response: Response, sentence: str, undo_ids: tuple[str, ...] = (), *, undo_url: str = "") -> None:
    """Let the next page say `sentence` and offer to restore `undo_ids`, or to send a form to `undo_url`."""
    kept = undo_ids if len(undo_ids) <= MOST_UNDO_IDS else ()
    packed = json.dumps({"sentence": sentence, "undo": kept, "undo_url": undo_url}).encode()
    value = base64.urlsafe_b64encode(packed).decode()
    response.set_cookie(COOKIE, value, max_age=SECONDS, httponly=True, samesite="strict")


def read_notice(request: Request) -> tuple[str, tuple[str, ...], str]:
    """Return the sentence left for this page, and the ids or the address to undo it; nothing when it is damaged."""
    try:
        kept = json.loads(base64.urlsafe_b64decode(request.cookies.get(COOKIE, "")))
        undo_ids = tuple(str(image_id) for image_id in kept["undo"][:MOST_UNDO_IDS])
        undo_url = str(kept.get("undo_url", ""))
        return str(kept["sentence"])[:200], undo_ids, undo_url if is_own_address(undo_url) else ""
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        return "", (), ""


def forget_notice(response: Response) -> None:
    """Show the sentence only once."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
