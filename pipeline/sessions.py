"""Who a request comes from: the session of a browser, or the API token of a program.

A secret is given out once and kept as a hash. Every request asks anew, so what is revoked is revoked at once. The
secret of a session is changed every hour: whoever has copied an old one is found out when it is used again, and the
session ends.
"""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.backend import Backend
from pipeline.errors import Conflict, InvalidQuery, NotAllowed, NotFound, NotLoggedIn
from pipeline.labels import clean_label
from pipeline.passwords import hash_secret, new_secret
from pipeline.principals import EVERY_SCOPE, Principal, Scope
from pipeline.stores import records_audit, records_libraries, records_people, records_principals, records_sessions
from pipeline.stores.database import Connection
from pipeline.stores.records_audit import Event
from pipeline.stores.records_people import Person

Session = records_sessions.Session
Token = records_sessions.Token

ROTATE_AFTER = timedelta(hours=1)
OVERLAP = timedelta(minutes=10)
"""How long a replaced secret still works once its successor was seen, for requests that were under way by then: a
proxy may hand on a large upload only when it has all of it."""

LOST_AFTER = timedelta(seconds=60)
"""An answer with a new secret that was not used for so long has not arrived; the old one then gets another."""

NOTED_AFTER = timedelta(minutes=2)
"""The time of the last use is written down no more often: each time is a write to the disk."""

NEED_READING = frozenset({Scope.MODERATE, Scope.MANAGE})
"""What is changed or managed must be seen, so a token for it can read as well."""

TOKEN_PREFIX = "lk_"  # noqa: S105 - tells people and scanners of leaked secrets what they have before them
MOST_SESSIONS = 50  # of one person; each has a line on their page
MOST_TOKENS = 50
LONGEST_TOKEN_NAME = 100
LONGEST_BROWSER = 200


@dataclass(frozen=True)
class LoggedIn:
    """A session that has just begun, with the secret that opens it."""

    session_id: str
    secret: str
    person: Person


@dataclass(frozen=True)
class Identity:
    """Who a request comes from. `session_id` is None for a token; `new_secret` takes the place of the one sent."""

    principal: Principal
    session_id: str | None = None
    new_secret: str | None = None


def begin(backend: Backend, person: Person, *, address: str, browser: str, how: str) -> LoggedIn:
    """Begin a session of somebody who has shown who they are, and record `how` they did.

    Of more than `MOST_SESSIONS` those end that were not used for longest. Raises NotLoggedIn when they were
    deactivated, or their password was changed, since `person` was read.
    """
    secret = new_secret()
    until = datetime.now(UTC) + timedelta(days=backend.settings.session_days)
    with backend.database.write() as connection:
        now = records_people.get(connection, person.id)
        if now is None or now.deactivated_at or now.password_hash != person.password_hash:
            raise NotLoggedIn("This account was changed just now. Please log in again.")
        session = records_sessions.add_session(
            connection, person.id, hash_secret(secret), until, address=address, browser=browser[:LONGEST_BROWSER]
        )
        who = Principal(person.name, {}, person.id, address=address)
        records_audit.add(connection, who, Event.LOGGED_IN, how)
        _end_oldest(connection, who, person.id)
    return LoggedIn(session.id, secret, person)


def _end_oldest(connection: Connection, who: Principal, person_id: str) -> None:
    too_many = records_sessions.sessions_of(connection, person_id)[MOST_SESSIONS:]
    for session in too_many:
        records_sessions.end_session(connection, session.id)
    if too_many:
        subject = f"not used for longest; nobody has more than {MOST_SESSIONS}"
        records_audit.add(connection, who, Event.SESSION_REVOKED, subject, sessions=len(too_many))


