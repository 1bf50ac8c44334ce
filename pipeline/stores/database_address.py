"""The address of a database as it may be shown, logged and kept."""

import sqlalchemy as sa

SECRET_PARAMETERS = ("password", "sslpassword")
"""What PostgreSQL takes behind the question mark as well, and what must not be read by anybody else."""


def without_secrets(url: sa.URL) -> str:
    """Return the address without the passwords in it, wherever they stand, and without the name of the driver."""
    query = {name: value for name, value in url.query.items() if name.lower() not in SECRET_PARAMETERS}
    return url.set(drivername=url.get_backend_name(), query=query)._replace(password=None).render_as_string()
