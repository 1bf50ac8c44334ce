"""Bringing the tables to the newest version, and nothing else.

Every process does so when it starts. Here it is a step of its own, for those who want it done, and seen to be done,
before a new version is started: it opens no other store and no encoder.
"""

from pipeline.settings import Settings
from pipeline.stores.database import Database
from pipeline.stores.opening import open_database
from pipeline.stores.schema_version import read_schema_version


def bring_up_to_date(settings: Settings) -> tuple[str, str]:
    """Migrate the database of `settings`; return the version its tables had, empty for none, and the one they have.

    Several processes may do so at once. Raises StoreUnavailable when the database does not answer, and
    ConfigurationError when a newer version of Likeness wrote it.
    """
    database = open_database(settings)
    try:
        before = _version(database)
        database.migrate()
        return before, _version(database)
    finally:
        database.close()


def _version(database: Database) -> str:
    with database.read() as connection:
        return read_schema_version(connection)
