"""What PostgreSQL needs that SQLite does not: a pool of connections that mends itself, time limits, storable text.

All of it works through a pooler such as PgBouncer that hands out a connection a transaction: every lock and every
setting ends with its transaction.
"""

import json
import math
import re
import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from pipeline.stores import postgresql_pulse

CONNECT_SECONDS = 3  # with the time a request waits for a free connection still below five
POOL_SECONDS = 4.0
SILENT_MILLISECONDS = 4000  # after which unanswered packets mean that the server is gone
SILENT_SECONDS = 4  # without a packet, after which a connection that waits for an answer asks whether anybody is there
IDLE_SECONDS = 30 * 60.0  # after which a connection is replaced: firewalls forget what is silent for longer
TRUSTED_SECONDS = 1.0  # after its last use a connection is taken to be alive; asking costs as much as a small query
LOCK_MILLISECONDS = 4000  # waiting for other writers, who take milliseconds; then 503 instead of a page that hangs

WRITERS = 0x6C696B65  # "like": the advisory lock that stands for the whole database

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""Zero bytes and halves of surrogate pairs, which PostgreSQL refuses in text."""

REPLACEMENT = "\ufffd"

REFUSED = "The database refuses the name or password of Likeness. Please correct LIKENESS_DATABASE_URL."
NO_DATABASE = "The database server has no such database. Please make it, or correct its name in LIKENESS_DATABASE_URL."
NO_HOST = "The host of the database is not known. Please correct it in LIKENESS_DATABASE_URL."
FULL = "The database has no connection left. Please try again in a moment, or allow it more connections."
BUSY = "The database is busy with other changes. Please try again in a moment."

SENTENCES = {
    r"password authentication failed|no password supplied|role \".*\" does not exist|no pg_hba\.conf entry": REFUSED,
    r"database \".*\" does not exist": NO_DATABASE,
    r"could not translate host name|failed to resolve host|Name or service not known": NO_HOST,
    r"too many clients|remaining connection slots|too many connections": FULL,
}
"""What the server says when it lets nobody in, which the driver passes on as nothing but words."""

LOCK_NOT_AVAILABLE = "55P03"
DEADLOCK = "40P01"
PROGRAM_LIMIT = "54"  # the class; all codes are in appendix A of PostgreSQL's manual


def engine_options(connections: int) -> dict[str, object]:
    """Return the options of an engine with at most so many connections."""
    kept = max(1, connections // 2)
    return {
        "pool_size": kept,
        "max_overflow": connections - kept,
        "pool_timeout": POOL_SECONDS,
        "pool_recycle": IDLE_SECONDS,
        "pool_use_lifo": True,  # so that those not needed grow old and are closed
        "isolation_level": "READ COMMITTED",  # whatever the server's own default is: locks are waited for, then read
        "json_serializer": _json,
        "connect_args": {
            "connect_timeout": CONNECT_SECONDS,
            "tcp_user_timeout": SILENT_MILLISECONDS,
            "keepalives_idle": SILENT_SECONDS,
            "keepalives_interval": 1,
            "application_name": "likeness",
        },
    }


def configure(engine: Engine) -> None:
    """Let an engine send only text that PostgreSQL takes, and notice connections that were lost while they idled.

    A server that hangs is noticed as well: nobody waits for it.
    """
    pulse = postgresql_pulse.watch(engine)

    @sa.event.listens_for(engine, "before_cursor_execute", retval=True)
    def send_storable(*told: Any) -> tuple[str, Any]:
        statement, parameters = told[2:4]
        return statement, _sendable(parameters)

    @sa.event.listens_for(engine, "checkin")
    def note_time(_connection: object, record: Any) -> None:
        record.info["used_at"] = time.monotonic()

    @sa.event.listens_for(engine, "checkout")
    def ask_whether_alive(connection: Any, record: Any, _fairy: object) -> None:
        idle = time.monotonic() - record.info.get("used_at", time.monotonic())
        if idle < TRUSTED_SECONDS and not pulse.was_silent_just_now():
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            pulse.check()
            raise sa.exc.InvalidatePoolError from error  # all others are as old: take a new one


def lock_writers(*, alone: bool | None, wait_seconds: float | None = None) -> sa.Select[Any]:
    """Return what begins a writing transaction: it waits for its turn, but no longer than others are kept waiting.

    Who writes `alone` has it when nobody else writes, others beside each other; None has no turn and waits only for
    rows. With `wait_seconds` it is waited for so long, which may be without end.
    """
    milliseconds = LOCK_MILLISECONDS if wait_seconds is None else wait_seconds * 1000
    limit = sa.func.set_config("lock_timeout", "0" if math.isinf(milliseconds) else str(int(milliseconds)), True)
    if alone is None:
        return sa.select(limit)
    lock = sa.func.pg_advisory_xact_lock if alone else sa.func.pg_advisory_xact_lock_shared
    return sa.select(limit, lock(WRITERS))  # from left to right, in one journey to the server


def sentence(error: sa.exc.SQLAlchemyError) -> str | None:
    """Return what a person can do about a database that does not let us in or on, if that is known."""
    code = getattr(getattr(error, "orig", None), "sqlstate", None)
    if code in {LOCK_NOT_AVAILABLE, DEADLOCK}:
        return BUSY
    return next((known for pattern, known in SENTENCES.items() if re.search(pattern, str(error))), None)


def is_too_large(error: sa.exc.SQLAlchemyError) -> bool:
    """Whether a statement goes beyond what the server can ever run."""
    return (getattr(getattr(error, "orig", None), "sqlstate", None) or "").startswith(PROGRAM_LIMIT)


def _sendable(parameters: Any) -> Any:
    """Return what a statement is sent with, or a list of that for many; numbers and vectors are not looked through."""
    if isinstance(parameters, dict):
        return {name: storable(value) if _is_text(value) else value for name, value in parameters.items()}
    if isinstance(parameters, list):
        return [_sendable(each) for each in parameters]
    return tuple(storable(value) if _is_text(value) else value for value in parameters)


def _is_text(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and bool(value) and isinstance(value[0], str))


def storable(value: Any) -> Any:
    """Return a value, or a structure of values, with a mark in place of every character that cannot be kept."""
    if isinstance(value, str):
        if "\0" not in value and (value.isascii() or not UNSTORABLE.search(value)):
            return value
        return UNSTORABLE.sub(REPLACEMENT, value)
    if isinstance(value, dict):
        return {storable(name): storable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(storable(item) for item in value)
    return value


def _json(value: object) -> str:
    return json.dumps(storable(value))
