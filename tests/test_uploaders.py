"""Who has added a picture, as a filter and as a facet: told to whoever may see the picture, and to nobody else."""

import io

import pytest
from house import settle
from pictures import picture_bytes

from pipeline import curation, listing
from pipeline.backend import Backend
from pipeline.filters import Filter
from pipeline.images import ImageRecord
from pipeline.ingest import accept
from pipeline.principals import Principal, Role
from pipeline.stores import records_libraries
from pipeline.uploads import spooled
from pipeline.worker import Worker

pytestmark = pytest.mark.on_both_databases

OURS, PRIVATE = "ours-0123", "private-0123"
ANN = Principal("ann", {OURS: Role.UPLOADER}, person_id="ann-id")
BO = Principal("bo", {OURS: Role.UPLOADER, PRIVATE: Role.OWNER}, person_id="bo-id")
LOOKER = Principal("looker", {OURS: Role.VIEWER}, person_id="looker-id")


@pytest.fixture
def backend(backend: Backend) -> Backend:
    with backend.database.write() as connection:
        records_libraries.make(connection, "ours", OURS)
        records_libraries.make(connection, "private", PRIVATE)
    settle(backend, ANN, BO, LOOKER)
    return backend


def send(backend: Backend, principal: Principal, seed: int, library: str) -> ImageRecord:
    data = picture_bytes("noise", seed=seed)
    with spooled(io.BytesIO(data), f"{seed}.png", max_bytes=len(data)) as upload:
        return accept(backend, upload, principal, library=library).image


def uploaders(backend: Backend, principal: Principal, where: Filter = Filter()) -> dict[str, int]:  # noqa: B008
    return listing.count_facets(backend, where, principal).facets.uploader


def listed(backend: Backend, principal: Principal, *names: str) -> set[str]:
    found = listing.list_images(backend, Filter(uploaders=names), principal, limit=50)
    return {image.id for image in found.images}


def test_uploaders_are_told_by_name_and_only_of_what_may_be_seen(backend):
    first, second = send(backend, ANN, 1, OURS), send(backend, ANN, 2, OURS)
    secret = send(backend, BO, 3, PRIVATE)
    Worker(backend).drain()

    assert uploaders(backend, LOOKER) == {"ann": 2}
    assert uploaders(backend, BO) == {"ann": 2, "bo": 1}
    assert listed(backend, LOOKER, "ann") == {first.id, second.id}
    # Somebody who has added nothing that may be seen is as somebody whom there is not.
    assert listed(backend, LOOKER, "bo") == listed(backend, LOOKER, "nobody") == listed(backend, LOOKER, BO.person_id)
    assert listed(backend, LOOKER, "bo") == set()
    assert listed(backend, BO, "bo", "ann") == {first.id, second.id, secret.id}


def test_who_sends_the_same_picture_again_is_counted_too(backend):
    image = send(backend, ANN, 1, OURS)
    Worker(backend).drain()
    assert uploaders(backend, LOOKER) == {"ann": 1}

    send(backend, BO, 1, OURS)

    assert uploaders(backend, LOOKER) == {"ann": 1, "bo": 1}
    assert listed(backend, LOOKER, "bo") == {image.id}
    # The values of one facet widen each other.
    assert uploaders(backend, LOOKER, Filter(uploaders=("bo",))) == {"ann": 1, "bo": 1}


def test_a_deleted_picture_tells_of_nobody(backend):
    image = send(backend, ANN, 1, OURS)
    Worker(backend).drain()
    assert uploaders(backend, LOOKER) == {"ann": 1}

    curation.delete(backend, [image.id], ANN)

    assert uploaders(backend, LOOKER) == {}


@pytest.mark.parametrize("name", ["\0", "a\0b", "\ud800".encode("utf-8", "replace").decode(), "x" * 500, "'; --"])
def test_what_is_no_name_is_that_of_nobody(backend, name):
    send(backend, ANN, 1, OURS)
    Worker(backend).drain()

    assert listed(backend, LOOKER, name) == set()
    assert uploaders(backend, LOOKER, Filter(uploaders=(name,))) == {"ann": 1}
    assert listing.list_images(backend, Filter(without_tags=(name,)), LOOKER, limit=50).images
