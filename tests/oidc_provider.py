"""A small real provider of OpenID Connect, for tests and for trying single sign-on by hand.

It speaks HTTP on this machine, signs with keys of its own, and takes a code once, from the client it was given to,
with the verifier that belongs to it. What it says of people, and how it misbehaves, tests set on it. It shares no
code with the client: what both misunderstood would pass.

    python tests/oidc_provider.py --port 9000 --client likeness --secret a-secret
"""

import argparse
import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import uvicorn
from in_a_thread import free_listener, listening
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

SIGNING_KEY = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
ENCRYPTING_KEY = RSAKey.generate_key(2048, {"kid": "encrypts", "use": "enc"})
OTHER_KEY = RSAKey.generate_key(2048)

CODE_SECONDS = 60
TOKEN_SECONDS = 300

FORM = """<!doctype html><title>A provider</title><form method="post">
<label>Name <input name="user" required autofocus></label> <button>Log in</button></form>"""


@dataclass
class Provider:
    """A provider, what it knows, and how it behaves at this moment."""

    issuer: str
    client_id: str = "likeness"
    client_secret: str = "a secret that only the two know"  # noqa: S105 - of a test
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By name: the claims about somebody. Whoever is not there is made up from the name."""

    logged_in: str | None = None
    """Who has a session here already and is sent back at once; None: a form asks."""

    key: RSAKey | ECKey = field(default_factory=lambda: SIGNING_KEY)
    algorithm: str = "RS256"
    changed_claims: dict[str, Any] = field(default_factory=dict)
    """Set in ID tokens over what is right."""

    forged_with: str = ""
    """`none`, `HS256` (with the public key), or `other key` (under the name of the right one)."""

    profile_in_token: bool = True
    changed_metadata: dict[str, Any] = field(default_factory=dict)
    refuses_to_log_in: bool = False
    moved_keys: bool = False
    """Whether the address of the keys leads elsewhere."""

    answers: threading.Event = field(default_factory=threading.Event)
    """While it is clear, whoever asks for the keys waits."""

    asked: list[str] = field(default_factory=list)
    """The paths of all requests, in their order."""

    _codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    _access: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.answers.set()

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/keys", self._keys),
                Route("/elsewhere", self._published_keys),
                Route("/authorize", self._authorize, methods=["GET", "POST"]),
                Route("/token", self._token, methods=["POST"]),
                Route("/userinfo", self._userinfo),
            ]
        )

    def _configuration(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        metadata = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.algorithm],
            "code_challenge_methods_supported": ["S256"],
        }
        return JSONResponse(metadata | self.changed_metadata)

    def _keys(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        self.answers.wait()
        return RedirectResponse("/elsewhere") if self.moved_keys else self._published_keys(request)

    def _published_keys(self, request: Request) -> Response:
        del request
        return JSONResponse({"keys": [key.as_dict(private=False) for key in (ENCRYPTING_KEY, self.key)]})

    async def _authorize(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        query = dict(request.query_params)
        refusal = self._refusal(query)
        if refusal:
            return PlainTextResponse(refusal, 400)
        back = {"state": query["state"]}
        if self.refuses_to_log_in:
            return _redirect(query["redirect_uri"], back | {"error": "access_denied", "error_description": "Cancelled"})
        typed = parse_qs((await request.body()).decode()).get("user", [""])[0]
        user = typed or self.logged_in
        if user is None:
            return HTMLResponse(FORM)
        code = secrets.token_urlsafe()
        self._codes[code] = query | {"user": user, "until": time.monotonic() + CODE_SECONDS}
        return _redirect(query["redirect_uri"], back | {"code": code})

    def _refusal(self, query: dict[str, str]) -> str:
        if query.get("client_id") != self.client_id or not query.get("redirect_uri"):
            return "unknown client"
        if query.get("response_type") != "code" or "openid" not in query.get("scope", "").split():
            return "only the code flow of OpenID Connect is spoken here"
        if not query.get("state") or not query.get("nonce"):
            return "state and nonce are missing"
        if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
            return "PKCE with S256 is required"
        return ""

    async def _token(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if not self._is_client(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        asked = self._codes.pop(form.get("code", ""), None)
        right = (
            asked is not None
            and asked["until"] > time.monotonic()
            and form.get("redirect_uri") == asked["redirect_uri"]
            and _challenge(form.get("code_verifier", "")) == asked["code_challenge"]
        )
        if form.get("grant_type") != "authorization_code" or asked is None or not right:
            return JSONResponse({"error": "invalid_grant"}, 400)
        access = secrets.token_urlsafe()
        self._access[access] = self._claims(asked["user"])
        answer = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "id_token": self._id_token(asked["user"], asked["nonce"], access),
        }
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    def _is_client(self, request: Request, form: dict[str, str]) -> bool:
        methods = self.changed_metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if "client_secret_basic" in methods:
            sent = request.headers.get("authorization", "").removeprefix("Basic ")
            expected = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        else:
            sent, expected = form.get("client_secret", ""), self.client_secret
        return hmac.compare_digest(sent, expected)

    def _userinfo(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        claims = self._access.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        return JSONResponse(claims) if claims else PlainTextResponse("", 401)

    def _claims(self, user: str) -> dict[str, Any]:
        return self.users.get(user, {"sub": f"id-of-{user}", "preferred_username": user})

    def _id_token(self, user: str, nonce: str, access: str) -> str:
        now = int(time.time())
        about = self._claims(user) if self.profile_in_token else {"sub": self._claims(user)["sub"]}
        half = hashlib.sha256(access.encode()).digest()[:16]
        right = {
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "nonce": nonce,
            "at_hash": _base64(half),
        }
        claims = about | right | self.changed_claims
        header = {"alg": self.algorithm, "kid": self.key.kid}
        if self.forged_with in {"none", "HS256"}:
            return self._forged(claims)
        key = OTHER_KEY if self.forged_with == "other key" else self.key
        return jwt.encode(header, claims, key, algorithms=[self.algorithm])

    def _forged(self, claims: dict[str, Any]) -> str:
        """Make a token by hand, as whoever has no private key would: unsigned, or signed with what is public."""
        header = {"alg": self.forged_with, "kid": self.key.kid}
        signed = ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
        if self.forged_with == "none":
            return f"{signed}."
        public = self.key.as_pem(private=False)
        return f"{signed}.{_base64(hmac.digest(public, signed.encode(), 'sha256'))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _challenge(verifier: str) -> str:
    return _base64(hashlib.sha256(verifier.encode()).digest())


def _redirect(address: str, fields: dict[str, str]) -> Response:
    return RedirectResponse(f"{address}?{urlencode(fields)}", 302)


@contextmanager
def running_provider(host: str = "127.0.0.1") -> Iterator[Provider]:
    """Run a provider on this machine, under one of its names."""
    listener = free_listener()
    provider = Provider(f"http://{host}:{listener.getsockname()[1]}")
    with listening(listener, provider.app()):
        yield provider


def main() -> None:
    """Run a provider until it is stopped; whoever types a name is that person."""
    parser = argparse.ArgumentParser(description="A provider of OpenID Connect to try single sign-on with.")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--client", default="likeness")
    parser.add_argument("--secret", default="a-secret")
    chosen = parser.parse_args()
    provider = Provider(f"http://127.0.0.1:{chosen.port}", chosen.client, chosen.secret)
    uvicorn.run(provider.app(), port=chosen.port, log_level="warning")


if __name__ == "__main__":
    main()
