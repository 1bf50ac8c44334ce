"""Settling groups of duplicates, taking it back, and who may do so at what time."""

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from duplicates import Findings
from house import House
from pictures import picture_bytes
from putting import Put

from pipeline import curation, decision_export, duplicate_groups, moderation, reporting, settling, upload_choices
from pipeline.access import get_image
from pipeline.deciding import decide
from pipeline.decision_batches import list_batches
from pipeline.errors import Conflict, GroupNotFound, GroupSettled, InvalidQuery, NotAllowed, NotFound
from pipeline.images import ImageRecord
from pipeline.originals import original_bytes
from pipeline.principals import OWNER, Role
from pipeline.settling import Settlement
from pipeline.stores import copying
from pipeline.stores.database import Database
from pipeline.stores.tables import images, tags
from pipeline.stores.tables_duplicates import duplicate_groups as groups
from pipeline.stores.tables_duplicates import pair_decisions


@pytest.fixture
def findings(backend) -> Findings:
    return Findings(backend)


@pytest.fixture
def pictures(put: Put, findings: Findings):
    """Return a function that puts real files, so that what is kept has one, and says that they are ready."""

    def put_all(*names: str, library: str = "main") -> list[ImageRecord]:
        made = []
        for name in names:
            image = put(picture_bytes("noise", seed=sum(map(ord, name))), filename=f"{name}.jpg", library=library)
            with findings.backend.database.write() as connection:
                connection.execute(images.update().where(images.c.row == image.row).values(state="ready"))
            made.append(get_image(findings.backend, image.id, OWNER))
        return made

    return put_all


def only_group(backend, principal=OWNER, **asked):
    (group,) = duplicate_groups.list_groups(backend, principal, limit=10, **asked).groups
    return group


def contents(backend) -> tuple:
    """Return what settling changes and undoing brings back."""
    with backend.database.read() as connection:
        columns = (images.c.id, images.c.caption, images.c.deleted_at)
        words = connection.execute(sa.select(tags.c.image_row, tags.c.tag)).all()
        return sorted(connection.execute(sa.select(*columns)).all(), key=repr), sorted(map(tuple, words))


@pytest.mark.on_both_databases
def test_what_is_settled_is_done_at_once_and_undone_altogether(backend, findings, pictures):
    a, b, c, d = pictures("a", "b", "c", "d")
    curation.edit(backend, a.id, OWNER, caption="A lake", tags=["lake"])
    curation.edit(backend, b.id, OWNER, caption="The lake of Zug", tags=["lake", "zug"])
    findings.found_all([(a, b, "edited", {}), (a, c, "edited", {}), (a, d, "edited", {})])
    before, group = contents(backend), only_group(backend)

    settled = settling.settle(
        backend,
        group.id,
        Settlement(a.id, deletes=(b.id,), variants=(c.id,), unrelated=(d.id,), reason="looked"),
        OWNER,
    )

    kept = get_image(backend, a.id, OWNER)
    assert (kept.caption, kept.tags) == ("A lake\nThe lake of Zug", ("lake", "zug"))
    assert get_image(backend, b.id, OWNER, deleted_too=True).deleted_at
    assert (settled.deleted, settled.variants, settled.unrelated, settled.bytes) == (1, 1, 1, b.bytes)
    assert findings.groups(state="all") == []
    assert {(row[6], row[8]) for row in findings.rows(pair_decisions)} == {
        ("duplicate", "looked"),
        ("variant", "looked"),
        ("unrelated", "looked"),
    }
    assert ("owner", "duplicates settled", "4 pictures") in House(backend).log()

    undone = settling.undo(backend, settled.batch, OWNER)

    assert contents(backend) == before
    assert (undone.decisions, undone.restored, undone.gone, undone.changed) == (3, 1, 0, 0)
    assert [sorted(names) for names in findings.groups()] == [["a", "b", "c", "d"]]
    assert len(findings.rows(pair_decisions)) == 6  # nothing is ever removed from the log
    with pytest.raises(Conflict, match="already"):
        settling.undo(backend, settled.batch, OWNER)
    with pytest.raises(NotFound):
        settling.undo(backend, "of nobody", OWNER)


def test_undo_leaves_what_was_done_since_and_says_so(backend, findings, pictures):
    a, b, c = pictures("a", "b", "c")
    curation.edit(backend, b.id, OWNER, caption="B")
    findings.found_all([(a, b, "edited", {}), (a, c, "edited", {})])
    settled = settling.settle(backend, only_group(backend).id, Settlement(a.id, deletes=(b.id, c.id)), OWNER)
    curation.delete(backend, [c.id], OWNER, purge=True)
    curation.edit(backend, a.id, OWNER, caption="Something better")

    undone = settling.undo(backend, settled.batch, OWNER)

    assert (undone.restored, undone.gone, undone.changed) == (1, 1, 1)
    assert "deleted for good" in undone.sentence
    assert get_image(backend, a.id, OWNER).caption == "Something better"
    assert get_image(backend, b.id, OWNER).deleted_at is None


