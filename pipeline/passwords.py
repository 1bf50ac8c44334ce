"""Passwords and other secrets: how they are made, kept and compared.

Passwords are hashed with Argon2id under the parameters that argon2-cffi recommends (RFC 9106, low memory: 64 MiB,
three passes), which are raised with it: a hash made under older ones is renewed when its password is next used.
Secrets that we make ourselves have 256 random bits, which nobody can guess, so their SHA-256 is kept.
"""

import hashlib
import secrets
import unicodedata
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from pipeline.errors import InvalidQuery

SHORTEST_PASSWORD = 10  # characters; NIST SP 800-63B asks for 8 at least, and for no rules about their kinds
LONGEST_PASSWORD = 200
MOST_AT_ONCE = 2  # hashes computed side by side: each takes 64 MiB and a core for some tens of milliseconds

_hasher = PasswordHasher()
_room = BoundedSemaphore(MOST_AT_ONCE)
_of_nobody = ""


def checked_password(password: str) -> str:
    """Return `password` if it may be one. Raises InvalidQuery."""
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidQuery(f"A password has at least {SHORTEST_PASSWORD} characters. A short sentence is a good one.")
    if len(password) > LONGEST_PASSWORD:
        raise InvalidQuery(f"A password has at most {LONGEST_PASSWORD} characters.")
    return password


def hash_password(password: str) -> str:
    """Return what is kept of a password; two calls return different texts."""
    with _room:
        return _hasher.hash(_as_bytes(password))


def is_password(kept: str | None, password: str) -> bool:
    """Whether `password` is the one of which `kept` was kept.

    It takes as long when nothing is kept, so that the time of the answer does not tell who has an account.
    """
    kept_or_dummy = kept or _hash_of_nobody()
    is_possible = kept is not None and len(password) <= LONGEST_PASSWORD
    with _room:
        try:
            _hasher.verify(kept_or_dummy, _as_bytes(password[:LONGEST_PASSWORD]))
        except (VerifyMismatchError, InvalidHashError):
            return False
    return is_possible


def is_outdated(kept: str) -> bool:
    """Whether a hash was made under weaker parameters than today's."""
    return _hasher.check_needs_rehash(kept)


def new_secret() -> str:
    """Return a secret of 256 random bits that can stand in an address."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """Return what is kept of a secret that `new_secret` made."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _as_bytes(password: str) -> bytes:
    """Return a password as it is hashed: alike for the several ways to type the same letter (NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", password).encode(errors="surrogatepass")


def _hash_of_nobody() -> str:
    global _of_nobody  # noqa: PLW0603 - made once, at the first need: it takes as long as a login
    _of_nobody = _of_nobody or hash_password(secrets.token_urlsafe(32))
    return _of_nobody
