"""Single sign-on as the settings ask for it: a provider, or none, or the sentence that says what is missing."""

from pipeline.errors import ConfigurationError, extra_missing
from pipeline.settings import Settings
from webapp.oidc import CALLBACK, Provider

EXTRA = frozenset({"authlib", "httpx2", "joserfc"})
"""What only the extra `oidc` installs."""

NOT_INSTALLED = extra_missing("Single sign-on", "oidc")
NO_PUBLIC_URL = (
    "Single sign-on needs LIKENESS_PUBLIC_URL, the address at which people reach this server: the provider sends them "
    "back there."
)
NO_CLIENT_ID = "Single sign-on needs LIKENESS_OIDC_CLIENT_ID, the name by which the provider knows this server."
NOT_SAFE = "LIKENESS_OIDC_ISSUER cannot be used: it must begin with https://, unless it is on this machine."

try:
    from webapp import oidc_client
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] not in EXTRA:
        raise
    oidc_client = None  # type: ignore[assignment]


def open_provider(settings: Settings) -> Provider | None:
    """Return the provider of the settings, or None without one; it is not asked for anything yet.

    Raises ConfigurationError.
    """
    if not settings.oidc_issuer:
        return None
    if oidc_client is None:
        raise ConfigurationError(NOT_INSTALLED)
    if not settings.public_url:
        raise ConfigurationError(NO_PUBLIC_URL)
    if not settings.oidc_client_id:
        raise ConfigurationError(NO_CLIENT_ID)
    if not oidc_client.is_safe(settings.oidc_issuer):
        raise ConfigurationError(NOT_SAFE)
    return oidc_client.Client(
        settings.oidc_issuer,
        settings.oidc_client_id,
        settings.oidc_client_secret,
        f"{settings.public_url}{CALLBACK}",
    )
