"""Holding an image back and letting it go: what is found of it meanwhile, and by whom."""

import io

import pytest
from house import House
from pictures import picture_bytes
from saved import analyze, compare, found, save

from pipeline import access, curation, listing
from pipeline.errors import ImageNotFound
from pipeline.filters import Filter
from pipeline.holding import hold, release
from pipeline.images import ImageState
from pipeline.ingest import accept
from pipeline.principals import EVERY_SCOPE, OWNER, Role, Scope
from pipeline.questions import Term
from pipeline.search import SearchQuery, search
from pipeline.stores import records_cases, records_images
from pipeline.stores.tables import embeddings
from pipeline.uploads import spooled
from pipeline.worker import Worker

pytestmark = pytest.mark.on_both_databases

RED = "#dc1e1e"
READER = frozenset({Scope.READ})


class Scene:
    """A library with a moderator, an uploader, somebody who sends the same picture, and a viewer."""

    def __init__(self, backend) -> None:
        self.backend = backend
        self.house = House(backend)
        roles = {"Mo": Role.MODERATOR, "Uma": Role.UPLOADER, "Bo": Role.UPLOADER, "Vi": Role.VIEWER}
        self.library = self.house.library("photos", **roles)
        self.image = self.send("Uma")

    def send(self, name: str, seed: int = 1):
        data = picture_bytes(color=RED, seed=seed)
        with spooled(io.BytesIO(data), f"{seed}.png", max_bytes=len(data)) as upload:
            return accept(self.backend, upload, self.who(name), library=self.library).image

    def who(self, name: str, scopes: frozenset[Scope] = EVERY_SCOPE):
        return self.house.asks(name, scopes)

    def hold(self) -> bool:
        with self.backend.database.write() as connection:
            return hold(connection, self.image.row, reason="It looks like one of a bank.", bank="a bank")

    def release(self) -> bool:
        with self.backend.database.write() as connection:
            return release(connection, self.image.row)

    def now(self):
        with self.backend.database.read() as connection:
            return records_images.get_by_rows(connection, [self.image.row])[0]


@pytest.fixture
def scene(backend) -> Scene:
    return Scene(backend)


def hits(backend, who, **options) -> list[str]:
    return [hit.image.id for hit in search(backend, SearchQuery(**options), who).hits]


def searches(backend, who) -> dict[str, list[str]]:
    """Return what every kind of search finds."""
    return {
        "text": hits(backend, who, terms=(Term(text="red"),)),
        "list": hits(backend, who),
        "colors": hits(backend, who, where=Filter(colors=(RED,))),
        "library": hits(backend, who, where=Filter(libraries=("photos",))),
    }


def counted(backend, who) -> tuple[int, int, int]:
    counts = listing.count_facets(backend, Filter(), who)
    states = listing.count_states(backend, who)
    return counts.passing, sum(counts.facets.category.values()), sum(states.values())


@pytest.mark.parametrize("name", ["Uma", "Vi", "Mo"])
def test_a_held_picture_is_in_no_search_and_is_back_at_once_when_it_is_released(scene, name):
    backend, who = scene.backend, scene.who(name)
    Worker(backend).drain()
    everywhere = searches(backend, who)
    assert {kind: len(ids) for kind, ids in everywhere.items()} == dict.fromkeys(everywhere, 1)
    assert counted(backend, who) == (1, 1, 1)

    assert scene.hold()

    assert searches(backend, who) == {kind: [] for kind in everywhere}
    moderates = name == "Mo"
    assert counted(backend, who) == (0, 0, 1 if moderates else 0)
    assert hits(backend, who, states=(ImageState.HELD,)) == ([scene.image.id] if moderates else [])
    with backend.database.read() as connection:
        before = connection.execute(embeddings.select()).mappings().all()
    assert scene.release()
    assert searches(backend, who) == everywhere
    assert counted(backend, who) == (1, 1, 1)
    assert scene.now().state == ImageState.READY
    with backend.database.read() as connection:
        [after] = connection.execute(embeddings.select()).mappings().all()
    assert after["vector"] == before[0]["vector"], "nothing was analyzed again"


def test_its_moderators_find_it_by_its_address_its_uploader_is_told_why_and_others_that_there_is_none(scene):
    backend, ids = scene.backend, [scene.image.id]
    Worker(backend).drain()
    scene.hold()

    assert access.get_image(backend, ids[0], scene.who("Mo")).state == ImageState.HELD
    for who in (scene.who("Uma"), scene.who("Bo"), scene.who("Vi"), scene.who("Mo", READER)):
        with pytest.raises(ImageNotFound):
            access.get_image(backend, ids[0], who)
    told = access.get_image(backend, ids[0], scene.who("Uma"), own_held_too=True)
    assert (told.state, told.error) == (ImageState.HELD, "It looks like one of a bank.")
    with pytest.raises(ImageNotFound):
        access.get_image(backend, ids[0], scene.who("Vi"), own_held_too=True)
    held = {"state": ImageState.HELD, "limit": 9}
    listed = {name: len(listing.list_images(backend, Filter(), scene.who(name), **held).images) for name in NAMES}
    assert listed == {"Mo": 1, "Uma": 1, "Bo": 0, "Vi": 0}


