"""Which addresses are read, what they are taken for, and which of them everybody may be led to."""

from ipaddress import ip_address

import pytest

from pipeline.errors import InvalidQuery
from pipeline.public_addresses import NOTHING_ALLOWED, is_public, may_be_asked, read_address, read_allowed

NOT_PUBLIC = (
    "0.0.0.0",  # noqa: S104
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",  # metadata of Alibaba
    "127.0.0.1",
    "127.255.255.255",
    "168.63.129.16",  # Azure
    "169.254.169.254",  # metadata of most clouds
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",  # metadata of Oracle
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",  # IPv4-compatible
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",  # NAT64
    "64:ff9b::a00:1",  # 10.0.0.1
    "64:ff9b:1::1",
    "100::1",
    "2001::1",  # Teredo
    "2001:0:53aa:64c:0:0:80ff:fffe",
    "2001:2::1",
    "2001:db8::1",
    "2002:7f00:1::1",  # 6to4
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",  # metadata of AWS
    "fe80::1",
    "fec0::1",
    "ff02::1",
)
PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",  # how a machine without IPv4 reaches 8.8.8.8
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a00:1450:4001::1",
)


@pytest.mark.parametrize("number", NOT_PUBLIC)
def test_numbers_of_networks_within_are_not_public(number):
    assert not is_public(ip_address(number))


@pytest.mark.parametrize("number", PUBLIC)
def test_numbers_of_the_internet_are_public(number):
    assert is_public(ip_address(number))


def test_whatever_python_calls_not_global_is_not_public_either():
    """Python's own list is shorter (it lacks what carries an IPv4 address), but nothing on it may be missing here."""
    edges = [base + step for base in range(0, 1 << 32, 1 << 16) for step in (0, 1, 0xFFFF)]

    assert [number for number in map(ip_address, edges) if is_public(number) and not number.is_global] == []


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port", "target"),
    [
        ("http://example.org", "http", "example.org", 80, "/"),
        ("HTTPS://Example.ORG/a.jpg", "https", "example.org", 443, "/a.jpg"),
        ("https://example.org:8443/a?b=c#d", "https", "example.org", 8443, "/a?b=c"),
        ("http://example.org./a", "http", "example.org", 80, "/a"),
        ("http://bücher.example/ä?ö=ü", "http", "xn--bcher-kva.example", 80, "/%C3%A4?%C3%B6=%C3%BC"),
        ("http://example.org/a%20b/%E4", "http", "example.org", 80, "/a%20b/%E4"),
        ("http://example.org/?u=http://x/y&z=[1]", "http", "example.org", 80, "/?u=http://x/y&z=[1]"),
        ("http://example.org/\"><b>'", "http", "example.org", 80, "/%22%3E%3Cb%3E'"),
        ("http://93.184.216.34/a", "http", "93.184.216.34", 80, "/a"),
        ("http://[2001:DB8:0:0::1]:8080/a", "http", "2001:db8::1", 8080, "/a"),
        ("http://１２７.0.0.1/a", "http", "127.0.0.1", 80, "/a"),
        ("http://127。0。0。1/a", "http", "127.0.0.1", 80, "/a"),
        ("http://ⓛocalhost/a", "http", "localhost", 80, "/a"),
    ],
)
def test_an_address_is_read_as_it_will_be_asked_for(text, scheme, host, port, target):
    address = read_address(text)

    assert (address.scheme, address.host, address.port, address.target) == (scheme, host, port, target)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cat.jpg",
        "//example.org/a",
        "ftp://example.org/a",
        "file:///etc/passwd",
        "gopher://example.org/_",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "http://",
        "http:///a",
        "http://example.org:0/",
        "http://example.org:65536/",
        "http://example.org:http/",
        "http://user@example.org/",
        "http://user:password@example.org/",
        "http://example.org@127.0.0.1/",
        "http://@127.0.0.1/",
        "http://example.org /a",
        "http://example.org/a b",
        "http://example.org/\r\nHost: within",
        "http://example.org\\@127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://127.0.0.01/",
        "http://127.0.0.1.2/",
        "http://999.1.1.1/",
        "http://1.2.3.0x",
        "http://exam%70le.org/",
        "http://127%2e0.0.1/",
        "http://[::1/",
        "http://[127.0.0.1]/",
        "http://[v1.a]/",
        "http://a..b/",
        "http://.../",
        "http://exa mple.org/",
        "http://ex<b>ample.org/",
        "http://" + "a" * 64 + ".org/",
        "http://\ud800.org/",
        "http://example.org/" + "a" * 2000,
    ],
)
def test_what_is_no_address_of_the_web_is_refused_in_a_sentence(text):
    with pytest.raises(InvalidQuery, match=r"[.]$"):
        read_address(text)


@pytest.mark.parametrize(
    ("url", "number", "listed", "expected"),
    [
        ("http://a.example/", "8.8.8.8", "", True),
        ("http://a.example:8080/", "8.8.8.8", "", True),
        ("http://a.example:22/", "8.8.8.8", "", False),
        ("http://a.example/", "10.0.0.1", "", False),
        ("http://a.example/", "10.0.0.1", "10.0.0.0/8", True),
        ("http://a.example:9000/", "10.0.0.1", "10.0.0.0/8", False),
        ("http://a.example:9000/", "10.0.0.1", "10.0.0.0/8:9000", True),
        ("http://a.example/", "10.0.0.1", "10.0.0.0/8:9000", False),
        ("http://a.example/", "10.0.0.1", "a.example", True),
        ("http://a.example/", "10.0.0.1", "b.example, A.Example ,", True),
        ("http://b.a.example/", "10.0.0.1", "a.example", False),
        ("http://a.example:9000/", "10.0.0.1", "a.example:9000", True),
        ("http://a.example:22/", "10.0.0.1", "a.example", False),
        ("http://a.example/", "fd00::1", "fd00::/8", True),
        ("http://a.example:9000/", "fd00::1", "[fd00::]/8:9000", True),
        ("http://a.example:9000/", "fd00::1", "[fd00::1]:9000", True),
        ("http://a.example/", "::ffff:10.0.0.1", "10.0.0.0/8", False),
    ],
)
def test_what_is_listed_may_be_asked_as_well(url, number, listed, expected):
    assert may_be_asked(read_address(url), ip_address(number), read_allowed(listed)) is expected


def test_an_empty_list_allows_nothing():
    assert read_allowed(" , ") == NOTHING_ALLOWED


@pytest.mark.parametrize("listed", ["10.0.0.0/33", "http://a.example", "a b", "127.1", "*.example", "a.example/8"])
def test_a_list_with_something_else_in_it_is_refused(listed):
    with pytest.raises(ValueError, match="neither a name nor a network"):
        read_allowed(listed)
