"""Addresses of the web: how one is read, and where a server may be sent by whoever asks it to fetch something.

A server stands in places that who asks does not: on its own machine, in a network behind a firewall, beside the service
that hands out the passwords of its cloud. So only what every machine on the internet can reach may be asked for, unless
whoever looks after the server has allowed more. What is decided here is decided on numbers, never on names: a name may
mean anything, and something else a moment later.

Sources: the IANA registries of special-purpose IPv4 and IPv6 addresses (RFC 6890), read in 2026; WHATWG URL, "ends in a
number".
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import quote, urlsplit

from pipeline.errors import InvalidQuery

IPAddress = IPv4Address | IPv6Address

SCHEMES = {"http": 80, "https": 443}
"""How pictures are fetched, with the port that each means."""

PORTS = frozenset({80, 443, 8080, 8443})
"""Ports of web servers. Behind the others are mail, databases and the like, which an HTTP request can upset."""

LONGEST_ADDRESS = 2000
"""Characters. Signed addresses of pictures have up to about 1,500; browsers and proxies take some 2,000."""

NOT_PUBLIC = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network, and on Linux this machine
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # shared by customers of a provider (CGNAT), and Alibaba's metadata
            "127.0.0.0/8",  # this machine
            "168.63.129.16/32",  # looks public, and is Azure's service for its virtual machines
            "169.254.0.0/16",  # link-local, where AWS, Google, Azure and others have their metadata
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocols
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.88.99.0/24",  # relays of 6to4
            "192.168.0.0/16",  # private
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)

GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All that is handed out for use on the internet. Outside lie loopback, private (fc00::/7) and link-local addresses,
multicast, and those that carry an IPv4 address."""

IPV4_BITS = 0xFFFFFFFF
NAT64 = IPv6Network("64:ff9b::/96")
"""IPv4 addresses as machines without IPv4 reach them (RFC 6052): each is as public as the one that it carries. Those of
64:ff9b:1::/48 are for use within a network (RFC 8215)."""

NOT_PUBLIC_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocols; Teredo (2001::/32) carries an IPv4 address
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, which carries an IPv4 address
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)

NOT_AN_ADDRESS = "This is not the address of a picture. Please copy it again; it begins with https:// or http://."
TOO_LONG = f"The address of a picture can have {LONGEST_ADDRESS:,} characters. Please save the picture and drop it."
WITH_PASSWORD = "Addresses with a name or password in them are not fetched. Please save the picture and drop it."  # noqa: S105

AS_IT_IS = "/%:@!$&'()*+,;=~?[]"
"""What stays as it stands in path and query, besides letters, digits and `-._`; the rest is written in percents."""

_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_ENTRY = re.compile(r"(?:\[(?P<six>[^\]]+)\](?P<bits>/\d+)?|(?P<name>[^:\[\]]+))(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True)
class WebAddress:
    """An http or https address, safe to be written into a request.

    `host` is in ASCII and lower case, an IPv6 address without brackets; `target` is path and query.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def place(self) -> str:
        """Return what the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == SCHEMES[self.scheme] else f"{host}:{self.port}"

    @property
    def number(self) -> IPAddress | None:
        """Return the host where it is a number, and None where it is a name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.place}{self.target}"


@dataclass(frozen=True)
class Allowed:
    """What may be asked although it is not public: names and networks, each with a port or None for all of `PORTS`."""

    names: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[tuple[IPv4Network | IPv6Network, int | None], ...] = ()

    def has_name(self, host: str, port: int) -> bool:
        """Whether whatever this name stands for may be asked on a port."""
        return (host, port) in self.names or ((host, None) in self.names and port in PORTS)

    def has_number(self, number: IPAddress, port: int) -> bool:
        """Whether a number may be asked on a port."""
        return any(number in network and port in ({own} if own else PORTS) for network, own in self.networks)


NOTHING_ALLOWED = Allowed()


def read_address(text: str) -> WebAddress:
    """Return the address of a picture as it is asked for, without its fragment. Raises InvalidQuery.

    Numbers are taken as they are usually written only: 127.1, 2130706433 and 0x7f000001 are refused.
    """
    if len(text) > LONGEST_ADDRESS:
        raise InvalidQuery(TOO_LONG)
    if any(character <= " " or character in "\\\x7f" for character in text):  # which parsers take in different ways
        raise InvalidQuery(NOT_AN_ADDRESS)
    try:
        parts = urlsplit(text)
        scheme, port = parts.scheme.lower(), parts.port
        if scheme not in SCHEMES or port == 0:
            raise InvalidQuery(NOT_AN_ADDRESS)
        if "@" in parts.netloc:
            raise InvalidQuery(WITH_PASSWORD)
        host = _host(parts.hostname or "", bracketed="[" in parts.netloc)
    except ValueError as error:  # also UnicodeError, of names that cannot be written in ASCII
        raise InvalidQuery(NOT_AN_ADDRESS) from error
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return WebAddress(scheme, host, port or SCHEMES[scheme], quote(target, safe=AS_IT_IS))


def is_public(number: IPAddress) -> bool:
    """Whether every machine on the internet can reach this address, so that it tells nobody of a network within."""
    if isinstance(number, IPv4Address):
        return not any(number in network for network in NOT_PUBLIC)
    carried = IPv4Address(int(number) & IPV4_BITS) if number in NAT64 else number.ipv4_mapped
    if carried is not None:
        return is_public(carried)
    return number in GLOBAL_UNICAST and not any(number in network for network in NOT_PUBLIC_V6)


def may_be_asked(address: WebAddress, number: IPAddress, allowed: Allowed) -> bool:
    """Whether a request for `address` may go to the `number` that its host stands for at this moment."""
    if allowed.has_name(address.host, address.port) or allowed.has_number(number, address.port):
        return True
    return address.port in PORTS and is_public(number)


def read_allowed(listed: str) -> Allowed:
    """Return what a comma-separated list allows: names, numbers and networks, each perhaps with a port.

    Raises ValueError naming what is neither.
    """
    names: set[tuple[str, int | None]] = set()
    networks: list[tuple[IPv4Network | IPv6Network, int | None]] = []
    for entry in filter(None, (part.strip().lower() for part in listed.split(","))):
        found = _ENTRY.fullmatch(entry)
        port = int(found["port"]) if found and found["port"] else None
        name = (found["name"] or f"{found['six']}{found['bits'] or ''}") if found else entry
        try:
            networks.append((ip_network(name, strict=False), port))
        except ValueError as error:
            if not _NAME.fullmatch(name) or _is_number(name) or "/" in entry:
                raise ValueError(f"{entry} is neither a name nor a network") from error
            names.add((name, port))
    return Allowed(frozenset(names), tuple(networks))


def _host(host: str, *, bracketed: bool) -> str:
    """Return a host in ASCII. Raises ValueError."""
    if bracketed:
        return str(IPv6Address(host.partition("%")[0]))
    name = host.encode("idna").decode("ascii").lower().removesuffix(".")
    if _is_number(name):
        return str(IPv4Address(name))
    if not _NAME.fullmatch(name):
        raise ValueError("no name of a host")
    return name


def _is_number(name: str) -> bool:
    return _NUMBER.fullmatch(name.rpartition(".")[2]) is not None
