"""Time passing for the queue, without waiting: what was due later is due now."""

from datetime import UTC, datetime

from pipeline.stores.database import Database
from pipeline.stores.tables import images

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def let_leases_run_out(database: Database) -> None:
    """Let every lease be over."""
    with database.write() as connection:
        connection.execute(images.update().where(images.c.lease_until.is_not(None)).values(lease_until=LONG_AGO))


def let_waiting_end(database: Database) -> None:
    """Let everything that was put back be due."""
    with database.write() as connection:
        connection.execute(images.update().values(not_before=LONG_AGO))
