"""What a lock that is held for long must not do to PostgreSQL."""

import sqlalchemy as sa

from pipeline.stores.database import Database

OLD_VIEWS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "


def test_a_lock_keeps_no_old_view_of_the_data_which_would_stop_indexes_from_being_built(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    with database.exclusively("something long") as held, database.engine.connect() as connection:
        waiting = connection.scalar(sa.text(OLD_VIEWS + "AND state = 'idle in transaction'"))
        in_the_way = connection.scalar(sa.text(OLD_VIEWS + "AND backend_xmin IS NOT NULL"))
    database.close()

    assert held
    assert (waiting, in_the_way) == (1, 0)
