"""The first run at an address of the network, step by step as docs/deploy/https.md has it, in a real browser."""

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx2 as httpx
import pytest
from command import CommandLine
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from e2e.conftest import PHONE, OpenVisitor, Site, Visitor, serving
from e2e.gestures import drop, scripted
from playwright.sync_api import Dialog, Page, expect

from tests.web.photos import jpeg
from webapp.cli_transport import address_of

GUIDE = Path(__file__).parents[2] / "docs" / "deploy" / "https.md"
PASSWORD = "correct horse battery"  # noqa: S105 - of nobody
CAT, COFFEE = jpeg("chelsea.png"), jpeg("coffee.png")
NEEDS_HTTPS = "Cross-Origin-Opener-Policy"
"""What Chromium passes over at an address without https, and says so."""


@pytest.fixture(scope="module")
def network_address() -> str:
    """The address under which others reach this machine."""
    address = re.fullmatch(r"http://(.+):1", address_of("0.0.0.0", 1, None))  # noqa: S104 - asked about only
    assert address
    if ip_address(address[1]).is_loopback:
        pytest.skip("This machine has no address but those that only it can reach.")
    return address[1]


@pytest.fixture
def unencrypted(network_address: str, tmp_path: Path, models: Path) -> Iterator[Site]:
    with serving(tmp_path / "data", models, "--host", network_address, LIKENESS_ACCOUNTS="required") as site:
        yield site


@pytest.fixture
def encrypted(network_address: str, tmp_path: Path, models: Path) -> Iterator[Site]:
    chain, key = certificate_files(tmp_path, network_address)
    options = ("--host", network_address, "--tls-cert", chain, "--tls-key", key)
    with serving(tmp_path / "data", models, *options, trusted=chain, LIKENESS_ACCOUNTS="required") as site:
        yield site


def certificate_files(folder: Path, address: str) -> tuple[Path, Path]:
    """Write a certificate that is its own authority, and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "likeness")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "chain.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(private)
    return folder / "chain.pem", folder / "key.pem"


def make_the_first_account(page: Page) -> None:
    expect(page.get_by_role("heading", name="Make the first account")).to_be_visible()
    page.get_by_label("Name").fill("Ada")
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    expect(page.locator("#notice")).to_contain_text("Welcome, ada.")


def upload(page: Page, name: str, data: bytes) -> None:
    page.get_by_role("link", name="Upload").click()
    expect(page.get_by_role("heading", name="Add pictures")).to_be_visible()
    drop(page, [(name, data)])
    expect(page.locator(".card[data-outcome=added]", has_text=name)).to_be_visible()


def log_out(page: Page) -> None:
    page.get_by_role("button", name="Account of ada").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def log_in(page: Page) -> None:
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Account of ada")).to_be_visible()


def overlook_what_needs_https(guest: Visitor) -> None:
    guest.complaints[:] = [words for words in guest.complaints if NEEDS_HTTPS not in words]


def test_the_guide_has_the_commands_that_are_tried_here() -> None:
    guide = GUIDE.read_text()
    assert "export LIKENESS_ACCOUNTS=required" in guide
    assert ".venv/bin/likeness serve --host 0.0.0.0" in guide
    assert "--tls-cert fullchain.pem --tls-key privkey.pem" in guide


@pytest.mark.parametrize("host", ["0.0.0.0", "the address"])  # noqa: S104 - it refuses
def test_without_accounts_other_machines_are_refused_with_the_way_out(
    network_address: str, tmp_path: Path, models: Path, host: str
) -> None:
    command = CommandLine(tmp_path / "data", models)
    done = command.run("serve", "--host", network_address if host == "the address" else host, "--port", "0")
    assert done.returncode == 2
    assert "Set LIKENESS_ACCOUNTS=required and start again: it prints a link" in " ".join(done.stderr.split())
    assert done.stdout == ""


def test_the_first_account_is_made_with_the_link_that_is_printed(unencrypted: Site, visitor: OpenVisitor) -> None:
    assert unencrypted.welcome.startswith(f"{unencrypted.url}/welcome/")
    assert unencrypted.client.get("/").headers["location"] == "/login"
    guest = visitor()
    page = guest.open(unencrypted.welcome)
    guest.show(page, "1-the-link")
    make_the_first_account(page)
    guest.show(page, "2-welcome")
    upload(page, "cat.jpg", CAT)
    page.get_by_role("link", name="Search", exact=True).click()
    expect(page.locator(".tile")).to_have_count(1)

    (cookie,) = [each for each in page.context.cookies() if each["name"].endswith("likeness")]
    assert (cookie["name"], cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (
        "likeness",
        True,
        False,
        "Lax",
    )
    log_out(page)
    page.goto(unencrypted.url)
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    log_in(page)
    expect(page.locator(".tile")).to_have_count(1)

    page.goto(unencrypted.welcome)
    expect(page.get_by_role("main")).to_contain_text("This link has been used, or its time is over.")
    guest.show(page, "3-the-link-again")
    guest.complaints[:] = [words for words in guest.complaints if "status of 404" not in words]
    overlook_what_needs_https(guest)


def test_what_browsers_give_only_to_https_is_not_missed(unencrypted: Site, visitor: OpenVisitor) -> None:
    guest = visitor(PHONE)
    page = guest.open(unencrypted.welcome)
    make_the_first_account(page)
    assert page.evaluate("[isSecureContext, navigator.clipboard === undefined]") == [False, True]
    drop(page, [("cat.jpg", CAT), ("coffee.jpg", COFFEE)])
    expect(page.locator(".card[data-outcome=added]")).to_have_count(2)
    expect(page.locator(".mini-palette")).to_have_count(2)

    shown: list[str] = []
    page.on("dialog", lambda dialog: read(dialog, shown))
    page.goto(f"{unencrypted.url}/account")
    page.get_by_label("What it is for").fill("Backup")
    page.get_by_role("button", name="Make the token").click()
    secret = page.locator(".secret code").inner_text()
    scripted(page)
    page.get_by_role("button", name="Copy").click()
    assert shown == [secret]
    guest.show(page, "token")
    bearer = {"Authorization": f"Bearer {secret}"}
    assert len(unencrypted.client.get("/api/v1/images", headers=bearer).json()["images"]) == 2
    overlook_what_needs_https(guest)


def read(dialog: Dialog, shown: list[str]) -> None:
    shown.append(dialog.default_value)
    dialog.dismiss()


def test_over_https_the_session_is_for_this_host_and_https_alone(encrypted: Site, visitor: OpenVisitor) -> None:
    assert encrypted.url.startswith("https://")
    page = visitor(ignore_https_errors=True).open(encrypted.welcome)
    make_the_first_account(page)
    (cookie,) = [each for each in page.context.cookies() if each["name"].endswith("likeness")]
    assert cookie["name"] == "__Host-likeness"
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"], cookie["path"]) == (True, True, "Lax", "/")
    upload(page, "cat.jpg", CAT)
    log_out(page)
    log_in(page)

    answer = encrypted.client.get("/login")
    assert answer.headers["strict-transport-security"] == "max-age=63072000"
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(encrypted.url, verify=ssl.create_default_context())
