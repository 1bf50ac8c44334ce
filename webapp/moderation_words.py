"""Pictures in the queue of moderation, and what was said of them, in words."""

from pipeline.images import ImageRecord, ImageState
from pipeline.moderation import Preview
from pipeline.moderation_queue import Case, Waiting
from webapp.language import as_number, marked, marked_forms, ngettext
from webapp.language import gettext as _
from webapp.pages_moderation import QueueEntry
from webapp.pages_watch import Told
from webapp.sentences import said
from webapp.tiles import tile_of_image
from webapp.wording import as_short_moment

MOST_NAMED = 5
"""Pictures that are named one by one; of more, the number is told."""

KINDS = {
    "held": marked("Held"),
    "reported": marked("Reported"),
    "escalated": marked("Left to the owners"),
}
BY_BANK = marked("Held: it is in a bank of known pictures")
OUTCOMES = {"approved": marked("Approved"), "removed": marked("Removed")}
QUESTIONS = {
    "approve": marked_forms("Approve %(number)s picture?", "Approve %(number)s pictures?"),
    "remove": marked_forms("Remove %(number)s picture?", "Remove %(number)s pictures?"),
    "escalate": marked_forms("Leave %(number)s picture to the owners?", "Leave %(number)s pictures to the owners?"),
}
BUTTONS = {
    "approve": marked_forms("Approve %(number)s picture", "Approve %(number)s pictures"),
    "remove": marked_forms("Remove %(number)s picture", "Remove %(number)s pictures"),
    "escalate": marked_forms("Leave %(number)s picture to the owners", "Leave %(number)s pictures to the owners"),
}
DONE = {
    "approve": marked_forms("%(number)s picture approved.", "%(number)s pictures approved."),
    "remove": marked_forms("%(number)s picture removed.", "%(number)s pictures removed."),
    "escalate": marked_forms("%(number)s picture left to the owners.", "%(number)s pictures left to the owners."),
    "undo": marked_forms("%(number)s picture waits again.", "%(number)s pictures wait again."),
    "hold": marked_forms("%(number)s picture held.", "%(number)s pictures held."),
}


def told_of(case: Case) -> Told:
    """Return why a picture waits, or waited."""
    what = BY_BANK if case.bank else KINDS[case.kind]
    return Told(_(what), said(case.reason), case.reporter, as_short_moment(case.opened_at), case.opened_at.isoformat())


def entry_of(waiting: Waiting) -> QueueEntry:
    """Return a picture of the queue as its page shows it."""
    image, first = waiting.image, waiting.cases[0]
    outcome = None
    if first.settled_at is not None:
        outcome = Told(
            _(OUTCOMES[first.outcome]),
            first.outcome_reason,
            first.settled_by,
            as_short_moment(first.settled_at),
            first.settled_at.isoformat(),
        )
    return QueueEntry(
        id=waiting.id,
        tile=tile_of_image(image),
        told=tuple(told_of(case) for case in waiting.cases),
        state=_state_of(image),
        library=image.library_name,
        may_settle=waiting.may_settle and outcome is None,
        is_escalated=waiting.is_escalated,
        outcome=outcome,
        undo_url=f"/moderation/undo/{first.batch}" if outcome and waiting.may_settle else "",
    )


def _state_of(image: ImageRecord) -> str:
    if image.deleted_at is not None:
        return _("In the trash")
    if image.state == ImageState.HELD:
        return _("Only moderators see it")
    return _("Everybody in its library sees it")


def consequences_of(deed: str, shown: Preview, days: str) -> tuple[str, ...]:
    """Return what a deed does to the pictures of a preview, in sentences; `days` is how long the trash keeps them."""
    number, held = len(shown.images), shown.held
    told = []
    if deed == "approve":
        if held:
            told.append(
                ngettext(
                    "%(number)s is held, and is found by searches again at once.",
                    "%(number)s are held, and are found by searches again at once.",
                    held,
                )
            )
        if number > held:
            told.append(
                ngettext(
                    "%(number)s was reported, and stays as it is.",
                    "%(number)s were reported, and stay as they are.",
                    number - held,
                )
            )
        told.append(_("You can undo it."))
    if deed == "remove":
        told.append(_("They go into the trash for %(days)s, from which only moderators bring them back.", days=days))
        told.append(_("You can undo it."))
    if deed == "escalate":
        told.append(_("From then on only the owners of their library decide about them. Your reason is shown to them."))
    if shown.reports:
        told.append(
            ngettext(
                "With that %(number)s report is settled.", "With that %(number)s reports are settled.", shown.reports
            )
            if deed != "escalate"
            else ngettext("%(number)s report goes with it.", "%(number)s reports go with them.", shown.reports)
        )
    return tuple(told)


def left_out_of(shown: Preview) -> tuple[str, ...]:
    """Return which of the chosen pictures nothing is done to, and why."""
    sentences = [
        _("%(name)s: %(words)s", name=image.filename, words=said(reason))
        for image, reason in shown.settled[:MOST_NAMED]
    ]
    if len(shown.settled) > MOST_NAMED:
        sentences.append(_("And %(number)s more.", number=as_number(len(shown.settled) - MOST_NAMED)))
    if shown.refused:
        sentences.append(
            ngettext(
                "%(number)s picture was left to the owners of its library, who alone decide about it.",
                "%(number)s pictures were left to the owners of their library, who alone decide about them.",
                len(shown.refused),
            )
        )
    return tuple(sentences)
