"""From banks, entries and matches to the values of their pages."""

from typing import Any

from fastapi import Request

from pipeline import bank_entries, bank_upkeep, banks
from pipeline.backend import Backend
from pipeline.bank_entries import Added, BankEntry, TriedOut
from pipeline.bank_rules import Kind
from pipeline.bank_upkeep import MatchedImage
from pipeline.banks import BankInfo
from pipeline.features.pdq import to_hex
from pipeline.principals import Principal
from webapp import bank_words as words
from webapp.dependencies import shell
from webapp.forms import fields_of, read_integer
from webapp.language import gettext as _
from webapp.language import ngettext
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
from webapp.sentences import said
from webapp.tiles import image_url, thumbnail_url
from webapp.wording import as_short_date, as_short_moment, sentences

PAGE_SIZE = 50
MATCHES_SHOWN = 24
MOST_REFUSED_SHOWN = 100
LAST_ID = (1 << 62) - 1
THUMBNAIL_PX = 160


def list_page(
    request: Request, backend: Backend, principal: Principal, form: BankForm, *, problem: str = ""
) -> BanksPage:
    """Return the list of the banks that somebody looks after, with the form for a new one."""
    listed = banks.list_banks(backend, principal)
    places = list(banks.makeable(backend, principal).items())
    places += [("", _("the whole server"))] if principal.may_administrate() else []
    return BanksPage(
        shell=shell(request, "banks"),
        banks=tuple(
            BankCard(
                name=info.bank.name,
                url=f"/banks/{info.bank.id}",
                place=_place(info),
                does=words.does(info.bank),
                entries=words.entries_in_words(info.entries),
                badges=words.badges(info),
                paused=info.bank.paused or "",
            )
            for info in listed
        ),
        form=form,
        choices=_choices(form, tuple(places)),
        may_make=bool(places),
        problem=problem,
    )


def _choices(form: BankForm, places: tuple[tuple[str, str], ...] = ()) -> FormChoices:
    return FormChoices(
        kinds=words.choices(words.KINDS),
        actions=words.choices(words.ACTIONS),
        levels=words.level_choices(form.level),
        places=places,
    )


def _place(info: BankInfo) -> str:
    return info.library_name if info.bank.library is not None else _("the whole server")


# ---- One of them


def bank_page(request: Request, backend: Backend, principal: Principal, bank_id: str, **shown: Any) -> BankPage:
    """Return the page of a bank, at the entries and matches of the address. Raises NotFound."""
    info = banks.get_bank(backend, principal, bank_id)
    bank, fields = info.bank, fields_of(request.query_params)
    before, matches_before = (read_integer(fields, name, 0, LAST_ID) for name in ("before", "matches_before"))
    entries = bank_entries.list_entries(backend, principal, bank.id, before=before, limit=PAGE_SIZE + 1)
    matches = bank_upkeep.list_matches(backend, principal, bank.id, before=matches_before, limit=MATCHES_SHOWN + 1)
    form = shown.pop("form", None) or words.form_of(bank)
    return BankPage(
        shell=shell(request, "banks"),
        id=bank.id,
        name=bank.name,
        place=_place(info),
        does=words.does(bank),
        kind=bank.kind,
        facts=_facts(info),
        badges=words.badges(info),
        notes=bank.notes,
        form=form,
        choices=_choices(form),
        entries=tuple(_entry(bank.id, entry) for entry in entries[:PAGE_SIZE]),
        older_url=f"/banks/{bank.id}?before={entries[PAGE_SIZE - 1].id}" if len(entries) > PAGE_SIZE else None,
        matches=tuple(map(_match, matches[:MATCHES_SHOWN])),
        older_matches_url=f"/banks/{bank.id}?matches_before={matches[MATCHES_SHOWN - 1].match.id}"
        if len(matches) > MATCHES_SHOWN
        else None,
        csv_url=f"/banks/{bank.id}/hashes.csv",
        paused=bank.paused or "",
        comparing=_comparing(info),
        may_change=info.may_change,
        may_manage=info.may_manage,
        veiled=bank.kind is not Kind.GOOD,
        hold=_hold_offer(backend, principal, info) if info.may_change and matches else None,
        **shown,
    )