def test_words_that_find_no_room_are_left_out_and_told(backend, findings, pictures):
    a, b = pictures("a", "b")
    curation.edit(backend, a.id, OWNER, caption="x" * 1990, tags=[f"tag {number}" for number in range(49)])
    curation.edit(backend, b.id, OWNER, caption="far too long", tags=["new 1", "new 2"])
    findings.found(a, b)

    settled = settling.settle(backend, only_group(backend).id, Settlement(a.id, deletes=(b.id,)), OWNER)

    kept = get_image(backend, a.id, OWNER)
    assert (kept.caption, len(kept.tags), settled.merged.words.left_out) == ("x" * 1990, 50, 2)


@pytest.mark.on_both_databases
def test_the_keeper_comes_into_the_library_of_what_is_deleted_where_one_may_upload(backend, findings, pictures):
    (a,) = pictures("a")
    (b,) = pictures("b", library="family")
    curation.edit(backend, a.id, OWNER, caption="only for main")
    curation.edit(backend, b.id, OWNER, caption="for the family")
    findings.found(a, b)

    settled = settling.settle(backend, only_group(backend).id, Settlement(a.id, deletes=(b.id,)), OWNER)

    (copy,) = settled.merged.copies
    there = get_image(backend, copy.image.id, OWNER)
    assert (there.library, there.sha256, there.caption, there.filename) == (
        "family",
        a.sha256,
        "for the family",
        "b.jpg",
    )
    assert original_bytes(backend, there) == original_bytes(backend, a)
    with backend.database.write() as connection:  # analyzed and compared, it is no question again
        connection.execute(images.update().where(images.c.row == there.row).values(state="ready"))
    findings.found(a, there, "identical")
    assert findings.groups(state="all") == []

    settling.undo(backend, settled.batch, OWNER)
    assert get_image(backend, there.id, OWNER, deleted_too=True).deleted_at
    assert get_image(backend, a.id, OWNER).caption == "only for main"


def test_words_cross_the_border_of_a_library_only_if_it_is_said_so(backend, findings, pictures):
    (a,), (b,) = pictures("a"), pictures("b", library="family")
    curation.edit(backend, b.id, OWNER, caption="for the family", tags=["aunt"])
    findings.found(a, b)
    one_deleted = Settlement(a.id, deletes=(b.id,))

    settled = settling.settle(backend, only_group(backend).id, one_deleted, OWNER)
    kept = get_image(backend, a.id, OWNER)
    assert (kept.caption, kept.tags) == ("", ())

    settling.undo(backend, settled.batch, OWNER)
    settling.settle(backend, only_group(backend).id, replace(one_deleted, merge_across=True), OWNER)
    kept = get_image(backend, a.id, OWNER)
    assert (kept.caption, kept.tags) == ("for the family", ("aunt",))


def test_nothing_is_deleted_for_a_picture_whose_file_is_gone(backend, findings):
    a, b = findings.picture("a"), findings.picture("b")  # of which there are no files
    findings.found(a, b)

    with pytest.raises(Conflict, match="missing"):
        settling.settle(backend, only_group(backend).id, Settlement(a.id, deletes=(b.id,)), OWNER)

    assert get_image(backend, b.id, OWNER).deleted_at is None


def test_variants_stay_apart_and_a_new_picture_opens_the_group_again(backend, findings):
    a, b, c = (findings.picture(name) for name in "abc")
    findings.found_all([(a, b, "edited", {}), (a, c, "edited", {}), (b, c, "edited", {})])
    settling.settle(backend, only_group(backend).id, Settlement(a.id, variants=(b.id, c.id)), OWNER)
    assert findings.groups(state="all") == []

    decide(backend, a.id, b.id, "duplicate", OWNER)  # contradicts; the last word counts
    assert findings.groups(state="settled") == [["a", "b"]]
    findings.found(findings.picture("d"), b)
    assert findings.groups() == [["b", "a", "d"]]


