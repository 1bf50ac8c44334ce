"""Time passing for people, without waiting: what happened is moved into the past."""

from datetime import timedelta

import sqlalchemy as sa

from pipeline.stores.database import Database
from pipeline.stores.tables import UtcTime
from pipeline.stores.tables_people import links, login_failures, sessions, tokens


def let_pass(database: Database, time: timedelta) -> None:
    """Move every moment of sessions, tokens, links and failed logins back by `time`, their ends as well."""
    with database.write() as connection:
        for table in (sessions, tokens, links, login_failures):
            moments = [column.name for column in table.c if isinstance(column.type, UtcTime)]
            for row in connection.execute(sa.select(table)).mappings().all():
                earlier = {name: row[name] - time for name in moments if row[name] is not None}
                connection.execute(table.update().where(table.c.id == row["id"]).values(earlier))
