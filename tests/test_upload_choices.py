"""What is found beside a picture that was just sent, and what its sender may make of that."""

import io

import pytest
from house import House

from pipeline import deciding, decision_export, moderation, settling, undoing, upload_choices
from pipeline.access import get_image
from pipeline.errors import ImageNotFound, InvalidQuery, NotAllowed
from pipeline.features.comparison import Verdict
from pipeline.ingest import accept
from pipeline.principals import Role
from pipeline.settling import Settlement
from pipeline.uploads import spooled
from pipeline.worker import Worker
from tests.web.photos import cropped, jpeg

pytestmark = pytest.mark.on_both_databases


class Scene:
    """A cat of Mo's in "photos", a crop of it that Uma sends there later, and Sam's cat in a library of his own."""

    def __init__(self, backend) -> None:
        self.backend = backend
        self.house = House(backend)
        self.photos = self.house.library("photos", Mo=Role.MODERATOR, Uma=Role.UPLOADER, Vi=Role.VIEWER)
        elsewhere = self.house.library("elsewhere", Sam=Role.OWNER)
        self.cat = self.send("Mo", jpeg("chelsea.png"), self.photos, caption="Chelsea", tags=["cat"])
        self.send("Sam", jpeg("chelsea.png", quality=80), elsewhere)
        self.crop = self.send("Uma", cropped("chelsea.png"), self.photos, caption="her face", tags=["face"])
        worker = Worker(backend)
        worker.drain()
        self.unchecked = upload_choices.waiting_for_check(backend, [self.crop])
        worker.check()

    def send(self, name: str, data: bytes, library: str, **words):
        with spooled(io.BytesIO(data), f"{name}.jpg", max_bytes=len(data)) as upload:
            return accept(self.backend, upload, self.house.asks(name), library=library, **words).image

    def beside(self, name: str) -> list[upload_choices.Beside]:
        return upload_choices.found_beside(self.backend, [self.crop], self.house.asks(name)).get(self.crop.row, [])

    def now(self, image):
        return get_image(self.backend, image.id, self.house.asks("Mo"), deleted_too=True)


@pytest.fixture
def scene(backend) -> Scene:
    return Scene(backend)


def test_copies_are_found_after_the_check_as_far_as_they_may_be_seen(scene):
    assert scene.unchecked == {scene.crop.row}
    assert upload_choices.waiting_for_check(scene.backend, [scene.crop]) == set()
    [found] = scene.beside("Uma")
    assert (found.image.id, found.comparison.verdict) == (scene.cat.id, Verdict.EDITED)
    rights = {name: (one.may_use, one.may_decide) for name in ("Mo", "Uma", "Vi") for one in scene.beside(name)}
    assert rights == {"Mo": (True, True), "Uma": (True, False), "Vi": (False, False)}
    moderation.hold(scene.backend, [scene.cat.id], scene.house.asks("Mo"), "look at this")
    assert scene.beside("Uma") == []


def test_using_the_one_that_is_there_gives_it_the_words_of_the_new_one_and_can_be_undone(scene):
    used = upload_choices.use_existing(scene.backend, scene.crop.id, scene.cat.id, scene.house.asks("Mo"))

    assert used.merged
    assert scene.now(scene.crop).deleted_at is not None
    cat = scene.now(scene.cat)
    assert (set(cat.caption.split("\n")), set(cat.tags)) == ({"Chelsea", "her face"}, {"cat", "face"})
    undoing.undo(scene.backend, used.batch, scene.house.asks("Mo"))
    assert scene.now(scene.crop).deleted_at is None
    assert (scene.now(scene.cat).caption, scene.now(scene.cat).tags) == ("Chelsea", ("cat",))


def test_who_may_not_change_the_one_that_is_there_does_away_with_their_own_and_says_nothing_of_it(scene):
    uma = scene.house.asks("Uma")
    with pytest.raises(NotAllowed):
        upload_choices.keep_both(scene.backend, scene.crop.id, scene.cat.id, uma, variant=True)
    with pytest.raises(NotAllowed):
        upload_choices.use_existing(scene.backend, scene.cat.id, scene.crop.id, uma)
    with pytest.raises(ImageNotFound):
        upload_choices.use_existing(scene.backend, scene.crop.id, scene.cat.id, scene.house.asks("Sam"))

    used = upload_choices.use_existing(scene.backend, scene.crop.id, scene.cat.id, uma)

    assert (used.merged, used.batch) == (False, "")
    assert scene.now(scene.crop).deleted_at is not None
    assert (scene.now(scene.cat).caption, scene.now(scene.cat).tags) == ("Chelsea", ("cat",))


def test_keeping_both_is_remembered_with_its_reason(scene):
    mo = scene.house.asks("Mo")
    with pytest.raises(InvalidQuery, match="The reason is missing"):
        upload_choices.keep_both(scene.backend, scene.crop.id, scene.cat.id, mo, variant=False)

    upload_choices.keep_both(scene.backend, scene.crop.id, scene.cat.id, mo, variant=False, reason="another cat")
    assert [(one.decision, one.reason) for one in scene.beside("Uma")] == [("unrelated", "another cat")]
    upload_choices.keep_both(scene.backend, scene.crop.id, scene.cat.id, mo, variant=True)
    assert [one.decision for one in scene.beside("Uma")] == ["variant"]


def test_a_removed_picture_stays_removed_until_that_is_undone(scene):
    mo, uma = scene.house.asks("Mo"), scene.house.asks("Uma")
    moderation.hold(scene.backend, [scene.crop.id], mo, "look at this")
    settled = moderation.remove(scene.backend, [scene.crop.id], mo, "against the rules", keep_hash=True)

    again = scene.send("Uma", jpeg("chelsea.png", quality=70), scene.photos)
    Worker(scene.backend).drain()
    assert get_image(scene.backend, again.id, uma).state == "ready", "the whole cat is no copy by its hash"
    copy = scene.send("Uma", cropped("chelsea.png") + b"\n", scene.photos)
    Worker(scene.backend).drain()
    assert get_image(scene.backend, copy.id, uma, own_held_too=True).state == "failed"
    moderation.undo(scene.backend, settled.batch, mo)
    other = scene.send("Uma", cropped("chelsea.png") + b"\n\n", scene.photos)
    Worker(scene.backend).drain()
    assert get_image(scene.backend, other.id, uma).state == "ready"


def test_a_deleted_duplicate_that_is_sent_again_is_open_again_with_its_choices(scene):
    mo = scene.house.asks("Mo")
    group = settling.next_group(scene.backend, mo)
    settling.settle(scene.backend, group.id, Settlement(scene.cat.id, deletes=(scene.crop.id,)), mo)
    assert settling.next_group(scene.backend, mo) is None

    scene.send("Uma", cropped("chelsea.png"), scene.photos)

    assert scene.now(scene.crop).deleted_at is None
    [found] = scene.beside("Mo")
    assert (found.decision, found.came_back.id, found.may_use, found.may_decide) == ("", scene.crop.id, True, True)
    again = settling.next_group(scene.backend, mo)
    assert {image.id for image in again.images} == {scene.cat.id, scene.crop.id}
    Worker(scene.backend).check()
    assert settling.next_group(scene.backend, mo).id == again.id
    deciding.decide(scene.backend, scene.crop.id, scene.cat.id, "duplicate", mo)
    assert settling.next_group(scene.backend, mo) is None
    assert [one.decision for one in scene.beside("Mo")] == ["duplicate"]
    assert len(decision_export.read_decisions(scene.backend, mo, limit=5).lines) == 2
