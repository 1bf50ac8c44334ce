"""`/duplicates/{id}`: the desk at which one group of copies after the other is reviewed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from pipeline import access, settling
from pipeline.backend import Backend
from pipeline.comparing import compare_images
from pipeline.duplicate_groups import Group, get_group, groups_with
from pipeline.errors import Conflict, GroupNotFound, GroupSettled, InvalidQuery
from pipeline.features.comparison import Verdict
from pipeline.principals import Principal
from webapp.dependencies import BackendDependency, PrincipalDependency, shell
from webapp.duplicate_emptiness import all_done
from webapp.flash import leave_notice, read_notice
from webapp.forms import Fields, FormDependency, fields_of, first, read_truth
from webapp.language import as_number, ngettext
from webapp.language import gettext as _
from webapp.pages_duplicates import ReviewPage
from webapp.pairs import pair_of, side_of_image
from webapp.rendering import page, wants_fragment
from webapp.reviewing import (
    ALL_IDENTICAL,
    MOST_UNDONE,
    QUEUE,
    USUAL_KEYS,
    chosen_pair,
    decisions_of,
    group_url,
    known_comparison,
    libraries_across,
    member_choices,
    narrowing_of,
    next_pair_url,
    read_verdict,
    reason_words,
    settled_sentence,
    settlement_of,
    steps_of,
    suggestion_of,
    undo_url,
)
from webapp.sentences import said
from webapp.wording import sentences

router = APIRouter(include_in_schema=False)

NO_ACTION = "This cannot be done with a group. Please use one of its buttons."
NOTHING_DONE = "There is nothing to undo here."


@router.get("/duplicates/next")
def show_next(request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Lead to the next group that nobody reviews, or to the queue when there is none."""
    fields = fields_of(request.query_params)
    narrowing = narrowing_of(fields)
    found = _next(backend, principal, first(fields, "after") or None, narrowing)
    return RedirectResponse(group_url(found.id, **narrowing) if found else _queue_url(narrowing), 303)


