"""Banks in words: what they do, how near a match is, where an entry is from, and the form that sets them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline import bank_upkeep, banks
from pipeline.backend import Backend
from pipeline.bank_rules import LEAST_QUALITY, LEVELS, MOST_DISTANCE, NORMAL, BankAction, Deed, Kind, level_of
from pipeline.banks import Bank, BankInfo, BankSettings
from pipeline.errors import InvalidQuery
from pipeline.images import ImageRecord
from pipeline.principals import Principal
from webapp.forms import Fields, first, read_integer, read_number, read_time, read_truth
from webapp.language import gettext as _
from webapp.language import marked, ngettext
from webapp.pages_banks import BankForm
from webapp.wording import as_short_date, sentences

KINDS = {
    Kind.KNOWN: marked("known pictures, to be watched for"),
    Kind.GOOD: marked("good pictures, never to be flagged"),
    Kind.REMOVED: marked("pictures that were removed, and stay so"),
}
ACTIONS = {
    BankAction.ALLOW: marked("let in, and write it down"),
    BankAction.WARN: marked("let in with a warning"),
    BankAction.HOLD: marked("hold for review"),
    BankAction.REFUSE: marked("refuse"),
}
LEVEL_WORDS = {
    "exact": marked("exact: the same hash"),
    "strict": marked("strict: the same picture saved again"),
    "normal": marked("normal: also resized, blurred or recolored a little, as other tools match"),
    "loose": marked("loose: also in other colors or with a faint watermark"),
}
LEVEL_NAMES = {
    "exact": marked("exactly alike"),
    "strict": marked("strict"),
    "normal": marked("normal"),
    "loose": marked("loose"),
}
LONGEST_NUMBER = 18  # digits of an entry; databases count no further
DEEDS = {
    Deed.ALLOW: marked("let in"),
    Deed.WARN: marked("warned of"),
    Deed.HOLD: marked("held"),
    Deed.REFUSE: marked("refused"),
    Deed.GOOD: marked("known to be good"),
    Deed.SPARED: marked("spared by a bank of good pictures"),
    Deed.SHADOW: marked("spared, being tried out"),
    Deed.PAUSED: marked("let in while the bank rested"),
    Deed.FOUND: marked("there before the entry"),
}
ORIGINS = {
    "upload": marked("picture: %(name)s"),
    "file": marked("from the file %(name)s"),
    "typed": marked("typed"),
    "image": marked("from the picture %(name)s"),
    "removed": marked("removed: %(name)s"),
}


def does(bank: Bank) -> str:
    """Return what a bank does with what it matches, and how near that has to be."""
    if bank.kind is Kind.GOOD:
        return _("Never flags: %(level)s", level=level(bank.max_distance))
    return _("%(action)s · %(level)s", action=_(ACTIONS[bank.action]).capitalize(), level=level(bank.max_distance))


def level(max_distance: int) -> str:
    """Return a level of a match in short."""
    name = level_of(max_distance)
    bits = ngettext("up to %(number)s bit", "up to %(number)s bits", max_distance)
    return _("%(level)s (%(bits)s)", level=_(LEVEL_NAMES[name]), bits=bits) if name else bits


def distance(bits: int) -> str:
    """Return how far two hashes are apart."""
    if bits == 0:
        return _("the same hash")
    return ngettext("%(number)s bit apart", "%(number)s bits apart", bits)


def deed(done: Deed) -> str:
    """Return what was done with a match."""
    return _(DEEDS[done])


def origin(text: str) -> str:
    """Return where an entry is from."""
    kind, _colon, name = text.partition(":")
    return _(ORIGINS[kind], name=name) if kind in ORIGINS else text


def quality(number: int | None) -> str:
    """Return what PDQ says of how much there is to tell, "" where nothing needs to be said."""
    if number is None:
        return _("quality not told")
    if number < LEAST_QUALITY:
        return _("plain (quality %(number)s): matches only at the strict level", number=number)
    return ""


def badges(info: BankInfo) -> tuple[str, ...]:
    """Return what stands beside the name of a bank."""
    bank = info.bank
    told = [_("good pictures")] if bank.kind is Kind.GOOD else []
    told += [_("paused")] if bank.paused is not None else []
    told += [_("expired")] if bank.is_expired(datetime.now(UTC)) else []
    told += [_("being tried out")] if bank.ratio < 1.0 and bank.kind is not Kind.GOOD else []
    return tuple(told)


def entries_in_words(number: int) -> str:
    """Return how many entries."""
    return ngettext("%(number)s entry", "%(number)s entries", number)


def bank_fields(backend: Backend, principal: Principal, image: ImageRecord) -> dict[str, Any]:
    """Return what the page of an image says of banks, for those who look after some."""
    if not banks.is_for(principal):
        return {}
    found = bank_upkeep.banks_of(backend, principal, image)
    told = (
        _("%(bank)s: %(distance)s, %(deed)s", bank=bank.name, distance=distance(match.distance), deed=deed(match.deed))
        for bank, match in found
    )
    there = banks.fillable(backend, principal, image.library)
    return {"banks": tuple((bank.id, bank.name) for bank in there), "in_banks": tuple(told)}


# ---- The form


def form_of(bank: Bank | None = None) -> BankForm:
    """Return the form that sets a bank, as it is, or a new one."""
    settings = banks.settings_of(bank) if bank else BankSettings("")
    return BankForm(
        name=settings.name,
        kind=bank.kind if bank else Kind.KNOWN,
        action=settings.action,
        sentence=settings.sentence,
        level=str(settings.max_distance),
        percent=f"{100 * settings.ratio:g}",
        until=f"{settings.expires_at:%Y-%m-%d}" if settings.expires_at else "",
        notes=settings.notes,
        guarded=settings.guarded,
        keeps_thumbnails=settings.keeps_thumbnails,
    )


def typed_form(fields: Fields, kind: str, place: str = "") -> BankForm:
    """Return the form as it was sent, to be shown again."""
    return BankForm(
        name=first(fields, "name"),
        kind=kind,
        action=first(fields, "action", BankAction.HOLD),
        sentence=first(fields, "sentence"),
        level=first(fields, "level", str(NORMAL)),
        percent=first(fields, "percent", "100"),
        until=first(fields, "until"),
        notes=first(fields, "notes"),
        guarded="guarded" in fields,
        keeps_thumbnails="thumbnails" in fields,
        place=place,
    )


def read_settings(fields: Fields) -> BankSettings:
    """Return what a form sets. Raises InvalidQuery naming what is wrong."""
    percent = read_number(fields, "percent", 0, 100)
    distance_asked = read_integer(fields, "level", 0, MOST_DISTANCE)
    return BankSettings(
        name=first(fields, "name"),
        action=read_action(first(fields, "action", BankAction.HOLD)),
        sentence=first(fields, "sentence"),
        max_distance=NORMAL if distance_asked is None else distance_asked,
        ratio=1.0 if percent is None else percent / 100,
        expires_at=read_time(fields, "until", end_of_day=True),
        notes=first(fields, "notes"),
        guarded=read_truth(fields, "guarded"),
        keeps_thumbnails=read_truth(fields, "thumbnails"),
    )


def read_action(text: str) -> BankAction:
    """Return an action by its name. Raises InvalidQuery."""
    try:
        return BankAction(text)
    except ValueError as error:
        raise InvalidQuery(f"What a bank does is one of {', '.join(BankAction)}.") from error


def read_kind(text: str) -> Kind:
    """Return a kind of bank by its name. Raises InvalidQuery."""
    try:
        return Kind(text)
    except ValueError as error:
        raise InvalidQuery(f"A bank is one of {', '.join(Kind)}.") from error


def level_choices(chosen: str) -> tuple[tuple[str, str], ...]:
    """Return the levels that a form offers, the chosen number of bits among them."""
    named = {str(bits): _(LEVEL_WORDS[name]) for name, bits in LEVELS.items()}
    if chosen.isdecimal() and chosen not in named:
        named[chosen] = ngettext("up to %(number)s bit", "up to %(number)s bits", int(chosen))
    return tuple(sorted(named.items(), key=lambda item: int(item[0])))


def entry_number(text: str) -> int:
    """Return the number of an entry in an address, -1 for what is none: there is no such entry."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER else -1


def choices(words: Mapping[Any, str]) -> tuple[tuple[str, str], ...]:
    """Return what can be chosen, with its words."""
    return tuple((str(value), _(text)) for value, text in words.items())


def added_in_words(added: int, known: int) -> str:
    """Return what became of what was added."""
    said = ngettext("%(number)s entry was added.", "%(number)s entries were added.", added)
    return (
        sentences(said, ngettext("%(number)s was there already.", "%(number)s were there already.", known))
        if known
        else said
    )


def until_in_words(moment: datetime | None) -> str:
    """Return when something ends, "" for never."""
    return _("until %(date)s", date=as_short_date(moment)) if moment else ""
