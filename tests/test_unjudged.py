"""What no bank has judged yet: to whom it is shown while one may hold or refuse it, and when everybody sees it."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from duplicates import Findings
from house import House
from pictures import picture_bytes

from pipeline import access, banks, curation, listing, moderation, reporting, settling
from pipeline.backend import Backend
from pipeline.bank_rules import BankAction, Kind
from pipeline.banks import BankSettings
from pipeline.duplicate_groups import list_groups
from pipeline.filters import Filter
from pipeline.images import ImageRecord, ImageState
from pipeline.ingest import accept
from pipeline.principals import OWNER, Principal, Role
from pipeline.settling import Settlement
from pipeline.stores import records_banks, records_repair
from pipeline.stores.tables import embeddings, images
from pipeline.uploads import spooled
from pipeline.worker import Worker

pytestmark = pytest.mark.on_both_databases

NAMES = ("Mo", "Uma", "Bo", "Vi")
MODERATOR_ALONE = ["Mo"]
TOLD = {"Mo", "Uma"}


class Scene:
    """A picture that waits in a library with a moderator, its uploader, another one, and a viewer."""

    def __init__(self, backend: Backend) -> None:
        self.backend, self.house = backend, House(backend)
        roles = {"Mo": Role.MODERATOR, "Uma": Role.UPLOADER, "Bo": Role.UPLOADER, "Vi": Role.VIEWER}
        self.library = self.house.library("photos", Olga=Role.OWNER, **roles)
        self.elsewhere = self.house.library("elsewhere", Olga=Role.OWNER)
        self.image = self.send("Uma")

    def who(self, name: str) -> Principal:
        return self.house.asks(name)

    def send(self, name: str, seed: int = 1, library: str | None = None) -> ImageRecord:
        data = picture_bytes("noise", seed=seed)
        with spooled(io.BytesIO(data), "1.png", max_bytes=len(data)) as upload:
            into = library or self.library
            return accept(self.backend, upload, self.who(name), library=into, caption=f"by {name}").image

    def bank(self, name: str, library: str | None = None, **settings: object) -> str:
        kind = settings.pop("kind", Kind.KNOWN)
        who = OWNER if library is None else self.who("Olga")
        return banks.make(self.backend, who, library, BankSettings(name, **settings), kind=kind).bank.id

    def change(self, bank: str, **values: object) -> None:
        with self.backend.database.write() as connection:
            records_banks.change(connection, bank, **values)

    def set_image(self, **values: object) -> None:
        with self.backend.database.write() as connection:
            connection.execute(images.update().where(images.c.row == self.image.row).values(values))

    def shown_to(self) -> list[str]:
        """Return who sees the picture by its id; lists and counts must say the same, and that its sender is told."""
        ids, found = [self.image.id], []
        for who in map(self.who, NAMES):
            sees = bool(access.get_images(self.backend, ids, who))
            told = bool(access.get_images(self.backend, ids, who, own_held_too=True))
            listed = bool(listing.list_images(self.backend, Filter(), who, limit=9).images)
            assert told == listed == (sees or who.name in TOLD)
            assert sum(listing.count_states(self.backend, who).values()) == int(sees)
            found += [who.name] if sees else []
        return found

    def now(self) -> ImageRecord:
        return access.get_image(self.backend, self.image.id, self.who("Mo"))


@pytest.fixture
def scene(backend: Backend) -> Scene:
    return Scene(backend)


def test_a_picture_is_kept_back_while_a_bank_that_may_hold_or_refuse_it_has_not_judged_it(scene):
    everybody, now = list(NAMES), datetime.now(UTC)
    assert scene.shown_to() == everybody, "there is no bank"
    for name, action in (("allows", BankAction.ALLOW), ("warns", BankAction.WARN)):
        scene.bank(name, scene.library, action=action)
    scene.bank("good", scene.library, kind=Kind.GOOD)
    scene.bank("of another library", scene.elsewhere, action=BankAction.REFUSE)
    assert scene.shown_to() == everybody, "no bank of these can keep it"

    bank = scene.bank("holds", scene.library)
    assert scene.shown_to() == MODERATOR_ALONE, "although it came before the bank"
    assert scene.now().is_kept_back
    at_rest = ({"paused": "Mo has paused it."}, {"ratio": 0.0}, {"expires_at": now - timedelta(seconds=1)})
    for values in at_rest:
        scene.change(bank, **values)
        assert scene.shown_to() == everybody, values
        assert not scene.now().is_kept_back
        scene.change(bank, paused=None, ratio=0.01, expires_at=now + timedelta(days=1))
    assert scene.shown_to() == MODERATOR_ALONE
    banks.delete(scene.backend, scene.who("Olga"), bank)
    assert scene.shown_to() == everybody
    scene.bank("of the server", action=BankAction.REFUSE)
    assert scene.shown_to() == MODERATOR_ALONE


def test_who_sends_the_same_bytes_is_told_what_becomes_of_them_and_sees_nothing_else(scene):
    scene.bank("holds", scene.library)

    again = scene.send("Bo")

    assert (again.id, again.state) == (scene.image.id, ImageState.WAITING)
    assert not access.may_look(scene.who("Bo"), again)
    assert access.get_images(scene.backend, [again.id], scene.who("Bo"), own_held_too=True)
    assert curation.delete(scene.backend, [again.id], scene.who("Bo")) == []


def test_it_is_shown_when_it_was_judged_and_stays_so_while_it_is_analyzed_anew(scene):
    scene.bank("holds", scene.library)
    Worker(scene.backend).drain()
    assert scene.shown_to() == list(NAMES)

    encoder = scene.backend.encoder.fingerprint
    with scene.backend.database.write() as connection:
        connection.execute(embeddings.delete())
        assert records_repair.requeue(connection, [scene.image.row], encoder) == 1

    assert scene.now().state == ImageState.WAITING
    assert scene.shown_to() == list(NAMES)
    scene.set_image(state=ImageState.FAILED, error="Its file is gone.", error_code="gone")
    assert scene.shown_to() == list(NAMES)


def test_one_that_comes_back_from_the_trash_or_from_a_refusal_is_judged_before_it_is_shown_again(scene):
    scene.bank("refuses", scene.library, action=BankAction.REFUSE)
    ways = (
        lambda: curation.restore(scene.backend, [scene.image.id], scene.who("Uma")),
        lambda: scene.send("Uma"),
    )
    for come_back in ways:
        scene.set_image(state=ImageState.READY, analyzed_at=datetime.now(UTC))
        assert scene.shown_to() == list(NAMES)
        curation.delete(scene.backend, [scene.image.id], scene.who("Uma"))
        come_back()
        assert scene.now().state == ImageState.WAITING
        assert scene.shown_to() == MODERATOR_ALONE

    scene.set_image(analyzed_at=datetime.now(UTC))
    scene.set_image(state=ImageState.FAILED, error="Not here.", error_code="refused_by_bank")
    scene.send("Uma")
    assert scene.now().state == ImageState.WAITING
    assert scene.shown_to() == MODERATOR_ALONE


def test_one_whose_analysis_failed_is_not_shown_by_bringing_it_back(scene):
    failed = {"state": ImageState.FAILED, "error": "This file is damaged.", "error_code": "damaged"}
    scene.set_image(**failed, analyzed_at=datetime.now(UTC))
    curation.delete(scene.backend, [scene.image.id], scene.who("Uma"))
    scene.bank("refuses", scene.library, action=BankAction.REFUSE)

    curation.restore(scene.backend, [scene.image.id], scene.who("Uma"))

    assert scene.shown_to() == MODERATOR_ALONE


@pytest.mark.parametrize(("who", "sees"), [("Uma", False), ("Mo", True)])
def test_one_that_comes_back_because_a_decision_is_taken_back_is_judged_unless_a_moderator_does_so(scene, who, sees):
    kept = scene.send("Uma", seed=2)
    with scene.backend.database.write() as connection:
        connection.execute(images.update().values(state=ImageState.READY, analyzed_at=datetime.now(UTC)))
    Findings(scene.backend).found(kept, scene.image, "identical")
    (group,) = list_groups(scene.backend, scene.who("Uma"), limit=2).groups
    settlement = Settlement(kept.id, deletes=(scene.image.id,))
    done = settling.settle(scene.backend, group.id, settlement, scene.who("Uma"))
    scene.bank("refuses", scene.library, action=BankAction.REFUSE)

    settling.undo(scene.backend, done.batch, scene.who(who))

    assert bool(access.get_images(scene.backend, [scene.image.id], scene.who("Vi"))) == sees


def test_one_that_a_merge_brings_back_is_judged_first(scene):
    second = scene.house.library("second", Olga=Role.OWNER, Uma=Role.UPLOADER, Vi=Role.VIEWER)
    in_trash, copy = scene.send("Uma", library=second), scene.send("Uma", seed=2, library=second)
    with scene.backend.database.write() as connection:
        connection.execute(images.update().values(state=ImageState.READY, analyzed_at=datetime.now(UTC)))
    curation.delete(scene.backend, [in_trash.id], scene.who("Olga"))
    Findings(scene.backend).found(scene.image, copy, "identical")
    (group,) = list_groups(scene.backend, scene.who("Uma"), limit=2).groups
    scene.bank("refuses", second, action=BankAction.REFUSE)

    settling.settle(scene.backend, group.id, Settlement(scene.image.id, deletes=(copy.id,)), scene.who("Uma"))

    (back,) = access.get_images(scene.backend, [in_trash.id], scene.who("Olga"))
    assert (back.deleted_at, back.state) == (None, ImageState.WAITING)
    assert access.get_images(scene.backend, [in_trash.id], scene.who("Vi")) == []


def test_an_approval_that_is_taken_back_shows_no_picture_that_was_never_judged(scene):
    scene.bank("holds", scene.library)
    reporting.report(scene.backend, scene.image.id, scene.who("Mo"), "look at this")
    done = moderation.approve(scene.backend, [scene.image.id], scene.who("Mo"))
    assert scene.shown_to() == list(NAMES)

    moderation.undo(scene.backend, done.batch, scene.who("Mo"))

    assert scene.shown_to() == MODERATOR_ALONE


def test_one_whose_analysis_failed_is_shown_when_a_moderator_has_approved_it(scene):
    scene.bank("holds", scene.library)
    scene.set_image(state=ImageState.FAILED, error="This file is damaged.", error_code="damaged")
    assert scene.shown_to() == MODERATOR_ALONE

    moderation.hold(scene.backend, [scene.image.id], scene.who("Mo"), "look at this")
    moderation.approve(scene.backend, [scene.image.id], scene.who("Mo"))

    assert scene.now().state == ImageState.WAITING
    assert scene.shown_to() == list(NAMES)