def identify_session(backend: Backend, session_id: str, secret: str, *, address: str) -> Identity | None:
    """Return whose session this is, or None when it has ended, was revoked, or the secret is no good any more.

    `secret` must be one that was given out for this session, as the signature of the cookie proves: one that has been
    replaced for long ends the session.
    """
    now = datetime.now(UTC)
    with backend.database.read() as connection:
        session = records_sessions.get_session(connection, session_id)
        person = records_people.get(connection, session.person_id) if session else None
        if session is None or person is None or person.deactivated_at:
            return None
        roles = records_libraries.roles_of(connection, person.id)
    administrator = person.administrator
    principal = Principal(
        person.name, roles, person.id, administrator=administrator, address=address, session_id=session.id
    )
    hashed = hash_secret(secret)
    if hmac.compare_digest(hashed, session.secret_hash):
        return Identity(principal, session.id, _keep_fresh(backend, session, now))
    if session.previous_hash is None or not hmac.compare_digest(hashed, session.previous_hash):
        _end_stolen(backend, session, principal)
        return None
    if session.confirmed_at is None:
        # The answer with the new secret may have been lost. One that is only under way must not be overtaken.
        lost = now - session.rotated_at > LOST_AFTER
        return Identity(principal, session.id, _rotate(backend, session, hashed) if lost else None)
    if now - session.confirmed_at < OVERLAP:
        return Identity(principal, session.id)
    _end_stolen(backend, session, principal)
    return None


def _keep_fresh(backend: Backend, session: Session, now: datetime) -> str | None:
    """Note that a session is used; return a new secret when it is time for one."""
    lasts = timedelta(days=backend.settings.session_days)
    if session.confirmed_at is not None and now - session.rotated_at > min(ROTATE_AFTER, lasts / 2):
        return _rotate(backend, session, session.secret_hash)
    changed: dict[str, object] = {}
    if session.confirmed_at is None:
        changed["confirmed_at"] = now
    if now - session.last_used_at > min(NOTED_AFTER, lasts / 2):
        changed |= {"last_used_at": now, "expires_at": now + lasts}
    if changed:
        backend.database.note(lambda connection: records_sessions.change_session(connection, session, **changed))
    return None


def _rotate(backend: Backend, session: Session, hashed: str) -> str | None:
    """Give a session a new secret, `hashed` becoming the previous one; None when that cannot be done just now.

    So it is when another request was quicker, or has ended the session: what is changed is the row as it was read.
    """
    secret, now = new_secret(), datetime.now(UTC)
    values: dict[str, object] = {
        "secret_hash": hash_secret(secret),
        "previous_hash": hashed,
        "confirmed_at": None,
        "rotated_at": now,
        "last_used_at": now,
        "expires_at": now + timedelta(days=backend.settings.session_days),
    }
    changed = backend.database.note(lambda connection: records_sessions.change_session(connection, session, **values))
    return secret if changed else None


def _end_stolen(backend: Backend, session: Session, principal: Principal) -> None:
    with backend.database.write() as connection:
        # What changed between reading and now was a request side by side, whose secret was good when it was sent.
        if not records_sessions.end_session(connection, session.id, secret_hash=session.secret_hash):
            return
        subject = "an old secret of the session was used again; somebody may have copied it"
        records_audit.add(connection, principal, Event.SESSION_REVOKED, subject)


def list_sessions(backend: Backend, principal: Principal) -> list[Session]:
    """Return where this person is logged in, the session used last first."""
    with backend.database.read() as connection:
        return records_sessions.sessions_of(connection, _person_id(principal))


def revoke_session(backend: Backend, principal: Principal, session_id: str) -> None:
    """End one of this person's own sessions at once. Raises NotFound."""
    _end(backend, principal, session_id, Event.SESSION_REVOKED)


def log_out(backend: Backend, principal: Principal, session_id: str) -> None:
    """End the session in which this person asks for it. Raises NotFound when it has ended meanwhile."""
    _end(backend, principal, session_id, Event.LOGGED_OUT)


def replace(backend: Backend, principal: Principal, session_id: str) -> None:
    """End the session of a browser in which somebody has just logged in anew, if it has not ended meanwhile."""
    with backend.database.write() as connection:
        if records_sessions.end_session(connection, session_id):
            records_audit.add(connection, principal, Event.LOGGED_OUT, "another login took its place")


def _end(backend: Backend, principal: Principal, session_id: str, event: Event) -> None:
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        own = {session.id for session in records_sessions.sessions_of(connection, _person_id(principal))}
        if session_id not in own:
            raise NotFound("This session has ended already.")
        records_sessions.end_session(connection, session_id)
        records_audit.add(connection, principal, event)


