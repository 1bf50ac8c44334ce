"""Why there is no group of duplicates to see, in words: nothing was looked at yet, none was found, or all is done."""

from pipeline import duplicate_checking, settling
from pipeline.backend import Backend
from pipeline.decision_batches import list_batches
from pipeline.duplicate_groups import list_groups
from pipeline.principals import Action, Principal
from webapp.language import gettext as _
from webapp.language import ngettext
from webapp.pages import Emptiness
from webapp.reviewing import QUEUE


def why_empty(backend: Backend, principal: Principal, state: str, *, is_narrowed: bool) -> tuple[Emptiness, bool]:
    """Return why a list is empty, and whether that is a reason to be glad."""
    if is_narrowed:
        everything = ((_("Show all of them"), f"{QUEUE}?state={state}"),)
        return Emptiness(_("None of these"), _("No group is of this kind and in this library."), everything), False
    if state == "settled":
        return Emptiness(_("Nothing is settled yet"), _("What has been decided will stand here.")), False
    if state == "same-scene":
        return Emptiness(_("None were found"), _("Shots of a burst, and photos of one thing, would stand here.")), False
    return _none_open(backend, principal)


def _has_settled(backend: Backend, principal: Principal) -> bool:
    """Whether anything was decided of which `principal` may know."""
    if principal.libraries(Action.CHANGE) != frozenset() and list_batches(backend, principal, limit=1).batches:
        return True
    return bool(list_groups(backend, principal, state="settled", limit=1).total)


def all_done(backend: Backend, principal: Principal) -> Emptiness:
    """Return what is said to somebody who has just settled the last group."""
    done = settling.progress(backend, principal).done
    title = ngettext(
        "All done: you have settled %(number)s group today.",
        "All done: you have settled %(number)s groups today.",
        done,
    )
    explanation = _("New duplicates come here by themselves when they are found.")
    return Emptiness(title, explanation, ((_("Back to the list"), QUEUE),))


def _none_open(backend: Backend, principal: Principal) -> tuple[Emptiness, bool]:
    found = duplicate_checking.progress(backend, principal)
    done = _has_settled(backend, principal)
    if not found.total:
        title = _("There are no pictures yet")
        why = _("Pictures are compared as they come in; copies of one another then stand here.")
    elif not found.checked and not done:
        title = _("Nothing has been checked yet")
        why = _("The pictures wait to be checked. This goes on by itself while Likeness runs.")
    elif found.left:
        title = _("None so far")
        why = _("The pictures that have been checked have no open copies. The others follow.")
    elif done:
        title = _("All done: every group of copies has been settled.")
        why = _("New duplicates come here by themselves when they are found.")
        return Emptiness(title, why), True
    else:
        title = _("No copies were found")
        why = _("Every picture here has been compared, and each is there once.")
    return Emptiness(title, why), False
