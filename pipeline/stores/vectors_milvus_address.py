"""The address of a Milvus server or of a folder of Milvus Lite, and what it says."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from pipeline.errors import ConfigurationError

PREFIX = "likeness"
PREFIXES = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,30}")
DEFAULT_PORT = 19530

UNKNOWN = (
    "LIKENESS_VECTORS_URL cannot be used. It looks like milvus://host:19530 or, in the process, "
    "milvus:///path/to/folder.db."
)
PREFIX_UNKNOWN = (
    "LIKENESS_VECTORS_URL cannot be used. Its prefix has only letters, digits and _, does not begin with a digit, and "
    "is at most 31 long."
)


@dataclass(frozen=True)
class MilvusAddress:
    """What connecting takes; `shown` is the address without a password. `folder` is that of Milvus Lite, if it is.

    The names of all collections begin with `prefix`, so that several installations can share a database of a server.
    """

    uri: str
    token: str
    database: str
    prefix: str
    shown: str
    folder: Path | None = None


def parse_address(url: str) -> MilvusAddress:
    """Return what `url` says. Raises ConfigurationError for an address that means nothing."""
    try:
        parts = urlsplit(url)
        options = {name: values[-1] for name, values in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()}
        port = parts.port or DEFAULT_PORT
    except ValueError as error:
        raise ConfigurationError(UNKNOWN, detail=str(error)) from error
    prefix = options.pop("prefix", PREFIX)
    token = options.pop("token", "")
    if options:
        raise ConfigurationError(UNKNOWN, detail=f"unknown: {', '.join(options)}")
    if not PREFIXES.fullmatch(prefix):
        raise ConfigurationError(PREFIX_UNKNOWN)
    ending = "" if prefix == PREFIX else f"?prefix={prefix}"
    path = unquote(parts.path)
    if not parts.hostname:
        if parts.scheme != "milvus" or not path.endswith(".db"):
            raise ConfigurationError(UNKNOWN, detail="neither a host nor a path that ends in .db")
        return MilvusAddress(path, "", "", prefix, f"milvus://{path}{ending}", Path(path))
    database = path.strip("/")
    if "/" in database:
        raise ConfigurationError(UNKNOWN, detail="the name of a database has no /")
    if parts.username and not token:
        token = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    uri = f"{'https' if parts.scheme.endswith('+https') else 'http'}://{host}:{port}"
    shown = f"{parts.scheme}://{host}:{port}/{database}".rstrip("/")
    return MilvusAddress(uri, token, database, prefix, shown + ending)
