"""People who log in, as the workflows see them, and what the log then says."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from pipeline import logins, sessions
from pipeline.errors import LikenessError
from pipeline.principals import Principal
from pipeline.stores import records_audit, records_libraries, records_people

PASSWORD = "correct horse battery"  # noqa: S105 - of nobody but these tests
HERE = "192.0.2.7"


def asks(backend, name, **values):
    """Return who asks when it is this person."""
    with backend.database.read() as connection:
        person = records_people.by_name(connection, name)
        roles = records_libraries.roles_of(connection, person.id)
    return Principal(name, roles, person.id, administrator=person.administrator, **values)


def log_in(backend, name, password=PASSWORD, address=HERE):
    return logins.log_in(backend, name, password, address=address, browser="Firefox")


def is_open(backend, session):
    return sessions.identify_session(backend, session.session_id, session.secret, address=HERE) is not None


def log(backend):
    with backend.database.read() as connection:
        entries = records_audit.entries(connection, None, limit=100)
    return [(entry.actor, entry.action, entry.subject) for entry in reversed(entries)]


def at_once(*calls):
    """Return what each call returned or raised, all begun at the same moment."""
    together = Barrier(len(calls))

    def run(call):
        together.wait()
        try:
            return call()
        except LikenessError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
