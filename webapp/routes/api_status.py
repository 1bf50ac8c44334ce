"""`/api/v1/status`: how the server does."""

from typing import Any

from fastapi import APIRouter

from pipeline.doorbell import QueueReport, ask_queue
from pipeline.encoder_switch import filling
from pipeline.health import DATABASE, StoreReport, check_stores
from pipeline.images import ImageState
from pipeline.listing import count_states
from webapp import schemas
from webapp.api_form import ANY_CALL
from webapp.dependencies import VERSION, BackendDependency, PrincipalDependency

router = APIRouter(prefix="/api/v1", tags=["status"], responses=ANY_CALL)


@router.get("/status", response_model=schemas.Status)
def get_status(backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """Return the encoder, the counts by state, what waits, and how each store does.

    It answers also while a store is down; without the database nothing is counted, and `queue_depth` is null. What is
    counted is what you may see. Addresses of stores and the fingerprint are told to who looks after the server.
    """
    queue_says = ask_queue(backend.settings)
    reports: list[StoreReport | QueueReport] = [*check_stores(backend)]
    counts: dict[ImageState, int] = {}
    change = None
    if next(report.healthy for report in reports if report.name == DATABASE):
        counts = count_states(backend, principal)
        change = filling(backend)
    if queue := queue_says():
        reports.append(queue)
    told = principal.may_administrate()
    return {
        "version": VERSION,
        "encoder": {
            "name": backend.encoder.name,
            "fingerprint": backend.encoder.fingerprint if told else "",
            "dimension": backend.encoder.dimension,
        },
        "states": {state.value: number for state, number in counts.items()},
        "queue_depth": counts.get(ImageState.WAITING),
        "encoder_change": {
            "name": change.name,
            "share": change.share,
            "done": change.done if told else None,
            "total": change.total if told else None,
            "resting": change.resting,
        }
        if change
        else None,
        "stores": [vars(report) | ({} if told else {"address": ""}) for report in reports],
    }
