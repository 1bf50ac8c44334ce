"""Reporting pictures, and what moderators decide about them."""

import io
import threading
from dataclasses import replace

import pytest
from house import House
from pictures import picture_bytes

from pipeline import access, banks, curation, listing, moderation, moderation_queue, reporting
from pipeline.bank_rules import Kind
from pipeline.errors import (
    Conflict,
    ImageNotFound,
    InvalidQuery,
    LikenessError,
    NotAllowed,
    RefusedByBank,
    TooManyAttempts,
)
from pipeline.filters import Filter
from pipeline.images import ImageState
from pipeline.ingest import accept
from pipeline.moderation_queue import Tab
from pipeline.principals import OWNER, Role, Scope
from pipeline.stores import records_images
from pipeline.uploads import spooled
from pipeline.worker import Worker

pytestmark = pytest.mark.on_both_databases

ROLES = {"Olga": Role.OWNER, "Mo": Role.MODERATOR, "Min": Role.MODERATOR, "Uma": Role.UPLOADER, "Vi": Role.VIEWER}


class Desk:
    """A library "photos" with people of every role, and one "elsewhere" that belongs to a stranger."""

    def __init__(self, backend) -> None:
        self.backend = backend
        self.house = House(backend)
        self.photos = self.house.library("photos", **ROLES)
        self.elsewhere = self.house.library("elsewhere", Sam=Role.OWNER)
        self.seed = 0

    def who(self, name: str, **changes):
        return replace(self.house.asks(name), **changes)

    def put(self, name: str = "Uma", *, count: int = 1, library: str = "") -> list[str]:
        ids = []
        for _ in range(count):
            self.seed += 1
            data = picture_bytes("noise", seed=self.seed)
            with spooled(io.BytesIO(data), f"{self.seed}.png", max_bytes=len(data)) as upload:
                ids.append(accept(self.backend, upload, self.who(name), library=library or self.photos).image.id)
        Worker(self.backend).drain()
        return ids

    def report(self, image_id: str, name: str = "Vi", reason: str = "spam") -> None:
        reporting.report(self.backend, image_id, self.who(name), reason)

    def queue(self, name: str = "Mo", tab: Tab = Tab.REPORTED, limit: int = 50, **asked):
        return moderation_queue.queue(self.backend, self.who(name), tab, limit=limit, **asked)

    def waiting(self, name: str = "Mo", tab: Tab = Tab.REPORTED, **asked) -> list[str]:
        return [entry.image.id for entry in self.queue(name, tab, **asked).entries]

    def state(self, image_id: str) -> tuple[ImageState, bool]:
        with self.backend.database.read() as connection:
            [image] = records_images.get_present(connection, [image_id], OWNER, deleted_too=True)
        return image.state, image.deleted_at is not None

    def seen(self, name: str) -> int:
        return listing.count_facets(self.backend, Filter(), self.who(name)).passing


@pytest.fixture
def desk(backend) -> Desk:
    return Desk(backend)


def test_who_sees_a_picture_reports_it_once_and_its_moderators_learn_who_and_why(desk):
    [image] = desk.put()

    desk.report(image, "Vi", "not a cat")

    [entry] = desk.queue().entries
    assert [(case.kind, case.reporter, case.reason) for case in entry.cases] == [("reported", "Vi", "not a cat")]
    with pytest.raises(Conflict, match="waits for a moderator already"):
        desk.report(image, "Vi", "really")
    desk.report(image, "Uma", "mine, by mistake")
    assert desk.waiting() == [image]
    assert [case.reporter for case in desk.queue().entries[0].cases] == ["Vi", "Uma"]
    with pytest.raises(ImageNotFound):
        desk.report(image, "Sam")
    for words in ("", "  \u200b ", "x" * 1001):
        with pytest.raises(InvalidQuery, match="The reason"):
            desk.report(image, "Mo", words)
    with pytest.raises(NotAllowed, match="for looking only"):
        reporting.report(desk.backend, image, desk.who("Min", scopes=frozenset({Scope.READ})), "spam")


