"""`/api/v1/duplicates`: groups of duplicates, what is decided on them, and the log of decisions."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from pipeline import deciding, decision_export, duplicate_groups, keepers, settling
from pipeline.description import describe
from pipeline.features.comparison import Comparison, Verdict
from pipeline.settling import Settled, Settlement
from webapp import schemas_duplicates as schemas
from webapp.api_form import ANY_CALL, api_errors, file_answer
from webapp.dependencies import BackendDependency, PrincipalDependency, RunningDependency
from webapp.schemas_duplicates import Described

router = APIRouter(prefix="/api/v1/duplicates", tags=["duplicates"], responses=ANY_CALL)

UNKNOWN = api_errors(404)
UNKNOWN_OR_NOT_NOW = api_errors(404, 409)
MOST_LISTED = 100
DEFAULT_LISTED = 20
MOST_LINES = 500
DEFAULT_LINES = 100

Limit = Annotated[int, Query(ge=1, le=MOST_LISTED)]
Cursor = Annotated[str | None, Query()]


@router.get("", response_model=schemas.GroupList)
def list_groups(
    backend: BackendDependency,
    principal: PrincipalDependency,
    state: Annotated[Literal["open", "settled", "all"], Query()] = "open",
    verdict: Annotated[Literal["identical", "re-encoded", "edited"] | None, Query()] = None,
    library: Annotated[str | None, Query()] = None,
    limit: Limit = DEFAULT_LISTED,
    cursor: Cursor = None,
) -> Described:
    """List groups of duplicates, oldest first, with the one of each that had better be kept, and why."""
    page = duplicate_groups.list_groups(
        backend,
        principal,
        state=state,
        verdict=Verdict(verdict) if verdict else None,
        library=library,
        cursor=cursor,
        limit=limit,
    )
    return {
        "groups": [_group(group) for group in page.groups],
        "next": page.next,
        "total": page.total,
        "total_is_more": page.total_is_more,
        "position": page.position,
    }


@router.get("/same-scene", response_model=schemas.SceneList)
def list_same_scene(
    backend: BackendDependency, principal: PrincipalDependency, limit: Limit = DEFAULT_LISTED, cursor: Cursor = None
) -> Described:
    """List pairs that show one scene and are no duplicates, such as two photos of a burst."""
    page = duplicate_groups.list_same_scene(backend, principal, cursor=cursor, limit=limit)
    pairs = [
        {"a": describe(pair.a), "b": describe(pair.b), "comparison": _comparison(pair.comparison)}
        for pair in page.pairs
    ]
    return {"pairs": pairs, "next": page.next}


@router.get("/decisions", response_model=schemas.Log)
def list_decisions(
    backend: BackendDependency,
    principal: PrincipalDependency,
    limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = DEFAULT_LINES,
    cursor: Cursor = None,
) -> Described:
    """List what was decided on duplicates in the libraries that one moderates, newest first."""
    page = decision_export.read_decisions(backend, principal, cursor=cursor, limit=limit)
    return {"decisions": [decision_export.describe(line) for line in page.lines], "next": page.next}


@router.get("/decisions/export", response_class=Response, responses=file_answer("text/csv"))
def export_decisions(
    backend: BackendDependency,
    principal: PrincipalDependency,
    format: Annotated[Literal["csv", "json"], Query()] = "csv",  # noqa: A002 - the name of the parameter
) -> Response:
    """Download the whole log as CSV, or as one JSON list."""
    lines: Iterator[str] = (decision_export.csv_lines if format == "csv" else decision_export.json_lines)(
        backend, principal
    )
    name = f"likeness-decisions-{datetime.now(UTC):%Y-%m-%d}.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    kind = "text/csv; charset=utf-8" if format == "csv" else "application/json"
    return StreamingResponse(lines, media_type=kind, headers=headers)


@router.post("/decisions", response_model=schemas.Decided, responses=UNKNOWN)
def decide(new: schemas.NewDecision, backend: BackendDependency, principal: PrincipalDependency) -> Described:
    """Remember what two pictures are to each other, for good; the last word on a pair counts."""
    decided = deciding.decide(backend, new.a, new.b, new.decision, principal, new.reason)
    return {"a": decided.a.id, "b": decided.b.id, "decision": decided.decision, "batch": decided.batch}


@router.post("/undo", response_model=schemas.Undone, responses=UNKNOWN_OR_NOT_NOW)
def undo(sent: schemas.Batch, backend: BackendDependency, principal: PrincipalDependency) -> Described:
    """Take back everything that was settled or decided under a batch."""
    undone = settling.undo(backend, sent.batch, principal)
    return {
        "message": undone.sentence,
        "decisions": undone.decisions,
        "restored": list(undone.ids),
        "gone": undone.gone,
        "changed": undone.changed,
    }


@router.get("/identical", response_model=schemas.Preview)
def preview_identical(backend: BackendDependency, principal: PrincipalDependency) -> Described:
    """Say what settling all groups of identical pictures would do."""
    preview = settling.preview_identical(backend, principal)
    return {**vars(preview), "examples": [_group(group) for group in preview.examples]}


@router.post("/identical", response_model=schemas.Settled)
def settle_identical(
    sent: schemas.ExpectedPreview, backend: BackendDependency, principal: PrincipalDependency
) -> Described:
    """Settle the groups that the preview has counted; those that have changed since are left alone."""
    return _settled(settling.settle_identical(backend, principal, sent.expected, sent.reason))


@router.get("/{group_id}", response_model=schemas.Group, responses=UNKNOWN)
def get_group(group_id: str, backend: BackendDependency, principal: PrincipalDependency) -> Described:
    """Return one group, with its place among the open ones."""
    return _group(duplicate_groups.get_group(backend, group_id, principal))


@router.post("/{group_id}/claim", response_model=schemas.Group, responses=UNKNOWN_OR_NOT_NOW)
def claim_group(group_id: str, backend: BackendDependency, principal: PrincipalDependency) -> Described:
    """Take a group for ten minutes, or keep it for so long again; nobody else can settle it meanwhile."""
    return _group(settling.claim(backend, group_id, principal))


@router.post("/{group_id}/release", status_code=204, response_class=Response)
def release_group(group_id: str, backend: BackendDependency, principal: PrincipalDependency) -> None:
    """Let a group go that one has taken."""
    settling.release(backend, group_id, principal)


@router.post("/{group_id}/settle", response_model=schemas.Settled, responses=UNKNOWN_OR_NOT_NOW)
def settle_group(
    group_id: str, sent: schemas.NewSettlement, running: RunningDependency, principal: PrincipalDependency
) -> Described:
    """Say what becomes of the pictures of a group, and remember it."""
    settlement = Settlement(
        keeper_id=sent.keeper,
        deletes=tuple(sent.delete),
        variants=tuple(sent.variants),
        unrelated=tuple(sent.unrelated),
        merge=sent.merge,
        reason=sent.reason,
        merge_across=sent.merge_across,
    )
    settled = settling.settle(running.backend, group_id, settlement, principal)
    if settled.merged.copies:  # which wait for analysis
        running.ring()
    return _settled(settled)


def _group(group: duplicate_groups.Group) -> Described:
    return {
        "id": group.id,
        "verdict": group.verdict,
        "state": group.state,
        "images": [describe(image) for image in group.images],
        "members": [
            {
                "id": member.image.id,
                "verdict": member.verdict,
                "decision": member.decision,
                "may_change": member.may_change,
                "comparison": _comparison(member.comparison) if member.comparison else None,
            }
            for member in group.members
        ],
        "suggested_keeper": group.suggested_keeper,
        "reasons": [
            {"fact": reason.fact, "only": reason.only, "text": keepers.sentence(reason)} for reason in group.reasons
        ],
        "claimed_by": group.claimed_by,
        "claimed_until": group.claimed_until.isoformat() if group.claimed_until else None,
        "claimed_by_you": group.is_mine,
        "position": group.position,
        "total": group.total,
    }


def _comparison(comparison: Comparison) -> Described:
    return comparison.as_json()


def _settled(settled: Settled) -> Described:
    merged = settled.merged
    return {
        "batch": settled.batch,
        "message": settled.sentence,
        "groups": settled.groups,
        "deleted": settled.deleted,
        "variants": settled.variants,
        "unrelated": settled.unrelated,
        "bytes": settled.bytes,
        "tags_merged": len(merged.words.tags),
        "caption_merged": merged.has_new_caption,
        "copies": [copy.image.id for copy in merged.copies],
        "changed": settled.changed,
    }
