"""For orchestrators and monitoring: is the process alive, can it work, and its figures."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.responses import Response

from pipeline.errors import NotAllowed
from pipeline.health import check_stores
from pipeline.listing import count_all_states
from webapp.dependencies import VERSION, BackendDependency, PrincipalDependency
from webapp.errors import RETRY_AFTER_SECONDS
from webapp.identity import public, unasked

router = APIRouter(include_in_schema=False)

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/livez")
@unasked
def is_alive() -> Response:
    """Answer as long as the process does; no store is asked."""
    return JSONResponse({"status": "alive"})


@router.get("/readyz")
@public
def is_ready(backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Answer 200 when every store answers, 503 otherwise; which one does not is told to who looks after the server."""
    reports = check_stores(backend)
    ready = all(report.healthy for report in reports)
    body: dict[str, object] = {"status": "ready" if ready else "not ready"}
    if principal.may_administrate():
        body["stores"] = {item.name: item.sentence for item in reports}
    if ready:
        return JSONResponse(body)
    return JSONResponse(body, 503, headers={"Retry-After": RETRY_AFTER_SECONDS})


@router.get("/metrics")
def show_metrics(backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Return figures of all libraries together in the text format of Prometheus."""
    if not principal.may_observe():
        raise NotAllowed("The figures of the server are for those who look after it. An administrator may read them.")
    counts = count_all_states(backend)
    lines = [
        "# HELP likeness_images Images that are not deleted, by state.",
        "# TYPE likeness_images gauge",
        *(f'likeness_images{{state="{state.value}"}} {number}' for state, number in counts.items()),
        "# HELP likeness_vectors Vectors that searches look at in this process.",
        "# TYPE likeness_vectors gauge",
        f"likeness_vectors {backend.vectors.count()}",
        "# HELP likeness_info The version that runs.",
        "# TYPE likeness_info gauge",
        f'likeness_info{{version="{VERSION}",encoder="{backend.encoder.name}"}} 1',
    ]
    return PlainTextResponse("\n".join(lines) + "\n", media_type=METRICS_TYPE)