def test_only_moderators_of_a_library_see_its_queue(desk):
    [mine], [theirs] = desk.put(), desk.put("Sam", library=desk.elsewhere)
    desk.report(mine)
    desk.report(theirs, "Sam")

    assert (desk.waiting("Mo"), desk.waiting("Sam")) == ([mine], [theirs])
    assert desk.waiting("Mo", library="elsewhere") == []
    for name in ("Vi", "Uma"):
        with pytest.raises(NotAllowed, match="moderate no library"):
            desk.waiting(name)
        assert moderation_queue.count_own(desk.backend, desk.who(name)) == 0
    for deed in (moderation.approve, moderation.remove, moderation.escalate, moderation.hold):
        with pytest.raises(NotAllowed):
            deed(desk.backend, [mine], desk.who("Uma"), "it is my own")
        with pytest.raises(ImageNotFound):
            deed(desk.backend, [mine], desk.who("Sam"), "it is not mine")
        with pytest.raises(NotAllowed):
            deed(desk.backend, [mine], desk.who("Mo", scopes=frozenset({Scope.READ})), "only looking")
    assert desk.waiting("Mo") == [mine]


def test_approving_lets_a_held_picture_be_found_again_and_can_be_undone(desk):
    [image] = desk.put()
    moderation.hold(desk.backend, [image], desk.who("Mo"), "look at this")
    assert (desk.waiting(tab=Tab.HELD), desk.seen("Vi")) == ([image], 0)

    settled = moderation.approve(desk.backend, [image], desk.who("Min"))

    assert (desk.waiting(tab=Tab.HELD), desk.seen("Vi")) == ([], 1)
    [entry] = desk.queue(tab=Tab.SETTLED).entries
    assert (entry.cases[0].outcome, entry.cases[0].settled_by) == ("approved", "Min")
    moderation.undo(desk.backend, settled.batch, desk.who("Mo"))
    assert (desk.waiting(tab=Tab.HELD), desk.seen("Vi")) == ([image], 0)
    assert access.get_image(desk.backend, image, desk.who("Uma"), own_held_too=True).error == "look at this"
    with pytest.raises(Conflict, match="cannot be undone any more"):
        moderation.undo(desk.backend, settled.batch, desk.who("Mo"))


def test_a_removed_picture_is_brought_back_by_moderators_alone(desk):
    first, second = desk.put(count=2)
    desk.report(first)
    moderation.hold(desk.backend, [second], desk.who("Mo"), "look at this")

    settled = moderation.remove(desk.backend, [first, second], desk.who("Mo"), "against the rules")

    assert [image.id for image in settled.images] == [first, second]
    assert desk.state(first) == desk.state(second) == (ImageState.HELD, True)
    assert curation.restore(desk.backend, [first, second], desk.who("Uma")) == []
    moderation.undo(desk.backend, settled.batch, desk.who("Min"))
    assert (desk.state(first), desk.state(second)) == ((ImageState.READY, False), (ImageState.HELD, False))
    assert (desk.waiting(), desk.waiting(tab=Tab.HELD), desk.seen("Vi")) == ([first], [second], 1)


def test_a_moderator_who_restores_a_removed_picture_has_to_decide_about_it_anew(desk):
    [image] = desk.put()
    desk.report(image)
    moderation.remove(desk.backend, [image], desk.who("Mo"), "against the rules")

    curation.restore(desk.backend, [image], desk.who("Min"))

    assert (desk.waiting(tab=Tab.HELD), desk.seen("Vi")) == ([image], 0)
    moderation.approve(desk.backend, [image], desk.who("Min"), "it was harmless")
    assert desk.seen("Vi") == 1
    assert [entry.cases[0].outcome for entry in desk.queue(tab=Tab.SETTLED).entries] == ["approved", "removed"]


def test_what_is_to_stay_removed_is_refused_also_as_the_same_bytes_until_a_moderator_lets_it_in(desk):
    [image] = desk.put()
    desk.report(image)
    settled = moderation.remove(desk.backend, [image], desk.who("Mo"), "never again", keep_hash=True)

    desk.seed -= 1
    with pytest.raises(RefusedByBank, match="was removed from this library"):
        desk.put()
    assert desk.state(image) == (ImageState.HELD, True)
    curation.restore(desk.backend, [image], desk.who("Min"))
    with pytest.raises(Conflict, match="waits in the queue"):
        moderation.undo(desk.backend, settled.batch, desk.who("Mo"))
    moderation.approve(desk.backend, [image], desk.who("Min"), "it was harmless")

    with pytest.raises(Conflict, match="brought back meanwhile"):
        moderation.undo(desk.backend, settled.batch, desk.who("Mo"))
    [bank] = banks.list_banks(desk.backend, desk.who("Mo"))
    assert (bank.bank.kind, bank.entries) == (Kind.REMOVED, 0)


