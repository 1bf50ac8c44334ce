"""Every setting, read from the environment once and passed on. Nothing else reads the environment.

`docs/settings.md` lists them; a test keeps that list complete. The address of a store chooses its implementation:
there is no second switch that could contradict it. A setting whose name ends in a secret may be given as a file:
`LIKENESS_DATABASE_URL_FILE=/run/secrets/db` reads the value from there.
"""

import os
import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.errors import ConfigurationError
from pipeline.public_addresses import read_allowed

PREFIX = "LIKENESS_"
SECRET_FIELDS = ("database_url", "objects_url", "vectors_url", "queue_url", "secret_key", "oidc_client_secret")
SHORTEST_SECRET_KEY = 32
OF_KUBERNETES = re.compile(r"LIKENESS_(\w+_)?(SERVICE_(HOST|PORT)|PORT)(_\w+)?")
"""What Kubernetes tells pods of services that are called likeness-…, and Compose of the port that is opened."""
MEBIBYTE = 1 << 20
MEGABYTE = 1_000_000


class Settings(BaseSettings):
    """The settings of one process. Field descriptions are the documentation."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    data: Path = Field(Path("data"), description="Folder of the embedded stores, made if it is missing.")
    database_url: str = Field(
        "",
        description="The database: `postgresql://user:password@host/name`, or a file; empty: `sqlite:///` in the data "
        "folder.",
    )
    objects_url: str = Field(
        "",
        description="Where originals and thumbnails are kept: a folder, or `s3://KEY:SECRET@host/bucket`; empty: "
        "`file://` in the data folder.",
    )
    vectors_url: str = Field(
        "",
        description="The vector engine: `faiss://` in the process, `pgvector://` or `milvus://host:19530`; empty: "
        "`faiss://`.",
    )
    queue_url: str = Field(
        "",
        description="A Redis that Celery workers listen to, such as `redis://host:6379/0`; empty: workers look into "
        "the database themselves.",
    )
    database_connections: int = Field(
        20, ge=4, description="Connections to PostgreSQL that one process may have open at once."
    )
    hnsw_m: int = Field(
        16, ge=4, le=64, description="Neighbors of each vector in an HNSW graph; more find more and take more memory."
    )
    hnsw_ef_construction: int = Field(
        200,
        ge=16,
        le=1000,
        description="Candidates looked at while an HNSW graph is built; more are slower and better.",
    )
    encoder: str = Field(
        "auto",
        description="`auto`, or a name from `likeness models list`. Decided once, for an empty database.",
    )
    models: Path | None = Field(None, description="Folder of model files; empty: `models` in the data folder.")
    hub: str = Field(
        "https://huggingface.co",
        description="Where models are downloaded from: the address of a model hub or of a mirror, or `off` to never "
        "ask one.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="From which weight on events are written to stderr."
    )
    max_upload_bytes: int = Field(64 * MEGABYTE, gt=0, description="Bytes a single picture may have.")
    max_pixels: int = Field(100_000_000, gt=0, description="Pixels a single picture may have.")
    decoder_processes: int = Field(2, ge=1, description="Processes that decode pictures side by side.")
    decoder_memory_bytes: int = Field(
        160 * MEBIBYTE, gt=0, description="Memory that pictures being decoded may take together, in bytes."
    )
    decoder_seconds: float = Field(20.0, gt=0, description="Seconds after which the decoding of a picture is given up.")
    worker_threads: int = Field(2, ge=1, description="Pictures analyzed side by side in one process.")
    batch_size: int = Field(8, ge=1, description="Pictures a worker claims at once.")
    lease_seconds: float = Field(
        30.0, gt=0, description="Seconds after which the work of a silent worker is taken over."
    )
    max_attempts: int = Field(5, ge=1, description="Tries before the analysis of a picture is given up.")
    retry_seconds: float = Field(
        5.0, ge=0, description="Seconds before the second try; doubled before each further one."
    )
    reconcile_seconds: float = Field(300.0, gt=0, description="Seconds between two repairs by a worker.")
    grace_seconds: float = Field(
        3600.0, ge=0, description="Age in seconds below which a file without a record is left alone."
    )
    trash_days: float = Field(30.0, ge=0, description="Days for which deleted pictures can be restored.")
    hold_reported_after: int = Field(
        0,
        ge=0,
        description="Different people whose reports hold a picture until a moderator has looked at it; 0: reports "
        "alone never do.",
    )
    query_picture_days: float = Field(
        1.0, gt=0, description="Days for which a search by picture can be opened again by its address."
    )
    fetch_urls: bool = Field(
        True, description="Whether pictures to search with are fetched from addresses on the web that people give."
    )
    fetch_allow: str = Field(
        "",
        description="Names, addresses or networks, comma separated, each perhaps with a port, that may be fetched from "
        "although they are not public, such as `images.internal,10.2.0.0/16,10.3.0.9:9000`.",
    )
    max_waiting_uploads: int = Field(
        4, ge=0, description="Uploads with `wait=true` that may wait at once; others are answered at once."
    )

    accounts: Literal["auto", "required"] = Field(
        "auto",
        description="`auto`: people log in once there is an account. `required`: also before that; the server then "
        "prints a link with which the first account is made.",
    )
    public_url: str = Field(
        "",
        description="The address at which people reach the server, such as `https://pictures.example.org`; needed for "
        "single sign-on, and used in links that are printed.",
    )
    trusted_proxies: str = Field(
        "",
        description="Addresses or networks, comma separated, of proxies whose `X-Forwarded-For` and "
        "`X-Forwarded-Proto` are believed.",
    )
    secret_key: str = Field(
        "",
        description="What session cookies are signed with, at least 32 characters; empty: made once and kept in the "
        "database.",
    )
    session_days: float = Field(30.0, gt=0, description="Days after which a session that is not used ends.")
    strip_originals: bool = Field(
        False, description="Whether originals are downloaded without their metadata, such as the place they show."
    )
    webhooks: bool = Field(
        True, description="Whether new matches of saved searches may be sent to addresses that people give."
    )
    webhook_allow: str = Field(
        "",
        description="Hosts or networks, comma separated, that webhooks may reach although they are not public, such as "
        "`hooks.internal,10.1.0.0/16`.",
    )
    oidc_issuer: str = Field(
        "", description="Address of an OpenID Connect provider for single sign-on; needs the extra `oidc`."
    )
    oidc_client_id: str = Field("", description="The name by which that provider knows this server.")
    oidc_client_secret: str = Field("", description="The secret that goes with it.")
    oidc_name: str = Field("single sign-on", description="What the button says: “Log in with …”.")
    oidc_create: bool = Field(
        False, description="Whether whoever the provider knows gets an account here at the first login."
    )

    @property
    def models_folder(self) -> Path:
        """The folder of model files."""
        return self.models or self.data / "models"

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, values: dict[str, object]) -> dict[str, object]:
        for field in SECRET_FIELDS:
            path = os.environ.get(f"{PREFIX}{field}_FILE".upper())
            if path and not values.get(field):
                values[field] = _read_secret(f"{PREFIX}{field}_FILE".upper(), Path(path))
        return values

    @field_validator("data", "models")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path else None

    @field_validator("data")
    @classmethod
    def _nameable(cls, path: Path) -> Path:
        if "?" in str(path):
            raise ValueError("the path has a question mark, which the address of a database cannot carry")
        return path

    @field_validator("public_url")
    @classmethod
    def _without_path(cls, address: str) -> str:
        parts = urlsplit(address)
        if address and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/")):
            raise ValueError("it must be an address without a path, such as https://pictures.example.org")
        return address.rstrip("/")

    @field_validator("hub")
    @classmethod
    def _is_hub(cls, address: str) -> str:
        parts = urlsplit(address)
        if address != "off" and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("it must be an address such as https://huggingface.co, or off")
        return address.rstrip("/")

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, key: str) -> str:
        if key and len(key) < SHORTEST_SECRET_KEY:
            raise ValueError(f"it must have at least {SHORTEST_SECRET_KEY} characters")
        return key

    @field_validator("fetch_allow")
    @classmethod
    def _are_places(cls, listed: str) -> str:
        read_allowed(listed)
        return listed

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, listed: str) -> str:
        for part in filter(None, (part.strip() for part in listed.split(","))):
            ip_network(part, strict=False)
        return listed

    @field_validator("webhook_allow")
    @classmethod
    def _are_hosts_or_networks(cls, listed: str) -> str:
        for part in filter(None, (part.strip() for part in listed.split(","))):
            if "/" in part:
                ip_network(part, strict=False)
        return listed

    @model_validator(mode="after")
    def _fill_addresses(self) -> Self:
        filled = {
            "database_url": f"sqlite:///{self.data}/likeness.db",
            "objects_url": (self.data / "objects").as_uri(),
            "vectors_url": "faiss://",
            "models": self.data / "models",
        }
        for field, value in filled.items():
            if not getattr(self, field):
                object.__setattr__(self, field, value)
        return self


def read_settings(**overrides: object) -> Settings:
    """Return the settings of the environment. Raises ConfigurationError naming the variable that is wrong."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = f"{PREFIX}{first['loc'][0]}".upper() if first["loc"] else "The settings"
        raise ConfigurationError(
            f"{name} cannot be used: {first['msg']}. docs/settings.md says what it means."
        ) from error


def doubtful_variables(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return a sentence for each variable that looks like one of ours and has no effect."""
    fields = {f"{PREFIX}{field}".upper() for field in Settings.model_fields}
    files = {f"{PREFIX}{field}_FILE".upper() for field in SECRET_FIELDS}
    given = sorted(name for name, value in environment.items() if name.upper().startswith(PREFIX) and value)
    said = [
        f"{name} is not known and has no effect. docs/settings.md lists the variables there are."
        for name in given
        if name.upper() not in fields | files and not OF_KUBERNETES.fullmatch(name)
    ]
    twice = [name for name in given if name in files and environment.get(name.removesuffix("_FILE"))]
    return said + [
        f"{name.removesuffix('_FILE')} and {name} are both set; the file is not read. Please unset one of them."
        for name in twice
    ]


def _read_secret(variable: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        reason = (error.strerror or "it does not say why").lower()
        raise ConfigurationError(
            f"{variable} names {path}, which cannot be read: {reason}. Please mend that."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{variable} names {path}, which is no text. Please mend that.") from error
