"""What the pages about banks show: one frozen dataclass a page, as in `webapp.pages`.

The addresses to which the forms are posted, with their fields, are listed at each page; each form has the hidden field
`csrf_token` as well.
"""

from dataclasses import dataclass

from webapp.pages import Shell

Choices = tuple[tuple[str, str], ...]
"""Value and words of each."""


@dataclass(frozen=True)
class BankForm:
    """What is set of a bank, as texts. `level` is in bits, `percent` that of the uploads, `until` a day."""

    name: str = ""
    kind: str = "known"
    action: str = "hold"
    sentence: str = ""
    level: str = "31"
    percent: str = "100"
    until: str = ""
    notes: str = ""
    guarded: bool = True
    keeps_thumbnails: bool = True
    place: str = ""


@dataclass(frozen=True)
class FormChoices:
    """What the form that sets a bank offers. `places` are the libraries that can have a new one, "" is the server."""

    kinds: Choices
    actions: Choices
    levels: Choices
    places: Choices = ()


@dataclass(frozen=True)
class BankCard:
    """A bank in the list. `place` is the name of its library, or says that it is for the whole server."""

    name: str
    url: str
    place: str
    does: str
    entries: str
    badges: tuple[str, ...] = ()
    paused: str = ""


@dataclass(frozen=True)
class BanksPage:
    """`/banks`. A new one is posted there: `library` ("" for the server), `kind`, and the fields of `BankForm`."""

    shell: Shell
    banks: tuple[BankCard, ...]
    form: BankForm
    choices: FormChoices
    may_make: bool = False
    problem: str = ""


@dataclass(frozen=True)
class EntryLine:
    """An entry. `hash` is in hexadecimal digits; `facts` are in words, what need not be said left out."""

    id: int
    hash: str
    thumbnail_url: str
    origin: str
    added: str
    facts: tuple[str, ...] = ()
    notes: str = ""


@dataclass(frozen=True)
class MatchLine:
    """A picture that looked like an entry."""

    url: str
    thumbnail_url: str
    filename: str
    distance: str
    deed: str
    at: str
    entry: int


@dataclass(frozen=True)
class NearLine:
    """An entry near a picture that is tried out; `is_match` where it is near enough."""

    entry: int
    distance: str
    thumbnail_url: str
    is_match: bool


@dataclass(frozen=True)
class Tried:
    """What a bank would do with a picture: `sentence`; the nearest entries; `aside` where the picture is plain."""

    sentence: str
    nearest: tuple[NearLine, ...] = ()
    aside: str = ""


@dataclass(frozen=True)
class Imported:
    """What became of a file of hashes: `sentence`, and the lines that were refused (number and reason)."""

    sentence: str
    refused: tuple[tuple[int, str], ...] = ()
    more: str = ""


@dataclass(frozen=True)
class HoldOffer:
    """Pictures that are there and can be held: `number` is sent back, so that nothing else is held than was shown."""

    number: int
    sentence: str
    thumbnails: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class BankPage:
    """`/banks/{id}`, with the forms below it.

    Posted there: `settings` (the fields of `BankForm`), `pause`, `resume`, `delete` (`confirmed`), `pictures` (`file`,
    several, `notes`), `hashes` (`file`, or `text`), `try` (`file`), `hold` (`number`), `entries/{entry}/remove`, and
    `entries/{entry}/change` (`notes`, `until`).

    `may_change` is whether entries can be added and taken out, `may_manage` whether it can be set and deleted. `veiled`
    hides the pictures until they are asked for. `comparing` says what is not compared yet.
    """

    shell: Shell
    id: str
    name: str
    place: str
    does: str
    kind: str
    facts: tuple[str, ...]
    badges: tuple[str, ...]
    notes: str
    form: BankForm
    choices: FormChoices
    entries: tuple[EntryLine, ...]
    older_url: str | None
    matches: tuple[MatchLine, ...]
    older_matches_url: str | None
    csv_url: str
    paused: str = ""
    comparing: str = ""
    may_change: bool = False
    may_manage: bool = False
    veiled: bool = True
    hold: HoldOffer | None = None
    tried: Tried | None = None
    imported: Imported | None = None
    problem: str = ""
    settings_problem: str = ""