def test_of_two_moderators_at_once_one_settles_and_the_other_is_told_who_did(desk):
    [image] = desk.put()
    desk.report(image)
    told: list[object] = []
    begin = threading.Barrier(2)

    def settle(deed, name: str) -> None:
        begin.wait()
        try:
            told.append(deed(desk.backend, [image], desk.who(name), "so it is"))
        except LikenessError as error:
            told.append(error)

    deeds = ((moderation.approve, "Mo"), (moderation.remove, "Min"))
    threads = [threading.Thread(target=settle, args=deed) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    [refused] = [one for one in told if isinstance(one, Conflict)]
    assert len(told) == 2
    [entry] = desk.queue(tab=Tab.SETTLED).entries
    assert f"{entry.cases[0].settled_by} has {entry.cases[0].outcome} it already." in refused.user_message
    assert desk.state(image)[1] == (entry.cases[0].outcome == "removed")


def test_many_are_settled_in_one_go_and_those_that_were_settled_meanwhile_are_told(desk):
    ids = desk.put(count=4)
    for image in ids[:3]:
        desk.report(image)
    desk.report(ids[0], "Uma")
    moderation.approve(desk.backend, ids[2:3], desk.who("Min"))

    shown = moderation.preview(desk.backend, ids, desk.who("Mo"))
    assert ([image.id for image in shown.images], shown.reports, shown.held) == (ids[:2], 3, 0)
    assert [words for _, words in shown.settled] == [
        "Min has approved it already.",
        "Nobody has reported or held it, or it was deleted.",
    ]
    settled = moderation.remove(desk.backend, ids, desk.who("Mo"), "all of them")

    assert [image.id for image in settled.images] == ids[:2]
    assert [image.id for image, _ in settled.settled] == ids[2:]
    assert desk.seen("Vi") == 2


def test_what_is_escalated_only_owners_settle(desk):
    [image] = desk.put()
    desk.report(image)

    moderation.escalate(desk.backend, [image], desk.who("Mo"), "beyond me")

    assert (desk.waiting(), desk.waiting(tab=Tab.ESCALATED)) == ([], [image])
    counts = [moderation_queue.count_own(desk.backend, desk.who(name)) for name in ("Mo", "Olga")]
    assert counts == [0, 1]
    assert [entry.may_settle for name in ("Mo", "Olga") for entry in desk.queue(name, Tab.ESCALATED).entries] == [
        False,
        True,
    ]
    with pytest.raises(NotAllowed, match="left to the owners"):
        moderation.approve(desk.backend, [image], desk.who("Mo"))
    desk.report(image, "Uma", "me too")
    assert (desk.waiting(), len(desk.queue("Olga", Tab.ESCALATED).entries[0].cases)) == ([], 3)
    settled = moderation.approve(desk.backend, [image], desk.who("Olga"), "it may stay")
    with pytest.raises(NotAllowed, match="left to the owners"):
        moderation.undo(desk.backend, settled.batch, desk.who("Mo"))


def test_what_is_escalated_only_owners_delete_and_bring_back(desk):
    [image] = desk.put()
    desk.report(image)
    moderation.escalate(desk.backend, [image], desk.who("Mo"), "beyond me")

    for name in ("Mo", "Uma"):
        with pytest.raises(NotAllowed, match="left to the owners"):
            curation.delete(desk.backend, [image], desk.who(name))
    moderation.remove(desk.backend, [image], desk.who("Olga"), "against the rules")
    with pytest.raises(NotAllowed, match="left to the owners"):
        curation.restore(desk.backend, [image], desk.who("Mo"))
    desk.seed -= 1
    desk.put()
    assert (desk.waiting(tab=Tab.HELD), desk.waiting(tab=Tab.ESCALATED)) == ([], [image])
    curation.delete(desk.backend, [image], desk.who("Olga"))
    curation.restore(desk.backend, [image], desk.who("Olga"))


def test_the_queue_is_read_in_pages_oldest_first_and_filtered_by_what_was_said_and_by_whom(desk):
    ids = desk.put(count=5)
    for number, image in enumerate(reversed(ids)):
        desk.report(image, "Vi" if number % 2 else "Uma", f"reason {number} of 100%")
    desk.report(ids[4], "Vi", "another")

    pages, cursor = [], None
    while True:
        part = desk.queue(limit=2, cursor=cursor)
        pages.append([entry.image.id for entry in part.entries])
        cursor = part.next_cursor
        if cursor is None:
            break
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]
    assert desk.waiting(who="vi") == [ids[4], ids[3], ids[1]]
    assert desk.waiting(reason="3 OF 100%") == [ids[1]]
    assert desk.waiting(reason="_") == []
    for image in ids:
        moderation.approve(desk.backend, [image], desk.who("Mo"), "fine")
    first = desk.queue(tab=Tab.SETTLED, limit=3)
    rest = desk.queue(tab=Tab.SETTLED, limit=3, cursor=first.next_cursor)
    assert [entry.image.id for entry in (*first.entries, *rest.entries)] == ids[::-1]
    assert desk.waiting(tab=Tab.SETTLED, who="mo", reason="another") == [ids[4]]


