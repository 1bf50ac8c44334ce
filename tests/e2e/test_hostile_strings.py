"""Every page in a real Chromium, full of what people could write to make it do something: it shows it, and no more."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from e2e.conftest import DESKTOP, PHONE, SHOTS
from e2e.gestures import drop
from e2e.hostile import ELSEWHERE, NAME, NASTY, PRODUCT, STRINGS, VIEWER, HostileHouse, hostile_house, notice_cookie
from pictures import picture_bytes
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

from pipeline import accounts, members, saved_searches
from pipeline.filters import Filter
from pipeline.principals import OWNER, Role
from pipeline.search import SearchQuery

PIECE = 400  # characters of a string that fit into a search

REPORT = """document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`Content Security: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));"""
SOUND = """() => {
  const wrong = [];
  if (window.pwned !== undefined) wrong.push(`a script ran: ${window.pwned}`);
  for (const element of document.querySelectorAll(
    ".pwned, [data-pwned], [name=pwned], base, iframe, object, embed, meta[http-equiv], body style"))
    wrong.push(`an element was made: ${element.outerHTML.slice(0, 150)}`);
  const leads = ["href", "src", "action", "formaction", "srcset", "poster", "data", "hx-get", "hx-post", "hx-put"];
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      if (/^(on|hx-on|data-hx)/.test(name)) wrong.push(`an attribute was made: ${name}`);
      if (name === "style" && /url|position|expression/i.test(value)) wrong.push(`a style was made: ${value}`);
      if (!leads.includes(name) || name === "srcset") continue;
      const { protocol, origin } = new URL(value, location.href);
      if (origin !== location.origin && !(element.tagName === "IMG" && ["blob:", "data:"].includes(protocol)))
        wrong.push(`${name} leads to ${value.slice(0, 150)}`);
    }
  }
  return wrong;
}"""
WITHOUT_LIMITS = "document.querySelectorAll('[maxlength]').forEach((field) => field.removeAttribute('maxlength'))"
LAYOUT = """() => {
  const wrong = [];
  const width = document.documentElement.clientWidth;
  const cutOff = (element) => element !== document.body
    && (getComputedStyle(element).overflowX !== "visible" || cutOff(element.parentElement));
  if (document.documentElement.scrollWidth > width) wrong.push(`scrolls to ${document.documentElement.scrollWidth}`);
  for (const element of document.querySelectorAll("body *")) {
    if (!element.checkVisibility() || element.matches(".skip") || cutOff(element.parentElement)) continue;
    const box = element.getBoundingClientRect();
    if (box.right > width + 1 || box.left < -1)
      wrong.push(`reaches to ${Math.round(box.right)}: ${element.outerHTML.slice(0, 200)}`);
  }
  const heading = document.querySelector("h1");
  const box = heading?.getBoundingClientRect();
  if (!heading?.checkVisibility() || box.width < 20 || box.height < 10) wrong.push("no heading is seen");
  return wrong.slice(0, 3);
}"""


@dataclass
class Watch:
    """A browser that looks at pages and writes down whatever should not have happened."""

    context: BrowserContext
    origin: str
    wrong: list[str] = field(default_factory=list)
    page: Page = field(init=False)
    screens: list[dict[str, int]] = field(default_factory=lambda: [DESKTOP, PHONE])
    may_be_refused: set[str] = field(default_factory=set)
    """Addresses of pages that may say what is wrong with them."""

    def __post_init__(self) -> None:
        self.context.add_init_script(REPORT)
        self.page = self.context.new_page()
        self.page.on("dialog", lambda dialog: (self.wrong.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("pageerror", lambda error: self.wrong.append(f"a script broke: {error}"))
        self.page.on("console", self._read)
        self.context.on("request", self._follow)

    def _read(self, message: ConsoleMessage) -> None:
        """Note what the browser complains about, but for values that no field can show and pages that are refused."""
        text, address = message.text, message.location["url"]
        is_refusal = "the server responded with a status of" in text and address in self.may_be_refused
        is_about_a_field = text.startswith("The specified value")
        if message.type in {"error", "warning"} and not is_refusal and not is_about_a_field:
            self.wrong.append(f"{text} ({address})")

    def _follow(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"blob", "data"} and f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.wrong.append(f"a request left: {request.url}")

    def goto(self, path: str) -> Page:
        self.may_be_refused.add(f"{self.origin}{path}")
        self.page.goto(f"{self.origin}{path}")
        return self.page

    def look(self, what: str = "") -> None:
        """Look at the page as it is, on a large and on a small screen, the one that is there first."""
        found = [*self.page.evaluate(SOUND)]
        for screen in self.screens:
            self.page.set_viewport_size(screen)  # type: ignore[arg-type]
            found += [f"at {screen['width']}: {words}" for words in self.page.evaluate(LAYOUT)]
        self.screens.reverse()
        if PRODUCT in self.page.locator("body").inner_text():
            found.append("the page calculates")
        if "pwned" in {cookie["name"] for cookie in self.context.cookies()}:
            found.append("a cookie was set")
        self.wrong += [f"{what or self.page.url}: {words}" for words in found]
        if SHOTS and found:
            self.page.screenshot(path=f"{SHOTS}/hostile-{len(self.wrong)}.png")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[HostileHouse]:
    with hostile_house(tmp_path_factory.mktemp("hostile-strings"), models) as opened:
        yield opened


Opened = Callable[..., Watch]


@pytest.fixture
def watch(browser: Browser, house: HostileHouse) -> Iterator[Opened]:
    """Let somebody look; nothing may have gone wrong when the test is over."""
    watches: list[Watch] = []

    def opened(name: str = "") -> Watch:
        context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
        if name:
            context.add_cookies([house.cookie(name)])  # type: ignore[list-item]
        watches.append(Watch(context, house.url))
        return watches[-1]

    yield opened
    for each in watches:
        each.context.close()
    assert "\n".join(words for each in watches for words in each.wrong) == ""


def searches(_: HostileHouse) -> list[str]:
    """Return addresses with each string as words, as a tag, and in the place of what has to be something else."""
    others = ["category", "library", "color", "created_after", "min_width", "like", "picture", "offset", "scheme"]
    others += ["uploader", "without_tag", "format", "taken_year", "max_bytes", "sort", "state"]
    found = [f"/?{urlencode({'text': f'cat {text}'[:PIECE], 'tag': text[:PIECE]})}" for text in STRINGS]
    found += [f"/?{urlencode({others[n % len(others)]: text})}" for n, text in enumerate(STRINGS)]
    return ["/", *found, f"/?{urlencode([(name, NASTY) for name in others])}"]


def with_strings(path: str, *others: str) -> Callable[[HostileHouse], list[str]]:
    """Return what makes the addresses of a page that is asked for with a few of the strings."""
    return lambda _: [path, *others, *(f"{path}?{urlencode({'offset': text, 'next': text})}" for text in STRINGS[:2])]


def a_password_link(house: HostileHouse) -> list[str]:
    person = accounts.find_person(house.backend, OWNER, NAME)
    return [f"/welcome/{accounts.password_link(house.backend, OWNER, person.id)}", f"/welcome/{quote(NASTY, safe='')}"]


def invitations(house: HostileHouse) -> list[str]:
    made = [members.invite(house.backend, house.mallory, library, Role.VIEWER) for library in house.shelves[:5]]
    return [f"/invitations/{secret}" for secret in (*made, quote(NASTY, safe=""))]


def callbacks(_: HostileHouse) -> list[str]:
    said = {"error": NASTY, "error_description": STRINGS[0], "state": STRINGS[2]}
    return ["/oidc/callback", f"/oidc/callback?{urlencode(said)}", f"/oidc/callback?{urlencode({'code': NASTY})}"]


def saved(house: HostileHouse) -> list[str]:
    """A search is kept by the name and the words that nobody should write."""
    for text in STRINGS[:4]:
        query = SearchQuery(where=Filter(tags=(text,)))
        saved_searches.save(house.backend, house.mallory, text[:100], {"tag": [text]}, query)
    return ["/searches"]


PAGES: dict[str, Callable[[HostileHouse], list[str]]] = {
    "/": searches,
    "/region": lambda house: [
        *(f"/region?{urlencode({'like': f'{image}@0,0,1,1'})}" for image in house.images[:3]),
        *(f"/region?{urlencode({'like': text, 'text': text, 'left': text})}" for text in STRINGS[:4]),
    ],
    "/searches": saved,
    "/upload": lambda house: [
        f"/upload?batch={house.batch}",
        *(f"/upload?{urlencode({'batch': text, 'library': text})}" for text in STRINGS[:4]),
    ],
    "/images/{image_id}": lambda house: [
        *(f"/images/{image}" for image in house.images),
        *(f"/images/{quote(text, safe='')}" for text in STRINGS[:4]),
    ],
    "/images/{image_id}/stack": lambda house: [
        *(f"/images/{image}/stack" for image in house.images[:3]),
        f"/images/{house.images[1]}/stack?{urlencode({'tag': NASTY, 'text': NASTY, 'offset': NASTY})}",
        f"/images/{quote(NASTY, safe='')}/stack",
    ],
    "/duplicates": lambda _: [
        *(f"/duplicates?{urlencode({'state': state})}" for state in ("open", "settled", "same-scene", NASTY)),
        f"/duplicates?{urlencode({'verdict': NASTY, 'library': NASTY, 'cursor': NASTY})}",
    ],
    "/duplicates/identical": with_strings("/duplicates/identical"),
    "/duplicates/next": lambda _: ["/duplicates/next", f"/duplicates/next?{urlencode({'library': NASTY})}"],
    "/duplicates/{group_id}": lambda house: [
        *(f"/duplicates/{group}" for group in (*house.groups, quote(NASTY, safe=""))),
        *(f"/duplicates/{group}?{urlencode({'left': NASTY, 'right': NASTY})}" for group in house.groups[:1]),
    ],
    "/compare": lambda house: [
        "/compare",
        f"/compare?{urlencode({'a': house.images[0], 'b': house.images[1]})}",
        f"/compare?{urlencode({'a': NASTY, 'b': NASTY})}",
    ],
    "/moderation": lambda _: [
        *(f"/moderation?{urlencode({'tab': tab})}" for tab in ("held", "reported", "escalated", "settled", NASTY)),
        f"/moderation?{urlencode({'library': NASTY, 'reason': NASTY, 'who': NASTY, 'cursor': NASTY})}",
    ],
    "/banks": with_strings("/banks"),
    "/banks/{bank_id}": lambda house: [f"/banks/{bank}" for bank in (*house.banks, quote(NASTY, safe=""))],
    "/status": with_strings("/status"),
    "/trash": with_strings("/trash"),
    "/api/v1/docs": with_strings("/api/v1/docs"),
    "/login": with_strings("/login"),
    "/welcome/{secret}": a_password_link,
    "/invitations/{secret}": invitations,
    "/oidc/start": lambda _: ["/oidc/start", f"/oidc/start?{urlencode({'next': NASTY})}"],
    "/oidc/callback": callbacks,
    "/account": with_strings("/account"),
    "/people": with_strings("/people"),
    "/audit": with_strings("/audit", "/audit?offset=20"),
    "/libraries": with_strings("/libraries"),
    "/libraries/{library}": lambda house: [
        f"/libraries/{each}" for each in (*house.shelves[:6], quote(NASTY, safe=""))
    ],
}
"""The addresses at which each page is looked at."""

FILES: dict[str, Callable[[HostileHouse], str]] = {
    "/pictures/{key}": lambda _: f"/pictures/{quote(NASTY, safe='')}",
    "/upload/changes": lambda house: f"/upload/changes?{urlencode({'batch': house.batch, 'done': NASTY})}",
    "/results.json": lambda _: f"/results.json?{urlencode({'tag': NASTY})}",
    "/results.csv": lambda _: f"/results.csv?{urlencode({'tag': NASTY})}",
    "/feeds/{feed_key}.atom": lambda _: f"/feeds/{quote(NASTY, safe='')}.atom",
    "/feeds/{feed_key}.json": lambda _: f"/feeds/{quote(NASTY, safe='')}.json",
    "/api/v1/searches": lambda _: "/api/v1/searches",
    "/api/v1/searches/{search_id}": lambda _: f"/api/v1/searches/{quote(NASTY, safe='')}",
    "/images/{image_id}/thumbnail": lambda house: f"/images/{house.images[1]}/thumbnail",
    "/images/{image_id}/original": lambda house: f"/images/{house.images[1]}/original",
    "/api/v1/images": lambda _: "/api/v1/images",
    "/api/v1/images/{image_id}": lambda house: f"/api/v1/images/{house.images[1]}",
    "/api/v1/images/{image_id}/original": lambda house: f"/api/v1/images/{house.images[1]}/original",
    "/api/v1/images/{image_id}/thumbnail": lambda house: f"/api/v1/images/{house.images[1]}/thumbnail",
    "/api/v1/status": lambda _: "/api/v1/status",
    "/api/v1/duplicates": lambda _: "/api/v1/duplicates",
    "/api/v1/duplicates/same-scene": lambda _: "/api/v1/duplicates/same-scene",
    "/api/v1/duplicates/identical": lambda _: "/api/v1/duplicates/identical",
    "/api/v1/duplicates/decisions": lambda _: "/api/v1/duplicates/decisions",
    "/api/v1/duplicates/decisions/export": lambda _: "/api/v1/duplicates/decisions/export",
    "/api/v1/duplicates/{group_id}": lambda house: f"/api/v1/duplicates/{house.groups[0]}",
    "/api/v1/moderation": lambda _: "/api/v1/moderation",
    "/banks/{bank_id}/hashes.csv": lambda house: f"/banks/{house.banks[1]}/hashes.csv",
    "/banks/{bank_id}/entries/{entry_id}/thumbnail": lambda house: f"/banks/{house.banks[0]}/entries/1/thumbnail",
    "/api/v1/banks": lambda _: "/api/v1/banks",
    "/api/v1/banks/{bank_id}": lambda house: f"/api/v1/banks/{house.banks[1]}",
    "/api/v1/banks/{bank_id}/entries": lambda house: f"/api/v1/banks/{house.banks[1]}/entries",
    "/api/v1/banks/{bank_id}/matches": lambda house: f"/api/v1/banks/{house.banks[1]}/matches",
    "/api/v1/banks/{bank_id}/hold": lambda house: f"/api/v1/banks/{house.banks[1]}/hold",
    "/api/v1/banks/{bank_id}/hashes.csv": lambda house: f"/api/v1/banks/{house.banks[1]}/hashes.csv",
    "/api/v1/libraries": lambda _: "/api/v1/libraries",
    "/api/v1/libraries/{library}": lambda house: f"/api/v1/libraries/{house.shelves[1]}",
    "/api/v1/libraries/{library}/members": lambda house: f"/api/v1/libraries/{house.shelves[1]}/members",
    "/api/v1/openapi.json": lambda _: "/api/v1/openapi.json",
    "/audit.csv": lambda _: "/audit.csv",
    "/livez": lambda _: "/livez",
    "/readyz": lambda _: "/readyz",
    "/metrics": lambda _: "/metrics",
    "/static": lambda _: f"/static/{quote(NASTY, safe='')}",
}
"""What answers with no page: an address of each."""

HEADERS = {
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-length",
    "content-security-policy",
    "content-type",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "date",
    "etag",
    "last-modified",
    "referrer-policy",
    "server",
    "x-content-type-options",
    "x-frame-options",
}
"""All that the answer with an original has."""

UNKNOWN_VISITOR = {"/login", "/welcome/{secret}", "/oidc/start", "/oidc/callback"}


def paths(routes: Any) -> Iterator[str]:
    """Return the paths of all routes that can be got."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from paths(inner.routes)
        elif "GET" in (getattr(route, "methods", None) or {"GET"}):
            yield route.path


def test_every_address_is_visited(house: HostileHouse) -> None:
    assert set(paths(house.app.routes)) == {*PAGES, *FILES}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_shows_what_was_written_and_does_nothing_of_it(house: HostileHouse, watch: Opened, path: str) -> None:
    visit = watch("" if path in UNKNOWN_VISITOR else "mallory")
    for address in PAGES[path](house):
        visit.goto(address)
        visit.look()


def test_the_watch_sees_what_it_looks_for(watch: Opened) -> None:
    visit = watch()
    page = visit.goto("/login")
    visit.look()
    assert visit.wrong == []
    page.evaluate("(html) => document.querySelector('main').insertAdjacentHTML('beforeend', html)", NASTY)
    page.evaluate("document.querySelector('h1').style.width = '2000px'")
    page.evaluate(f"fetch('{ELSEWHERE}').catch(() => {{}})")
    visit.look()
    found = "\n".join(visit.wrong)
    for sign in ("an element was made", "an attribute was made: onerror", "at 390: scrolls", "Content Security"):
        assert sign in found
    visit.wrong.clear()


@pytest.mark.parametrize("path", FILES)
def test_what_is_no_page_is_taken_for_none(house: HostileHouse, path: str) -> None:
    with house.browserlike("mallory") as browser, house.program() as program:
        client = program if path.startswith("/api/") else browser
        answer = client.get(FILES[path](house))
    assert answer.status_code in {200, 404}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "script-src 'self'" in answer.headers["content-security-policy"] or (
        answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    )
    for text in STRINGS:
        if "<" in text and answer.headers["content-type"].startswith("text/html"):
            assert text not in answer.text
    assert "pwned" not in answer.cookies


def test_no_name_of_a_file_says_more_than_a_name(house: HostileHouse, watch: Opened) -> None:
    with house.browserlike("mallory") as browser:
        for image in house.images:
            answer = browser.get(f"/images/{image}/original")
            said = answer.headers.get_list("content-disposition")
            assert len(said) <= 1
            assert "".join(said).isascii()
            assert "".join(said).isprintable()
            assert set(answer.headers) <= HEADERS
    visit = watch("mallory")
    for image in house.images[:3]:
        page = visit.goto(f"/images/{image}")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download").click()
        assert not set(download.value.suggested_filename) & set('/\\<>"\r\n\0')


def test_what_was_written_is_read_as_it_was_written(house: HostileHouse, watch: Opened) -> None:
    visit = watch("mallory")
    with house.program() as program:
        for image in house.images[:5]:
            known = program.get(f"/api/v1/images/{image}").json()
            page = visit.goto(f"/images/{image}")
            expect(page.locator("h1")).to_have_text(known["filename"])
            expect(page.get_by_label("Caption")).to_have_value(known["caption"])
            assert page.locator(".tags a").all_text_contents() == known["tags"]
            page.locator(".tags a:not(:text-is('again'))").first.click()
            expect(page.locator(".tile")).to_have_count(1)


def test_who_may_change_nothing_reads_it_too(house: HostileHouse, watch: Opened) -> None:
    visit = watch(VIEWER)
    for image in house.images[:4]:
        visit.goto(f"/images/{image}")
        visit.look()
    for address in ("/", "/upload", "/account", "/libraries", f"/libraries/{house.shelves[0]}", f"/{quote(NASTY)}"):
        visit.goto(address)
        visit.look()


@pytest.mark.parametrize("number", [1, 4, 19])
def test_what_is_typed_into_a_page_comes_back_as_text(house: HostileHouse, watch: Opened, number: int) -> None:
    visit, text = watch("mallory"), STRINGS[number]
    visit.may_be_refused |= {f"{house.url}{path}" for path in ("/libraries", "/people", "/account/tokens")}
    for address, label, button in (
        ("/libraries", "Name", "Make it"),
        ("/people", "Name", "Add"),
        ("/account", "What it is for", "Make the token"),
    ):
        page = visit.goto(address)
        page.evaluate(WITHOUT_LIMITS)
        page.get_by_label(label, exact=True).last.fill(text)
        with page.expect_navigation():
            page.get_by_role("button", name=button, exact=True).last.click()
        visit.look(f"{address} with {text[:40]}")

    page = visit.goto(f"/images/{house.images[0]}")
    page.get_by_label("Caption").fill(text)
    page.get_by_label("Tags, separated by commas").fill(text[:100])
    page.locator("#edit-save").click()
    expect(page.locator(".saved")).to_be_visible()
    visit.look("an edit")
    page.get_by_role("searchbox").fill(f"cat {text}"[:PIECE])
    page.keyboard.press("Enter")
    expect(page.locator("#results h1")).to_contain_text("“")
    visit.look("a search")


def test_files_that_are_dropped_are_shown_by_name(house: HostileHouse, watch: Opened) -> None:
    visit = watch("mallory")
    page = visit.goto("/upload")
    named = [f"{text.lstrip('.')[:300]}.jpg" for text in (*STRINGS[1:6], *STRINGS[14:])]
    drop(page, [(name, picture_bytes("noise", seed=700 + number)) for number, name in enumerate(named)])
    drop(page, [(f"{NASTY}.jpg", b"no picture")])
    visit.look("before they are sent")
    expect(page.locator(".card[data-outcome=added]")).to_have_count(len(named), timeout=30_000)
    expect(page.locator(".card[data-outcome=refused]")).to_have_count(1)
    visit.look("when they are analyzed")
    page.goto(house.url)
    drop(page, [(NASTY, picture_bytes("noise", seed=800))], "search")
    expect(page.get_by_role("heading", name="Pictures like this one")).to_be_visible()
    visit.look("a search with one")


@pytest.mark.parametrize("number", [1, 14, 19])
def test_a_notice_says_what_is_in_its_cookie_and_does_nothing(house: HostileHouse, watch: Opened, number: int) -> None:
    visit = watch("mallory")
    for address in ("/", "/account"):
        visit.context.add_cookies([notice_cookie(house, STRINGS[number])])  # type: ignore[list-item]
        page = visit.goto(address)
        expect(page.locator("#notice")).to_contain_text(" ".join(STRINGS[number][:150].split()))
        visit.look(f"a notice at {address}")
