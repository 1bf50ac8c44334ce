"""The client of single sign-on against a real provider: what it believes, and what it asks for when."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from command import wait_until
from joserfc.jwk import ECKey, RSAKey
from oidc_provider import Provider, running_provider

from pipeline.errors import ConfigurationError, NotLoggedIn, ProviderUnavailable
from pipeline.settings import read_settings
from webapp.oidc import Identity, Pending
from webapp.oidc import Provider as Client
from webapp.oidc_client import CONVERSATIONS
from webapp.oidc_settings import open_provider

PUBLIC = "https://pictures.example.org"
ADA = {"sub": "1815", "preferred_username": "ada", "email": "ada@example.org", "email_verified": True}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        running.users["ada"] = dict(ADA)
        running.logged_in = "ada"
        yield running


@pytest.fixture
def client(provider: Provider) -> Client:
    return client_of(provider)


def client_of(provider: Provider, **changes: Any) -> Client:
    settings = {
        "oidc_issuer": provider.issuer,
        "oidc_client_id": provider.client_id,
        "oidc_client_secret": provider.client_secret,
        "public_url": PUBLIC,
    }
    opened = open_provider(read_settings(**(settings | changes)))
    assert opened is not None
    return opened


def visit(address: str) -> dict[str, str]:
    """Open the page of the provider, which sends back at once; return the fields it sends."""
    answer = httpx2.get(address)
    assert answer.status_code == 302, answer.text
    location = urlsplit(answer.headers["location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == f"{PUBLIC}/oidc/callback"
    return {name: values[0] for name, values in parse_qs(location.query).items()}


def log_in(client: Client) -> Identity:
    address, pending = client.begin()
    return client.finish(visit(address)["code"], pending)


def refusal(client: Client) -> str:
    """Log in, which must fail; return why, as the log has it."""
    with pytest.raises(NotLoggedIn) as caught:
        log_in(client)
    assert caught.value.user_message.startswith("The single sign-on provider")
    return caught.value.detail


def test_whom_the_provider_knows_comes_back_with_name_and_verified_address(provider, client):
    identity = log_in(client)

    assert identity == Identity(provider.issuer, "1815", "ada", "ada@example.org")
    assert identity.key == f"{provider.issuer} 1815"


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_address_that_the_provider_has_not_verified_counts_for_nothing(provider, client, verified):
    provider.users["ada"]["email_verified"] = verified

    assert log_in(client).email is None


def test_no_two_logins_share_what_is_random(client):
    (first, one), (second, other) = client.begin(), client.begin()

    assert {one.state, one.nonce, one.verifier}.isdisjoint({other.state, other.nonce, other.verifier})
    assert one.verifier not in first
    assert parse_qs(urlsplit(first).query)["code_challenge"] != parse_qs(urlsplit(second).query)["code_challenge"]


def test_a_profile_that_is_not_in_the_token_is_asked_for(provider, client):
    provider.profile_in_token = False

    assert log_in(client) == Identity(provider.issuer, "1815", "ada", "ada@example.org")
    assert provider.asked[-1] == "/userinfo"


def test_a_profile_of_somebody_else_is_refused(provider, client):
    provider.profile_in_token = False
    provider.changed_claims = {"sub": "not ada"}

    assert refusal(client) == "the user info is about somebody else than the ID token"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"nonce": "of another login"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"aud": "another client"}, "aud"),
        ({"aud": "another client", "azp": "likeness"}, "aud"),
        ({"aud": ["another client", "likeness"], "azp": "another client"}, "azp"),
        ({"aud": ["another client", "likeness"]}, "azp"),
        ({"iss": "https://another.example.org"}, "iss"),
        ({"exp": 1_000_000_000}, "expired"),
        ({"exp": "never"}, "exp"),
        ({"iat": 99_999_999_999}, "issued in the future"),
        ({"nbf": 99_999_999_999}, "not yet valid"),
        ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "at_hash"),
        ({"sub": ""}, "subject"),
        ({"sub": 7}, "sub"),
        ({"sub": "x" * 256}, "subject"),
    ],
)
def test_a_token_that_says_something_wrong_is_refused(provider, client, changed, reason):
    provider.changed_claims = changed

    assert reason in refusal(client)


@pytest.mark.parametrize("forgery", ["none", "HS256", "other key"])
def test_a_token_that_the_provider_has_not_signed_is_refused(provider, client, forgery):
    provider.forged_with = forgery

    reason = refusal(client)

    assert reason.startswith("the ID token is refused: ")
    assert ("bad_signature" in reason) == (forgery == "other key")
    assert ("unsupported_algorithm" in reason) == (forgery != "other key")


def test_a_signature_with_an_elliptic_curve_is_believed(provider, client):
    provider.key, provider.algorithm = ECKey.generate_key("P-256", {"kid": "curve", "use": "sig"}), "ES256"

    assert log_in(client).subject == "1815"


def test_a_new_key_is_asked_for_at_once_and_a_known_one_only_once(provider, client):
    log_in(client)
    log_in(client)
    assert provider.asked.count("/keys") == 1
    assert provider.asked.count("/.well-known/openid-configuration") == 1

    provider.key = RSAKey.generate_key(2048, {"kid": "second", "use": "sig"})

    assert log_in(client).subject == "1815"
    assert provider.asked.count("/keys") == 2


def test_keys_are_not_looked_for_where_a_redirect_leads(provider, client):
    provider.moved_keys = True

    with pytest.raises(ProviderUnavailable) as caught:
        client.begin()

    assert "307" in caught.value.detail


def test_a_code_is_good_for_one_login_in_the_browser_that_began_it(client):
    address, pending = client.begin()
    code = visit(address)["code"]
    with pytest.raises(NotLoggedIn) as caught:
        client.finish(code, Pending(pending.state, pending.nonce, "a verifier that was guessed" * 2))
    assert caught.value.detail == "invalid_grant"

    address, pending = client.begin()
    code = visit(address)["code"]
    assert client.finish(code, pending).subject == "1815"
    with pytest.raises(NotLoggedIn) as caught:
        client.finish(code, pending)
    assert caught.value.detail == "invalid_grant"


def test_a_wrong_secret_is_for_the_operator_to_mend(provider):
    client = client_of(provider, oidc_client_secret=provider.client_secret[::-1])

    reason = refusal(client)

    assert reason == "the token endpoint says 'invalid_client'"


def test_a_provider_that_wants_the_secret_in_the_form_is_given_it_there(provider, client):
    provider.changed_metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}

    assert log_in(client).subject == "1815"


def test_a_provider_that_comes_up_late_is_found(client, provider):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, and nobody listens
        away = client_of(provider, oidc_issuer=f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(ProviderUnavailable) as caught:
            away.begin()

    assert caught.value.user_message == "The single sign-on provider does not answer. Please try again in a moment."
    assert client.begin()[0].startswith(f"{provider.issuer}/authorize?")


def test_a_provider_that_does_not_answer_keeps_only_a_few_waiting(provider, client):
    provider.answers.clear()
    with ThreadPoolExecutor(CONVERSATIONS) as people:
        waiting = [people.submit(client.begin) for _ in range(CONVERSATIONS)]
        wait_until(lambda: provider.asked.count("/keys") == CONVERSATIONS)
        try:
            with pytest.raises(ProviderUnavailable) as caught:
                client.begin()
            assert not any(login.done() for login in waiting)
        finally:
            provider.answers.set()

    assert caught.value.user_message.startswith("Too many people are logging in")
    assert all(login.result()[0].startswith(provider.issuer) for login in waiting)
    assert client.begin()[0].startswith(provider.issuer)


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://another.example.org"},
        {"issuer": None},
        {"token_endpoint": "http://token.example.org/"},
        {"token_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://["},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_a_provider_whose_addresses_cannot_be_trusted_is_not_used(provider, client, changed):
    provider.changed_metadata = changed

    with pytest.raises(ProviderUnavailable):
        client.begin()


def test_a_slash_at_the_end_of_the_issuer_makes_no_difference(provider):
    provider.changed_metadata = {"issuer": f"{provider.issuer}/"}
    provider.changed_claims = {"iss": f"{provider.issuer}/"}

    assert log_in(client_of(provider)).issuer == f"{provider.issuer}/"
    assert log_in(client_of(provider, oidc_issuer=f"{provider.issuer}/")).issuer == f"{provider.issuer}/"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"public_url": ""}, "LIKENESS_PUBLIC_URL"),
        ({"oidc_client_id": ""}, "LIKENESS_OIDC_CLIENT_ID"),
        ({"oidc_issuer": "http://login.example.org"}, "https://"),
        ({"oidc_issuer": "login.example.org"}, "https://"),
        ({"oidc_issuer": "ftp://login.example.org"}, "https://"),
    ],
)
def test_settings_that_cannot_work_are_named(provider, changes, word):
    with pytest.raises(ConfigurationError, match=word):
        client_of(provider, **changes)


def test_without_an_issuer_there_is_no_provider():
    assert open_provider(read_settings()) is None
