"""Values for the pages of moderation, from an empty queue to hostile names."""

from dataclasses import replace
from datetime import UTC, datetime

from pipeline.images import ImageState
from tests.web.samples import HOSTILE, LONG, RIGHT_TO_LEFT, image, image_page, tile, upload_page
from tests.web.samples_people import LONG_NAME, MEMBER
from webapp.pages import Emptiness
from webapp.pages_image import ImagePage
from webapp.pages_moderation import DeedPage, ModerationPage, QueueEntry, TabLink
from webapp.pages_uploads import CopyLine, UploadCard, UploadPage
from webapp.pages_watch import Told, Watch

MODERATOR = replace(MEMBER, active="moderation", moderates=True, may_moderate=True, open_cases="1,204")
AT = ("5 Nov 2026, 12:00 UTC", "2026-11-05T12:00:00+00:00")
REPORTED = Told("Reported", "This is not a cat.", "Ada", *AT)
HELD = Told("Held: it is in a bank of known pictures", "It looks like a picture that was removed.", "", *AT)
HOSTILE_REPORT = Told("Reported", HOSTILE, HOSTILE, *AT)
ENTRY = QueueEntry("c1", tile(0), (REPORTED,), "Everybody in its library sees it", "family", may_settle=True)
TABS = (
    TabLink("Held", "/moderation?tab=held", "1,204", chosen=True),
    TabLink("Reported", "/moderation?tab=reported", "12", chosen=False),
    TabLink("Left to the owners", "/moderation?tab=escalated", "", chosen=False),
    TabLink("Settled", "/moderation?tab=settled", "", chosen=False),
)
FULL = ModerationPage(
    shell=MODERATOR,
    tab="held",
    tabs=TABS,
    entries=(
        ENTRY,
        replace(ENTRY, id="c2", tile=tile(4), told=(HELD, HOSTILE_REPORT), library=LONG_NAME),
        replace(ENTRY, id="c3", tile=tile(6), told=(replace(REPORTED, reason=LONG),)),
        replace(ENTRY, id="c4", tile=tile(5), told=(REPORTED,), may_settle=False, is_escalated=True),
    ),
    libraries=(("018f", "family"), ("018e", LONG_NAME)),
    library="018f",
    reason="",
    who=HOSTILE,
    veiled=True,
    here="/moderation?tab=held",
    next_url="/moderation?tab=held&cursor=c4",
    first_url="",
    empty=None,
    may_settle=True,
)
SETTLED = replace(
    ENTRY,
    may_settle=False,
    state="In the trash",
    outcome=Told("Removed", HOSTILE, LONG_NAME, *AT),
    undo_url="/moderation/undo/018f",
)
DEED = DeedPage(
    shell=MODERATOR,
    deed="remove",
    question="Remove 3 pictures?",
    consequences=("They go into the trash for 30 days.", "You can undo it."),
    left_out=(f"{HOSTILE}: Ada has approved it already.",),
    tiles=(tile(0), tile(5), tile(6)),
    button="Remove 3 pictures",
    needs_reason=True,
    offers_hash=True,
    veiled=True,
    back_url="/moderation",
)
COPY = CopyLine(tile(1), "Edited", "cropped, mirrored", "/compare?a=1&b=2", may_use=True, may_decide=True)


def moderation_pages() -> dict[str, ModerationPage]:
    nothing = Emptiness("Nothing is held", "Pictures that a bank holds back wait here.")
    return {
        "full": FULL,
        "unveiled": replace(FULL, veiled=False, first_url="/moderation?tab=held"),
        "settled": replace(FULL, tab="settled", entries=(SETTLED,), may_settle=False),
        "none": replace(FULL, entries=(), empty=nothing, may_settle=False, next_url=None),
    }


def deed_pages() -> dict[str, DeedPage]:
    return {
        "remove": DEED,
        "approve": replace(DEED, deed="approve", question="Approve 1 picture?", needs_reason=False, offers_hash=False),
        "problem": replace(DEED, problem="The reason is missing. Please write one.", reason=HOSTILE),
        "nothing": replace(DEED, question="There is nothing to decide any more", consequences=(), tiles=()),
    }


def watched_images() -> dict[str, ImagePage]:
    held = image(2, state=ImageState.HELD, error="It looks like a picture that was removed.")
    watched = Watch(may_settle=True, told=(HELD, HOSTILE_REPORT))
    return {
        "watched": image_page(2, held, watch=watched),
        "reportable": image_page(1, watch=Watch(may_report=True)),
        "reported": image_page(1, watch=Watch(has_reported=True, may_hold=True)),
    }


def choosing_page() -> UploadPage:
    """Return uploads with what was found beside them."""
    plain = UploadCard("c", 0, LONG, "2 MB", "added", "Added. It looks like these:", image(1), tile(1))
    cards = (
        replace(plain, id="c1", number=1, copies=(COPY, replace(COPY, tile=tile(5), verdict="Identical", details=""))),
        replace(plain, id="c2", number=2, copies=(replace(COPY, may_use=False, may_decide=False, decided=HOSTILE),)),
        replace(plain, id="c3", number=3, outcome="held", sentence=HOSTILE, image=None, tile=None),
        replace(plain, id="c4", number=4, filename=RIGHT_TO_LEFT, warnings=(HOSTILE,), sentence="Added."),
        replace(
            plain,
            id="c5",
            number=5,
            outcome="deleted",
            sentence="In the trash.",
            image=image(3, deleted_at=datetime(2026, 11, 6, tzinfo=UTC)),
            tile=None,
            may_restore=True,
        ),
        replace(plain, id="c6", number=6, copies=(COPY,), problem="The reason is missing. Please write one."),
    )
    return upload_page(0, cards=cards, totals="6 files: 5 added")
