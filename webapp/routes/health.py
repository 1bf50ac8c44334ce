"""For orchestrators and monitoring: is the process alive, can it work, and its figures."""

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.responses import Response

from pipeline.errors import NotAllowed
from pipeline.health import DATABASE, StoreReport, check_stores
from pipeline.listing import count_all_states, count_vectors
from webapp.dependencies import VERSION, BackendDependency, PrincipalDependency, get_backend
from webapp.errors import RETRY_AFTER_SECONDS
from webapp.identity import unasked, visitor_of_unasked, visitor_while_down

router = APIRouter(include_in_schema=False)

LOOKS = CapacityLimiter(8)  # threads of its own, for when all others wait for a store

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/livez")
@unasked
async def is_alive() -> Response:
    """Answer as long as the process does; no store is asked, and no thread is needed."""
    return JSONResponse({"status": "alive"})


@router.get("/readyz")
@unasked
async def is_ready(request: Request) -> Response:
    """Answer 200 when every store answers, 503 with the names of the others if not; within five seconds.

    What each store says is told to who looks after the server.
    """
    reports, in_detail = await to_thread.run_sync(_look, request, limiter=LOOKS)
    down = [report.name for report in reports if not report.healthy]
    body: dict[str, object] = {"status": "not ready", "down": down} if down else {"status": "ready"}
    if in_detail:
        body["stores"] = {report.name: report.sentence for report in reports}
    if down:
        return JSONResponse(body, 503, headers={"Retry-After": RETRY_AFTER_SECONDS})
    return JSONResponse(body)


def _look(request: Request) -> tuple[list[StoreReport], bool]:
    """Return how the stores do, and whether who asks is told in detail."""
    reports = check_stores(get_backend(request))
    database_is_up = next(report.healthy for report in reports if report.name == DATABASE)
    visitor = visitor_of_unasked(request) if database_is_up else visitor_while_down(request)
    return reports, visitor.principal.may_administrate()


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
        "# HELP likeness_vectors Vectors of images that can be searched, by the database.",
        "# TYPE likeness_vectors gauge",
        f"likeness_vectors {count_vectors(backend)}",
        "# HELP likeness_info The version that runs.",
        "# TYPE likeness_info gauge",
        f'likeness_info{{version="{VERSION}",encoder="{backend.encoder.name}"}} 1',
    ]
    return PlainTextResponse("\n".join(lines) + "\n", media_type=METRICS_TYPE)
