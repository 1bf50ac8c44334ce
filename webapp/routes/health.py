"""For orchestrators and monitoring: is the process alive, can it work, and its figures."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.responses import Response

from pipeline.health import check_stores
from pipeline.stores import records_listing
from webapp.dependencies import VERSION, BackendDependency
from webapp.errors import RETRY_AFTER_SECONDS

router = APIRouter(include_in_schema=False)

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/livez")
def is_alive() -> Response:
    """Answer as long as the process does; no store is asked."""
    return JSONResponse({"status": "alive"})


@router.get("/readyz")
def is_ready(backend: BackendDependency) -> Response:
    """Answer 200 when every store answers, 503 otherwise."""
    reports = check_stores(backend)
    ready = all(report.healthy for report in reports)
    body = {
        "status": "ready" if ready else "not ready",
        "stores": {item.name: item.sentence for item in reports},
    }
    if ready:
        return JSONResponse(body)
    return JSONResponse(body, 503, headers={"Retry-After": RETRY_AFTER_SECONDS})


@router.get("/metrics")
def show_metrics(backend: BackendDependency) -> Response:
    """Return figures in the text format of Prometheus."""
    with backend.database.read() as connection:
        counts = records_listing.count_states(connection)
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
