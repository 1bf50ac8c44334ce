"""Sessions, API tokens, and the failures that slow down whoever guesses passwords.

Secrets are known here by their SHA-256 alone: they have 256 random bits, so no slower hash is needed.
Every function works inside the caller's transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.images import new_image_id
from pipeline.principals import Scope
from pipeline.stores.records_audit import Event
from pipeline.stores.tables_people import audit_log, login_failures, sessions, tokens


@dataclass(frozen=True)
class Session:
    """A browser in which somebody is logged in.

    `previous_hash` is the secret before the last rotation; `confirmed_at` is when its successor was first used.
    """

    id: str
    person_id: str
    secret_hash: str
    previous_hash: str | None
    confirmed_at: datetime | None
    rotated_at: datetime
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    address: str
    browser: str


@dataclass(frozen=True)
class Token:
    """A key with which a program acts for a person, as far as its scopes reach."""

    id: str
    person_id: str
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


def add_session(
    connection: Connection, person_id: str, secret_hash: str, expires_at: datetime, *, address: str, browser: str
) -> Session:
    """Record that somebody has logged in."""
    now = datetime.now(UTC)
    session = Session(
        id=new_image_id(),
        person_id=person_id,
        secret_hash=secret_hash,
        previous_hash=None,
        confirmed_at=now,
        rotated_at=now,
        created_at=now,
        last_used_at=now,
        expires_at=expires_at,
        address=address,
        browser=browser,
    )
    connection.execute(sessions.insert().values(vars(session)))
    return session


def get_session(connection: Connection, session_id: str) -> Session | None:
    """Return a session whose time is not over, or None."""
    where = (sessions.c.id == session_id, sessions.c.expires_at > datetime.now(UTC))
    found = connection.execute(sa.select(sessions).where(*where)).mappings().first()
    return Session(**found) if found else None


def change_session(connection: Connection, session: Session, **values: object) -> bool:
    """Set columns of a session, unless it has ended or got another secret since it was read; return whether it did."""
    same = (sessions.c.id == session.id, sessions.c.secret_hash == session.secret_hash)
    return connection.execute(sessions.update().where(*same).values(**values)).rowcount == 1


def sessions_of(connection: Connection, person_id: str) -> list[Session]:
    """Return a person's sessions, the one used last first."""
    where = (sessions.c.person_id == person_id, sessions.c.expires_at > datetime.now(UTC))
    found = connection.execute(sa.select(sessions).where(*where).order_by(sessions.c.last_used_at.desc()))
    return [Session(**values) for values in found.mappings()]


def last_seen(connection: Connection) -> dict[str, datetime]:
    """Return when each person who was ever here was last seen, by their id.

    That is when their sessions were last used, or, as ended ones are gone, when they last logged in or out by the
    audit log, which is read as a whole for it.
    """
    comings = (Event.LOGGED_IN, Event.LOGGED_OUT)
    moments = sa.union_all(
        sa.select(sessions.c.person_id, sessions.c.last_used_at.label("at")),
        sa.select(audit_log.c.actor_id, audit_log.c.at).where(
            audit_log.c.action.in_(comings), audit_log.c.actor_id.is_not(None)
        ),
    ).subquery()
    newest = sa.select(moments.c.person_id, sa.func.max(moments.c.at)).group_by(moments.c.person_id)
    return dict(connection.execute(newest).all())


def end_session(connection: Connection, session_id: str, *, secret_hash: str | None = None) -> bool:
    """Revoke a session at once, if a secret is given only while it has that one; return whether it was there."""
    statement = sessions.delete().where(sessions.c.id == session_id)
    if secret_hash is not None:
        statement = statement.where(sessions.c.secret_hash == secret_hash)
    return connection.execute(statement).rowcount == 1


def end_sessions_of(connection: Connection, person_id: str, *, but: str | None = None) -> int:
    """Revoke all sessions of a person, but one if its id is given; return how many."""
    statement = sessions.delete().where(sessions.c.person_id == person_id)
    if but is not None:
        statement = statement.where(sessions.c.id != but)
    return connection.execute(statement).rowcount


