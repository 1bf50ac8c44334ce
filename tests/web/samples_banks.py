"""Values for the pages about banks, from none at all to hostile names."""

from dataclasses import replace

from tests.web.samples import HOSTILE, LONG, RIGHT_TO_LEFT, SHELL
from tests.web.samples_people import LONG_NAME
from webapp.pages_banks import (
    BankCard,
    BankForm,
    BankPage,
    BanksPage,
    EntryLine,
    FormChoices,
    HoldOffer,
    Imported,
    MatchLine,
    NearLine,
    Tried,
)

BANKS = replace(SHELL, active="banks", has_banks=True)
CHOICES = FormChoices(
    kinds=(("known", "known pictures"), ("good", "good pictures")),
    actions=(("hold", "hold for review"), ("refuse", "refuse")),
    levels=(("10", "strict"), ("31", "normal")),
    places=(("main", "main"), ("", "the whole server")),
)
RESTS = "It matched 21 of the last 40 uploads, which is far more than usual, and so it rests."
CARD = BankCard("Cats", "/banks/b1", "main", "Refuse · normal (up to 31 bits)", "1,204 entries")
PICTURE = "/sample/0.svg"
ENTRY = EntryLine(1, "5f" * 32, PICTURE, "picture: cat.jpg", "28 Nov 2026")
MATCH = MatchLine("/images/0", PICTURE, "cat.jpg", "2 bits apart", "held", "28 Nov 2026, 14:01", 1)
BANK = BankPage(
    shell=BANKS,
    id="b1",
    name="Cats",
    place="main",
    does="Refuse · normal (up to 31 bits)",
    kind="known",
    facts=("1,204 entries", "made on 28 Nov 2026"),
    badges=(),
    notes="",
    form=BankForm("Cats"),
    choices=CHOICES,
    entries=(ENTRY,),
    older_url=None,
    matches=(MATCH,),
    older_matches_url=None,
    csv_url="/banks/b1/hashes.csv",
)


def bank_pages() -> dict[str, tuple[str, object]]:
    """Return each page under the name of its preview: the template and its value."""
    cards = (
        CARD,
        replace(CARD, name=HOSTILE, place=HOSTILE, badges=("paused",), paused=RESTS),
        replace(CARD, name=LONG_NAME, place=LONG_NAME),
        replace(CARD, name=RIGHT_TO_LEFT),
    )
    listed = BanksPage(BANKS, cards, BankForm(), CHOICES, may_make=True)
    full = replace(
        BANK,
        name=HOSTILE,
        place=LONG_NAME,
        notes=LONG,
        badges=("paused", "being tried out"),
        paused=RESTS,
        comparing="3 entries are being compared with the pictures that are here.",
        may_change=True,
        may_manage=True,
        entries=(
            ENTRY,
            replace(ENTRY, id=2, thumbnail_url="", notes=HOSTILE, origin=HOSTILE, facts=("plain (quality 10)",)),
        ),
        older_url="/banks/b1?before=2",
        matches=(MATCH, replace(MATCH, filename=HOSTILE), replace(MATCH, filename=LONG_NAME)),
        older_matches_url="/banks/b1?matches_before=2",
        hold=HoldOffer(12, "12 pictures that are here look like one of this bank.", ((PICTURE, HOSTILE),)),
        tried=Tried("It would match.", (NearLine(1, "2 bits apart", PICTURE, True), NearLine(2, "50 bits", "", False))),
        imported=Imported("1 entry was added.", ((3, "It cannot be read as CSV."),), "and 7 more"),
        problem="Please choose at least one picture.",
        settings_problem="The name of a bank is missing. Please write one.",
    )
    return {
        "banks-none": ("banks.html", replace(listed, banks=())),
        "banks-full": ("banks.html", replace(listed, problem="There is a bank called “Cats” here already.")),
        "bank-plain": ("bank.html", BANK),
        "bank-full": ("bank.html", full),
    }
