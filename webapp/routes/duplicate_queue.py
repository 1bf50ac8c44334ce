"""`/duplicates`: the queue of groups, how far the search for them is, and settling all identical ones at once."""

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from pipeline import access, duplicate_checking
from pipeline.backend import Backend
from pipeline.decision_batches import list_batches
from pipeline.duplicate_groups import Group, GroupPage, ScenePair, list_groups, list_same_scene
from pipeline.errors import InvalidQuery
from pipeline.features.comparison import COPIES, Verdict
from pipeline.images import ImageRecord
from pipeline.principals import Action, Principal
from pipeline.settling import Preview, preview_identical, settle_identical
from webapp.dependencies import BackendDependency, PrincipalDependency, shell
from webapp.duplicate_emptiness import why_empty
from webapp.evidence_words import verdict_words
from webapp.flash import leave_notice, read_notice
from webapp.forms import Fields, FormDependency, fields_of, first
from webapp.language import as_number, marked, ngettext
from webapp.language import gettext as _
from webapp.pages import Choice
from webapp.pages_duplicates import DuplicatesPage, GroupCard, IdenticalExample, IdenticalOffer, IdenticalPage
from webapp.pairs import compare_url
from webapp.rendering import page
from webapp.reviewing import ALL_IDENTICAL, QUEUE, group_url, read_verdict, steps_of, undo_url
from webapp.settled_cards import settled_card
from webapp.tiles import tile_of_image
from webapp.wording import as_size, pictures_in_words, sentences

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 24  # groups shown at once
MOST_TILES = 3  # pictures of a group in the queue
TABS = (("open", marked("Open")), ("settled", marked("Settled")), ("same-scene", marked("Same scene")))
WRONG_STATE = "The list of duplicates is open, settled or same-scene."


