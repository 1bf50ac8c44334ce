"""What the address of an S3 bucket says.

    s3://KEY:SECRET@host[:port]/bucket[/prefix]?region=…&style=…&etag=…      with TLS
    s3+http://…                                                              without

Signs in a key or secret that mean something in an address are written as percent signs and digits. Without KEY and
SECRET the credentials are found as other programs of AWS find them.
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pipeline.errors import ConfigurationError
from pipeline.stores.object_keys import is_key

EXAMPLE = "s3://KEY:SECRET@host/bucket"
BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
REGION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")

OPTIONS = {"region": REGION, "style": re.compile("path|virtual"), "etag": re.compile("md5|any")}
WHAT_OPTIONS_MAY_BE = "region=NAME, style=path or style=virtual, and etag=md5 or etag=any"

AMAZON = "amazonaws.com"
USUAL_REGION = "us-east-1"
"""What most servers that are not Amazon's take for the region. Asking each for it would need one more permission."""

MOST_PORT = 65_535


@dataclass(frozen=True)
class S3Address:
    """Where a bucket is and how it is spoken to.

    `prefix` is empty or ends in a slash. `virtual` tells whether the bucket is part of the host's name; None: as the
    client does by itself. `etag_is_md5` is False for services whose ETags look like MD5 and are something else.
    """

    host: str
    secure: bool
    bucket: str
    prefix: str
    key: str
    secret: str
    region: str | None
    virtual: bool | None
    etag_is_md5: bool

    @property
    def shown(self) -> str:
        """The address without its secrets."""
        scheme = "s3" if self.secure else "s3+http"
        return f"{scheme}://{self.host}/{self.bucket}/{self.prefix}".rstrip("/")


def read_address(url: str) -> S3Address:
    """Return what `url` says. Raises ConfigurationError with what is wrong, and never with the secret."""
    parts = _split(url)
    bucket, _, prefix = unquote(parts.path).strip("/").partition("/")
    if not BUCKET.fullmatch(bucket):
        raise _wrong(f"names no bucket that S3 allows ({bucket or 'nothing'} stands behind the host)")
    if prefix and not is_key(prefix):
        raise _wrong("has a prefix behind the bucket that is more than letters, digits, points, dashes and slashes")
    key, secret = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(key) != bool(secret):
        raise _wrong("has only one of key and secret")
    options = _options(parts.query)
    host = parts.netloc.rpartition("@")[2]
    return S3Address(
        host=host,
        secure=parts.scheme == "s3",
        bucket=bucket,
        prefix=f"{prefix}/" if prefix else "",
        key=key,
        secret=secret,
        region=options.get("region") or (None if AMAZON in host else USUAL_REGION),
        virtual=options["style"] == "virtual" if "style" in options else None,
        etag_is_md5=options.get("etag", "md5") == "md5",
    )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _wrong("cannot be read") from None  # the cause may have a piece of the secret in it
    host = parts.netloc.rpartition("@")[2].removesuffix(f":{port}" if port else "")
    if not HOST.fullmatch(host) or not 0 < (port or 1) <= MOST_PORT:
        raise _wrong("names no host")
    if parts.fragment:
        raise _wrong("has a # in it")
    return parts


def _options(query: str) -> dict[str, str]:
    try:
        given = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True)) if query else {}
    except ValueError:
        raise _wrong("has options that cannot be read") from None
    for name, value in given.items():
        if name not in OPTIONS or not OPTIONS[name].fullmatch(value):
            raise _wrong(f"has the option {name}, or a value of it, that is not known; there are {WHAT_OPTIONS_MAY_BE}")
    return given


def _wrong(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"The address of the object store (LIKENESS_OBJECTS_URL) {what}. Please write {EXAMPLE}; signs such as "
        "/ @ # ? % in a secret are written as %2F %40 %23 %3F %25."
    )
