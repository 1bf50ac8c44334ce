"""The shapes of `POST /api/v1/compare`, for its documentation and as a check on every answer."""

from typing import Literal

from pydantic import BaseModel

Box = tuple[float, float, float, float]


class Edit(BaseModel):
    """One thing that was done to the picture `of`.

    `amount` is in the unit of the kind: degrees clockwise for rotated; for rescaled the factor of its sides against the
    other's; for stretched that of its width against its height; for cropped the part of the other's area that is left.
    `box` (x, y, width, height, as fractions) is the part of the *other* picture that is left for cropped; for border,
    and caption, the part of this one that is the picture itself; for overlay where it lies on this one.
    """

    kind: Literal[
        "mirrored",
        "rotated",
        "cropped",
        "border",
        "caption",
        "overlay",
        "recolored",
        "rescaled",
        "stretched",
        "blurred",
    ]
    of: Literal["a", "b", "either"]
    amount: float | None
    box: Box | None


class Evidence(BaseModel):
    """Why: `sentence` says it in English, a being the left one and b the right one.

    `edits` are those that were recognized, the one that changed most first. `transform` (p, q, r, s, t, u) leads the
    point (x, y) of a to (px + qy + r, sx + ty + u) of b, in fractions of their sides. `box_in_a` is the part of a that
    is in b, `box_in_b` where it lies there. `degrees` turns a clockwise into b after it was `mirrored`. `inliers` are
    local features that agree with `transform`; `agreement`, 0 to 1, is the part of the textured pixels that are the
    same once aligned. `hash_distance` is in bits of PDQ, 0 to 256; `similarity` is the cosine of the embeddings. What
    was not looked at, because less decided already, is null.
    """

    sentence: str
    edits: list[Edit]
    transform: tuple[float, float, float, float, float, float] | None
    box_in_a: Box | None
    box_in_b: Box | None
    mirrored: bool
    degrees: float | None
    inliers: int | None
    agreement: float | None
    hash_distance: int | None
    similarity: float | None


class Comparison(BaseModel):
    """What two pictures are to each other."""

    verdict: Literal["identical", "re-encoded", "edited", "same-scene", "similar", "different"]
    evidence: Evidence
