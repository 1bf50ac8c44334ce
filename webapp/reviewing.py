"""What the review desk shows of a group: which two stand side by side, what can be decided, and what is suggested."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from pipeline.duplicate_groups import Group, Member
from pipeline.errors import GroupNotFound, InvalidQuery
from pipeline.features.comparison import COPIES, Comparison, Verdict
from pipeline.images import ImageRecord
from pipeline.keepers import Fact, Reason
from pipeline.settling import Settled, Settlement
from webapp.evidence_words import format_name, verdict_words
from webapp.forms import Fields, first
from webapp.language import as_number, marked, ngettext
from webapp.language import gettext as _
from webapp.pages_duplicates import Decision, MemberChoice
from webapp.tiles import tile_of_image
from webapp.wording import as_date, as_moment, as_size, listed, sentences

NOT_IN_GROUP = "This picture is not in this group any more. Please open the group again."

USUAL_KEYS = (
    ("keep-left", "1", marked("Keep the left one, delete the others")),
    ("keep-right", "2", marked("Keep the right one, delete the others")),
    ("variants", "3", marked("Keep both, as variants")),
    ("unrelated", "4", marked("These are unrelated")),
    ("delete-right", "5", marked("Delete only the right one")),
    ("all-variants", "6", marked("Keep all of them, as variants")),
    ("skip", "s", marked("Skip")),
    ("undo", "z", marked("Undo the last one")),
    ("next-picture", "n", marked("Next picture at the right")),
    ("view", "v", marked("Another way of comparing")),
)
"""The keys of the desk: the name of an action, its key, and what it does."""

QUEUE = "/duplicates"
NOT_NARROWED: Mapping[str, str] = {}
MOST_UNDONE = 20  # settlements that can be taken back one after the other
ALL_IDENTICAL = "0" * 36  # in place of the id of a picture, for what was settled in many groups
STEP = re.compile(r"[0-9a-f-]{36}:[0-9a-f-]{36}")
WRONG_VERDICT = "A group of duplicates is identical, re-encoded or edited."

KEYS = {action: key for action, key, _words in USUAL_KEYS}


def group_url(group_id: str, **fields: str | Sequence[str]) -> str:
    """Return the address of a group, perhaps with who stands at which side."""
    query = urlencode({name: value for name, value in fields.items() if value}, doseq=True)
    return f"{QUEUE}/{group_id}?{query}" if query else f"{QUEUE}/{group_id}"


def read_verdict(text: str) -> Verdict | None:
    """Return a verdict that groups can have, None for "". Raises InvalidQuery."""
    if not text:
        return None
    if text not in {verdict.value for verdict in COPIES}:
        raise InvalidQuery(WRONG_VERDICT)
    return Verdict(text)


def steps_of(fields: Fields) -> list[str]:
    """Return what can be taken back, "batch:id of a picture" each, the last one at the end."""
    return [step for step in fields.get("done", ()) if STEP.fullmatch(step)][-MOST_UNDONE:]


def narrowing_of(fields: Fields) -> dict[str, str]:
    """Return what the groups that somebody works through are narrowed to: a verdict and a library, as they are sent."""
    return {name: first(fields, name) for name in ("verdict", "library") if first(fields, name)}


def undo_url(steps: Sequence[str], narrowing: Mapping[str, str] = NOT_NARROWED) -> str:
    """Return where the last of these is taken back, "" where there is none."""
    return f"{QUEUE}/undo?{urlencode({'done': steps, **narrowing}, doseq=True)}" if steps else ""


def chosen_pair(group: Group, left_id: str, right_id: str) -> tuple[Member, Member]:
    """Return who stands at the left and at the right: those asked for, or else the keeper and the first undecided one.

    Raises GroupNotFound when one who was asked for is not in the group.
    """
    by_id = {member.image.id: member for member in group.members}
    if any(asked and asked not in by_id for asked in (left_id, right_id)):
        raise GroupNotFound(NOT_IN_GROUP)
    keeper, *others = group.members
    undecided = [member for member in others if member.decision is None] or others
    right = by_id[right_id] if right_id else next((one for one in undecided if one.image.id != left_id), undecided[0])
    left = by_id[left_id] if left_id else keeper
    if left is right:
        left = next(member for member in group.members if member is not right)
    return left, right


def known_comparison(group: Group, left: Member, right: Member) -> Comparison | None:
    """Return the comparison of both if it is one of those the group is made of, all of which are with its keeper."""
    keeper = group.members[0]
    if left is keeper:
        return right.comparison
    return left.comparison.turned_round() if right is keeper and left.comparison else None


def member_choices(
    group: Group, left: Member, right: Member, undo: Sequence[str], narrowing: Mapping[str, str] = NOT_NARROWED
) -> tuple[MemberChoice, ...]:
    """Return all pictures of a group, with the addresses that put each at one of the sides."""
    ids = (left.image.id, right.image.id)
    return tuple(
        MemberChoice(
            id=member.image.id,
            tile=tile_of_image(member.image),
            verdict=verdict_words(member.verdict) if member.verdict else _("the one all were compared with"),
            left_url=_with_sides(group, member.image.id, ids[0] if member is right else ids[1], undo, narrowing),
            right_url=_with_sides(group, ids[1] if member is left else ids[0], member.image.id, undo, narrowing),
            is_left=member is left,
            is_right=member is right,
            is_suggested=member.image.id == group.suggested_keeper,
        )
        for member in group.members
    )


def next_pair_url(
    group: Group, left: Member, right: Member, undo: Sequence[str], narrowing: Mapping[str, str] = NOT_NARROWED
) -> str:
    """Return the address with the next picture at the right, "" where there are but two."""
    others = [member for member in group.members if member is not left]
    following = others[(others.index(right) + 1) % len(others)]
    return "" if following is right else _with_sides(group, left.image.id, following.image.id, undo, narrowing)


def decisions_of(group: Group) -> tuple[Decision, ...]:
    """Return the buttons for the pair that is shown; what is deleted is told by its number."""
    others = sum(member.may_change for member in group.members) - 1
    deleted = ngettext("%(number)s picture goes into the trash", "%(number)s pictures go into the trash", others)
    if len(group.members) == 2:  # noqa: PLR2004 - a pair
        return (
            _decision("keep-left", _("Keep the left one"), _("the right one goes into the trash"), "danger"),
            _decision("keep-right", _("Keep the right one"), _("the left one goes into the trash"), "danger"),
            _decision("variants", _("Keep both"), _("as variants")),
            _decision("unrelated", _("Unrelated"), _("no duplicates at all")),
        )
    return (
        _decision("keep-left", _("Keep only the left one"), deleted, "danger"),
        _decision("keep-right", _("Keep only the right one"), deleted, "danger"),
        _decision("delete-right", _("Delete the right one"), _("it goes into the trash"), "danger"),
        _decision("variants", _("Keep these two"), _("as variants")),
        _decision("all-variants", _("Keep all"), _("as variants")),
        _decision("unrelated", _("These two are unrelated"), _("no duplicates at all")),
    )


def libraries_across(group: Group) -> str:
    """Return the names of the libraries that a group is in, "" for one: words may go from the one into the other."""
    names = {member.image.library: member.image.library_name for member in group.members if member.may_change}
    return listed(names.values()) if len(names) > 1 else ""


def settlement_of(
    group: Group, action: str, left: Member, right: Member, *, merge: bool, merge_across: bool, reason: str
) -> Settlement:
    """Return what a button of the desk means. Raises KeyError for what is no button."""
    one, other = left.image.id, right.image.id
    rest = {
        keeper: tuple(member.image.id for member in group.members if member.may_change and member.image.id != keeper)
        for keeper in (one, other)
    }
    meaning = {
        "keep-left": Settlement(one, deletes=rest[one]),
        "keep-right": Settlement(other, deletes=rest[other]),
        "delete-right": Settlement(one, deletes=(other,)),
        "variants": Settlement(one, variants=(other,)),
        "all-variants": Settlement(one, variants=rest[one]),
        "unrelated": Settlement(one, unrelated=(other,)),
    }[action]
    return Settlement(**{**vars(meaning), "merge": merge, "merge_across": merge_across, "reason": reason})


def settled_sentence(settled: Settled, keeper: ImageRecord) -> str:
    """Return what was done, for the person who did it."""
    parts = []
    if settled.deleted:
        parts.append(
            ngettext(
                "%(number)s picture is in the trash, %(name)s is kept.",
                "%(number)s pictures are in the trash, %(name)s is kept.",
                settled.deleted,
                name=keeper.filename,
            )
        )
    if settled.variants:
        parts.append(_("Kept as variants."))
    if settled.unrelated:
        parts.append(_("Remembered as unrelated."))
    if settled.merged.words.left_out:
        parts.append(
            ngettext(
                "%(number)s caption or tag found no room.",
                "%(number)s captions or tags found no room.",
                settled.merged.words.left_out,
            )
        )
    if settled.merged.refused:
        parts.append(_("The picture could not be added to %(libraries)s.", libraries=", ".join(settled.merged.refused)))
    return sentences(*parts)


def suggestion_of(group: Group, left: Member, right: Member) -> str:
    """Return which picture had better be kept, in a sentence."""
    if group.suggested_keeper == left.image.id:
        return _("Suggestion: keep the left one.")
    if group.suggested_keeper == right.image.id:
        return _("Suggestion: keep the right one.")
    name = next(image.filename for image in group.images if image.id == group.suggested_keeper)
    return _("Suggestion: keep %(name)s.", name=name)


def reason_words(reason: Reason) -> str:
    """Return what speaks for a picture, in a few words."""
    values, only = reason.values, reason.only
    if reason.fact is Fact.PIXELS:
        return _("most pixels: %(size)s", size=f"{values['width']} \N{MULTIPLICATION SIGN} {values['height']}")
    if reason.fact is Fact.BYTES:
        return _("largest file of its format: %(size)s", size=as_size(values["bytes"]))
    if reason.fact is Fact.OLDEST:
        return _("here longest, since %(day)s", day=as_date(values["created_at"]))
    alone, among = {
        Fact.UNEDITED: (marked("the only one that was not edited"), marked("less edited than others")),
        Fact.CAMERA: (
            marked("the only one with the camera's data: %(value)s"),
            marked("has the camera's data: %(value)s"),
        ),
        Fact.DATE: (
            marked("the only one with the camera's date: %(value)s"),
            marked("has the camera's date: %(value)s"),
        ),
        Fact.LOSSLESS: (marked("the only file without loss: %(value)s"), marked("a file without loss: %(value)s")),
        Fact.CAPTION: (marked("the only one with a caption"), marked("has a caption")),
        Fact.TAGS: (marked("the only one with tags: %(value)s"), marked("most tags: %(value)s")),
    }[reason.fact]
    return _(alone if only else among, value=_value(reason))


def _value(reason: Reason) -> str:
    values = reason.values
    if reason.fact is Fact.DATE:
        return as_moment(values["taken_at"])
    if reason.fact is Fact.LOSSLESS:
        return format_name(values["media_type"])
    return str(values.get("model", "")) or as_number(values.get("count", 0))


def _decision(value: str, words: str, hint: str, style: str = "") -> Decision:
    return Decision(value, KEYS[value], words, hint, style)


def _with_sides(group: Group, left_id: str, right_id: str, undo: Sequence[str], narrowing: Mapping[str, str]) -> str:
    return group_url(group.id, left=left_id, right=right_id, done=tuple(undo), **narrowing)
