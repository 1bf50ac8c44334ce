"""OpenID Connect as a client: to the provider and back, with an identity that is proven or a sentence why not.

The authorization code flow with state, nonce and PKCE (S256). What the provider publishes (its addresses and keys) is
asked for when somebody logs in, never at the start of the server, and kept for an hour. Needs the extra `oidc`;
`webapp.oidc_settings` stands before this module for everybody else.

Source: OpenID Connect Core 1.0 and Discovery 1.0.
"""

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from pipeline.errors import NotLoggedIn, ProviderUnavailable
from webapp.oidc import Identity, Pending

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures that are believed: with a private key of the provider. Neither `none` nor HS256, whose key we share."""

SCOPE = "openid profile email"
WELL_KNOWN = "/.well-known/openid-configuration"

TIMEOUT_SECONDS = 10.0
KEPT_SECONDS = 3600.0  # how long addresses and keys of the provider are believed; unknown keys are asked for at once
CLOCK_SKEW_SECONDS = 60  # by which the provider's clock may differ from ours
RANDOM_BYTES = 36  # 48 letters; a verifier of PKCE has 43 to 128
LONGEST_SUBJECT = 255  # ASCII characters, as OpenID Connect Core 2 says

CONVERSATIONS = 8
"""Logins that talk to the provider at once. One that does not answer then holds no more than these threads."""
QUEUE_SECONDS = 2.0  # how long others wait for their turn

NO_ANSWER = "The single sign-on provider does not answer. Please try again in a moment."
TOO_MANY = "Too many people are logging in at this moment. Please try again in a moment."
REFUSED = "The single sign-on provider did not confirm this login. Please try again."
MISCONFIGURED = (
    "The single sign-on provider does not accept this server. Please tell whoever looks after it; its log says more."
)


@dataclass(frozen=True)
class _Published:
    """What the provider says of itself: its addresses, and the keys it signs with."""

    metadata: Mapping[str, Any]
    keys: KeySet
    read_at: float  # on the monotonic clock

    def address(self, name: str) -> str:
        return str(self.metadata[name])


class Client:
    """One provider and what it knows us by. Safe for threads."""

    def __init__(self, issuer: str, client_id: str, client_secret: str, redirect_address: str) -> None:
        self._issuer = issuer.rstrip("/")
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_address = redirect_address
        self._published: _Published | None = None
        self._turns = BoundedSemaphore(CONVERSATIONS)

    def begin(self) -> tuple[str, Pending]:
        """Return the address to send the browser to, and what it must bring back.

        Raises ProviderUnavailable.
        """
        with self._conversation() as client:
            published = self._read(client)
            pending = Pending(*(secrets.token_urlsafe(RANDOM_BYTES) for _ in range(3)))
            address, _ = client.create_authorization_url(
                published.address("authorization_endpoint"),
                state=pending.state,
                code_verifier=pending.verifier,
                nonce=pending.nonce,
            )
        return str(address), pending

    def finish(self, code: str, pending: Pending) -> Identity:
        """Return who came back with `code`, which the provider takes only once.

        Raises NotLoggedIn when the provider does not confirm it or what it says cannot be believed, and
        ProviderUnavailable.
        """
        with self._conversation() as client:
            published = self._read(client)
            token = self._exchange(client, published, code, pending)
            claims = self._verified(client, published, token, pending)
            profile = claims if "email" in claims else self._profile(client, published, claims)
        return _identity(claims, profile)

    @contextmanager
    def _conversation(self) -> Iterator[Any]:
        """Give an HTTP client; whatever is wrong with the network or its answers becomes ProviderUnavailable."""
        if not self._turns.acquire(timeout=QUEUE_SECONDS):
            raise ProviderUnavailable(TOO_MANY)
        try:
            with self._client() as client:
                yield client
        except (httpx2.HTTPError, httpx2.InvalidURL, AuthlibBaseError, JoseError, ValueError) as error:
            raise ProviderUnavailable(NO_ANSWER, detail=f"{type(error).__name__}: {error}") from error
        finally:
            self._turns.release()

    def _client(self) -> Any:
        return OAuth2Client(
            self._client_id,
            self._client_secret or None,
            scope=SCOPE,
            redirect_uri=self._redirect_address,
            code_challenge_method="S256",
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,  # a provider is where its address says, and nowhere else
            trust_env=not is_loopback(self._issuer),  # no proxy leads to this machine itself
        )

    def _read(self, client: Any, *, again: bool = False) -> _Published:
        """Return what the provider publishes, asked for anew when it is an hour old or when told so."""
        kept = self._published
        if kept and not again and time.monotonic() - kept.read_at < KEPT_SECONDS:
            return kept
        metadata = _get(client, f"{self._issuer}{WELL_KNOWN}")
        self._check(metadata)
        keys = KeySet.import_key_set(_keys_of(_get(client, metadata["jwks_uri"])))
        self._published = _Published(metadata, keys, time.monotonic())
        return self._published

    def _check(self, metadata: Mapping[str, Any]) -> None:
        """Raise ValueError unless the provider is the one we mean and all its addresses are as safe as its own."""
        if str(metadata.get("issuer", "")).rstrip("/") != self._issuer:
            raise ValueError("it says that it is another issuer than LIKENESS_OIDC_ISSUER")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not is_safe(str(metadata.get(name, ""))):
                raise ValueError(f"its {name} is missing or is not an https address")

    def _exchange(self, client: Any, published: _Published, code: str, pending: Pending) -> Mapping[str, Any]:
        client.token_endpoint_auth_method = self._auth_method(published.metadata)
        try:
            token = client.fetch_token(
                published.address("token_endpoint"),
                grant_type="authorization_code",
                code=code,
                code_verifier=pending.verifier,
            )
        except AuthlibBaseError as error:
            if error.error == "invalid_grant":  # used before, too old, or of another login
                raise NotLoggedIn(REFUSED, detail="invalid_grant") from error
            raise NotLoggedIn(MISCONFIGURED, detail=f"the token endpoint says {error.error!r:.100}") from error
        return dict(token)

    def _auth_method(self, metadata: Mapping[str, Any]) -> str:
        if not self._client_secret:
            return "none"
        known = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return "client_secret_basic" if "client_secret_basic" in known else "client_secret_post"

    def _verified(
        self, client: Any, published: _Published, token: Mapping[str, Any], pending: Pending
    ) -> Mapping[str, Any]:
        """Return the claims of the ID token, if all that makes them believable holds."""
        try:
            try:
                decoded = _decode(token, published.keys)
            except InvalidKeyIdError:  # the provider signs with a new key
                published = self._read(client, again=True)
                decoded = _decode(token, published.keys)
            options = {
                "iss": {"essential": True, "values": [published.address("issuer")]},
                "aud": {"essential": True, "values": [self._client_id]},
            }
            known = {"client_id": self._client_id, "nonce": pending.nonce, "access_token": token.get("access_token")}
            claims = CodeIDToken(decoded.claims, decoded.header, options, known)
            claims.validate(leeway=CLOCK_SKEW_SECONDS)
        except JoseError as error:
            raise NotLoggedIn(REFUSED, detail=f"the ID token is refused: {error}") from error
        return dict(claims)

    def _profile(self, client: Any, published: _Published, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the provider tells on asking about somebody of whom its ID token says little."""
        address = str(published.metadata.get("userinfo_endpoint", ""))
        if not is_safe(address):
            return claims
        profile = _json(client.get(address))
        if profile.get("sub") != claims["sub"]:
            raise NotLoggedIn(REFUSED, detail="the user info is about somebody else than the ID token")
        return profile


