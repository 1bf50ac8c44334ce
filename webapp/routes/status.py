"""`/status`: what runs, what waits, what failed, and how each store does."""

import time
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from pipeline import banks, curation, encoder_switch, listing
from pipeline.access import may_change_any
from pipeline.backend import Backend
from pipeline.doorbell import QueueReport, ask_queue
from pipeline.duplicate_checking import CheckProgress
from pipeline.duplicate_checking import progress as check_progress
from pipeline.encoder_switch import Filling
from pipeline.errors import InvalidQuery
from pipeline.health import DATABASE, StoreReport, check_stores
from pipeline.images import ImageState
from pipeline.principals import Principal
from webapp.dependencies import VERSION, BackendDependency, PrincipalDependency, RunningDependency, shell
from webapp.flash import leave_notice
from webapp.forms import FormDependency, fields_of, first
from webapp.language import as_number, marked, marked_forms, ngettext, translated
from webapp.language import gettext as _
from webapp.pages import EncoderChange, Fact, FailedImage, StatusPage, StoreHealth
from webapp.pages_parts import PausedBank
from webapp.rendering import page
from webapp.sentences import said as translate_error
from webapp.wording import as_size, sentences

router = APIRouter(include_in_schema=False)

RECENT = timedelta(minutes=2)  # window in which the speed of the analysis is measured
MOST_FAILED = 50
STATE_WORDS = {
    ImageState.READY: marked("ready to be found"),
    ImageState.WAITING: marked("being analyzed"),
    ImageState.FAILED: marked("failed"),
    ImageState.HELD: marked("held for review"),
}
MEASURED_HERE = marked("measured on the pictures of this server")
MEASURED_ELSEWHERE = marked("provisional, measured once on other pictures")
LEFT_OUT = marked_forms(
    "%(number)s picture, which no search finds; the log says why, and uploading one again has it tried again",
    "%(number)s pictures, which no search finds; the log says why, and uploading one again has it tried again",
)
STEERED = {
    "pause": marked("The change of encoder rests."),
    "resume": marked("The change of encoder goes on."),
    "cancel": marked("The change of encoder was ended. What was computed is kept for another time."),
}
ADVICE = {
    "lite": marked(
        "The lite encoder came with Likeness and knows things: animals, vehicles, food, tools. It knows little of "
        "people, places and moods. CLIP encoders know those as well: in the shell, “likeness models list” shows them, "
        "and “likeness models pull NAME” and “likeness models use NAME” change to one while searches go on."
    ),
}


