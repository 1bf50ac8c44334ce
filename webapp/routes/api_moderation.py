"""`/api/v1/moderation`: reports, the queue, and decisions. A token needs the scope `moderate`."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from pipeline import moderation, moderation_queue, reporting
from pipeline.access import FOR_OWNERS
from pipeline.backend import Backend
from pipeline.description import describe
from pipeline.images import ImageRecord
from pipeline.moderation import Settled
from pipeline.moderation_queue import Case, Tab, Waiting
from pipeline.principals import Principal
from webapp import schemas_moderation as schemas
from webapp.api_form import ANY_CALL, api_errors
from webapp.dependencies import BackendDependency, PrincipalDependency, RunningDependency

router = APIRouter(prefix="/api/v1", tags=["moderation"], responses=ANY_CALL)

MOST_LISTED = 200
DEFAULT_LISTED = 50
DECIDING = api_errors(404, 409)


@router.post("/images/{image_id}/report", status_code=204, response_class=Response, responses=api_errors(404, 409))
def report_image(
    image_id: str, report: schemas.Report, backend: BackendDependency, principal: PrincipalDependency
) -> Response:
    """Tell the moderators of a picture that it should be looked at, and why. Once is enough: 409 for a second time."""
    reporting.report(backend, image_id, principal, report.reason)
    return Response(status_code=204)


@router.get("/moderation", response_model=schemas.Queue)
def list_queue(
    backend: BackendDependency,
    principal: PrincipalDependency,
    tab: Annotated[Tab, Query()] = Tab.HELD,
    library: Annotated[str, Query()] = "",
    reason: Annotated[str, Query(description="A part of what was said.")] = "",
    who: Annotated[str, Query(description="A part of the name of who said or settled it.")] = "",
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = DEFAULT_LISTED,
    cursor: Annotated[str | None, Query()] = None,
) -> dict[str, Any]:
    """List pictures that wait for a moderator, oldest first, or those that were settled last."""
    asked = {"library": library, "reason": reason, "who": who}
    found = moderation_queue.queue(backend, principal, tab, **asked, cursor=cursor, limit=limit)
    counts = moderation_queue.count_waiting(backend, principal)
    return {
        "pictures": [_waiting(waiting) for waiting in found.entries],
        "counts": {part.value: number for part, number in counts.items()},
        "next": found.next_cursor,
    }


@router.post("/moderation/approve", response_model=schemas.Decided, responses=DECIDING)
def approve(asked: schemas.Decision, running: RunningDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """Let pictures be seen, or stay to be seen, and settle their reports."""
    if asked.preview:
        return _previewed(running.backend, asked, principal)
    decided = moderation.approve(running.backend, asked.ids, principal, asked.reason)
    running.ring()
    return _decided(decided)


@router.post("/moderation/remove", response_model=schemas.Decided, responses=DECIDING)
def remove(asked: schemas.Removal, backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """Put pictures into the trash, from which only moderators bring them back. Needs a reason."""
    if asked.preview:
        return _previewed(backend, asked, principal)
    return _decided(moderation.remove(backend, asked.ids, principal, asked.reason, keep_hash=asked.keep_hash))


@router.post("/moderation/escalate", response_model=schemas.Decided, responses=DECIDING)
def escalate(asked: schemas.Decision, backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """Leave pictures to the owners of their libraries. Needs a reason."""
    if asked.preview:
        return _previewed(backend, asked, principal)
    return _decided(moderation.escalate(backend, asked.ids, principal, asked.reason))


@router.post("/moderation/hold", response_model=schemas.Decided, responses=api_errors(404))
def hold(asked: schemas.Holding, backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """Keep pictures back until they have been decided about. Needs a reason."""
    return _answer(moderation.hold(backend, asked.ids, principal, asked.reason), (), None)


@router.post("/moderation/undo", response_model=schemas.Decided, responses=api_errors(409))
def undo(asked: schemas.Undoing, backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """Let what was approved or removed in one go wait again."""
    moderation_queue.check_moderating(principal)
    return _answer(moderation.undo(backend, asked.batch, principal), (), None)


def _previewed(backend: Backend, asked: schemas.Decision, principal: Principal) -> dict[str, Any]:
    shown = moderation.preview(backend, asked.ids, principal)
    left = (*shown.settled, *((image, FOR_OWNERS) for image in shown.refused))
    return _answer(shown.images, left, None, preview=True)


def _decided(settled: Settled) -> dict[str, Any]:
    return _answer(settled.images, settled.settled, settled.batch or None)


def _answer(
    images: Sequence[ImageRecord],
    before: tuple[tuple[ImageRecord, str], ...],
    batch: str | None,
    *,
    preview: bool = False,
) -> dict[str, Any]:
    return {
        "ids": [image.id for image in images],
        "settled_before": [{"id": image.id, "sentence": sentence} for image, sentence in before],
        "batch": batch,
        "preview": preview,
    }


def _waiting(waiting: Waiting) -> dict[str, Any]:
    return {
        "image": describe(waiting.image),
        "cases": [_case(case) for case in waiting.cases],
        "escalated": waiting.is_escalated,
        "may_settle": waiting.may_settle,
        "batch": waiting.cases[0].batch,
    }


def _case(case: Case) -> dict[str, Any]:
    return {
        "kind": case.kind,
        "reason": case.reason,
        "by": case.reporter or None,
        "bank": case.bank,
        "opened_at": case.opened_at.isoformat(),
        "settled_at": case.settled_at.isoformat() if case.settled_at else None,
        "settled_by": case.settled_by or None,
        "outcome": case.outcome or None,
        "outcome_reason": case.outcome_reason or None,
    }
