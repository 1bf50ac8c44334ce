"""What a lock that is held for long must not do to PostgreSQL, nor those who wait for it to their own process."""

from threading import Event, Thread

import sqlalchemy as sa

from pipeline.stores.database import Database

A_WHILE = 30.0  # for threads, which in truth need milliseconds

OLD_VIEWS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "


def test_a_lock_keeps_no_old_view_of_the_data_which_would_stop_indexes_from_being_built(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    with database.exclusively("something long") as held, database.engine.connect() as connection:
        waiting = connection.scalar(sa.text(OLD_VIEWS + "AND state = 'idle in transaction'"))
        in_the_way = connection.scalar(sa.text(OLD_VIEWS + "AND backend_xmin IS NOT NULL"))
    database.close()

    assert held
    assert (waiting, in_the_way) == (1, 0)


def test_those_who_wait_for_a_lock_leave_the_connections_to_others(postgresql_url: str) -> None:
    holder, database = Database(postgresql_url), Database(postgresql_url, connections=2)
    waiting, got, together = Event(), [], 20

    def wait() -> None:
        waiting.set()
        with database.exclusively("something", wait_seconds=A_WHILE) as held:
            got.append(bool(held))

    threads = [Thread(target=wait) for _ in range(together)]
    with holder.exclusively("something"):
        for thread in threads:
            thread.start()
        assert waiting.wait(A_WHILE)
        for _ in range(50):
            with database.read() as connection:
                assert connection.scalar(sa.select(1)) == 1
    for thread in threads:
        thread.join(A_WHILE)
    holder.close()
    database.close()

    assert got == [True] * together


def test_a_lock_that_another_process_keeps_is_waited_for_no_longer_than_was_said(postgresql_url: str) -> None:
    holder, database = Database(postgresql_url), Database(postgresql_url)
    with holder.exclusively("something"):
        for seconds in (0.0, 0.1):
            with database.exclusively("something", wait_seconds=seconds) as held:
                assert not held
    with database.exclusively("something", wait_seconds=float("inf")) as held:
        assert held
    holder.close()
    database.close()
