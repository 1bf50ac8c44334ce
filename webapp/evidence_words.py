"""What a comparison found, in words: for the review desk, the API and the shell.

The pictures are called the left one (a) and the right one (b), as the pages show them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.features.comparison import EITHER, Box, Comparison, Edit, EditKind, Verdict
from webapp.language import ENGLISH, marked, ngettext, speaking
from webapp.language import gettext as _
from webapp.wording import as_percent, listed, sentences

VERDICT_WORDS = {
    Verdict.IDENTICAL: marked("Identical"),
    Verdict.REENCODED: marked("Saved anew"),
    Verdict.EDITED: marked("Edited"),
    Verdict.SAME_SCENE: marked("Same scene"),
    Verdict.SIMILAR: marked("Similar"),
    Verdict.DIFFERENT: marked("Different"),
}

SENTENCES = {
    Verdict.IDENTICAL: marked("Both are the very same picture."),
    Verdict.REENCODED: marked("The same picture, saved anew."),
    Verdict.EDITED: marked("One was made from the other."),
    Verdict.SAME_SCENE: marked("Two photos of one thing, such as shots of a burst. Neither was made from the other."),
    Verdict.SIMILAR: marked("They look alike, but nothing says that one was made from the other."),
    Verdict.DIFFERENT: marked("These are two different pictures."),
}
"""What is said of a verdict alone."""

CHANGES = {
    "a": {
        (False, False): marked("The left one is a changed copy of the right one"),
        (True, False): marked("The left one is a mirrored copy of the right one"),
        (False, True): marked("The left one is a crop of the right one"),
        (True, True): marked("The left one is a mirrored crop of the right one"),
    },
    "b": {
        (False, False): marked("The right one is a changed copy of the left one"),
        (True, False): marked("The right one is a mirrored copy of the left one"),
        (False, True): marked("The right one is a crop of the left one"),
        (True, True): marked("The right one is a mirrored crop of the left one"),
    },
}
"""By whether it is mirrored and whether it is cropped."""

PLAIN = {
    EditKind.BORDER: marked("with a border"),
    EditKind.CAPTION: marked("with a caption bar"),
    EditKind.OVERLAY: marked("with something laid upon it, such as a watermark"),
    EditKind.RECOLORED: marked("its colors changed"),
    EditKind.BLURRED: marked("blurred"),
    EditKind.ROTATED: marked("turned"),
    EditKind.RESCALED: marked("of another size"),
    EditKind.STRETCHED: marked("stretched"),
}
"""What was done, where it has no number or the number was not found."""

UNKNOWN = {
    EditKind.MIRRORED: marked("One is the mirror image of the other."),
    EditKind.ROTATED: marked("One is the other one, turned."),
    EditKind.RECOLORED: marked("Their colors differ."),
    EditKind.STRETCHED: marked("One is the other one, stretched."),
}
"""What is said where nobody can know to which of both it was done."""

TURNED = {
    False: marked("One is the other one, turned by %(degrees)s°."),
    True: marked("One is the mirror image of the other, turned by %(degrees)s°."),
}
"""What is said of a turn that can be one of either, by whether it is mirrored."""

MARKED_PARTS = {
    EditKind.CROPPED: marked("the part that was kept"),
    EditKind.BORDER: marked("the picture without its border"),
    EditKind.CAPTION: marked("the picture without its caption bar"),
    EditKind.OVERLAY: marked("what was laid upon it"),
}
SHARED_PART = marked("the part that both have")

WHOLE = 0.985
"""A part that has this much of both sides of a picture is all of it, as far as an outline could show."""

HALF_A_DEGREE = 0.5
"""Degrees below which a picture that was turned is not said to be."""


@dataclass(frozen=True)
class Mark:
    """A box to draw on the picture `of`, "a" or "b", and what it outlines in words."""

    of: str
    box: Box
    words: str


def verdict_words(verdict: Verdict) -> str:
    """Return a verdict in a word or two."""
    return _(VERDICT_WORDS[verdict])


def evidence_sentence(comparison: Comparison, formats: tuple[str, str] = ("", "")) -> str:
    """Return what the two pictures are to each other, in a sentence or two, in the present language.

    `formats` are the names of the formats of the left and the right one, as "JPEG"; "" where they are not known.
    """
    if comparison.verdict is Verdict.EDITED and comparison.edits:
        known = (_changes(comparison, of, formats) for of in _sides(comparison))
        return sentences(*_unknown(comparison), *known)
    if comparison.verdict is Verdict.REENCODED:
        return _saved_anew(comparison, formats)
    return _(SENTENCES[comparison.verdict])


def describe_comparison(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as the API tells it: the verdict, and the evidence with its sentence in English."""
    evidence = comparison.as_json()
    with speaking(ENGLISH):
        sentence = evidence_sentence(comparison)
    return {"verdict": str(evidence.pop("verdict")), "evidence": {"sentence": sentence, **evidence}}


