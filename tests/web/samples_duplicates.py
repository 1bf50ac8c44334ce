"""Values for the pages of duplicates: pairs, the queue, the desk, and comparing."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pipeline.features.comparison import Comparison, Edit, EditKind, Verdict
from tests.web.samples import HOSTILE, LONG, SHAPES, SHELL, image
from webapp.pages import Choice, Emptiness, Tile
from webapp.pages_duplicates import (
    ComparePage,
    DuplicatesPage,
    GroupCard,
    IdenticalExample,
    IdenticalOffer,
    IdenticalPage,
    MemberChoice,
    Pair,
    ReviewPage,
    SettledCard,
)
from webapp.pairs import Side, pair_of
from webapp.reviewing import USUAL_KEYS, Decision

MIRRORED_CROP = Comparison(
    Verdict.EDITED,
    (Edit(EditKind.CROPPED, "b", 0.42, (0.2, 0.1, 0.6, 0.7)), Edit(EditKind.MIRRORED, "b")),
    transform=(-1 / 0.6, 0, 0.8 / 0.6, 0, 1 / 0.7, -0.1 / 0.7),
    box_in_a=(0.2, 0.1, 0.6, 0.7),
    box_in_b=(0, 0, 1, 1),
    mirrored=True,
    degrees=0,
    inliers=312,
    agreement=0.97,
    hash_distance=96,
    similarity=0.93,
)
DUPLICATES_SHELL = replace(SHELL, active="duplicates", may_moderate=True)


def side(number: int, **changes: Any) -> Side:
    width, height = SHAPES[number % len(SHAPES)]
    known = Side(
        picture_url=f"/sample/{number}.svg",
        alt="a drawn landscape",
        width=width,
        height=height,
        bytes=2_400_000 // (number + 1),
        media_type="image/png" if number % 2 else "image/jpeg",
        filename=("harbor at dawn.jpg", LONG, HOSTILE)[number % 3],
        taken_at=datetime(2025, 7, 1 + number, 9, 30, tzinfo=UTC),
        camera="Nikon D750" if number % 2 == 0 else "",
        page_url=f"/images/{number}",
        created_at=datetime(2026, 11, 5, tzinfo=UTC),
        caption="The harbor, before anybody was up" if number == 0 else "",
        tags=("harbor", "dawn")[:number],
        library="main",
        people=("Ada",),
    )
    return replace(known, **changes)


def pair(comparison: Comparison = MIRRORED_CROP) -> Pair:
    return pair_of(side(0), side(1), comparison)


def tile(number: int) -> Tile:
    record = image(number)
    return Tile(record, f"/images/{record.id}", f"/sample/{number}.svg", "", f"picture: {record.filename}")


def compare_pages() -> dict[str, ComparePage]:
    return {
        "nothing": ComparePage(SHELL),
        "edited": ComparePage(SHELL, pair(), "/compare?a=2&b=1"),
        "unreadable": ComparePage(SHELL, problem="This file is damaged. Please send another copy."),
    }


def queue_pages() -> dict[str, DuplicatesPage]:
    tabs = tuple(
        Choice(words, f"/duplicates?state={words}", chosen=words == "Open")
        for words in ("Open", "Settled", "Same scene")
    )
    cards = tuple(
        GroupCard(
            url=f"/duplicates/{number}",
            title=image(number).filename,
            verdict="Edited" if number % 3 else "Identical",
            tiles=tuple(tile(number + one) for one in range(2 + number % 2)),
            count=f"{2 + number % 5} pictures",
            more=max(0, number % 5 - 1),
            claim="Ada is at it" if number == 2 else "",
        )
        for number in range(7)
    )
    full = DuplicatesPage(
        DUPLICATES_SHELL,
        tabs,
        "open",
        "214 groups of copies wait for somebody to decide.",
        cards,
        progress="12,400 of 20,000 pictures checked for copies.",
        progress_share=0.62,
        scanning=True,
        next_url="/duplicates/next",
        older_url="/duplicates?cursor=1",
        may_moderate=True,
        has_identical=True,
        verdicts=(("", "All copies"), ("identical", "Identical")),
        libraries=(("main", "main"), ("2", HOSTILE)),
    )
    done = Emptiness("All done: every group of copies has been settled.", "New duplicates come here by themselves.")
    return {
        "full": full,
        "done": replace(full, groups=(), empty=done, celebrates=True, summary="", scanning=False, next_url=""),
        "settled": replace(
            full,
            state="settled",
            log_urls=(("CSV", "/a.csv"),),
            next_url="",
            has_identical=False,
            groups=(),
            verdicts=(),
            libraries=(),
            settled=tuple(
                SettledCard(
                    title="2 duplicates, 1 variant",
                    kept=f"{HOSTILE} was kept." if number else "",
                    who="Ada",
                    at="5 November 2026, 12:00",
                    datetime="2026-11-05T12:00:00+00:00",
                    reason=HOSTILE if number else "",
                    tiles=tuple(tile(number + one) for one in range(number)),
                    undone="Taken back" if number == 1 else "",
                    step="" if number == 1 else "1:2",
                )
                for number in range(4)
            ),
        ),
        "looking": replace(full, may_moderate=False, older_url="", scanning=False),
    }


def review_pages() -> dict[str, ReviewPage]:
    actions = (
        Decision("keep-left", "1", "Keep the left one", "the right one goes into the trash", "danger"),
        Decision("keep-right", "2", "Keep the right one", "the left one goes into the trash", "danger"),
        Decision("variants", "3", "Keep both", "as variants"),
        Decision("unrelated", "4", "Unrelated", "no duplicates at all"),
    )
    two = ReviewPage(
        DUPLICATES_SHELL,
        "/duplicates/1",
        position="37 of 214",
        pair=pair(),
        members=tuple(
            MemberChoice(str(one), tile(one), "Edited", "?left", "?right", one == 0, one == 1, one == 0)
            for one in (0, 1)
        ),
        suggestion="Suggestion: keep the left one.",
        reasons=("most pixels: 3000 × 2000", "the only one with the camera's data: Nikon D750"),
        claim="This one is yours until",
        claim_until=datetime(2026, 11, 28, 14, 5, tzinfo=UTC),
        is_ours=True,
        may_moderate=True,
        actions=actions,
        fields=(("left", "1"), ("right", "2")),
        undo=("1:2",),
        keys=USUAL_KEYS,
    )
    many = tuple(
        MemberChoice(str(one), tile(one), "Edited", "?left", "?right", one == 0, one == 1, one == 3) for one in range(9)
    )
    return {
        "two": two,
        "nine": replace(
            two,
            members=many,
            across=f"main, {HOSTILE}",
            next_pair_url="?next",
            suggestion="Suggestion: keep scan 12.tif.",
        ),
        "others": replace(two, actions=(), claim="Ada has this one until", is_ours=False, undo=()),
        "looking": replace(two, actions=(), claim="", claim_until=None, is_ours=False, may_moderate=False, undo=()),
        "settled": replace(two, actions=(), claim="", claim_until=None, settled="This group is settled.", position=""),
        "done": replace(
            two,
            pair=None,
            members=(),
            done=Emptiness(
                "All done: you have settled 20 groups today.", "New ones come by themselves.", (("Back", "/"),)
            ),
        ),
    }


def identical_pages() -> dict[str, IdenticalPage]:
    offer = IdenticalOffer(
        "14 groups of identical pictures: 23 pictures go into the trash, which are 412 MB.",
        "Move 23 pictures into the trash",
        tuple(IdenticalExample((tile(n), tile(n)), "The left one is kept.") for n in range(5)),
        (("batch", "1"),),
    )
    return {
        "offer": IdenticalPage(DUPLICATES_SHELL, "One picture of each is kept.", offer),
        "nothing": IdenticalPage(DUPLICATES_SHELL, "", None),
    }
