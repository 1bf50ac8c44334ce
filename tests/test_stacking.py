"""Stacks: which pictures of a result lie under which, and that paging reaches each of them once."""

from dataclasses import replace

import pytest
from duplicates import Findings
from house import House
from shelf import Shelf
from test_search import ask_vector

from pipeline import curation
from pipeline.deciding import decide
from pipeline.errors import ImageNotFound
from pipeline.features.palette_fit import AskedColor
from pipeline.filters import Filter
from pipeline.images import ImageState
from pipeline.principals import OWNER, Role
from pipeline.query_pictures import get_query_picture
from pipeline.questions import Term
from pipeline.search import SearchQuery, SearchResult, search
from pipeline.sorting import Sort
from pipeline.stacking import get_stack, stacks_of
from pipeline.stores.tables import images

NEAR = 0.01  # radians between the vectors of two neighbors in a ranking


@pytest.fixture
def shelf(backend) -> Shelf:
    return Shelf(backend)


@pytest.fixture
def findings(backend) -> Findings:
    return Findings(backend)


def stacked(backend, term, principal=OWNER, **options) -> SearchResult:
    return search(backend, SearchQuery((term,), stacked=True, **options), principal)


def shown(result: SearchResult) -> list[tuple[str, int]]:
    """Return the name of each tile, and how many pictures lie under it."""
    return [(hit.image.filename.removesuffix(".png"), result.beneath.get(hit.image.row, 0)) for hit in result.hits]


@pytest.mark.parametrize(
    ("pairs", "apart", "expected"),
    [
        ([], [], {1: [], 2: [], 3: [], 4: []}),
        ([(1, 3)], [], {1: [3], 2: [], 4: []}),
        ([(1, 2), (2, 3)], [], {1: [2], 3: [], 4: []}),  # 3 is like 2 only, so it does not lie under 1
        ([(1, 3), (2, 3), (2, 4)], [], {1: [3], 2: [4]}),  # under the first of those it could lie under
        ([(1, 2), (1, 3)], [(2, 3)], {1: [2], 3: [], 4: []}),
        ([(1, 3), (1, 9)], [], {1: [3, 9], 2: [], 4: []}),  # 9 comes on a later page
    ],
)
def test_what_lies_under_a_tile_was_compared_with_that_tile(pairs, apart, expected):
    others = {row: [a + b - row for a, b in pairs if row in (a, b)] for row in range(1, 10)}

    assert stacks_of([1, 2, 3, 4], others, apart) == expected
    for end in range(1, 4):
        first = {row: under for row, under in expected.items() if row <= end}
        assert stacks_of([1, 2, 3, 4][:end], others, apart) == first, "where a page ends changes nothing before"


@pytest.mark.on_both_databases
def test_paging_reaches_every_picture_once_whatever_lies_over_the_border(backend, shelf, findings):
    pictures = shelf.add_many([shelf.axis(0, NEAR * number) for number in range(24)])
    pairs = [(0, 1), (0, 5), (4, 20), (6, 7), (9, 10), (9, 23), (13, 15)]
    findings.found_all([(pictures[a], pictures[b], "re-encoded", {}) for a, b in pairs])
    findings.found(pictures[2], pictures[3], "edited")
    question = ask_vector(backend, shelf.axis(0))  # whose results are frozen
    afresh = Term(picture=get_query_picture(backend, question.picture_key))
    by_colors = Filter(palette=(AskedColor("#808080", 0.0),), color_tolerance=100, color_share=0)
    # The second of each pair lies under the first in the order of their numbers, and by colors in that of chance.
    tiles = [number for number in range(24) if number not in {b for _, b in pairs}]
    firsts = [a for a, _ in pairs]
    for query, expected in (
        (SearchQuery((question,)), tiles),
        (SearchQuery((afresh,)), tiles),
        (SearchQuery((question,), sort=Sort.OLDEST), tiles),
        (SearchQuery(where=by_colors), None),
    ):
        pages = pages_of(backend, query, limit=4)
        reached = [pictures.index(hit.image) for page in pages for hit in page.hits]
        beneath = {row: number for page in pages for row, number in page.beneath.items()}

        assert len(set(reached)) == len(reached) == len(tiles)
        assert len(reached) + sum(beneath.values()) == 24
        assert [len(page.hits) for page in pages] == [4, 4, 4, 4, 1]
        assert [page.before for page in pages] == [0, 4, 8, 12, 16]
        if expected:
            assert reached == expected
            assert beneath == {pictures[a].row: firsts.count(a) for a in firsts}