def evidence_details(comparison: Comparison) -> tuple[str, ...]:
    """Return what was measured, one sentence each; what was not looked at is left out."""
    said = []
    if comparison.inliers is not None:
        said.append(
            ngettext(
                "%(number)s point of both lies where the others say it should.",
                "%(number)s points of both lie where the others say they should.",
                comparison.inliers,
            )
        )
    if comparison.agreement is not None:
        said.append(
            _(
                "Laid upon one another, %(part)s of what has structure is the same.",
                part=as_percent(comparison.agreement),
            )
        )
    if comparison.hash_distance is not None:
        said.append(_("%(bits)s of the 256 bits of their PDQ hashes differ.", bits=comparison.hash_distance))
    if comparison.similarity is not None:
        said.append(_("The cosine of their embeddings is %(cosine)s.", cosine=f"{comparison.similarity:.2f}"))
    return tuple(said)


def marks_of(comparison: Comparison) -> tuple[Mark, ...]:
    """Return the boxes of the evidence, each once; one that is the whole picture says nothing and is left out."""
    found = []
    for edit in comparison.edits:
        if edit.box is not None and edit.kind in MARKED_PARTS:
            other = "b" if edit.of == "a" else "a"
            found.append(
                Mark(other if edit.kind is EditKind.CROPPED else edit.of, edit.box, _(MARKED_PARTS[edit.kind]))
            )
    for of, box in (("a", comparison.box_in_a), ("b", comparison.box_in_b)):
        if box is not None and not any(mark.of == of for mark in found):
            found.append(Mark(of, box, _(SHARED_PART)))
    return tuple(mark for mark in found if min(mark.box[2], mark.box[3]) < WHOLE)


def format_name(media_type: str) -> str:
    """Return the name of a format as people know it: JPEG."""
    return media_type.removeprefix("image/").upper()


def _sides(comparison: Comparison) -> Sequence[str]:
    """Return which of both were changed, the one that was changed most first."""
    return tuple(dict.fromkeys(edit.of for edit in comparison.edits if edit.of != EITHER))


def _unknown(comparison: Comparison) -> list[str]:
    """Return what is said of the edits of which nobody can know whose they are, a sentence each."""
    edits = {edit.kind: edit for edit in comparison.edits if edit.of == EITHER}
    turned = edits.get(EditKind.ROTATED)
    said = []
    if turned is not None and turned.amount is not None and abs(turned.amount) >= HALF_A_DEGREE:
        is_mirrored = edits.pop(EditKind.MIRRORED, None) is not None
        said.append(_(TURNED[is_mirrored], degrees=f"{abs(turned.amount):.0f}"))
        del edits[EditKind.ROTATED]
    return said + [_(UNKNOWN.get(kind, SENTENCES[Verdict.EDITED])) for kind in edits]


def _saved_anew(comparison: Comparison, formats: tuple[str, str]) -> str:
    sides = _sides(comparison)
    details = [_detail(edit) for edit in comparison.edits if edit.of != EITHER]
    if sides and len(sides) == 1:
        ours = formats[0 if sides[0] == "a" else 1]
        said = listed(detail for detail in (*details, ours) if detail)
        if sides[0] == "a":
            return _("The left one is the right one, saved anew: %(how)s.", how=said)
        return _("The right one is the left one, saved anew: %(how)s.", how=said)
    if all(formats) and formats[0] != formats[1]:
        return _(
            "The same picture, saved anew: %(left)s at the left, %(right)s at the right.",
            left=formats[0],
            right=formats[1],
        )
    return _(SENTENCES[Verdict.REENCODED])


def _changes(comparison: Comparison, of: str, formats: tuple[str, str]) -> str:
    edits = {edit.kind: edit for edit in reversed(comparison.edits) if edit.of == of}
    kinds = (EditKind.MIRRORED in edits, EditKind.CROPPED in edits)
    head = _(CHANGES[of][kinds])
    shown = [edit for edit in comparison.edits if edit.of == of and edit is edits[edit.kind]]
    shown.sort(key=lambda edit: edit.kind is not EditKind.CROPPED)  # what is left of it belongs to the word "crop"
    details = [_detail(edit) for edit in shown]
    ours, other = formats if of == "a" else formats[::-1]
    if ours and ours != other:
        details.append(ours)
    how = listed(detail for detail in details if detail)
    return _("%(what)s: %(how)s.", what=head, how=how) if how else _("%(what)s.", what=head)


def _detail(edit: Edit) -> str:
    """Return what was done in a few words; "" where the sentence says it already."""
    if edit.kind is EditKind.MIRRORED:
        return ""
    if edit.amount is None:
        return "" if edit.kind is EditKind.CROPPED else _(PLAIN[edit.kind])
    return _measured(edit.kind, edit.amount)


def _measured(kind: EditKind, amount: float) -> str:
    if kind is EditKind.ROTATED:
        if abs(amount) < HALF_A_DEGREE:
            return ""
        turned = marked("turned right by %(degrees)s°") if amount > 0 else marked("turned left by %(degrees)s°")
        return _(turned, degrees=f"{abs(amount):.0f}")
    if kind is EditKind.RESCALED:
        scaled = marked("reduced to %(part)s") if amount < 1 else marked("enlarged to %(part)s")
        return _(scaled, part=as_percent(amount))
    measures = {
        EditKind.CROPPED: marked("%(part)s of it"),
        EditKind.STRETCHED: marked("stretched to %(part)s of its width"),
    }
    return _(measures[kind], part=as_percent(amount)) if kind in measures else _(PLAIN[kind])
