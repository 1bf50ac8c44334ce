"""People with accounts, written into the tables of a backend, and who they are when they ask for something."""

from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.backend import Backend
from pipeline.principals import EVERY_SCOPE, OWNER, Principal, Role, Scope
from pipeline.stores import records_audit, records_libraries, records_people
from pipeline.stores.database import Connection
from pipeline.stores.tables_people import people


def ensure_library(connection: Connection, library_id: str) -> None:
    """Make a library called as its id, which is nobody's in particular, if there is none with it."""
    if records_libraries.get(connection, library_id) is None:
        records_libraries.make_for_the_house(connection, OWNER, library_id, library_id)


def settle(backend: Backend, *principals: Principal) -> None:
    """Give principals that a test has made up an account each, and in the libraries that there are their roles."""
    with backend.database.write() as connection:
        for who in principals:
            if records_people.get(connection, who.person_id or "") is None:
                connection.execute(
                    people.insert().values(
                        id=who.person_id, name=who.name, administrator=who.administrator, created_at=datetime.now(UTC)
                    )
                )
            for library in records_libraries.list_ids(connection):
                records_libraries.remove_member(connection, library, who.person_id or "")
                if who.roles and library in who.roles:
                    records_libraries.set_role(connection, library, who.person_id or "", who.roles[library])


@dataclass(frozen=True)
class House:
    """Everybody who has an account in a backend."""

    backend: Backend

    def add(self, name: str, *, administrator: bool = False) -> str:
        """Make an account; return its id."""
        with self.backend.database.write() as connection:
            return records_people.add(connection, name, administrator=administrator).id

    def asks(self, name: str, scopes: frozenset[Scope] = EVERY_SCOPE) -> Principal:
        """Return who asks when it is this person, as their next request finds them."""
        with self.backend.database.read() as connection:
            person = records_people.by_name(connection, name)
            assert person
            roles = records_libraries.roles_of(connection, person.id)
        return Principal(name, roles, person.id, administrator=person.administrator, scopes=scopes)

    def library(self, name: str, **members: Role) -> str:
        """Make a library with these members, who get accounts when they have none; return its id."""
        with self.backend.database.write() as connection:
            library = records_libraries.make(connection, name)
            for member, role in members.items():
                person = records_people.by_name(connection, member)
                person = person or records_people.add(connection, member, administrator=False)
                records_libraries.set_role(connection, library.id, person.id, role)
        return library.id

    def change(self, name: str, **values: object) -> None:
        """Set columns of an account."""
        with self.backend.database.write() as connection:
            person = records_people.by_name(connection, name)
            assert person
            records_people.change(connection, person.id, **values)

    def log(self, library: str | None = None) -> list[tuple[str, str, str]]:
        """Return who did what to what, first things first, in one library or all."""
        with self.backend.database.read() as connection:
            entries = records_audit.entries(connection, None if library is None else [library], limit=100)
        return [(entry.actor, entry.action, entry.subject) for entry in reversed(entries)]
