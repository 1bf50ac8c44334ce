"""The time by which leases are kept: that of the database server, so that workers whose clocks differ agree on it."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.stores.tables import UtcTime


def moment(connection: Connection, later: timedelta = timedelta(0)) -> sa.ColumnElement[datetime]:
    """Return the time at which a statement comes to the server, or so much later; SQLite is on the same machine."""
    if connection.dialect.name == "sqlite":
        return sa.literal(datetime.now(UTC) + later, UtcTime)
    # A time without a zone, as UtcTime keeps it. Within a statement it stays the same, which lets indexes be used.
    now = sa.func.timezone("UTC", sa.func.statement_timestamp(), type_=sa.DateTime())
    return sa.type_coerce(now + later, UtcTime)
