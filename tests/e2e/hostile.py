"""What people could write to make a page do something, and a server in which they have written it wherever they may."""

import io
import json
import socket
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx
from command import wait_until
from duplicates import Findings
from fastapi import FastAPI
from house import House
from in_a_thread import free_listener, listening
from pictures import picture_bytes, torn
from PIL import Image

from pipeline import access, account_names, accounts, curation, libraries, members, sessions
from pipeline.backend import Backend
from pipeline.duplicate_groups import list_groups
from pipeline.labels import LONGEST_CAPTION, LONGEST_LIBRARY, LONGEST_TAG
from pipeline.principals import EVERY_SCOPE, OWNER, Principal, Role
from pipeline.settings import read_settings
from webapp.app import create_app
from webapp.identity import COOKIE, SESSION

ELSEWHERE = "https://elsewhere.invalid/"
PRODUCT = "62615533"
"""7919 times 7907, which no page shows unless it calculates."""

NASTY = '"><img src=x onerror="window.pwned=1" class=pwned>'
STRINGS = (
    "<script>window.pwned=2</script>",
    NASTY,
    "' autofocus onfocus='window.pwned=3' data-pwned='",
    '" style="position:fixed;inset:0" onmouseover="window.pwned=4" data-pwned="',
    "</textarea></title></style></script></template><svg/onload=window.pwned=5 class=pwned>",
    "javascript:window.pwned=6",
    "{{7919*7907}}{% raw %}${7919*7907}<%= 7919*7907 %>#{7919*7907}",
    f'<div class=pwned hx-get="{ELSEWHERE}" hx-trigger=load hx-on::load="window.pwned=7">',
    f";background:url({ELSEWHERE}pwned.png);position:fixed",
    f"</style><style>*{{display:none}}</style><base href={ELSEWHERE}>",
    f'<meta http-equiv=refresh content="0;url={ELSEWHERE}">',
    '<iframe class=pwned srcdoc="<script>parent.pwned=8</script>"></iframe>',
    f"<form class=pwned action={ELSEWHERE}><input name=pwned autofocus>",
    "&lt;b class=pwned&gt;&amp;#60;&quot;&#x27;&NewLine;<!-- %3Cscript%3E \\u003cscript\\u003e",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe\N{RIGHT-TO-LEFT ISOLATE}\u05d0\u0628" + "\N{ZERO WIDTH SPACE}\ufeff\u2060" * 9,
    "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER}" * 9 + "Z" + "\N{COMBINING ACUTE ACCENT}" * 80,
    "\0\x01\x08\x1b[31m\x7f\x85\u2028\u2029\ud7ff\ufffe end",
    "a\r\nSet-Cookie: pwned=9\r\n\r\n<script>window.pwned=9</script>",
    "../../../etc/passwd\\..\\con;%2e%2e%2f?a=b#c",
    "W" * LONGEST_CAPTION,
)
VIEWER = "viewer@a_b-c+d.e"
NAME = "w" * account_names.LONGEST_NAME
"""As bad as the name of an account may be: it has no sign that means anything."""