def _facts(info: BankInfo) -> tuple[str, ...]:
    bank = info.bank
    told = [
        words.entries_in_words(info.entries),
        words.until_in_words(bank.expires_at),
        _("acts on %(percent)s%% of the uploads", percent=f"{100 * bank.ratio:g}") if bank.ratio < 1 else "",
        "" if bank.keeps_thumbnails else _("keeps hashes only"),
        "" if bank.guarded else _("never rests by itself"),
        _("made on %(date)s", date=as_short_date(bank.created_at)),
    ]
    return tuple(fact for fact in told if fact)


def _comparing(info: BankInfo) -> str:
    if not info.comparing:
        return ""
    return ngettext(
        "%(number)s entry is being compared with the pictures that are here.",
        "%(number)s entries are being compared with the pictures that are here.",
        info.comparing,
    )


def _entry(bank_id: str, entry: BankEntry) -> EntryLine:
    facts = (words.quality(entry.quality), words.until_in_words(entry.expires_at))
    return EntryLine(
        id=entry.id,
        hash=to_hex(entry.hash),
        thumbnail_url=f"/banks/{bank_id}/entries/{entry.id}/thumbnail" if entry.has_thumbnail else "",
        origin=words.origin(entry.origin),
        added=as_short_date(entry.added_at),
        facts=tuple(fact for fact in facts if fact),
        notes=entry.notes,
    )


def _match(found: MatchedImage) -> MatchLine:
    return MatchLine(
        url=image_url(found.image),
        thumbnail_url=thumbnail_url(found.image, THUMBNAIL_PX),
        filename=found.image.filename,
        distance=words.distance(found.match.distance),
        deed=words.deed(found.match.deed),
        at=as_short_moment(found.match.matched_at),
        entry=found.match.entry,
    )


def _hold_offer(backend: Backend, principal: Principal, info: BankInfo) -> HoldOffer | None:
    if info.bank.kind is Kind.GOOD:
        return None
    preview = bank_upkeep.preview_hold(backend, principal, info.bank.id)
    if not preview.number:
        return None
    sentence = ngettext(
        "%(number)s picture that is here looks like one of this bank.",
        "%(number)s pictures that are here look like one of this bank.",
        preview.number,
    )
    examples = tuple((thumbnail_url(image, THUMBNAIL_PX), image.filename) for image in preview.examples)
    return HoldOffer(preview.number, sentence, examples)


def tried_part(tried: TriedOut, bank_id: str, entries: dict[int, BankEntry]) -> Tried:
    """Return what a bank would do with a picture, with those `entries` that are near it."""
    match = tried.judgement.matches[0] if tried.judgement.matches else None
    if match is None:
        sentence = (
            _("It would not match: nothing in this bank is near enough.")
            if tried.nearest
            else _("It would not match: nothing in this bank is anywhere near.")
        )
    else:
        sentence = _(
            "It would match entry %(entry)s (%(distance)s): %(deed)s.",
            entry=match.entry,
            distance=words.distance(match.distance),
            deed=words.deed(match.deed),
        )
        if tried.judgement.sentence:
            sentence = sentences(
                sentence, _("Whoever sends it reads: “%(sentence)s”", sentence=said(tried.judgement.sentence))
            )
    plain = _("There is little to see in this picture, so it matches only at the strict level.")
    return Tried(
        sentence,
        tuple(
            NearLine(
                near.entry,
                words.distance(near.distance),
                f"/banks/{bank_id}/entries/{near.entry}/thumbnail" if entries[near.entry].has_thumbnail else "",
                near.distance <= near.reach,
            )
            for near in tried.nearest
            if near.entry in entries
        ),
        plain if tried.is_plain else "",
    )


def imported_part(done: Added) -> Imported:
    """Return what became of a file of hashes, with the first of the lines that could not be used."""
    shown = tuple((line.number, line.reason) for line in done.refused[:MOST_REFUSED_SHOWN])
    more = done.refused_count - len(shown)
    refused = ngettext("%(number)s line could not be used:", "%(number)s lines could not be used:", done.refused_count)
    return Imported(
        sentences(words.added_in_words(done.added, done.known), refused),
        shown,
        ngettext("and %(number)s more", "and %(number)s more", more) if more else "",
    )