NAMES = ("Mo", "Uma", "Bo", "Vi")


def test_who_has_sent_it_can_neither_change_nor_delete_it(scene):
    scene.hold()

    assert curation.delete(scene.backend, [scene.image.id], scene.who("Uma")) == []
    with pytest.raises(ImageNotFound):
        curation.edit(scene.backend, scene.image.id, scene.who("Uma"), caption="harmless")


def test_one_that_was_held_before_its_analysis_is_analyzed_when_it_is_released(scene):
    scene.hold()
    Worker(scene.backend).drain()
    assert scene.now().state == ImageState.HELD
    assert scene.now().category is None

    scene.release()
    assert scene.now().state == ImageState.WAITING
    Worker(scene.backend).drain()

    assert scene.now().state == ImageState.READY
    assert len(hits(scene.backend, scene.who("Vi"), terms=(Term(text="red"),))) == 1


def test_whoever_analyzes_it_when_it_is_held_loses_it(scene, monkeypatch):
    worker = Worker(scene.backend)
    put = scene.backend.objects.put

    def hold_meanwhile(*arguments, **options):
        scene.hold()
        return put(*arguments, **options)

    monkeypatch.setattr(scene.backend.objects, "put", hold_meanwhile)
    worker.drain()

    assert scene.now().state == ImageState.HELD
    assert scene.now().category is None


def test_holding_and_releasing_twice_changes_nothing(scene):
    Worker(scene.backend).drain()

    assert (scene.hold(), scene.hold()) == (True, False)
    with scene.backend.database.read() as connection:
        assert len(records_cases.open_of(connection, [scene.image.row])) == 1
    assert (scene.release(), scene.release()) == (True, False)
    assert scene.now().error is None


def test_a_saved_search_is_told_of_a_picture_that_was_held_when_it_came_in_and_once_only(scene):
    backend, viewer = scene.backend, scene.who("Vi")
    mine = save(backend, Term(text="red"), who=viewer)
    Worker(backend).drain()
    scene.hold()
    compare(backend)
    assert found(backend, mine, viewer) == []

    scene.release()
    compare(backend)
    assert found(backend, mine, viewer) == ["1.png"]
    scene.hold()
    compare(backend)
    assert found(backend, mine, viewer) == []
    scene.release()
    compare(backend)

    assert found(backend, mine, viewer) == ["1.png"]


def test_an_older_picture_that_was_held_and_released_has_not_come_in_anew(scene):
    backend, viewer = scene.backend, scene.who("Vi")
    first = save(backend, Term(text="red"), name="first", who=viewer)
    analyze(backend)
    later = save(backend, Term(text="red"), name="later", who=viewer)
    scene.hold()
    scene.release()
    analyze(backend)

    assert (found(backend, first, viewer), found(backend, later, viewer)) == (["1.png"], [])


def test_the_same_bytes_sent_again_do_not_let_it_go(scene):
    Worker(scene.backend).drain()
    scene.hold()

    again = scene.send("Bo")

    assert (again.id, again.state) == (scene.image.id, ImageState.HELD)
    told = access.get_image(scene.backend, scene.image.id, scene.who("Bo"), own_held_too=True)
    assert told.state == ImageState.HELD
    assert hits(scene.backend, scene.who("Bo")) == []


def test_one_that_a_moderator_removed_comes_back_from_the_trash_as_held(scene):
    backend = scene.backend
    Worker(backend).drain()
    scene.hold()
    with backend.database.write() as connection:
        records_images.delete(connection, [scene.image.row])
        records_cases.settle(connection, [scene.image.row], batch="b", outcome="removed", reason="spam", by="Mo")
    assert listing.list_deleted(backend, scene.who("Uma"), limit=9, offset=0)[0] == []
    assert curation.restore(backend, [scene.image.id], scene.who("Uma")) == []

    assert scene.send("Uma").state == ImageState.HELD

    with backend.database.read() as connection:
        [case] = records_cases.open_of(connection, [scene.image.row])
    assert (case.kind, case.reason) == ("held", records_cases.RETURNED)
    assert listing.count_states(backend, OWNER)[ImageState.HELD] == 1
