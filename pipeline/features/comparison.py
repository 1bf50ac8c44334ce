"""What a comparison of two pictures says: a verdict, and the evidence for it. Values only; `verdicts` computes them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Self

Box = tuple[float, float, float, float]
"""x, y, width and height as fractions of a picture's own width and height, from its upper left corner."""

Affine = tuple[float, float, float, float, float, float]
"""(p, q, r, s, t, u): the point (x, y) of a, in fractions of its sides, lies at (px + qy + r, sx + ty + u) in b."""


class Verdict(StrEnum):
    """What two pictures are to each other, from the closest to the farthest."""

    IDENTICAL = "identical"
    """The very same bytes, or the very same pixels."""
    REENCODED = "re-encoded"
    """The same picture in another format, quality or size."""
    EDITED = "edited"
    """One was made from the other; the edits say how."""
    SAME_SCENE = "same-scene"
    """Two photos of one thing: a burst, or taken again from elsewhere."""
    SIMILAR = "similar"
    """They look alike, and nothing says that one was made from the other."""
    DIFFERENT = "different"

    @property
    def is_copy(self) -> bool:
        """Whether both are one picture."""
        return self in COPIES

    def is_closer_than(self, other: "Verdict") -> bool:
        """Whether this says more than `other` that both are one picture."""
        order = tuple(Verdict)
        return order.index(self) < order.index(other)


COPIES = frozenset({Verdict.IDENTICAL, Verdict.REENCODED, Verdict.EDITED})


class EditKind(StrEnum):
    """What can have been done to a picture."""

    MIRRORED = "mirrored"
    ROTATED = "rotated"
    CROPPED = "cropped"
    BORDER = "border"
    CAPTION = "caption"
    OVERLAY = "overlay"
    """A watermark, a sticker, text upon the picture."""
    RECOLORED = "recolored"
    """Made gray, brighter, of more contrast, of another hue."""
    RESCALED = "rescaled"
    STRETCHED = "stretched"
    BLURRED = "blurred"


EITHER = "either"
"""Whose an edit is that may have been done to the one or undone in the other: turning a picture over, for example."""


@dataclass(frozen=True)
class Edit:
    """One thing that was done to the picture `of`, "a" or "b"; EITHER where nobody can know to which.

    `amount` is in the unit of the kind: degrees clockwise for rotated; for rescaled the factor of its sides against the
    other's; for stretched that of its width against its height; for cropped the part of the other's area that is left;
    otherwise None. Of EITHER, degrees are 0 to 180, either way, and a factor of stretching is not told. `box` is the
    part of the *other* picture that is left for cropped; for border and caption the part of this one that is the
    picture itself; for overlay where it lies on this one; otherwise None.
    """

    kind: EditKind
    of: str
    amount: float | None = None
    box: Box | None = None


@dataclass(frozen=True)
class Comparison:
    """What two pictures, a and b, are to each other, and why.

    `edits` are those that were recognized, the one that changed most first. `transform` leads from a to b, None where
    no alignment was found or needed. `box_in_a` is the part of a that is in b, `box_in_b` where it lies there.
    `degrees` turns a clockwise into b, -180 to 180, after it was `mirrored` left to right. `inliers` are local features
    that agree with `transform`. `agreement`, 0 to 1, is the part of the textured pixels of both that are the same once
    aligned. `hash_distance` is in bits of PDQ, 0 to 256, the least of all orientations; `similarity` is the cosine of
    the embeddings. What was not looked at, because less decided already, is None.
    """

    verdict: Verdict
    edits: tuple[Edit, ...] = ()
    transform: Affine | None = None
    box_in_a: Box | None = None
    box_in_b: Box | None = None
    mirrored: bool = False
    degrees: float | None = None
    inliers: int | None = None
    agreement: float | None = None
    hash_distance: int | None = None
    similarity: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return what `as_json` has made plain values of, also after they have been JSON."""
        edits = tuple(
            Edit(EditKind(edit["kind"]), edit["of"], edit["amount"], _tuple(edit["box"])) for edit in values["edits"]
        )
        shapes = {name: _tuple(values[name]) for name in ("transform", "box_in_a", "box_in_b")}
        return cls(**{**values, "verdict": Verdict(values["verdict"]), "edits": edits, **shapes})

    def turned_round(self) -> "Comparison":
        """Return the comparison of b with a."""
        other = {"a": "b", "b": "a", EITHER: EITHER}
        edits = tuple(replace(edit, of=other[edit.of]) for edit in self.edits)
        degrees = self.degrees
        if degrees is not None and not self.mirrored:  # a mirrored picture turned is undone by the same, mirrored first
            degrees = -degrees
        back = None if self.transform is None else _inverse(self.transform)
        return replace(
            self, edits=edits, transform=back, box_in_a=self.box_in_b, box_in_b=self.box_in_a, degrees=degrees
        )


def _inverse(transform: Affine) -> Affine:
    p, q, r, s, t, u = transform
    area = p * t - q * s
    return t / area, -q / area, (q * u - t * r) / area, -s / area, p / area, (s * r - p * u) / area


def _tuple(values: Any) -> Any:
    return None if values is None else tuple(values)