@pytest.mark.on_both_databases
def test_two_moderators_never_have_one_group(backend, findings):
    house = House(backend)
    library = house.library("ours", ann=Role.MODERATOR, bob=Role.MODERATOR, vic=Role.VIEWER)
    ann, bob, vic = (house.asks(name) for name in ("ann", "bob", "vic"))
    for number in range(2):
        findings.found(findings.picture(f"a{number}", library), findings.picture(f"b{number}", library))
    first, second = (group.id for group in duplicate_groups.list_groups(backend, OWNER, limit=2).groups)

    assert settling.claim(backend, first, ann).is_mine
    assert settling.next_group(backend, ann).id == first
    assert settling.next_group(backend, bob).id == second
    with pytest.raises(Conflict, match="ann is working"):
        settling.claim(backend, first, bob)
    seen = duplicate_groups.get_group(backend, first, bob)
    member = seen.members[1].image.id
    with pytest.raises(Conflict, match="ann is working"):
        settling.settle(backend, first, Settlement(seen.images[0].id, variants=(member,)), bob)
    assert (seen.claimed_by, seen.is_mine) == ("ann", False)
    assert duplicate_groups.get_group(backend, first, vic).claimed_by is None
    with pytest.raises(NotAllowed):
        settling.claim(backend, first, vic)
    with pytest.raises(NotAllowed):
        settling.next_group(backend, vic)

    settling.release(backend, first, bob)  # is not his to release
    assert settling.next_group(backend, bob, after=second).id == second
    with backend.database.write() as connection:
        connection.execute(groups.update().values(claimed_until=datetime.now(UTC) - timedelta(seconds=1)))
    assert settling.claim(backend, first, bob).claimed_by == "bob"
    settling.settle(backend, first, Settlement(seen.images[0].id, variants=(member,)), bob)
    with pytest.raises(GroupSettled, match="bob has settled this group"):
        settling.claim(backend, first, ann)
    with pytest.raises(GroupNotFound, match="There is no such group"):
        settling.claim(backend, first, vic)
    assert [(row.who, row.decision) for row in decision_export.read_decisions(backend, ann, limit=5).lines] == [
        ("bob", "variant")
    ]
    assert (settling.progress(backend, bob).position, settling.progress(backend, bob).total) == (2, 2)


@pytest.mark.on_both_databases
def test_who_is_second_to_settle_a_group_is_told_and_changes_nothing(backend, findings):
    a, b = findings.picture("a"), findings.picture("b")
    findings.found(a, b)
    group = only_group(backend).id

    def settle(_: int) -> str:
        try:
            return settling.settle(backend, group, Settlement(a.id, variants=(b.id,)), OWNER).batch
        except (GroupNotFound, Conflict) as error:
            return error.code

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(settle, range(2)))

    assert sum(outcome in {"group_not_found", "group_settled", "conflict"} for outcome in outcomes) == 1
    assert len(findings.rows(pair_decisions)) == 1


def test_a_settlement_that_makes_no_sense_is_refused(backend, findings):
    a, b = findings.picture("a"), findings.picture("b")
    findings.found(a, b)
    group = only_group(backend).id

    for settlement, kind in (
        (Settlement(a.id, deletes=(a.id,)), InvalidQuery),
        (Settlement(a.id, deletes=(b.id,), variants=(b.id,)), InvalidQuery),
        (Settlement(a.id), InvalidQuery),
        (Settlement(a.id, variants=(b.id,), reason="x" * 501), InvalidQuery),
        (Settlement(a.id, variants=("of nobody",)), Conflict),
    ):
        with pytest.raises(kind):
            settling.settle(backend, group, settlement, OWNER)

    assert findings.rows(pair_decisions) == []


@pytest.mark.on_both_databases
def test_all_identical_are_settled_exactly_as_the_preview_has_shown(backend, findings, pictures):
    for number in range(4):
        kept, worse = pictures(f"kept{number}", f"worse{number}")
        curation.edit(backend, kept.id, OWNER, caption=f"this is {number}")
        curation.edit(backend, worse.id, OWNER, caption=f"caption {number}")
        findings.found(kept, worse, "identical")
    one, other = pictures("one", "other")
    findings.found(one, other, "re-encoded")
    (here,), (there,) = pictures("here"), pictures("there", library="family")
    findings.found(here, there, "identical")
    before = contents(backend)

    preview = settling.preview_identical(backend, OWNER)
    assert (preview.groups, preview.pictures, preview.captions, preview.more) == (4, 4, 4, False)
    assert contents(backend) == before

    changed = next(group for group in preview.examples if "kept1.jpg" in [image.filename for image in group.images])
    curation.edit(backend, changed.images[1].id, OWNER, tags=["new"])
    settled = settling.settle_identical(backend, OWNER, preview.expected, "all the same")

    assert (settled.groups, settled.deleted, settled.changed) == (3, 3, 1)
    assert settled.bytes < preview.bytes
    assert [sorted(group) for group in findings.groups()] == [["kept1", "worse1"], ["one", "other"], ["here", "there"]]
    assert settling.settle_identical(backend, OWNER, preview.expected).groups == 0
    settling.undo(backend, settled.batch, OWNER)
    assert [row[1:] for row in contents(backend)[0]] == [row[1:] for row in before[0]]
    with pytest.raises(InvalidQuery):
        settling.settle_identical(backend, OWNER, "nonsense!")