def end_other_sessions(backend: Backend, principal: Principal, session_id: str | None) -> int:
    """End all of this person's sessions but one; return how many."""
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        ended = records_sessions.end_sessions_of(connection, _person_id(principal), but=session_id)
        if ended:
            records_audit.add(connection, principal, Event.SESSION_REVOKED, "all others", sessions=ended)
    return ended


# ---- Tokens


def identify_token(backend: Backend, secret: str, *, address: str) -> Identity | None:
    """Return for whom a program acts that sent this token, or None when it has expired or was revoked."""
    if not secret.startswith(TOKEN_PREFIX):
        return None
    now = datetime.now(UTC)
    with backend.database.read() as connection:
        token = records_sessions.find_token(connection, hash_secret(secret))
        person = records_people.get(connection, token.person_id) if token else None
        if token is None or person is None or person.deactivated_at:
            return None
        roles = records_libraries.roles_of(connection, person.id)
    if token.last_used_at is None or now - token.last_used_at > NOTED_AFTER:
        backend.database.note(lambda connection: records_sessions.mark_used(connection, token.id, now))
    administrator, scopes = person.administrator, token.scopes
    return Identity(
        Principal(
            person.name,
            roles,
            person.id,
            administrator=administrator,
            scopes=scopes,
            address=address,
            token_id=token.id,
        )
    )


def make_token(
    backend: Backend,
    principal: Principal,
    name: str,
    scopes: frozenset[Scope],
    days: float | None,
    *,
    person: Person | None = None,
) -> tuple[Token, str]:
    """Return a new token and its secret, which cannot be had a second time. `days` is None for one without an end.

    One that is to moderate or manage can read as well. It is this person's own, or that of `person`, for whoever works
    at the machine itself. Raises InvalidQuery, Conflict for more than `MOST_TOKENS`, or NotAllowed: a token for another
    person opens their pictures, to which not even administrators have a right.
    """
    if person is not None and not principal.owns_everything:
        raise NotAllowed("Nobody makes a token for another person. Please ask them to make one on their account page.")
    label = clean_label(name, "The name of a token", LONGEST_TOKEN_NAME)
    if scopes & NEED_READING:
        scopes |= {Scope.READ}
    if not scopes:
        raise InvalidQuery("Please choose at least one thing that the token may be used for.")
    if days is not None and not 0 < days <= 3650:  # noqa: PLR2004 - ten years
        raise InvalidQuery("A token is good for between one day and ten years, or has no end.")
    if principal.scopes != EVERY_SCOPE:
        raise InvalidQuery("A token cannot make another one. Please log in for that.")
    secret = TOKEN_PREFIX + new_secret()
    until = datetime.now(UTC) + timedelta(days=days) if days is not None else None
    owner_id = person.id if person else _person_id(principal)
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        if len(records_sessions.tokens_of(connection, owner_id)) >= MOST_TOKENS:
            raise Conflict(f"Nobody can have more than {MOST_TOKENS} tokens. Please revoke one first.")
        token = records_sessions.add_token(connection, owner_id, label, hash_secret(secret), scopes, until)
        named = sorted(scope.value for scope in scopes)
        whose = {"person": person.name} if person else {}
        records_audit.add(connection, principal, Event.TOKEN_MADE, label, scopes=named, **whose)
    return token, secret


def list_tokens(backend: Backend, person_id: str) -> list[Token]:
    """Return the tokens of a person, newest first."""
    with backend.database.read() as connection:
        return records_sessions.tokens_of(connection, person_id)


def has_expired(token: Token) -> bool:
    """Whether a token is no good any more because its time is over."""
    return token.expires_at is not None and token.expires_at <= datetime.now(UTC)


def revoke_token(backend: Backend, principal: Principal, token_id: str) -> None:
    """End a token at once: one's own, or anybody's for the owner of everything. Raises NotFound."""
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        token = records_sessions.get_token(connection, token_id)
        if token is None or not (principal.owns_everything or token.person_id == principal.person_id):
            raise NotFound("There is no such token. It may have been revoked already.")
        records_sessions.revoke_token(connection, token_id)
        records_audit.add(connection, principal, Event.TOKEN_REVOKED, token.name)


def _person_id(principal: Principal) -> str:
    if principal.person_id is None:
        raise NotFound("There are no accounts here yet, so nobody has sessions or tokens.")
    return principal.person_id