@router.get("/status")
def show_status(request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Show the state of everything; also when a store is down, which is when people look here."""
    return page(request, "status.html", _page(request, backend, principal), block="status")


@router.post("/status/retry")
def retry_failed(running: RunningDependency, principal: PrincipalDependency) -> Response:
    """Let everything that failed be analyzed again."""
    number = curation.retry(running.backend, principal)
    running.ring()
    response = RedirectResponse("/status", 303)
    said = ngettext("%(number)s picture will be analyzed again.", "%(number)s pictures will be analyzed again.", number)
    leave_notice(response, said)
    return response


@router.post("/status/encoder")
def steer_change(
    running: RunningDependency, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Pause a change of encoder, go on with it, or end it."""
    wish = first(fields_of(form), "do")
    if wish == "cancel":
        encoder_switch.cancel(backend, principal)
    elif wish in {"pause", "resume"}:
        encoder_switch.rest(backend, principal, resting=wish == "pause")
    else:
        raise InvalidQuery("Please say whether to pause, to resume or to cancel the change of encoder.")
    running.ring()
    response = RedirectResponse("/status", 303)
    leave_notice(response, _(STEERED[wish]))
    return response


def _page(request: Request, backend: Backend, principal: Principal) -> StatusPage:
    started = time.perf_counter()
    queue_says = ask_queue(backend.settings)
    reports = check_stores(backend)
    queue = queue_says()
    database_is_up = next(report.healthy for report in reports if report.name == DATABASE)
    counts, figures, failed, change, left_out = dict.fromkeys(ImageState, 0), None, [], None, 0
    if database_is_up:
        left_out = encoder_switch.count_left_out(backend) if principal.may_administrate() else 0
        change = _change(encoder_switch.filling(backend), with_numbers=principal.may_administrate())
        counts = listing.count_states(backend, principal)
        figures = listing.figures(backend, principal, since=datetime.now(UTC) - RECENT)
        failed = listing.list_failed(backend, principal, limit=MOST_FAILED)
    checked = check_progress(backend, principal) if database_is_up else None
    waiting = counts[ImageState.WAITING]
    with_addresses = principal.may_administrate()
    return StatusPage(
        shell=shell(request, "status"),
        headline=_headline(reports, queue, waiting, counts[ImageState.FAILED]),
        counts=tuple((_(STATE_WORDS[state]), as_number(number)) for state, number in counts.items() if number),
        remaining=_remaining(waiting, figures.analyzed_recently if figures else 0),
        failed=tuple(FailedImage(f"/images/{image.id}", image.filename, image.error or "") for image in failed),
        failed_count=counts[ImageState.FAILED],
        encoder_facts=_encoder_facts(backend, principal, left_out),
        encoder_advice=_(ADVICE[backend.encoder.name]) if backend.encoder.name in ADVICE else "",
        stores=tuple(
            StoreHealth(report.name, report.address if with_addresses else "", report.healthy, report.sentence)
            for report in (*reports, *([queue] if queue else ()))
        ),
        sizes=(
            Fact(_("Originals"), as_size(figures.original_bytes) if figures else _("unknown")),
            Fact(_("Checked for duplicates"), _checked(checked) if checked else _("unknown")),
            Fact(_("This page took"), _("%(number)s ms", number=round((time.perf_counter() - started) * 1000))),
        ),
        version=VERSION,
        waiting=bool(waiting or (change and not change.resting)),
        change=change,
        may_change_encoder=with_addresses,
        may_retry=may_change_any(principal),
        paused_banks=_paused_banks(backend, principal) if database_is_up else (),
    )


def _paused_banks(backend: Backend, principal: Principal) -> tuple[PausedBank, ...]:
    paused = banks.paused_of(backend, principal)
    return tuple(PausedBank(bank.name, f"/banks/{bank.id}", bank.paused or "") for bank in paused)


def _encoder_facts(backend: Backend, principal: Principal, left_out: int) -> tuple[Fact, ...]:
    facts: tuple[Fact, ...] = (
        Fact(_("Encoder"), backend.encoder.name),
        Fact(_("Numbers per picture"), as_number(backend.encoder.dimension)),
        Fact(_("Words such as “very similar”"), _(MEASURED_HERE if backend.measured_bands else MEASURED_ELSEWHERE)),
    )
    if not principal.may_administrate():
        return facts
    facts = (*facts, Fact(_("Fingerprint"), backend.encoder.fingerprint[:16]))
    if left_out:
        facts = (*facts, Fact(_("Could not be embedded"), ngettext(*LEFT_OUT, left_out)))
    return facts


def _headline(reports: list[StoreReport], queue: QueueReport | None, waiting: int, failed: int) -> str:
    down = [translated(report.name.lower(), "store") for report in reports if not report.healthy]
    if down:
        return _("Not everything works: the %(stores)s cannot be used.", stores=_(" and the ").join(down))
    if queue and not queue.healthy:
        return _("Everything works but the queue; nothing is lost without it.")
    if waiting:
        return ngettext(
            "Everything works. %(number)s picture waits for analysis.",
            "Everything works. %(number)s pictures wait for analysis.",
            waiting,
        )
    if failed:
        return ngettext(
            "Everything works. %(number)s picture could not be analyzed.",
            "Everything works. %(number)s pictures could not be analyzed.",
            failed,
        )
    return _("Everything works, and nothing waits.")


def _change(filling: Filling | None, *, with_numbers: bool) -> EncoderChange | None:
    """Return how far a change is. How many pictures all libraries have is told to who looks after the server."""
    if filling is None:
        return None
    said = sentences(_embedded(filling, with_numbers=with_numbers), _("Searches go on with the present encoder."))
    if filling.resting:
        said = sentences(said, _("It rests."))
        if with_numbers and filling.trouble:
            said = sentences(said, translate_error(filling.trouble))
    elif filling.seconds_left is not None:
        said = sentences(said, _duration(filling.seconds_left))
    return EncoderChange(filling.name, filling.share, said, filling.resting)


def _embedded(filling: Filling, *, with_numbers: bool) -> str:
    if not with_numbers:
        return _("%(percent)s%% of the pictures are embedded.", percent=round(100 * filling.share))
    numbers = {"done": as_number(filling.done), "total": as_number(filling.total)}
    if filling.left_out:
        left_out = as_number(filling.left_out)
        return _(
            "%(done)s of %(total)s pictures are done; %(left_out)s of them could not be embedded.",
            left_out=left_out,
            **numbers,
        )
    return _("%(done)s of %(total)s pictures are embedded.", **numbers)


def _checked(checked: CheckProgress) -> str:
    if not checked.left:
        return ngettext("all of %(number)s picture", "all of %(number)s pictures", checked.total)
    numbers = {"done": as_number(checked.checked), "total": as_number(checked.total), "left": as_number(checked.left)}
    return _("%(done)s of %(total)s pictures, %(left)s to go", **numbers)


def _remaining(waiting: int, analyzed_recently: int) -> str:
    if not waiting:
        return ""
    if not analyzed_recently:
        return _("The analysis is just beginning.")
    return _duration(waiting * RECENT.total_seconds() / analyzed_recently)


def _duration(seconds: float) -> str:
    if seconds < 90:  # noqa: PLR2004 - below a minute and a half seconds are the better unit
        whole = max(1, round(seconds))
        return ngettext("About %(number)s seconds to go.", "About %(number)s seconds to go.", whole)
    return ngettext("About %(number)s minutes to go.", "About %(number)s minutes to go.", round(seconds / 60))