@pytest.mark.on_both_databases
def test_what_was_decided_is_listed_by_batch_to_those_who_moderate_its_libraries(backend, findings, pictures):
    house = House(backend)
    ours, theirs = house.library("ours", bob=Role.MODERATOR, eve=Role.VIEWER), house.library("theirs")
    a, b, c = pictures("a", "b", "c", library=ours)
    (d,) = pictures("d", library=theirs)
    findings.found_all([(a, b, "edited", {}), (a, c, "edited", {}), (a, d, "edited", {})])
    group = only_group(backend)
    first = settling.settle(
        backend, group.id, Settlement(a.id, deletes=(b.id,), variants=(c.id,), reason="blurred"), OWNER
    )
    second = settling.settle(backend, only_group(backend).id, Settlement(a.id, unrelated=(d.id,)), OWNER)
    curation.delete(backend, [b.id], OWNER, purge=True)
    settling.undo(backend, second.batch, OWNER)

    newest = list_batches(backend, OWNER, limit=1)
    (late,) = newest.batches
    (early,) = list_batches(backend, OWNER, cursor=newest.next, limit=1).batches
    assert [(one.batch, one.decisions, one.is_undone) for one in (late, early)] == [
        (second.batch, {"unrelated": 1}, True),
        (first.batch, {"duplicate": 1, "variant": 1}, False),
    ]
    assert (early.reason, early.kept.id, [image.id for image in early.images]) == ("blurred", a.id, [a.id, c.id])
    assert (late.kept, {image.id for image in late.images}) == (None, {a.id, d.id})

    seen = list_batches(backend, house.asks("bob"), limit=10)
    assert ([one.batch for one in seen.batches], seen.next) == ([first.batch], None)
    with pytest.raises(InvalidQuery):
        list_batches(backend, house.asks("bob"), cursor=second.batch, limit=10)
    with pytest.raises(NotAllowed):
        list_batches(backend, house.asks("eve"), limit=10)


@pytest.mark.on_both_databases
def test_the_log_is_exported_whole_to_those_who_moderate_both_libraries(backend, findings):
    house = House(backend)
    ours, theirs = house.library("ours", ann=Role.MODERATOR, vic=Role.VIEWER), house.library("theirs", bob=Role.OWNER)
    ann = house.asks("ann")
    a, b, x = findings.picture("a", ours), findings.picture("b", ours), findings.picture("x", theirs)
    decide(backend, a.id, x.id, "unrelated", OWNER)
    undone = decide(backend, a.id, b.id, "unrelated", ann, '=cmd|"x"')
    decide(backend, b.id, a.id, "unrelated", ann, '=cmd|"x"')  # the same again is not said twice
    settling.undo(backend, undone.batch, ann)
    decide(backend, a.id, b.id, "variant", ann)

    rows = list(csv.DictReader(io.StringIO("".join(decision_export.csv_lines(backend, ann)))))
    assert [(row["who"], row["decision"], row["reason"]) for row in rows] == [
        ("ann", "variant", ""),
        ("ann", "withdrawn", ""),
        ("ann", "unrelated", '\'=cmd|"x"'),
    ]
    assert rows[1]["withdraws"] == rows[2]["batch"]
    assert {rows[0]["a_filename"], rows[0]["b_filename"]} == {"a.jpg", "b.jpg"}
    assert len(json.loads("".join(decision_export.json_lines(backend, OWNER)))) == 4
    assert json.loads("".join(decision_export.json_lines(backend, house.asks("bob")))) == []
    first = decision_export.read_decisions(backend, ann, limit=2)
    rest = decision_export.read_decisions(backend, ann, limit=2, cursor=first.next)
    assert ([line.decision for line in rest.lines], rest.next) == (["unrelated"], None)
    with pytest.raises(NotAllowed):
        decision_export.csv_lines(backend, house.asks("vic"))
    with pytest.raises(NotAllowed):
        settling.undo(backend, undone.batch, house.asks("vic"))


