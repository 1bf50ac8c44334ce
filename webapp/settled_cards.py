"""What was decided on duplicates in one go, as a card of the list of what is settled."""

from pipeline.decision_batches import DecidedBatch
from webapp.language import gettext as _
from webapp.language import ngettext
from webapp.pages_duplicates import SettledCard
from webapp.reviewing import ALL_IDENTICAL
from webapp.tiles import tile_of_image
from webapp.wording import as_moment, listed

MOST_TILES = 4  # pictures shown of one decision


def settled_card(decided: DecidedBatch) -> SettledCard:
    """Return the card of what was decided in one go."""
    return SettledCard(
        title=_title(decided),
        kept=_("%(name)s was kept.", name=decided.kept.filename) if decided.kept else "",
        who=decided.who,
        at=as_moment(decided.at),
        datetime=decided.at.isoformat(),
        reason=decided.reason,
        tiles=tuple(tile_of_image(image) for image in decided.images[:MOST_TILES]),
        undone=_("Taken back") if decided.is_undone else "",
        step=f"{decided.batch}:{ALL_IDENTICAL}" if decided.is_whole and not decided.is_undone else "",
    )


def _title(decided: DecidedBatch) -> str:
    """Return what was decided: 2 duplicates, 1 variant."""
    number_of = decided.decisions.get
    said = {
        "duplicate": ngettext("%(number)s duplicate", "%(number)s duplicates", number_of("duplicate", 0)),
        "variant": ngettext("%(number)s variant", "%(number)s variants", number_of("variant", 0)),
        "unrelated": ngettext("%(number)s unrelated pair", "%(number)s unrelated pairs", number_of("unrelated", 0)),
    }
    return listed(words for decision, words in said.items() if number_of(decision))