def forget_expired(connection: Connection, now: datetime) -> None:
    """Remove sessions whose time is over."""
    connection.execute(sessions.delete().where(sessions.c.expires_at < now))


# ---- API tokens


def add_token(
    connection: Connection,
    person_id: str,
    name: str,
    secret_hash: str,
    scopes: frozenset[Scope],
    expires_at: datetime | None,
) -> Token:
    """Keep a token, of which only the hash is known here."""
    token = Token(new_image_id(), person_id, name, scopes, datetime.now(UTC), expires_at, None)
    values = {**vars(token), "scopes": [scope.value for scope in Scope if scope in scopes]}
    connection.execute(tokens.insert().values(**values, secret_hash=secret_hash))
    return token


def find_token(connection: Connection, secret_hash: str) -> Token | None:
    """Return the token if it is there and its time is not over."""
    return next(iter(_tokens(connection, tokens.c.secret_hash == secret_hash, _is_current())), None)


def tokens_of(connection: Connection, person_id: str) -> list[Token]:
    """Return a person's tokens, expired ones too, newest first."""
    return _tokens(connection, tokens.c.person_id == person_id)


def get_token(connection: Connection, token_id: str) -> Token | None:
    """Return the token with this id, expired or not, or None."""
    return next(iter(_tokens(connection, tokens.c.id == token_id)), None)


def is_current(connection: Connection, token_id: str) -> bool:
    """Whether a token is there and its time is not over."""
    return bool(_tokens(connection, tokens.c.id == token_id, _is_current()))


def mark_used(connection: Connection, token_id: str, moment: datetime) -> None:
    """Record when a token was last used."""
    connection.execute(tokens.update().where(tokens.c.id == token_id).values(last_used_at=moment))


def revoke_token(connection: Connection, token_id: str) -> bool:
    """Remove a token at once; return whether it was there."""
    return connection.execute(tokens.delete().where(tokens.c.id == token_id)).rowcount == 1


def revoke_tokens_of(connection: Connection, person_id: str) -> int:
    """Remove all tokens of a person at once; return how many."""
    return connection.execute(tokens.delete().where(tokens.c.person_id == person_id)).rowcount


def count_current(connection: Connection, person_id: str) -> int:
    """Return how many tokens of a person still work."""
    return len(_tokens(connection, tokens.c.person_id == person_id, _is_current()))


def _is_current() -> sa.ColumnElement[bool]:
    return tokens.c.expires_at.is_(None) | (tokens.c.expires_at > datetime.now(UTC))


def _tokens(connection: Connection, *where: sa.ColumnElement[bool]) -> list[Token]:
    found = connection.execute(sa.select(tokens).where(*where).order_by(tokens.c.created_at.desc()))
    return [
        Token(
            id=values["id"],
            person_id=values["person_id"],
            name=values["name"],
            scopes=frozenset(Scope(scope) for scope in values["scopes"]),
            created_at=values["created_at"],
            expires_at=values["expires_at"],
            last_used_at=values["last_used_at"],
        )
        for values in found.mappings()
    ]


# ---- Failed logins


def add_failure(connection: Connection, name: str, address: str) -> None:
    """Record that a password was wrong."""
    connection.execute(login_failures.insert().values(name=name, address=address, at=datetime.now(UTC)))


def failures_since(
    connection: Connection, moment: datetime, *, name: str | None = None, address: str | None = None
) -> Sequence[datetime]:
    """Return when logins failed for this name, from this address, or both, newest first."""
    statement = sa.select(login_failures.c.at).where(login_failures.c.at > moment)
    if name is not None:
        statement = statement.where(login_failures.c.name == name)
    if address is not None:
        statement = statement.where(login_failures.c.address == address)
    return connection.scalars(statement.order_by(login_failures.c.at.desc())).all()


def forget_failures(
    connection: Connection, *, before: datetime | None = None, name: str = "", address: str = ""
) -> None:
    """Remove the failures before a moment, or those of one name from one address, who has now logged in."""
    if before is not None:
        connection.execute(login_failures.delete().where(login_failures.c.at < before))
    else:
        where = (login_failures.c.name == name, login_failures.c.address == address)
        connection.execute(login_failures.delete().where(*where))
