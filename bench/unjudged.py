"""What a list and a count pay for leaving out what no bank has judged yet.

    python bench/unjudged.py [--images 100000] [--waiting 20] [--rounds 30]

A viewer of two libraries and moderator of a third one asks, in a fresh SQLite database, for the newest images and how
many there are in each state: with the condition, and with that of before, which left out what is held or refused. Both
by turns; the quickest of each in processor time, without a bank, and with one of a library and one of the server.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pipeline.bank_rules import BankAction, Kind
from pipeline.errors import RefusedByBank
from pipeline.images import ImageState, new_image_id
from pipeline.principals import Action, Principal, Role
from pipeline.stores import records_banks
from pipeline.stores.database import Connection, Database
from pipeline.stores.principal_sql import allowed, unheld
from pipeline.stores.records_banks import Bank
from pipeline.stores.tables import image_sources, images, libraries

LIBRARIES = ("seen", "seen too", "moderated")
ROLES = dict(zip(LIBRARIES, (Role.VIEWER, Role.VIEWER, Role.MODERATOR), strict=True))
WHO = Principal("viewer", ROLES, "id of the viewer")
LISTED = 51  # rows, one more than a page
BATCH = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--waiting", type=int, default=20, help="of them, the newest")
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'likeness.db'}")
        database.migrate()
        with database.write() as connection:
            fill(connection, options.images, options.waiting)
        measure(database, "without a bank", options.rounds)
        with database.write() as connection:
            for library in (LIBRARIES[0], None):
                add_bank(connection, library)
        measure(database, "with two banks", options.rounds)
        database.close()


def fill(connection: Connection, number: int, waiting: int) -> None:
    """Write images that are ready, and behind them those that wait for their first analysis."""
    now = datetime.now(UTC)
    connection.execute(libraries.insert(), [{"id": one, "name": one, "created_at": now} for one in LIBRARIES])
    same = {"not_before": now, "media_type": "image/jpeg", "bytes": 1, "width": 1, "height": 1, "created_at": now}
    rows: list[dict[str, object]] = [
        {"id": new_image_id(), "library": LIBRARIES[place % 3], "sha256": f"{place:064x}", "exif": {}, **same}
        | {"state": "ready" if place < number - waiting else "waiting"}
        | {"analyzed_at": now if place < number - waiting else None}
        for place in range(number)
    ]
    for start in range(0, number, BATCH):
        connection.execute(images.insert(), rows[start : start + BATCH])
    connection.execute(sa.text("ANALYZE"))


def add_bank(connection: Connection, library: str | None) -> None:
    """Make a bank that holds."""
    settings: dict[str, Any] = {"sentence": "", "max_distance": 31, "ratio": 1.0, "expires_at": None, "notes": ""}
    settings |= {"paused": None, "resumed_at": None, "guarded": True, "keeps_thumbnails": True, "created_by": None}
    kind, action, now = Kind.KNOWN, BankAction.HOLD, datetime.now(UTC)
    bank = Bank(new_image_id(), library, f"of {library}", kind, action, created_at=now, **settings)
    records_banks.add(connection, bank)


def unheld_before(principal: Principal, *, own_too: bool = False) -> sa.ColumnElement[bool]:
    """Return what `unheld` does, without asking whether an image was judged."""
    code = sa.func.coalesce(images.c.error_code, "")
    refused = (images.c.state == ImageState.FAILED) & (code == RefusedByBank.code)
    shown = ((images.c.state != ImageState.HELD) & ~refused) | allowed(principal, Action.CHANGE)
    if not own_too:
        return shown
    came = image_sources.c.image_row == images.c.row
    return shown | sa.exists().where(came, image_sources.c.uploader == principal.person_id)


def measure(database: Database, title: str, rounds: int) -> None:
    """Print the quickest of each."""
    there = (images.c.deleted_at.is_(None), images.c.library.in_(LIBRARIES))

    def newest(connection: Connection, condition: Callable[..., sa.ColumnElement[bool]]) -> None:
        asked = sa.select(images.c.row).where(*there, condition(WHO, own_too=True))
        connection.scalars(asked.order_by(images.c.row.desc()).limit(LISTED)).all()

    def states(connection: Connection, condition: Callable[..., sa.ColumnElement[bool]]) -> None:
        asked = sa.select(images.c.state, sa.func.count()).where(*there, condition(WHO))
        connection.execute(asked.group_by(images.c.state)).all()

    with database.read() as connection:
        for ask in (newest, states):
            best = dict.fromkeys((unheld_before, unheld), float("inf"))
            for _ in range(rounds):
                for condition in best:
                    began = time.process_time()
                    ask(connection, condition)
                    best[condition] = min(best[condition], time.process_time() - began)
            before, now = best.values()
            print(f"{title}, {ask.__name__}: {before * 1e3:.2f} ms before, {now * 1e3:.2f} ms now, x{now / before:.2f}")


if __name__ == "__main__":
    main()