@pytest.mark.on_both_databases
def test_decisions_move_with_the_data_and_are_never_rewritten(backend, findings, tmp_path):
    a, b = findings.picture("a"), findings.picture("b")
    findings.found(a, b)
    decide(backend, a.id, b.id, "variant", OWNER, "two sizes")
    other = Database(f"sqlite:///{tmp_path}/other.db")
    other.migrate()

    copying.equalize(backend.database, other)
    with other.read() as connection:
        assert sorted(map(tuple, connection.execute(sa.select(pair_decisions)))) == findings.rows(pair_decisions)
        assert not copying.is_empty(connection)
    with other.engine.begin() as connection:
        values = {**dict(connection.execute(sa.select(pair_decisions)).mappings().one()), "id": 7}
        connection.execute(pair_decisions.insert().values(values))
    with pytest.raises(Conflict, match="log of decisions"):
        copying.equalize(backend.database, other)
    other.close()
    for statement in (pair_decisions.update().values(reason="no"), pair_decisions.delete()):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), backend.database.write() as connection:
            connection.execute(statement)


@pytest.mark.on_both_databases
def test_what_was_left_to_the_owners_no_moderator_settles(backend, findings):
    house = House(backend)
    library = house.library("ours", ann=Role.MODERATOR, olga=Role.OWNER)
    ann, olga = house.asks("ann"), house.asks("olga")
    a, b = findings.picture("a", library), findings.picture("b", library)
    findings.found(a, b)
    reporting.report(backend, b.id, OWNER, "spam")
    moderation.escalate(backend, [b.id], ann, "beyond me")
    group = only_group(backend, ann)
    settlement = Settlement(a.id, variants=(b.id,))

    with pytest.raises(NotAllowed, match="left to the owners"):
        settling.settle(backend, group.id, settlement, ann)

    assert [member.may_change for member in group.members] == [True, False]
    assert settling.settle(backend, group.id, settlement, olga).variants == 1


@pytest.mark.on_both_databases
def test_the_next_group_is_one_that_may_be_settled_however_many_others_are_before_it(backend, findings):
    house = House(backend)
    watched = house.library("watched", ann=Role.VIEWER, bob=Role.MODERATOR)
    ours = house.library("ours", ann=Role.MODERATOR, bob=Role.VIEWER)
    ann, bob = house.asks("ann"), house.asks("bob")
    for number in range(21):
        findings.found(findings.picture(f"a{number}", watched), findings.picture(f"b{number}", watched))
    half = findings.picture("half", ours)
    findings.found(half, findings.picture("other half", watched))
    x, y, z = (findings.picture(name, ours) for name in "xyz")
    findings.found_all([(x, y, "edited", {}), (x, z, "edited", {})])

    found = settling.next_group(backend, ann)

    assert [image.filename for image in found.images] == ["x.jpg", "y.jpg", "z.jpg"]
    assert settling.next_group(backend, ann, after=found.id).id == found.id
    assert settling.progress(backend, ann) == settling.Progress(0, 1, left_is_more=False)
    assert settling.progress(backend, bob).left == 21
    settling.settle(backend, found.id, Settlement(x.id, variants=(y.id,)), ann)
    assert settling.progress(backend, ann) == settling.Progress(0, 1, left_is_more=False)
    settled = settling.settle(backend, found.id, Settlement(x.id, variants=(z.id,)), ann)
    assert settling.progress(backend, ann) == settling.Progress(1, 0, left_is_more=False)
    settling.undo(backend, settled.batch, ann)
    assert settling.progress(backend, ann) == settling.Progress(0, 1, left_is_more=False)


@pytest.mark.on_both_databases
def test_what_somebody_works_on_is_decided_by_nobody_else_by_any_way(backend, findings):
    house = House(backend)
    library = house.library("ours", ann=Role.MODERATOR, bob=Role.MODERATOR)
    ann, bob = house.asks("ann"), house.asks("bob")
    a, b, c = (findings.picture(name, library) for name in "abc")
    findings.found(a, b)
    group = settling.claim(backend, only_group(backend).id, ann).id

    for way in (
        lambda: decide(backend, a.id, b.id, "duplicate", bob),
        lambda: upload_choices.use_existing(backend, b.id, c.id, bob),
        lambda: upload_choices.keep_both(backend, b.id, a.id, bob, variant=True),
    ):
        with pytest.raises(Conflict, match="ann is working on this group"):
            way()
    assert duplicate_groups.get_group(backend, group, ann).is_mine
    decide(backend, a.id, c.id, "unrelated", bob)  # which is in no group
    upload_choices.use_existing(backend, b.id, a.id, ann)
    with pytest.raises(GroupSettled, match="ann has settled this group; pictures that are in the trash: 1"):
        settling.settle(backend, group, Settlement(a.id, deletes=(b.id,)), bob)
