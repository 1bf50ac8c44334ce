"""Which version the tables have: the number of the last migration that ran on them."""

from alembic.runtime.migration import MigrationContext

from pipeline.stores.database import Connection


def read_schema_version(connection: Connection) -> str:
    """Return the version of the tables; empty where there are none yet."""
    return MigrationContext.configure(connection).get_current_revision() or ""
