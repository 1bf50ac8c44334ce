"""Lists, counts and facets: each within what somebody may see, and none moved by what others do."""

import io
from datetime import UTC, datetime

import pytest
from house import settle
from pictures import picture_bytes

from pipeline import access, curation, listing, upload_list
from pipeline.backend import Backend
from pipeline.errors import InvalidQuery, NotAllowed
from pipeline.filters import Filter
from pipeline.images import ImageRecord, ImageState, new_image_id
from pipeline.ingest import accept
from pipeline.principals import OWNER, Principal, Role, Scope
from pipeline.stores import records_libraries
from pipeline.stores.tables import images
from pipeline.uploads import spooled
from pipeline.worker import Worker

pytestmark = pytest.mark.on_both_databases

MINE, THEIRS = "mine-0123", "theirs-0123"
ADA = Principal("Ada", {MINE: Role.OWNER}, person_id="ada")
BEN = Principal("Ben", {THEIRS: Role.OWNER}, person_id="ben")
VIEWER = Principal("viewer", {MINE: Role.VIEWER}, person_id="viewer")
UPLOADER = Principal("uploader", {MINE: Role.UPLOADER}, person_id="uploader")
BOTH = Principal("both", {MINE: Role.VIEWER, THEIRS: Role.VIEWER}, person_id="both")
LATELY = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def backend(backend: Backend) -> Backend:
    """Stores with a library of Ada's and one of Ben's, which are both called "photos"."""
    with backend.database.write() as connection:
        records_libraries.make(connection, "photos", MINE)
        records_libraries.make(connection, "photos", THEIRS)
    settle(backend, ADA, BEN, VIEWER, UPLOADER, BOTH)
    return backend


def send(backend: Backend, principal: Principal, seed: int = 0, library: str | None = None, **options) -> ImageRecord:
    data = picture_bytes("noise", seed=seed)
    with spooled(io.BytesIO(data), f"{seed}.png", max_bytes=len(data)) as upload:
        return accept(backend, upload, principal, library=library, **options).image


def listed(backend: Backend, principal: Principal, limit: int = 50, **options) -> list[str]:
    page = listing.list_images(backend, options.pop("where", Filter()), principal, limit=limit, **options)
    return [image.id for image in page.images]


def everything_counted(backend: Backend, principal: Principal) -> tuple[object, ...]:
    """Return all that a page tells of how much there is."""
    counts = listing.count_facets(backend, Filter(), principal)
    return (
        counts,
        listing.count_states(backend, principal),
        listing.figures(backend, principal, since=LATELY),
        listed(backend, principal),
        listing.list_deleted(backend, principal, limit=50, offset=0),
        listing.list_failed(backend, principal, limit=50),
    )


def fail(backend: Backend, image: ImageRecord) -> None:
    with backend.database.write() as connection:
        connection.execute(images.update().where(images.c.row == image.row).values(state=ImageState.FAILED))


# ---- Counts


@pytest.mark.parametrize("who", [ADA, VIEWER, UPLOADER], ids=lambda who: who.name)
def test_nothing_that_is_counted_or_listed_moves_when_another_library_grows(backend, who):
    send(backend, ADA, 1, tags=["winter"])
    curation.delete(backend, [send(backend, ADA, 2).id], ADA)
    Worker(backend).drain()
    before = everything_counted(backend, who)

    send(backend, BEN, 3, tags=["winter", "secret"])
    fail(backend, send(backend, BEN, 4))
    curation.delete(backend, [send(backend, BEN, 5).id], BEN)
    send(backend, OWNER, 6, "another")
    Worker(backend).drain()

    assert everything_counted(backend, who) == before