def is_loopback(address: str) -> bool:
    """Whether an address is on this machine."""
    return urlsplit(address).hostname in {"127.0.0.1", "localhost", "::1"}


def is_safe(address: str) -> bool:
    """Whether what is sent to an address, or comes from there, can be neither read nor changed on its way."""
    parts = urlsplit(address)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(address)))


def _get(client: Any, address: str) -> Mapping[str, Any]:
    return _json(client.request("GET", address, withhold_token=True))


def _json(answer: httpx2.Response) -> Mapping[str, Any]:
    """Return the JSON object of an answer. Raises HTTPError for redirects and errors, ValueError for anything else."""
    answer.raise_for_status()
    content = answer.json()
    if not isinstance(content, dict):
        raise ValueError(f"{answer.url} did not answer with a JSON object")  # noqa: TRY004 - its value, not ours
    return content


def _keys_of(content: Mapping[str, Any]) -> Any:
    """Return the key set without the keys that only encrypt."""
    keys = content.get("keys")
    if not isinstance(keys, list):
        raise ValueError("its keys are no key set")  # noqa: TRY004 - its value, not ours
    return {"keys": [key for key in keys if isinstance(key, dict) and key.get("use", "sig") == "sig"]}


def _decode(token: Mapping[str, Any], keys: KeySet) -> jwt.Token:
    # Header fields that we do not know are no reason to refuse; those that must be understood (`crit`) are.
    registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    try:
        return jwt.decode(str(token.get("id_token", "")), keys, registry=registry)
    except ValueError as error:
        raise JoseError(f"it is no signed token: {type(error).__name__}") from error


def _identity(claims: Mapping[str, Any], profile: Mapping[str, Any]) -> Identity:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise NotLoggedIn(REFUSED, detail="the subject of the ID token is no short text")
    email = profile.get("email")
    verified = isinstance(email, str) and profile.get("email_verified") is True
    names = (profile.get("preferred_username"), email, profile.get("name"), subject)
    name = next(name for name in names if isinstance(name, str) and name.strip())
    return Identity(str(claims["iss"]), subject, name.strip(), email if verified else None)
