"""Why a search shows no pictures, or only weak ones, and what to try next."""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.features.picture import CATEGORIES, COLOR_NAMES
from pipeline.search import SearchResult
from webapp.forms import Fields, first
from webapp.language import gettext as _
from webapp.language import marked, ngettext, translated
from webapp.links import SUBJECTS, filters_only, search_url
from webapp.pages import Emptiness
from webapp.query_parts import leads_only_away, readable_parts
from webapp.sentences import said
from webapp.wording import sentences

Advice = tuple[tuple[str, str], ...]
"""What to do next: the words and the address of each way."""

NO_PICTURE_HAS_ALL = marked("No picture has all of these words. Those that have some are folded below.")


@dataclass(frozen=True)
class Shown:
    """What the page has: `ready` and `waiting` images in all, and whether something is shown openly, or folded."""

    ready: int
    waiting: int
    any_open: bool
    any_weak: bool


def emptiness_of(
    result: SearchResult | None, fields: Fields, shown: Shown, advice: Advice, plain: Callable[[], str | None]
) -> Emptiness | None:
    """Return why nothing is shown openly; None when something is, or when nothing could be looked for (no `result`).

    `plain` gives the color of a query picture that is too plain, and is asked only when that may be the reason.
    """
    if result is None or shown.any_open:
        return None
    if shown.waiting and not shown.any_weak:
        return Emptiness(_("Nothing yet"), _still_waiting(shown.waiting), ((_("See what is running"), "/status"),))
    if not shown.ready:
        return Emptiness(
            _("The library is empty"),
            _("There is nothing to find yet. Pictures that are added are found at once."),
            advice,
        )
    if not any(fields.get(name) for name in SUBJECTS):
        return Emptiness(
            _("No picture passes these filters"),
            _("Take one of them away, or begin again."),
            ((_("Clear all filters"), "/"), *advice),
        )
    if shown.any_weak and leads_only_away(readable_parts(fields)):
        return _only_away(fields)
    return _nothing_alike(result, fields, shown, plain)


def _only_away(fields: Fields) -> Emptiness:
    return Emptiness(
        _("Nothing to be like"),
        _(
            "This search only leads away from something: it puts pictures in order and judges none. Those that are "
            "least like it are folded below. Add what you are looking for."
        ),
        _ways(fields),
    )


def _nothing_shown(result: SearchResult, fields: Fields) -> Emptiness:
    if result.reason:
        ways = (*_filter_of_color(first(fields, "text")), *_ways(fields))
        return Emptiness(_("Nothing found"), said(result.reason), ways)
    if fields.get("sort") and result.verdict != "match":
        return Emptiness(
            _("No good match"),
            _("Nothing here is surely like it. In another order than the best match only good matches are shown."),
            ((_("Show the nearest pictures"), search_url(fields, sort=None)),),
        )
    return Emptiness(_("Nothing found"), _("There is no other picture, or none passes the filters."), _ways(fields))


def _nothing_alike(result: SearchResult, fields: Fields, shown: Shown, plain: Callable[[], str | None]) -> Emptiness:
    if not shown.any_weak:
        return _nothing_shown(result, fields)
    if color := plain():
        return Emptiness(
            _("This picture is too plain"),
            _(
                "It is hardly more than one color, so there is nothing in it to recognize. Try one with more to see, "
                "or look for its color."
            ),
            ((_("Look for its color"), search_url({}, color=color)),),
        )
    if shown.waiting:
        return Emptiness(
            _("Nothing alike so far"),
            sentences(_still_waiting(shown.waiting), _("What comes nearest until then is folded below.")),
            ((_("See what is running"), "/status"), *_ways(fields)),
        )
    if result.by_words_alone:
        return Emptiness(_("No good match"), _(NO_PICTURE_HAS_ALL), _ways(fields))
    what = _what_to_try(fields)
    if result.verdict == "weak":
        return Emptiness(
            _("No good match"),
            sentences(_("Nothing here is surely like it. What comes nearest is folded below."), what),
            _ways(fields),
        )
    return Emptiness(
        _("Nothing alike"), sentences(_("No picture here is like what you asked for."), what), _ways(fields)
    )


def _what_to_try(fields: Fields) -> str:
    if not (fields.get("like") or fields.get("picture")):
        return _("Try another word for it, or a picture.")
    if fields.get("text"):
        return _("Try the picture or the words alone.")
    return _("Try another picture of it, or a word for what it shows.")


def _filter_of_color(text: str) -> Advice:
    """Return the way to all pictures of a color, where the text is its name, in English or as the page has it."""
    asked = text.strip().casefold()
    for name in COLOR_NAMES:
        label = translated(name, "color_name")
        if asked in {name, label.casefold()}:
            return ((_("Show pictures that are %(color)s", color=label), search_url({}, color_name=name)),)
    return ()


def _ways(fields: Fields) -> Advice:
    """Return how to go on: without the filters, if there are any, or to everything."""
    category = _category_named(fields)
    if not filters_only(fields):
        return (*category, _show_all())
    subjects = {name: fields[name] for name in SUBJECTS if fields.get(name)}
    return (*category, (_("Search without the filters"), search_url(subjects)), _show_all())


def _category_named(fields: Fields) -> Advice:
    """Return the way to the category whose name is all that was asked, if there is one."""
    asked = first(fields, "text").casefold()
    if fields.get("like") or fields.get("picture"):
        return ()
    named = [name for name in CATEGORIES if asked in {name, _(name).casefold()}]
    way = [(_("Show the category “%(name)s”", name=_(name)), search_url({"category": [name]})) for name in named]
    return tuple(way)


def _still_waiting(waiting: int) -> str:
    return ngettext(
        "%(number)s picture is still being analyzed. What is done appears here at once.",
        "%(number)s pictures are still being analyzed. What is done appears here at once.",
        waiting,
    )


def _show_all() -> tuple[str, str]:
    return (_("Show all pictures"), "/")