def test_each_sees_their_own_counts_and_the_owner_of_everything_all(backend):
    for seed in range(3):
        send(backend, ADA, seed)
    send(backend, BEN, 10, tags=["secret"])
    Worker(backend).drain()

    def ready(principal: Principal) -> tuple[int, dict[str, int], dict[str, int]]:
        counts = listing.count_facets(backend, Filter(), principal)
        return counts.states[ImageState.READY], counts.facets.library, counts.facets.tag

    assert ready(ADA) == (3, {MINE: 3}, {})
    assert ready(BEN) == (1, {THEIRS: 1}, {"secret": 1})
    assert ready(OWNER) == (4, {MINE: 3, THEIRS: 1}, {"secret": 1})
    assert ready(Principal("owner", hidden=frozenset({THEIRS}))) == (3, {MINE: 3}, {})
    assert ready(Principal("administrator", {}, administrator=True)) == (0, {}, {})
    assert listing.count_all_states(backend)[ImageState.READY] == 4


def test_facets_of_a_library_that_is_named_are_those_of_the_one_that_is_meant(backend):
    send(backend, ADA, 1)
    send(backend, BEN, 2)
    Worker(backend).drain()

    def found(principal: Principal, name: str) -> tuple[int, int, dict[str, int]]:
        counts = listing.count_facets(backend, Filter(libraries=(name,)), principal)
        return counts.passing, sum(counts.facets.category.values()), counts.facets.library

    # The facet of libraries offers the others that may be seen as well: its values widen each other.
    assert found(ADA, "photos") == (1, 1, {MINE: 1})
    assert found(ADA, THEIRS) == (0, 0, {MINE: 1})
    assert found(BOTH, "photos") == (2, 2, {MINE: 1, THEIRS: 1})
    assert found(BOTH, THEIRS) == (1, 1, {MINE: 1, THEIRS: 1})


def test_the_size_of_all_originals_is_that_of_those_one_may_see(backend):
    mine, theirs = send(backend, ADA, 1), send(backend, BEN, 2)

    def total(principal: Principal) -> int:
        return listing.figures(backend, principal, since=LATELY).original_bytes

    assert (total(ADA), total(BEN), total(OWNER)) == (mine.bytes, theirs.bytes, mine.bytes + theirs.bytes)


def test_failures_are_told_to_those_who_see_the_pictures(backend):
    mine, theirs = send(backend, ADA, 1), send(backend, BEN, 2)
    fail(backend, mine)
    fail(backend, theirs)

    def failed(principal: Principal) -> list[str]:
        return [image.id for image in listing.list_failed(backend, principal, limit=10)]

    assert failed(VIEWER) == [mine.id]
    assert failed(BEN) == [theirs.id]
    assert failed(OWNER) == [theirs.id, mine.id]


# ---- Pages of a list


def pages(backend: Backend, principal: Principal, limit: int) -> list[str]:
    found, cursor = [], None
    while True:
        page = listing.list_images(backend, Filter(), principal, limit=limit, cursor=cursor)
        found += [image.id for image in page.images]
        cursor = page.next_cursor
        if cursor is None:
            return found


def test_a_list_is_paged_without_gaps_while_others_upload(backend):
    sent = []
    for seed in range(7):
        sent.append(send(backend, ADA, seed).id)
        send(backend, BEN, 100 + seed)

    assert pages(backend, ADA, 3) == sent[::-1]


def test_a_cursor_is_an_id_of_the_page_and_tells_nothing_else(backend):
    sent = [send(backend, ADA, seed).id for seed in range(3)]

    page = listing.list_images(backend, Filter(), ADA, limit=2)

    assert page.next_cursor == page.images[-1].id == sent[1]


@pytest.mark.parametrize("purge", [False, True])
def test_a_list_goes_on_behind_an_image_that_is_gone_meanwhile(backend, purge):
    sent = [send(backend, ADA, seed).id for seed in range(4)]
    cursor = listing.list_images(backend, Filter(), ADA, limit=2).next_cursor
    curation.delete(backend, [sent[2]], ADA, purge=purge)

    assert listed(backend, ADA, cursor=cursor) == [sent[1], sent[0]]