@router.get("/duplicates")
def show_queue(request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """List the groups of a state, oldest first, or the pairs of photos of one scene."""
    fields = fields_of(request.query_params)
    state = first(fields, "state", "open")
    if state not in dict(TABS):
        raise InvalidQuery(WRONG_STATE)
    verdict, library = read_verdict(first(fields, "verdict")), first(fields, "library")
    steps = steps_of(fields)
    notice = read_notice(request)[0]
    common = {
        "shell": shell(request, "duplicates", notice=notice, undo_url=undo_url(steps) if notice else ""),
        "tabs": tuple(Choice(_(words), f"{QUEUE}?state={name}", chosen=name == state) for name, words in TABS),
        "state": state,
        **_progress(backend, principal),
    }
    if state == "same-scene":
        found = list_same_scene(backend, principal, cursor=first(fields, "cursor") or None, limit=PAGE_SIZE)
        content = DuplicatesPage(
            **common,  # type: ignore[arg-type]
            summary=_(
                "Photos of one thing, such as shots of a burst. They are no copies, so nothing has to be decided."
            ),
            groups=tuple(_scene_card(pair) for pair in found.pairs),
            empty=None if found.pairs else why_empty(backend, principal, state, is_narrowed=False)[0],
            older_url=_older_url(fields, found.next),
        )
        return page(request, "duplicates.html", content)
    may_moderate = access.may_change_any(principal)
    if state == "settled" and principal.libraries(Action.CHANGE) != frozenset():
        decided = list_batches(backend, principal, cursor=first(fields, "cursor") or None, limit=PAGE_SIZE)
        content = DuplicatesPage(
            **common,  # type: ignore[arg-type]
            summary=_("What was decided, the last first. Everything can be taken back.") if decided.batches else "",
            settled=tuple(settled_card(batch) for batch in decided.batches),
            empty=None if decided.batches else why_empty(backend, principal, state, is_narrowed=False)[0],
            older_url=_older_url(fields, decided.next),
            log_urls=_log_urls(principal),
            may_moderate=may_moderate,
        )
        return page(request, "duplicates.html", content)
    listed = list_groups(
        backend,
        principal,
        state=state,
        verdict=verdict,
        library=library or None,
        cursor=first(fields, "cursor") or None,
        limit=PAGE_SIZE,
    )
    empty, celebrates = (None, False)
    if not listed.groups:
        empty, celebrates = why_empty(backend, principal, state, is_narrowed=bool(verdict or library))
    libraries = access.library_labels(backend, principal)
    content = DuplicatesPage(
        **common,  # type: ignore[arg-type]
        summary=_summary(listed, state) if listed.groups else "",
        groups=tuple(_card(group) for group in listed.groups),
        empty=empty,
        celebrates=celebrates,
        next_url=f"{QUEUE}/next?{_query(fields)}" if listed.groups and state == "open" else "",
        older_url=_older_url(fields, listed.next),
        may_moderate=may_moderate,
        has_identical=any(group.verdict is Verdict.IDENTICAL for group in listed.groups) and state == "open",
        verdicts=(("", _("All copies")), *((each.value, verdict_words(each)) for each in Verdict if each in COPIES)),
        verdict=verdict or "",
        libraries=tuple(libraries.items()),
        library=library,
    )
    return page(request, "duplicates.html", content)


@router.get("/duplicates/identical")
def show_identical(request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Show what settling all identical groups would do."""
    preview = preview_identical(backend, principal)
    content = IdenticalPage(
        shell=shell(request, "duplicates"),
        explanation=_explanation(preview),
        offer=_offer(preview) if preview.groups else None,
    )
    return page(request, "identical.html", content)


@router.post("/duplicates/identical")
def settle_all_identical(backend: BackendDependency, principal: PrincipalDependency, form: FormDependency) -> Response:
    """Do what the preview has shown, and nothing else."""
    fields = fields_of(form)
    settled = settle_identical(backend, principal, first(fields, "expected"), first(fields, "reason"))
    done = ngettext("%(number)s group settled.", "%(number)s groups settled.", settled.groups)
    left = ngettext(
        "%(number)s group has changed since, and was left alone.",
        "%(number)s groups have changed since, and were left alone.",
        settled.changed,
    )
    step = f"{settled.batch}:{ALL_IDENTICAL}"
    response = RedirectResponse(f"{QUEUE}?{urlencode({'done': step})}" if settled.groups else QUEUE, 303)
    leave_notice(response, sentences(done, left) if settled.changed else done)
    return response


def _offer(preview: Preview) -> IdenticalOffer:
    pictures = ngettext(
        "Move %(number)s picture into the trash", "Move %(number)s pictures into the trash", preview.pictures
    )
    groups = ngettext(
        "%(number)s group of identical pictures", "%(number)s groups of identical pictures", preview.groups
    )
    return IdenticalOffer(
        sentence=_(
            "%(groups)s: %(pictures)s go into the trash, which are %(size)s.",
            groups=groups,
            pictures=pictures_in_words(preview.pictures),
            size=as_size(preview.bytes),
        ),
        button=pictures,
        examples=tuple(_example(group) for group in preview.examples),
        expected=(("expected", preview.expected),),
    )


def _explanation(preview: Preview) -> str:
    """Return what happens besides, and what does not."""
    parts = [
        _(
            "Of each group the suggested picture is kept. The others can be restored from the trash, and all of it can "
            "be undone."
        )
    ]
    if preview.captions or preview.tags:
        parts.append(_("Captions and tags come to those that are kept."))
    if preview.more:
        parts.append(_("There are more, which come next."))
    return sentences(*parts)


def _example(group: Group) -> IdenticalExample:
    images = _best_first(group)
    return IdenticalExample(
        tiles=tuple(tile_of_image(image) for image in images[:MOST_TILES]),
        sentence=_("%(name)s at the left is kept.", name=images[0].filename),
    )


def _best_first(group: Group) -> list[ImageRecord]:
    return sorted(group.images, key=lambda image: image.id != group.suggested_keeper)


def _summary(listed: GroupPage, state: str) -> str:
    number = listed.total
    if listed.total_is_more:
        return _("More than %(number)s groups", number=as_number(number))
    if state == "settled":
        return ngettext("%(number)s group is settled.", "%(number)s groups are settled.", number)
    return ngettext(
        "%(number)s group of copies waits for somebody to decide.",
        "%(number)s groups of copies wait for somebody to decide.",
        number,
    )


def _progress(backend: Backend, principal: Principal) -> dict[str, object]:
    """Return how far the check is, in words; nothing where there is nothing to check."""
    found = duplicate_checking.progress(backend, principal)
    if not found.total:
        return {}
    words = _(
        "%(checked)s of %(all)s pictures checked for copies.",
        checked=as_number(found.checked),
        all=as_number(found.total),
    )
    if not found.left:
        return {"progress": _("All %(pictures)s checked for copies.", pictures=pictures_in_words(found.total))}
    return {"progress": words, "progress_share": found.checked / found.total, "scanning": True}


def _log_urls(principal: Principal) -> tuple[tuple[str, str], ...]:
    """Return where the log of decisions is downloaded, for whoever may read it."""
    if principal.libraries(Action.CHANGE) == frozenset():
        return ()
    return tuple((name.upper(), f"/api/v1/duplicates/decisions/export?format={name}") for name in ("csv", "json"))


def _card(group: Group) -> GroupCard:
    images = _best_first(group)
    claim = ""
    if group.claimed_by:
        claim = _("You are at it") if group.is_mine else _("%(name)s is at it", name=group.claimed_by)
    return GroupCard(
        url=group_url(group.id),
        title=images[0].filename,
        verdict=verdict_words(group.verdict),
        tiles=tuple(tile_of_image(image) for image in images[:MOST_TILES]),
        count=pictures_in_words(len(images)),
        more=max(0, len(images) - MOST_TILES),
        claim=claim,
    )


def _scene_card(pair: ScenePair) -> GroupCard:
    return GroupCard(
        url=compare_url(pair.a.id, pair.b.id),
        title=pair.a.filename,
        verdict=verdict_words(pair.comparison.verdict),
        tiles=(tile_of_image(pair.a), tile_of_image(pair.b)),
        count=pictures_in_words(2),
    )


def _query(fields: Fields, **changes: str) -> str:
    kept = {name: first(fields, name) for name in ("verdict", "library", "state") if first(fields, name)}
    return urlencode(kept | changes)


def _older_url(fields: Fields, cursor: str | None) -> str:
    return f"{QUEUE}?{_query(fields, cursor=cursor)}" if cursor else ""