def pages_of(backend, query, limit) -> list[SearchResult]:
    pages = [search(backend, replace(query, limit=limit, stacked=True), OWNER)]
    while pages[-1].has_more:
        asked = replace(query, limit=limit, stacked=True, offset=pages[-1].next_offset)
        pages.append(search(backend, asked, OWNER))
    return pages


@pytest.mark.on_both_databases
def test_what_somebody_may_not_see_neither_stacks_nor_counts(backend, shelf, findings):
    house = House(backend)
    ours, theirs = house.library("ours", ada=Role.OWNER), house.library("theirs", ben=Role.OWNER)
    top = shelf.add("top", shelf.axis(0), library=ours)
    others = {
        name: shelf.add(name, shelf.axis(0, NEAR * number), library=library)
        for number, (name, library) in enumerate(
            [("seen", ours), ("foreign", theirs), ("held", ours), ("gone", ours), ("narrow", ours)], 1
        )
    }
    findings.found_all([(top, other, "identical", {}) for other in others.values()])
    with backend.database.write() as connection:
        connection.execute(images.update().where(images.c.row == others["held"].row).values(state=ImageState.HELD))
        connection.execute(images.update().where(images.c.row == others["narrow"].row).values(width=10))
    curation.delete(backend, [others["gone"].id], OWNER)
    ada, ben = house.asks("ada"), house.asks("ben")
    wide, question = Filter(min_width=100), ask_vector(backend, shelf.axis(0))

    assert shown(stacked(backend, question, ada)) == [("top", 2)]
    assert shown(stacked(backend, question, ada, where=wide)) == [("top", 1)]
    assert shown(stacked(backend, question, ben)) == [("foreign", 0)]
    # The picture that is asked with is left out of its likes: it counts under none of them.
    assert shown(stacked(backend, Term(image_id=others["seen"].id), ada)) == [("top", 1)]
    stack = get_stack(backend, top.id, wide, ada, limit=10)
    assert ([image.filename for image in stack.under], stack.total) == (["seen.png"], 2)
    for hidden in (top, others["held"], others["gone"]):
        with pytest.raises(ImageNotFound):
            get_stack(backend, hidden.id, Filter(), ben, limit=10)
    with pytest.raises(ImageNotFound):
        get_stack(backend, others["held"].id, Filter(), ada, limit=10)


def test_what_somebody_said_to_be_two_pictures_is_not_stacked(backend, shelf, findings):
    names = ("top", "variant", "unrelated", "one", "other", "same")
    pictures = {name: shelf.add(name, shelf.axis(0, NEAR * number)) for number, name in enumerate(names)}
    findings.found_all([(pictures["top"], pictures[name], "re-encoded", {}) for name in names[1:]])
    question = ask_vector(backend, shelf.axis(0))
    assert shown(stacked(backend, question)) == [("top", 5)]

    decide(backend, pictures["top"].id, pictures["variant"].id, "variant", OWNER)
    decide(backend, pictures["unrelated"].id, pictures["top"].id, "unrelated", OWNER)
    decide(backend, pictures["one"].id, pictures["other"].id, "variant", OWNER)  # nothing was found of these two

    assert shown(stacked(backend, question)) == [("top", 2), ("variant", 0), ("unrelated", 0), ("other", 0)]
    opened = get_stack(backend, pictures["top"].id, Filter(), OWNER, limit=10)
    assert (opened.total, [image.filename for image in opened.under]) == (3, ["one.png", "same.png"])


def test_a_page_of_copies_alone_goes_on_behind_them(backend, shelf, findings, monkeypatch):
    monkeypatch.setattr("pipeline.stacking.SPARE", 0)
    monkeypatch.setattr("pipeline.stacking.MOST_LOOKED_AT", 8)
    pictures = shelf.add_many([shelf.axis(0, NEAR * number) for number in range(24)])
    findings.found_all([(pictures[0], copy, "identical", {}) for copy in pictures[1:20]])
    question = ask_vector(backend, shelf.axis(0))

    pages = pages_of(backend, SearchQuery((question,)), limit=3)

    tiles = [hit.image.row for page in pages for hit in page.hits]
    assert tiles == [pictures[number].row for number in (0, 20, 21, 22, 23)]
    assert len(pages) <= 5
    everything = stacked(backend, question, limit=9)  # as the way back asks for all that was shown
    assert [hit.image.row for hit in everything.hits] == [pictures[0].row]
    assert everything.next_offset >= 2 * 9