def test_the_id_of_a_foreign_image_as_cursor_is_like_any_other(backend):
    first = send(backend, ADA, 1).id
    foreign = send(backend, BEN, 2).id
    # An id of the same time as the foreign one, in which nothing but the random part differs, is nowhere.
    nowhere = foreign[:-4] + ("0000" if foreign[-4:] != "0000" else "0001")
    last = send(backend, ADA, 3).id

    assert listed(backend, ADA, cursor=foreign) == listed(backend, ADA, cursor=nowhere) == [first]
    assert listed(backend, ADA, cursor=new_image_id()) == [last, first]


@pytest.mark.parametrize("cursor", ["", "r12", "x" * 36, "0" * 40])
def test_what_cannot_be_a_cursor_is_refused(backend, cursor):
    with pytest.raises(InvalidQuery, match="cursor"):
        listing.list_images(backend, Filter(), ADA, limit=2, cursor=cursor)


def test_a_list_of_one_state_has_no_other(backend):
    send(backend, ADA, 1)
    Worker(backend).drain()
    waiting = send(backend, ADA, 2).id

    assert listed(backend, ADA, state=ImageState.WAITING) == [waiting]


def test_a_token_that_is_not_for_reading_lists_and_counts_nothing(backend):
    token = Principal("Ada", {MINE: Role.OWNER}, person_id="ada", scopes=frozenset(Scope) - {Scope.READ})

    for look in (
        lambda: listing.list_images(backend, Filter(), token, limit=1),
        lambda: listing.count_states(backend, token),
        lambda: listing.count_facets(backend, Filter(), token),
        lambda: listing.list_deleted(backend, token, limit=1, offset=0),
        lambda: listing.list_failed(backend, token, limit=1),
    ):
        with pytest.raises(NotAllowed, match="scope “read”"):
            look()


# ---- The trash


def test_the_trash_shows_what_one_may_restore(backend):
    own, other, theirs = send(backend, UPLOADER, 1), send(backend, ADA, 2), send(backend, BEN, 3)
    curation.delete(backend, [own.id, other.id], ADA)
    curation.delete(backend, [theirs.id], BEN)

    def trash(principal: Principal) -> set[str]:
        return {image.id for image in listing.list_deleted(backend, principal, limit=10, offset=0)[0]}

    assert trash(ADA) == {own.id, other.id}
    assert trash(UPLOADER) == {own.id}
    assert trash(VIEWER) == set()
    assert trash(BEN) == {theirs.id}
    assert trash(OWNER) == {own.id, other.id, theirs.id}
    assert access.get_image(backend, own.id, UPLOADER, deleted_too=True).deleted_at


def test_the_trash_is_paged(backend):
    ids = [send(backend, ADA, seed).id for seed in range(3)]
    for image_id in ids:
        curation.delete(backend, [image_id], ADA)

    first, has_more = listing.list_deleted(backend, ADA, limit=2, offset=0)
    rest, has_more_still = listing.list_deleted(backend, ADA, limit=2, offset=2)

    assert [image.id for image in [*first, *rest]] == ids[::-1]
    assert (has_more, has_more_still) == (True, False)


# ---- The list of an upload


def test_the_list_of_an_upload_is_its_uploaders_alone(backend):
    image = send(backend, ADA, 1)
    upload_list.add_card(backend, "batch", ADA, filename="1.png", size=image.bytes, image=image)
    upload_list.add_card(backend, "batch", ADA, filename="2.png", size=1, image=None, sentence="No picture.")

    mine = upload_list.list_uploads(backend, "batch", ADA)

    assert [(item.card.outcome, item.image.id if item.image else None) for item in mine] == [
        ("accepted", image.id),
        ("refused", None),
    ]
    assert upload_list.list_uploads(backend, "batch", BEN) == []
    assert upload_list.list_uploads(backend, "batch", OWNER) == []


def test_a_card_outlives_the_access_to_its_library_and_its_picture_does_not_show(backend):
    image = send(backend, ADA, 1)
    upload_list.add_card(backend, "batch", ADA, filename="1.png", size=image.bytes, image=image)

    (item,) = upload_list.list_uploads(backend, "batch", Principal("Ada", {}, person_id="ada"))

    assert item.card.filename == "1.png"
    assert item.image is None