def test_a_picture_that_as_many_as_the_settings_say_have_reported_is_held(desk):
    settings = desk.backend.settings.model_copy(update={"hold_reported_after": 2})
    backend = desk.backend = replace(desk.backend, settings=settings)
    [image] = desk.put()

    desk.report(image, "Vi")
    assert desk.seen("Vi") == 1
    desk.report(image, "Min")

    assert (desk.seen("Vi"), desk.waiting(tab=Tab.HELD), desk.waiting()) == (0, [image], [])
    told = access.get_image(backend, image, desk.who("Uma"), own_held_too=True)
    assert told.error == "It was reported, and waits until a moderator has looked at it."
    moderation.approve(backend, [image], desk.who("Mo"))
    assert desk.seen("Vi") == 1
    desk.report(image, "Vi")
    assert desk.seen("Vi") == 1, "what was settled counts no more"


def test_nobody_reports_without_end(desk, monkeypatch):
    monkeypatch.setattr(reporting, "MOST_REPORTS", 2)
    ids = desk.put(count=3)
    for image in ids[:2]:
        desk.report(image)

    with pytest.raises(TooManyAttempts, match="within an hour"):
        desk.report(ids[2])

    desk.report(ids[2], "Uma")


def test_a_reported_picture_that_its_uploader_deletes_waits_no_more_until_it_is_back(desk):
    [image] = desk.put()
    desk.report(image)

    curation.delete(desk.backend, [image], desk.who("Uma"))
    assert desk.waiting() == []
    with pytest.raises(Conflict):
        moderation.approve(desk.backend, [image], desk.who("Mo"))
    curation.restore(desk.backend, [image], desk.who("Uma"))

    assert desk.waiting() == [image]


def test_every_deed_is_in_the_log_of_the_library_with_who_and_why(desk):
    first, second = desk.put(count=2)
    desk.report(first, "Vi", "spam")
    moderation.hold(desk.backend, [second], desk.who("Mo"), "odd")
    moderation.escalate(desk.backend, [second], desk.who("Mo"), "beyond me")
    settled = moderation.remove(desk.backend, [first], desk.who("Min"), "it is spam")
    moderation.undo(desk.backend, settled.batch, desk.who("Mo"))
    moderation.approve(desk.backend, [second], desk.who("Olga"))

    assert desk.house.log(desk.photos) == [
        ("Vi", "picture reported", "1 picture"),
        ("Mo", "pictures held", "1 picture"),
        ("Mo", "pictures left to the owners", "1 picture"),
        ("Min", "pictures removed by a moderator", "1 picture"),
        ("Mo", "moderation undone", "1 picture"),
        ("Olga", "pictures approved", "1 picture"),
    ]