@dataclass
class HostileHouse:
    """A server full of what its people have written, and an administrator who has to look at it."""

    app: FastAPI
    url: str
    images: list[str] = field(default_factory=list)
    shelves: list[str] = field(default_factory=list)
    batch: str = "hostile"
    banks: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def backend(self) -> Backend:
        return self.app.state.running.backend

    @property
    def mallory(self) -> Principal:
        return House(self.backend).asks("mallory")

    def cookie(self, name: str) -> dict[str, str]:
        """Return the cookie of a session that has just begun for somebody."""
        begun = self.begin(name, browser="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        return {"name": COOKIE, "value": begun, "url": self.url}

    def begin(self, name: str, *, browser: str, address: str = "127.0.0.1") -> str:
        person = accounts.find_person(self.backend, OWNER, name)
        begun = sessions.begin(self.backend, person, address=address, browser=browser, how="with a password")
        signer = self.app.state.running.signer
        return str(signer.seal([begun.session_id, begun.secret], SESSION))

    def program(self, name: str = "mallory") -> httpx.Client:
        """Return a program that may do what somebody may."""
        if name not in self.tokens:  # nobody can have many
            person = accounts.find_person(self.backend, OWNER, name)
            made = sessions.make_token(self.backend, OWNER, "program", EVERY_SCOPE, 1.0, person=person)
            self.tokens[name] = made[1]
        secret = self.tokens[name]
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {secret}"}, timeout=60)

    def browserlike(self, name: str) -> httpx.Client:
        """Return a client with the session of somebody."""
        return httpx.Client(base_url=self.url, cookies={COOKIE: self.cookie(name)["value"]}, timeout=60)


@contextmanager
def hostile_house(data: Path, models: Path) -> Iterator[HostileHouse]:
    """Serve a house in which everything that can be written is one of the strings."""
    listener: socket.socket = free_listener()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = read_settings(
        data=data,
        models=models,
        accounts="required",
        public_url=url,
        oidc_issuer="http://127.0.0.1:9",
        oidc_client_id=NASTY,
        oidc_name=STRINGS[4],
    )
    app = create_app(settings)
    with listening(listener, app):
        httpx.get(f"{url}/livez", timeout=60).raise_for_status()
        house = HostileHouse(app, url)
        _people(house)
        _libraries(house)
        _pictures(house)
        _moderation(house)
        yield house


def _people(house: HostileHouse) -> None:
    accounts.add_person(house.backend, OWNER, "mallory", administrator=True)
    for name, email in ((NAME, f'"{NASTY}"@x.invalid'), ("\u05d0\u05d1\u05d2", None), (VIEWER, None)):
        accounts.add_person(house.backend, OWNER, name, email=email)
    for number, text in enumerate(STRINGS):
        house.begin("mallory", browser=text, address=text)
        name = f"{number}{text}"[:100]
        sessions.make_token(house.backend, house.mallory, name, EVERY_SCOPE, None)
    for text in (NASTY, STRINGS[-1]):  # each costs the time of a password
        httpx.post(f"{house.url}/login", data={"name": text, "password": text}, headers={"User-Agent": NASTY})


def _libraries(house: HostileHouse) -> None:
    for number, text in enumerate(STRINGS):
        plain = "".join(letter for letter in text if letter.isprintable() and letter not in ",/*")
        made = libraries.make(house.backend, house.mallory, f"{number}{plain}"[:LONGEST_LIBRARY].strip())
        house.shelves.append(made.id)
    for library in house.shelves[1:3]:
        member = members.add(house.backend, house.mallory, library, NAME, Role.MODERATOR)
        members.change_role(house.backend, house.mallory, library, member.person_id, Role.OWNER)
        members.add(house.backend, house.mallory, library, VIEWER, Role.VIEWER)
        members.invite(house.backend, house.mallory, library, Role.VIEWER)
    libraries.delete(house.backend, house.mallory, house.shelves.pop(0))


def _pictures(house: HostileHouse) -> None:
    with house.program() as program, house.browserlike("mallory") as page:
        form = {"batch": house.batch, "library": house.shelves[0]}
        csrf = page.get("/account").text.partition('csrf-token" content="')[2].partition('"')[0]
        for number, text in enumerate(STRINGS):
            name = f"{text}.jpg" if number != len(STRINGS) - 1 else text
            sent = send(page, "/upload", name, picture(text, number), form, {"X-CSRF-Token": csrf})
            assert sent.status_code == 200, sent.text
        for name, data in ((f"torn{NASTY}.png", torn(picture_bytes("noise", seed=900))), (NASTY, b"no picture")):
            send(page, "/upload", name, data, form, {"X-CSRF-Token": csrf})
        wait_until(lambda: program.get("/api/v1/status").json()["queue_depth"] == 0)
        listed = program.get("/api/v1/images", params={"limit": 100}).json()["images"]
        house.images = [image["id"] for image in listed if image["state"] == "ready"]
        for image, text in zip(house.images, STRINGS, strict=True):
            words = {"caption": text[:LONGEST_CAPTION], "tags": [text[:LONGEST_TAG], "again"]}
            program.patch(f"/api/v1/images/{image}", json=words).raise_for_status()
        curation.delete(house.backend, house.images[-2:], house.mallory)


def _moderation(house: HostileHouse) -> None:
    """Banks, reports and duplicates, with what nobody should write in all their words."""
    with house.program() as program:
        for number, text in enumerate(STRINGS[:6]):
            told = {"name": f"{number}{text}"[:60], "sentence": text, "notes": text, "action": "warn"}
            made = program.post("/api/v1/banks", json=told | {"library": house.shelves[0]}).raise_for_status().json()
            house.banks.append(made["id"])
            hashes = {"file": (f"{text}.csv", f"hash,notes\n{number:064x},{text}\n".encode())}
            program.post(f"/api/v1/banks/{made['id']}/hashes", files=hashes).raise_for_status()
        for image, text in zip(house.images[:6], STRINGS, strict=False):
            program.post(f"/api/v1/images/{image}/report", json={"reason": text}).raise_for_status()
    pictures = access.get_images(house.backend, house.images[:3], house.mallory)
    findings = Findings(house.backend)
    findings.found(pictures[1], pictures[0], "identical")
    findings.found(pictures[1], pictures[2], "edited")
    house.groups = [group.id for group in list_groups(house.backend, house.mallory, limit=9).groups]


def picture(text: str, number: int) -> bytes:
    """Return a JPEG that says `text` in all its metadata."""
    said = text.encode()
    exif = Image.Exif()
    for tag in (0x010E, 0x010F, 0x0110, 0x0131, 0x013B, 0x8298, 0x9C9B):  # the last is the title of Windows
        exif[tag] = said
    details = exif.get_ifd(0x8769)
    details |= {0x9003: said, 0x9286: b"ASCII\0\0\0" + said, 0xA433: said, 0xA434: said, 0x8827: 100}
    xmp = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'><dc:title>{text}</dc:title></x:xmpmeta>".encode()
    with Image.open(io.BytesIO(picture_bytes("noise", seed=500 + number))) as drawn:
        file = io.BytesIO()
        drawn.save(file, "JPEG", exif=exif, xmp=xmp, comment=said)
        return file.getvalue()


def send(
    client: httpx.Client, path: str, name: str, data: bytes, fields: dict[str, str], headers: dict[str, str]
) -> httpx.Response:
    """Send a file under a name as it is, as no browser does but anybody can; a line break would end the name."""
    edge = "an-edge-between-parts"
    parts = "".join(
        f'--{edge}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()
    )
    raw = name.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "")
    file = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{raw}"\r\n\r\n'
    body = (parts + file).encode() + data + f"\r\n--{edge}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={edge}", "HX-Request": "true"}
    return client.post(path, content=body, headers={**headers, **kind})


def notice_cookie(house: HostileHouse, text: str) -> dict[str, str]:
    """Return the cookie that makes the next page say `text` and offer to undo it."""
    packed = json.dumps({"sentence": text[:1000], "undo": [text[:100], NASTY]}).encode()
    return {"name": "notice", "value": urlsafe_b64encode(packed).decode(), "url": house.url}
