"""Run migrations over the connection that `Database.migrate` gives."""

from alembic import context

from pipeline.stores.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
context.run_migrations()
