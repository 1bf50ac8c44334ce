"""Who is let in from where: addresses, certificates and proxies, on real servers that listen on this machine."""

import json
import re
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from threading import Thread

import pytest
import uvicorn
from certificates import made_pair
from command import CommandHere, CommandLine, wait_until

from webapp.cli_transport import address_of, bind, server_config, trusted_networks

EVERYWHERE = "0.0.0.0"  # noqa: S104
REQUIRED = {"LIKENESS_ACCOUNTS": "required"}
HSTS = "strict-transport-security"


@pytest.fixture
def command(tmp_path: Path, models: Path) -> CommandLine:
    return CommandLine(tmp_path / "data", models)


@pytest.fixture
def here(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandHere:
    return CommandHere(tmp_path / "data", models, monkeypatch, capsys)


@dataclass(frozen=True)
class Said:
    """What a server printed when it began: its address, and the line after it."""

    address: str
    then: str
    process: subprocess.Popen[str]


@contextmanager
def started(command: CommandLine, *arguments: object, lines: int = 2, **environment: str) -> Iterator[Said]:
    with command.start("serve", "--port", "0", "--no-worker", *arguments, **environment) as process:
        try:
            said = [process.stdout.readline() for _ in range(lines)]
            assert said[0].startswith("Likeness is at "), process.stderr.read()
            yield Said(said[0].split()[3], said[-1].strip(), process)
        finally:
            process.terminate()


def asked(address: str, trust: ssl.SSLContext | None = None, **headers: str) -> tuple[int, dict[str, str], str]:
    request = urllib.request.Request(address, headers={key.replace("_", "-"): text for key, text in headers.items()})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10, context=trust) as answer:  # noqa: S310
            return answer.status, named(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, named(error.headers), error.read().decode()


def named(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def warnings_of(said: Said) -> list[str]:
    """Stop a server and return what it printed on stderr until then."""
    said.process.terminate()
    return [line for line in said.process.stderr.read().splitlines() if line != "Stopped."]


# ---- Other machines, and the first account


def test_without_accounts_only_this_machine_is_served(command: CommandLine) -> None:
    done = command.run("serve", "--port", "0", "--host", EVERYWHERE)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Set LIKENESS_ACCOUNTS=required" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_first_start_prints_a_link_that_makes_the_first_account(command: CommandLine) -> None:
    with started(command, **REQUIRED) as said:
        link = said.then.split()[-1]
        assert re.fullmatch(re.escape(said.address) + r"/welcome/[\w-]{20,}", link)
        status, _, page = asked(link)
        assert status == 200
        assert "password" in page
        assert asked(f"{said.address}/welcome/{'a' * 43}")[0] == 404
        assert warnings_of(said) == []  # on this machine alone nothing is in the open


def test_the_link_leads_to_the_public_address_where_one_is_set(command: CommandLine) -> None:
    with started(command, LIKENESS_PUBLIC_URL="https://pictures.example.org", **REQUIRED) as said:
        assert said.then.split()[-1].startswith("https://pictures.example.org/welcome/")


def test_with_accounts_other_machines_are_served_and_told_that_passwords_are_in_the_open(command: CommandLine) -> None:
    with started(command, "--host", EVERYWHERE, **REQUIRED) as said:
        assert EVERYWHERE not in said.address
        assert said.then.split()[-1].startswith(f"{said.address}/welcome/")
        assert asked(f"{said.address}/livez")[0] == 200
        (warning,) = warnings_of(said)
    assert "unencrypted" in warning


def test_once_somebody_has_an_account_other_machines_are_served_and_no_link_is_printed(
    command: CommandLine, here: CommandHere
) -> None:
    assert here.run("user", "add", "rosa", "--link").returncode == 0
    with started(command, "--host", EVERYWHERE, lines=1) as said:
        assert asked(f"{said.address}/livez")[0] == 200
        said.process.terminate()
        assert "/welcome/" not in said.process.stdout.read()


def test_nobody_is_warned_behind_a_proxy(command: CommandLine) -> None:
    with started(command, "--host", EVERYWHERE, LIKENESS_TRUSTED_PROXIES="127.0.0.1", **REQUIRED) as said:
        assert warnings_of(said) == []


def test_an_address_is_shown_as_a_browser_takes_it() -> None:
    assert address_of("127.0.0.1", 8000, None) == "http://127.0.0.1:8000"
    assert address_of("::1", 8000, None) == "http://[::1]:8000"


# ---- Certificates


def test_with_a_certificate_it_is_https_and_stays_so(command: CommandLine, tmp_path: Path) -> None:
    pair = made_pair(tmp_path / "pair")
    arguments = ("--tls-cert", pair.certificate, "--tls-key", pair.key)
    with started(command, *arguments, **REQUIRED) as said:
        assert said.address.startswith("https://127.0.0.1:")
        assert said.then.split()[-1].startswith(said.address)
        trust = ssl.create_default_context(cafile=pair.certificate)
        for path in ("/livez", "/login", "/nothing", "/static/app.css", "/api/v1/images"):
            headers = asked(said.address + path, trust)[1]
            assert headers[HSTS] == "max-age=63072000", path


def test_what_is_wrong_with_a_certificate_is_one_sentence(here: CommandHere, tmp_path: Path) -> None:
    pair, other = made_pair(tmp_path / "one"), made_pair(tmp_path / "other")
    locked = made_pair(tmp_path / "locked", b"secret")
    (tmp_path / "text.pem").write_text("milk, eggs")
    for certificate, key in (
        (pair.certificate, other.key),
        (pair.certificate, tmp_path / "text.pem"),
        (tmp_path / "text.pem", pair.key),
        (locked.certificate, locked.key),
    ):
        done = here.run("serve", "--port", "0", "--tls-cert", certificate, "--tls-key", key)
        assert done.returncode == 1
        assert "cannot be used" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    half = here.run("serve", "--port", "0", "--tls-cert", pair.certificate)
    assert half.returncode == 2
    assert "belong together" in half.stderr
    assert not here.data.exists()


# ---- Proxies


async def seen(scope, receive, send) -> None:
    """An application that answers whom it sees, and by which scheme."""
    if scope["type"] == "lifespan":
        for stage in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{stage}.complete"})
        return
    body = json.dumps({"client": scope["client"][0], "scheme": scope["scheme"]}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def seeing(trusted_proxies: str, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve `seen` as `likeness serve` serves; give its address."""
    server = uvicorn.Server(server_config(seen, trusted_proxies, None))
    with bind(host, 0) as listener:
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: server.started)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


FORWARDED = {"X_Forwarded_For": "203.0.113.7", "X_Forwarded_Proto": "https"}


@pytest.mark.parametrize("trusted", ["127.0.0.1", "127.0.0.0/8", "10.0.0.1, 127.0.0.1", "127.0.0.5/8"])
def test_a_trusted_proxy_is_believed(trusted: str) -> None:
    with seeing(trusted) as address:
        told = json.loads(asked(address, **FORWARDED)[2])
        assert told == {"client": "203.0.113.7", "scheme": "https"}
        told = json.loads(asked(address)[2])
        assert told == {"client": "127.0.0.1", "scheme": "http"}


@pytest.mark.parametrize("trusted", ["", " ", "10.0.0.0/8", "::1"])
def test_nobody_else_is_believed_not_even_on_this_machine(trusted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # of uvicorn itself; ours decides
    with seeing(trusted) as address:
        told = json.loads(asked(address, **FORWARDED)[2])
        assert told == {"client": "127.0.0.1", "scheme": "http"}


def test_what_a_visitor_tells_a_trusted_proxy_about_itself_is_not_believed() -> None:
    with seeing("127.0.0.1") as address:
        told = json.loads(asked(address, X_Forwarded_For="127.0.0.1, 198.51.100.1, 203.0.113.7")[2])
        assert told["client"] == "203.0.113.7"  # what the proxy itself has added


def test_a_trusted_proxy_is_known_again_on_a_socket_for_both_kinds_of_addresses() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("This machine has no IPv6.")
    with seeing("127.0.0.1", host="::") as address:
        assert json.loads(asked(address, **FORWARDED)[2])["client"] == "203.0.113.7"
    assert trusted_networks("10.1.0.0/16, fd00::/8") == ["10.1.0.0/16", "fd00::/8", "::ffff:10.1.0.0/112"]


@pytest.mark.parametrize(("trusted", "expected"), [("127.0.0.1", "max-age=63072000"), ("10.0.0.1", None)])
def test_only_a_trusted_proxy_makes_https_last(command: CommandLine, trusted: str, expected: str | None) -> None:
    with started(command, LIKENESS_TRUSTED_PROXIES=trusted, **REQUIRED) as said:
        status, headers, _ = asked(f"{said.address}/livez", **FORWARDED)
        assert (status, headers.get(HSTS)) == (200, expected)
        assert HSTS not in asked(f"{said.address}/livez")[1]
