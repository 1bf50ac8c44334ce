"""Who asks, as they are at this moment: what a right rests on is read again in the transaction that uses it.

Between finding out who asks and acting, a role may have been taken away, and an upload can take minutes to arrive.
"""

from dataclasses import replace

from sqlalchemy.engine import Connection

from pipeline.errors import NotLoggedIn
from pipeline.principals import Principal
from pipeline.stores import records_libraries, records_people, records_sessions

ENDED = "This login has ended meanwhile. Please log in again."


def current(connection: Connection, principal: Principal) -> Principal:
    """Return `principal` with the roles they have now, for the start of a transaction that writes.

    Raises NotLoggedIn when they were deactivated, or the session or token that they came with has ended. For the
    owner of everything it is read again which libraries are deleted, and not whether there are accounts by now: the
    request that makes the first account may be overtaken by others that were let in milliseconds before.
    """
    if principal.owns_everything:
        return replace(principal, hidden=records_libraries.deleted_ids(connection))
    if principal.person_id is None:
        return principal
    person = records_people.get(connection, principal.person_id)
    if person is None or person.deactivated_at or not _has_key(connection, principal):
        raise NotLoggedIn(ENDED)
    roles = records_libraries.roles_of(connection, person.id)
    return replace(principal, roles=roles, administrator=person.administrator)


def _has_key(connection: Connection, principal: Principal) -> bool:
    """Whether the session or token still opens anything; who came with neither was made here, for one transaction."""
    if principal.session_id is not None:
        return records_sessions.get_session(connection, principal.session_id) is not None
    return principal.token_id is None or records_sessions.is_current(connection, principal.token_id)
