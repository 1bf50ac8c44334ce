"""Where `likeness serve` listens, with what certificate, and which proxies it believes."""

import socket
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

STOP_SECONDS = 20  # how long a request in hand may take after the signal to stop

EVERY_ADDRESS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not listened on
FAR_AWAY = ("192.0.2.1", 9)
"""An address for documents, RFC 5737, that nobody has. Nothing is sent to it."""

MAPPED_BITS = 96
"""Where a socket takes both kinds of addresses, one of IPv4 is the last 32 bits of an IPv6 address."""


@dataclass(frozen=True)
class Certificate:
    """The two PEM files with which a server proves who it is."""

    chain: Path
    key: Path


def read_certificate(chain: Path | None, key: Path | None) -> Certificate | None:
    """Return the certificate if both files are named. Raises a sentence when they cannot be used."""
    if chain is None and key is None:
        return None
    if chain is None or key is None:
        raise click.UsageError("--tls-cert and --tls-key belong together. Please give both, or none.")
    import ssl

    try:
        # The password keeps OpenSSL from asking for one; a key without one does not mind it.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key, password="")
    except OSError as error:  # ssl.SSLError is one
        reason = (getattr(error, "reason", "") or error.strerror or str(error)).replace("_", " ").lower()
        raise click.ClickException(
            f"The certificate {chain} and the key {key} cannot be used: {reason}. Both must be PEM files that belong "
            "together, and the key must have no password."
        ) from error
    return Certificate(chain, key)


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that has its address and does not listen yet. Raises a sentence when it cannot have it."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise click.ClickException(
            f"Port {port} of {host} cannot be used: {reason}. Please choose another with --port."
        ) from error
    return listener


def address_of(host: str, port: int, certificate: Certificate | None) -> str:
    """Return the address at which a browser reaches a server that listens on `host`."""
    name = _own_address(host) if host in EVERY_ADDRESS else host
    shown = f"[{name}]" if ":" in name else name
    return f"{'https' if certificate else 'http'}://{shown}:{port}"


def _own_address(host: str) -> str:
    """Return the address from which this machine would speak to others; its name where it has none."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(FAR_AWAY)  # of UDP: it chooses a way and sends nothing
            return str(probe.getsockname()[0])
    except OSError:
        return socket.gethostname() or host


def trusted_networks(listed: str) -> list[str]:
    """Return the networks of a comma-separated list, those of IPv4 also as IPv6 sockets see them."""
    networks = [ip_network(part.strip(), strict=False) for part in listed.split(",") if part.strip()]
    mapped = [
        f"::ffff:{network.network_address}/{MAPPED_BITS + network.prefixlen}"
        for network in networks
        if isinstance(network, IPv4Network)
    ]
    return [str(network) for network in networks] + mapped


def server_config(app: "ASGIApp", trusted_proxies: str, certificate: Certificate | None) -> "uvicorn.Config":
    """Return how `app` is served. Without trusted proxies nobody's word for another address is believed."""
    import uvicorn

    networks = trusted_networks(trusted_proxies)
    return uvicorn.Config(
        app,
        log_config=None,
        log_level="critical",  # what goes wrong in a request is logged by webapp.errors already
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        proxy_headers=bool(networks),
        forwarded_allow_ips=networks,
        ssl_certfile=str(certificate.chain) if certificate else None,
        ssl_keyfile=str(certificate.key) if certificate else None,
    )