@router.post("/duplicates/undo")
def undo(
    request: Request, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Take back what was settled last, and show its group again."""
    fields = fields_of(form)
    if not steps_of(fields):
        fields = fields_of(request.query_params)
    steps, narrowing = steps_of(fields), narrowing_of(fields)
    if not steps:
        raise InvalidQuery(NOTHING_DONE)
    batch, _colon, image_id = steps[-1].partition(":")
    undone = settling.undo(backend, batch, principal)
    if undone.gone or undone.changed:
        told = _("Taken back, as far as nobody has changed it since.")
    else:
        told = _("Taken back: everything is as it was.")
    if first(fields_of(form), "back") == "settled":
        return _redirect(f"{QUEUE}?state=settled", told)
    if image_id == ALL_IDENTICAL:
        return _redirect(_queue_url(narrowing), told)
    # A group that is made again may have another id; it is known by a picture of it.
    images = access.get_images(backend, [image_id], principal)
    for group_id in groups_with(backend, images, principal).values():
        return _show(request, backend, principal, group_id, steps[:-1], told, narrowing)
    return _go_on(request, backend, principal, "", steps[:-1], told, narrowing)


@router.get("/duplicates/{group_id}")
def show_group(group_id: str, request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Show a group at the desk, and claim it for whoever may settle it."""
    fields = fields_of(request.query_params)
    return page(request, "review.html", _page(request, backend, principal, group_id, fields), block="review")


@router.post("/duplicates/{group_id}/claim")
def claim_again(
    group_id: str, request: Request, backend: BackendDependency, principal: PrincipalDependency
) -> Response:
    """Keep a group for whoever has it open."""
    claimed = settling.claim(backend, group_id, principal)
    content = ReviewPage(shell(request), group_url(group_id), **_claim(claimed))  # type: ignore[arg-type]
    if not wants_fragment(request):
        return RedirectResponse(group_url(group_id), 303)
    return page(request, "review.html", content, block="claim")


@router.post("/duplicates/{group_id}")
def decide(
    group_id: str, request: Request, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Do what the button says, and go on with the next group."""
    fields = fields_of(form)
    action, steps, narrowing = first(fields, "action"), steps_of(fields), narrowing_of(fields)
    if action == "skip":
        settling.release(backend, group_id, principal)
        return _go_on(request, backend, principal, group_id, steps, "", narrowing)
    try:
        group = get_group(backend, group_id, principal)
    except GroupSettled as error:  # by somebody who was faster
        return _go_on(request, backend, principal, group_id, steps, said(error.user_message), narrowing)
    settling.check_may_settle(group)
    left, right = chosen_pair(group, first(fields, "left"), first(fields, "right"))
    try:
        settlement = settlement_of(
            group,
            action,
            left,
            right,
            merge=read_truth(fields, "merge") or False,
            merge_across=read_truth(fields, "merge_across") or False,
            reason=first(fields, "reason"),
        )
    except KeyError as error:
        raise InvalidQuery(NO_ACTION) from error
    try:
        settled = settling.settle(backend, group_id, settlement, principal)
    except GroupSettled as error:
        return _go_on(request, backend, principal, group_id, steps, said(error.user_message), narrowing)
    keeper = right.image if settlement.keeper_id == right.image.id else left.image
    steps = [*steps, f"{settled.batch}:{left.image.id}"][-MOST_UNDONE:]
    return _go_on(request, backend, principal, group_id, steps, settled_sentence(settled, keeper), narrowing)


def _next(backend: Backend, principal: Principal, after: str | None, narrowing: Mapping[str, str]) -> Group | None:
    """Claim and return the next group of those that are worked through."""
    verdict, library = _narrowed(backend, principal, narrowing)
    return settling.next_group(backend, principal, after, verdict=verdict, library=library)


def _narrowed(
    backend: Backend, principal: Principal, narrowing: Mapping[str, str]
) -> tuple[Verdict | None, str | None]:
    """Return the verdict and the library that somebody works through, None for all."""
    verdict, library = read_verdict(narrowing.get("verdict", "")), narrowing.get("library", "")
    meant = access.library_ids(backend, [library], principal) if library else ()
    return verdict, meant[0] if len(meant) == 1 else library or None


def _queue_url(narrowing: Mapping[str, str], steps: Sequence[str] = ()) -> str:
    query = urlencode({**narrowing, **({"done": steps} if steps else {})}, doseq=True)
    return f"{QUEUE}?{query}" if query else QUEUE


def _go_on(
    request: Request,
    backend: Backend,
    principal: Principal,
    group_id: str,
    steps: list[str],
    notice: str,
    narrowing: Mapping[str, str],
) -> Response:
    """Show what is left of the group, or else the next one, or that this was the last one."""
    following = _rest_of(backend, principal, group_id) if notice else None
    following = following or _next(backend, principal, group_id or None, narrowing)
    if following is not None:
        return _show(request, backend, principal, following.id, steps, notice, narrowing)
    if not wants_fragment(request):
        return _redirect(_queue_url(narrowing, steps), notice)
    content = ReviewPage(
        shell=shell(request, "duplicates", notice=notice, undo_url=undo_url(steps, narrowing)),
        group_url=QUEUE,
        queue_url=_queue_url(narrowing),
        undo=tuple(steps),
        narrowing=tuple(narrowing.items()),
        done=all_done(backend, principal),
        may_moderate=True,
        announcement=sentences(*(part for part in (notice, all_done(backend, principal).title) if part)),
    )
    answer = page(request, "review.html", content, block="review")
    answer.headers["HX-Push-Url"] = _queue_url(narrowing)
    return answer


def _rest_of(backend: Backend, principal: Principal, group_id: str) -> Group | None:
    """Return the group if something in it is still to be decided."""
    try:
        group = get_group(backend, group_id, principal)
    except GroupNotFound:
        return None
    return group if group.state == "open" else None


def _show(
    request: Request,
    backend: Backend,
    principal: Principal,
    group_id: str,
    steps: list[str],
    notice: str,
    narrowing: Mapping[str, str],
) -> Response:
    address = group_url(group_id, **narrowing)
    if not wants_fragment(request):
        return _redirect(group_url(group_id, done=steps, **narrowing), notice)
    fields = {"done": steps, **{name: [value] for name, value in narrowing.items()}}
    content = _page(request, backend, principal, group_id, fields, notice)
    answer = page(request, "review.html", content, block="review")
    answer.headers["HX-Push-Url"] = address
    return answer


def _redirect(address: str, notice: str) -> Response:
    response = RedirectResponse(address, 303)
    if notice:
        leave_notice(response, notice)
    return response


def _page(
    request: Request, backend: Backend, principal: Principal, group_id: str, fields: Fields, notice: str = ""
) -> ReviewPage:
    group = get_group(backend, group_id, principal)
    steps, narrowing = steps_of(fields), narrowing_of(fields)
    is_settled = group.state == "settled"
    part = _narrowed(backend, principal, narrowing)  # before the group is claimed, as it may make no sense
    may_moderate = access.may_change_any(principal)
    if group.may_settle and not is_settled:
        try:
            group = replace(settling.claim(backend, group_id, principal), position=group.position, total=group.total)
        except Conflict:  # somebody else has it, which the page says
            group = get_group(backend, group_id, principal)
    left, right = chosen_pair(group, first(fields, "left"), first(fields, "right"))
    comparison = known_comparison(group, left, right)
    if comparison is None:
        comparison = compare_images(backend, left.image.id, right.image.id, principal)
    sides = [side_of_image(backend, member.image, principal) for member in (left, right)]
    pair = pair_of(sides[0], sides[1], comparison)
    position = "" if is_settled else _position(backend, principal, group, part)
    may_decide = group.may_settle and not is_settled and group.is_mine and left.may_change and right.may_change
    notice = notice or read_notice(request)[0]
    return ReviewPage(
        shell=shell(request, "duplicates", notice=notice, undo_url=undo_url(steps, narrowing) if notice else ""),
        group_url=group_url(group_id),
        position=position,
        pair=pair,
        members=member_choices(group, left, right, steps, narrowing),
        next_pair_url=next_pair_url(group, left, right, steps, narrowing),
        suggestion="" if is_settled else suggestion_of(group, left, right),
        reasons=() if is_settled else tuple(reason_words(reason) for reason in group.reasons),
        may_moderate=may_moderate,
        actions=decisions_of(group) if may_decide else (),
        across=libraries_across(group),
        fields=(
            ("left", left.image.id),
            ("right", right.image.id),
            *(("done", step) for step in steps),
            *narrowing.items(),
        ),
        settled=_("This group is settled.") if is_settled else "",
        undo=tuple(steps),
        narrowing=tuple(narrowing.items()),
        queue_url=_queue_url(narrowing),
        keys=tuple((action, key, _(words)) for action, key, words in USUAL_KEYS),
        announcement=sentences(*(part for part in (notice, position, pair.sentence) if part)),
        **_claim(group),  # type: ignore[arg-type]
    )


def _claim(group: Group) -> dict[str, object]:
    if not group.claimed_by:
        return {"claim": "", "claim_until": None, "is_ours": False}
    words = _("This one is yours until") if group.is_mine else _("%(name)s has this one until", name=group.claimed_by)
    return {"claim": words, "claim_until": group.claimed_until, "is_ours": group.is_mine}


def _position(backend: Backend, principal: Principal, group: Group, part: tuple[Verdict | None, str | None]) -> str:
    """Return "37 of 214": of what this person does in one sitting, or of the list for who only looks.

    Of a part of the list it is said how many are left of that part: what was settled before may be of another.
    """
    verdict, library = part
    if group.is_mine and (verdict or library):
        left, more = settling.left_of(backend, principal, verdict=verdict, library=library)
        return ngettext("%(all)s of these is left", "%(all)s of these are left", left, all=_as_total(left, more=more))
    if group.is_mine:
        come = settling.progress(backend, principal)
        here, total, more = come.position, come.total, come.left_is_more
    else:
        here, total, more = group.position or 1, group.total or 1, group.total_is_more
    return _("%(here)s of %(all)s", here=as_number(here), all=_as_total(total, more=more))


def _as_total(number: int, *, more: bool) -> str:
    return _("more than %(number)s", number=as_number(number)) if more else as_number(number)
