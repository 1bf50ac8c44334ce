"""What became of an uploaded file, as its card says it: already here, looks like these, held, refused.

A card changes twice: when its picture is analyzed, and when that has been compared with the others.
"""

from collections.abc import Collection, Mapping, Sequence

from pipeline import access
from pipeline.backend import Backend
from pipeline.bank_matching import warnings_of
from pipeline.features.comparison import Comparison, EditKind, Verdict
from pipeline.images import ImageRecord, ImageState
from pipeline.principals import Action, Principal
from pipeline.questions import Term
from pipeline.search import SearchQuery, search
from pipeline.upload_choices import Beside, found_beside, waiting_for_check
from pipeline.upload_list import Card, ListedUpload
from webapp.evidence_words import verdict_words
from webapp.language import gettext as _
from webapp.language import marked
from webapp.pages import Tile
from webapp.pages_uploads import CopyLine, UploadCard
from webapp.pairs import compare_url
from webapp.sentences import said
from webapp.tiles import tile_of_hit, tile_of_image
from webapp.wording import as_size, listed, sentences

KIN = 4  # similar pictures shown on a card
MOST_KIN_CARDS = 24  # cards that are shown with them, newest first: each costs a search, and a list may have hundreds
MOST_COPIES = 6  # shown on a card; the review desk has all

EDITS = {
    EditKind.MIRRORED: marked("mirrored"),
    EditKind.ROTATED: marked("turned"),
    EditKind.CROPPED: marked("cropped"),
    EditKind.BORDER: marked("with a border"),
    EditKind.CAPTION: marked("with a caption bar"),
    EditKind.OVERLAY: marked("with something laid upon it, such as a watermark"),
    EditKind.RECOLORED: marked("its colors changed"),
    EditKind.RESCALED: marked("of another size"),
    EditKind.STRETCHED: marked("stretched"),
    EditKind.BLURRED: marked("blurred"),
}
COMPARED = frozenset({"added", "existing"})
"""Outcomes after which a picture is there, and is shown beside those that it is a copy of."""

DECIDED = {
    "variant": marked("Kept as variants of one picture."),
    "unrelated": marked("Kept: they are two pictures."),
    "duplicate": marked("One of them is enough."),
}
WITH_COPIES = marked("Added. It looks like these:")
WITH_SCENES = marked("Added. There are photos of the same thing:")
NO_PROBLEMS: Mapping[int, str] = {}


def outcome_of(item: ListedUpload) -> tuple[str, str]:
    """Return what became of a file, and the sentence that says so."""
    card, image = item.card, item.image
    if card.outcome == "refused":
        return "refused", said(card.sentence)
    if image is None or (image.deleted_at is not None and image.is_kept_back):
        return "failed", _("This picture has been deleted since.")
    if image.deleted_at is not None:
        return "deleted", _("In the trash.")
    if image.state == ImageState.HELD:
        return "held", sentences(_("Held until a moderator has looked at it."), said(image.error or ""))
    return _of_there(card, image)


def _of_there(card: Card, image: ImageRecord) -> tuple[str, str]:
    if image.state == ImageState.FAILED:
        return "failed", said(image.error) if image.error else _("The analysis failed.")
    if image.state == ImageState.WAITING:
        return "waiting", _("Kept. Being analyzed…")
    if card.outcome == "existing":
        return "existing", _("Already here, as %(name)s.", name=image.filename)
    if card.outcome == "restored":
        return "existing", _("It lay in the trash, and is back, as %(name)s.", name=image.filename)
    return "added", _("Added.")


def stages_of(backend: Backend, items: Sequence[ListedUpload]) -> tuple[set[int], set[int]]:
    """Return the numbers of the cards that are analyzed, and of those among them that change no more."""
    outcomes = {item.card.number: outcome_of(item)[0] for item in items}
    there = {item.image.row: item.image for item in items if item.image and outcomes[item.card.number] in COMPARED}
    waiting = waiting_for_check(backend, list(there.values()))
    unchecked = {item.card.number for item in items if item.image and item.image.row in waiting}
    analyzed = {number for number, outcome in outcomes.items() if outcome != "waiting"}
    return analyzed, analyzed - unchecked


