"""Groups of duplicates: around one picture each, right after every change, and with nothing of others in them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from threading import Barrier

import pytest
import sqlalchemy as sa
from duplicates import Findings
from house import House

from pipeline import curation, duplicate_groups
from pipeline.deciding import decide
from pipeline.errors import GroupNotFound, InvalidQuery, NotAllowed
from pipeline.features.comparison import Comparison, Edit, EditKind, Verdict
from pipeline.principals import OWNER, Role
from pipeline.stores.database import Writing
from pipeline.stores.tables import images
from pipeline.stores.tables_duplicates import duplicate_groups as groups
from pipeline.stores.tables_duplicates import group_members, pair_findings


@pytest.fixture
def findings(backend) -> Findings:
    return Findings(backend)


def only_group(backend, principal=OWNER, state="open"):
    (group,) = duplicate_groups.list_groups(backend, principal, state=state, limit=10).groups
    return group


@pytest.mark.on_both_databases
def test_every_member_is_tied_to_the_keeper_and_nobody_through_a_neighbor(findings):
    a, b, c, d = (findings.picture(name) for name in "abcd")

    findings.found(a, b, "re-encoded")
    findings.found(b, c)
    findings.found(c, d)
    assert findings.groups() == [["b", "a", "c"]]

    findings.found(a, c, "identical")
    assert findings.groups() == [["c", "a", "b", "d"]]


def test_a_group_tells_each_comparison_as_its_keeper_sees_it(backend, findings):
    a, b, c = (findings.picture(name) for name in "abc")
    edits = (Edit(EditKind.CROPPED, "b", 0.5, (0.0, 0.0, 0.5, 1.0)),)
    findings.found(a, b, edits=edits, box_in_a=(0.0, 0.0, 0.5, 1.0), box_in_b=(0.0, 0.0, 1.0, 1.0))
    findings.found(b, c, "identical")

    group = only_group(backend)

    assert [member.image.filename for member in group.members] == ["b.jpg", "a.jpg", "c.jpg"]
    seen = group.members[1].comparison
    assert (seen.edits[0].of, seen.box_in_a, seen.box_in_b) == ("a", (0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 0.5, 1.0))
    assert (group.verdict, group.state, group.suggested_keeper) == (Verdict.EDITED, "open", a.id)
    assert duplicate_groups.get_group(backend, group.id, OWNER).position == 1


@pytest.mark.on_both_databases
def test_what_was_said_of_a_pair_holds_for_its_bytes_however_often_they_come(backend, findings):
    a, b = findings.picture("a"), findings.picture("b")
    findings.found(a, b)
    decide(backend, b.id, a.id, "unrelated", OWNER, "two beaches")
    assert findings.groups() == []

    curation.delete(backend, [a.id], OWNER, purge=True)
    again = findings.picture("a")
    findings.found(b, again)
    assert again.row != a.row
    assert findings.groups(state="all") == []

    decide(backend, again.id, b.id, "duplicate", OWNER)  # the last word counts
    assert (findings.groups(), findings.groups(state="settled")) == (
        [],
        [["a", "b"]] if again.row < b.row else [["b", "a"]],
    )
    stranger = findings.picture("c")
    findings.found(b, stranger)
    assert findings.groups() == [["b", "a", "c"] if again.row < stranger.row else ["b", "c", "a"]]


@pytest.mark.on_both_databases
def test_deleting_restoring_and_purging_leave_the_groups_that_there_are_then(backend, findings):
    a, b, c, d = (findings.picture(name) for name in "abcd")
    findings.found_all([(a, b, "edited", {}), (b, c, "edited", {}), (c, d, "edited", {})])
    before = findings.groups()
    assert before == [["b", "a", "c"]]

    curation.delete(backend, [b.id], OWNER)
    assert findings.groups() == [["c", "d"]]
    curation.restore(backend, [b.id], OWNER)
    assert sorted(map(sorted, findings.groups())) in ([["a", "b"], ["c", "d"]], [["a", "b", "c"]], [["b", "c", "d"]])
    curation.delete(backend, [c.id], OWNER, purge=True)
    assert findings.groups() == [["a", "b"]] or findings.groups() == [["b", "a"]]


def test_making_groups_anew_changes_nothing_and_repairs_what_was_lost(backend, findings):
    pictures = [findings.picture(f"p{number}") for number in range(8)]
    findings.found_all([(one, other, "edited", {}) for one, other in pairwise(pictures)])
    decide(backend, pictures[0].id, pictures[1].id, "variant", OWNER)
    kept = findings.rows(groups), findings.rows(group_members), findings.rows(pair_findings)

    with backend.database.write() as connection:
        duplicate_groups.regroup(connection, [image.row for image in pictures])
    duplicate_groups.regroup_all(backend)
    assert (findings.rows(groups), findings.rows(group_members), findings.rows(pair_findings)) == kept

    with backend.database.write() as connection:
        connection.execute(groups.delete())
        connection.execute(pair_findings.update().values(decision=None))
    duplicate_groups.regroup_all(backend)
    repaired = findings.rows(groups), findings.rows(group_members)
    assert len(repaired[0]) >= 2
    assert findings.rows(pair_findings) == kept[2]
    duplicate_groups.regroup_all(backend)
    assert (findings.rows(groups), findings.rows(group_members)) == repaired


@pytest.mark.on_both_databases
def test_many_checks_at_once_end_in_the_groups_of_one_after_another(backend, findings):
    pictures = [findings.picture(f"p{number}") for number in range(12)]
    pairs = [(x, y) for x in range(12) for y in range(x + 1, 12) if (x * 7 + y * 3) % 4 == 0]
    together = Barrier(4)

    def check(start: int) -> None:
        together.wait()
        for x, y in pairs[start::4]:
            a, b = pictures[x], pictures[y]
            with backend.database.write(Writing.BESIDE) as connection:
                values = {"a_row": a.row, "b_row": b.row, "verdict": "edited", "version": 1}
                evidence = Comparison(Verdict.EDITED).as_json()
                connection.execute(
                    pair_findings.insert().values(evidence=evidence, found_at=datetime.now(UTC), **values)
                )
                duplicate_groups.regroup(connection, [a.row, b.row])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(check, range(4)))

    members = {row[0]: row[1] for row in findings.rows(group_members)}
    keepers = {row[0]: row[1] for row in findings.rows(groups)}
    tied = {frozenset((pictures[x].row, pictures[y].row)) for x, y in pairs}
    assert all(frozenset((row, keepers[group])) in tied for row, group in members.items())
    in_some = set(members) | set(keepers.values())
    assert not any(set(pair) <= set(keepers.values()) for pair in tied)
    assert all(pair & in_some for pair in tied)


@pytest.mark.on_both_databases
def test_who_sees_a_part_of_a_group_learns_nothing_of_the_rest(backend, findings):
    house = House(backend)
    ours = house.library("ours", ann=Role.MODERATOR, vic=Role.VIEWER)
    theirs = house.library("theirs", bob=Role.MODERATOR)
    ann, bob, vic = (house.asks(name) for name in ("ann", "bob", "vic"))
    a, b, c = (findings.picture(name, ours) for name in "abc")
    x, y = (findings.picture(name, theirs) for name in "xy")
    findings.found_all(
        [
            (x, a, "edited", {}),
            (x, b, "edited", {}),
            (x, y, "re-encoded", {}),
            (x, c, "edited", {}),
            (a, b, "identical", {}),
        ]
    )
    assert findings.groups() == [["x", "a", "b", "c", "y"]]

    # The keeper is not theirs, so one of their own is it, and c is tied to none that they see.
    assert findings.groups(ann) == findings.groups(vic) == [["a", "b"]]
    assert findings.groups(bob) == [["x", "y"]]
    seen = only_group(backend, ann)
    assert (seen.verdict, [member.may_change for member in seen.members]) == (Verdict.IDENTICAL, [True, True])
    assert [member.may_change for member in only_group(backend, vic).members] == [False, False]
    assert findings.groups(bob, verdict=Verdict.EDITED) == findings.groups(bob, library=ours) == []
    page = duplicate_groups.list_groups(backend, bob, limit=10, verdict=Verdict.EDITED)
    assert (page.total, page.next) == (0, None)

    decide(backend, x.id, y.id, "variant", bob)
    assert findings.groups(bob, state="all") == []
    with pytest.raises(GroupNotFound):
        duplicate_groups.get_group(backend, seen.id, bob)
    decide(backend, a.id, b.id, "duplicate", ann)
    assert (findings.groups(ann), findings.groups(ann, state="settled")) == ([], [["a", "b"]])
    with pytest.raises(NotAllowed):
        decide(backend, a.id, b.id, "variant", vic)


def test_a_picture_that_is_held_or_in_the_trash_is_in_no_group_that_anybody_sees(backend, findings):
    a, b = findings.picture("a"), findings.picture("b")
    findings.found(a, b)
    with backend.database.write() as connection:
        connection.execute(images.update().where(images.c.row == b.row).values(state="held"))

    assert findings.groups(state="all") == []
    assert duplicate_groups.list_groups(backend, OWNER, limit=5).total == 0


@pytest.mark.on_both_databases
def test_the_queue_comes_in_parts_and_tells_how_far_one_is(backend, findings):
    for number in range(5):
        findings.found(findings.picture(f"a{number}"), findings.picture(f"b{number}"), "re-encoded")

    seen, cursor, positions = [], None, []
    while True:
        page = duplicate_groups.list_groups(backend, OWNER, cursor=cursor, limit=2)
        seen += [group.images[0].filename for group in page.groups]
        positions.append((page.position, page.total))
        cursor = page.next
        if cursor is None:
            break

    assert seen == [f"a{number}.jpg" for number in range(5)]
    assert positions == [(1, 5), (3, 5), (5, 5)]
    with pytest.raises(InvalidQuery):
        duplicate_groups.list_groups(backend, OWNER, cursor="7", limit=2)


@pytest.mark.on_both_databases
def test_photos_of_one_scene_are_listed_and_make_no_group(backend, findings):
    a, b, c = (findings.picture(name) for name in "abc")
    findings.found_all([(a, b, "same-scene", {"inliers": 30}), (b, c, "same-scene", {})])

    assert findings.groups(state="all") == []
    first = duplicate_groups.list_same_scene(backend, OWNER, limit=1)
    rest = duplicate_groups.list_same_scene(backend, OWNER, limit=5, cursor=first.next)
    assert [(pair.a.id, pair.b.id, pair.comparison.inliers) for pair in (*first.pairs, *rest.pairs)] == [
        (a.id, b.id, 30),
        (b.id, c.id, None),
    ]
    decide(backend, a.id, b.id, "unrelated", OWNER)
    assert len(duplicate_groups.list_same_scene(backend, OWNER, limit=5).pairs) == 1
    with backend.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(groups)) == 0


@pytest.mark.on_both_databases
def test_two_that_are_no_copies_never_come_together_by_a_third(backend, findings):
    a, b, c, d = (findings.picture(name) for name in "abcd")
    decide(backend, a.id, b.id, "unrelated", OWNER)  # whether they were compared or not
    decide(backend, a.id, d.id, "variant", OWNER)
    findings.found_all([(a, c, "edited", {}), (b, c, "identical", {}), (b, d, "edited", {}), (c, d, "edited", {})])

    assert sorted(findings.groups()) == [["b", "d"], ["c", "a"]]
    decide(backend, a.id, c.id, "duplicate", OWNER)
    assert findings.groups() == [["c", "b", "d"]], "what waited comes as soon as it can"
    decide(backend, b.id, c.id, "duplicate", OWNER)
    decide(backend, c.id, d.id, "duplicate", OWNER)
    assert findings.groups() == []
    duplicate_groups.regroup_all(backend)
    assert sorted(findings.groups(state="settled")) == [["c", "a"], ["d", "b"]]
