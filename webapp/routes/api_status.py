"""`/api/v1/status` and `/api/v1/libraries`."""

from typing import Any

from fastapi import APIRouter

from pipeline.filters import Filter
from pipeline.health import DATABASE, check_stores
from pipeline.images import ImageState
from pipeline.labels import checked_library
from pipeline.stores import records_libraries, records_listing
from webapp import schemas
from webapp.api_form import ANY_CALL
from webapp.dependencies import VERSION, BackendDependency, PrincipalDependency

router = APIRouter(prefix="/api/v1", tags=["status"], responses=ANY_CALL)


@router.get("/status", response_model=schemas.Status)
def get_status(backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """Return the encoder, the counts by state, what waits, and how each store does.

    It answers also while a store is down; without the database nothing is counted, and `queue_depth` is null.
    """
    reports = check_stores(backend)
    counts: dict[ImageState, int] = {}
    if next(report.healthy for report in reports if report.name == DATABASE):
        with backend.database.read() as connection:
            counts = records_listing.count_states(connection, Filter().seen_by(principal).libraries)
    return {
        "version": VERSION,
        "encoder": {
            "name": backend.encoder.name,
            "fingerprint": backend.encoder.fingerprint,
            "dimension": backend.encoder.dimension,
        },
        "states": {state.value: number for state, number in counts.items()},
        "queue_depth": counts.get(ImageState.WAITING),
        "stores": [vars(report) for report in reports],
    }


@router.get("/libraries", response_model=schemas.LibraryList)
def list_libraries(backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """List the libraries with the number of their images."""
    with backend.database.read() as connection:
        names = [name for name in records_libraries.list_ids(connection) if principal.may_see(name)]
        counts = records_listing.count_by_library(connection)
    return {"libraries": [{"name": name, "images": counts.get(name, 0)} for name in names]}


@router.post("/libraries", status_code=201, response_model=schemas.Library)
def add_library(new: schemas.NewLibrary, backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """Make a library. It is no error when there is one of that name."""
    name = checked_library(new.name, principal)
    with backend.database.write() as connection:
        records_libraries.ensure(connection, name)
        number = sum(records_listing.count_states(connection, (name,)).values())
    return {"name": name, "images": number}