def cards_of(
    backend: Backend,
    principal: Principal,
    items: Sequence[ListedUpload],
    *,
    checked: Collection[int],
    problems: Mapping[int, str] = NO_PROBLEMS,
) -> tuple[UploadCard, ...]:
    """Return the cards of files in the order given; `checked` are the numbers of those that change no more.

    `problems` are the sentences for choices that were refused, by the numbers of their cards.
    """
    there = {item.image.row: item.image for item in items if item.image and outcome_of(item)[0] in COMPARED}
    beside = found_beside(backend, list(there.values()), principal) if there else {}
    cards = []
    for place, item in enumerate(items):
        theirs = beside.get(item.image.row, []) if item.image else []
        with_kin = place < MOST_KIN_CARDS and item.card.number in checked and not theirs
        cards.append(
            _card(backend, principal, item, theirs, with_kin=with_kin, problem=problems.get(item.card.number, ""))
        )
    return tuple(cards)


def _card(
    backend: Backend,
    principal: Principal,
    item: ListedUpload,
    beside: Sequence[Beside],
    *,
    with_kin: bool,
    problem: str,
) -> UploadCard:
    card, image = item.card, item.image
    outcome, sentence = outcome_of(item)
    kin: tuple[Tile, ...] = ()
    copies = tuple(_line(image, one) for one in beside[:MOST_COPIES]) if image else ()
    if copies and outcome == "added":
        is_copy = any(one.comparison.verdict.is_copy for one in beside)
        sentence = _(WITH_COPIES if is_copy else WITH_SCENES)
    elif with_kin and outcome == "added" and image:
        kin = _kin(backend, principal, image)
        sentence = _(WITH_COPIES) if kin else sentence
    if image and not access.may_look(principal, image):
        image = None  # told what becomes of it, and nothing more
    is_shown = image is not None and image.state in {ImageState.READY, ImageState.HELD} and image.deleted_at is None
    return UploadCard(
        id=card.id,
        number=card.number,
        filename=card.filename,
        size=as_size(card.bytes),
        outcome=outcome,  # type: ignore[arg-type] # one of the outcomes that outcome_of names
        sentence=sentence,
        image=image,
        tile=tile_of_image(image) if image and is_shown else None,
        kin=kin,
        copies=copies,
        warnings=tuple(map(said, warnings_of(backend, image.row))) if image and outcome == "added" else (),
        may_restore=outcome == "deleted" and image is not None and access.may(principal, Action.CHANGE, image),
        problem=problem,
    )


def _line(image: ImageRecord, beside: Beside) -> CopyLine:
    comparison = beside.comparison
    decided = _(DECIDED[beside.decision]) if beside.decision else ""
    said_before = ""
    if beside.came_back:
        other = beside.image if beside.came_back.id == image.id else image
        said_before = _(
            "%(name)s was deleted as a duplicate of %(other)s, and is back.",
            name=beside.came_back.filename,
            other=other.filename,
        )
    return CopyLine(
        tile=tile_of_image(beside.image),
        verdict=verdict_words(comparison.verdict),
        details=_details(comparison),
        compare_url=compare_url(image.id, beside.image.id),
        decided=sentences(decided, beside.reason) if decided and beside.reason else decided or said_before,
        may_use=beside.may_use and comparison.verdict.is_copy and not decided,
        may_decide=beside.may_decide and comparison.verdict.is_copy and not decided,
    )


def _details(comparison: Comparison) -> str:
    if comparison.verdict is Verdict.IDENTICAL:
        return ""
    kinds = dict.fromkeys(edit.kind for edit in comparison.edits)
    return listed(_(EDITS[kind]) for kind in kinds)


def _kin(backend: Backend, principal: Principal, image: ImageRecord) -> tuple[Tile, ...]:
    found = search(backend, SearchQuery((Term(image_id=image.id),), limit=KIN), principal)
    return tuple(tile_of_hit(hit) for hit in found.hits if hit.strength == "strong")
