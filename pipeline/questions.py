"""From the terms of a question to one vector, all of them added up by their weights, and to the words of its texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.access import get_image
from pipeline.backend import Backend
from pipeline.errors import InvalidQuery
from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.near_duplicates import Pictured
from pipeline.originals import thumbnail
from pipeline.principals import Principal
from pipeline.query_pictures import Region, embed_region, embedding_of, get_query_picture
from pipeline.stopwatch import spent_on
from pipeline.stores import records_embeddings, records_images
from pipeline.stores.records_queries import QueryPicture
from pipeline.words import Asked, asked_in_parts

NOTHING_TO_LEAVE = (
    "The encoder does not know “{words}”, so nothing can lead away from it. Please take it away, or use another word."
)

WORDS_DECIDE = 0.5
"""The part of all that is asked for, by weight, that texts must be for their words to say how strong a hit is. As heavy
as the picture beside them is enough; what somebody put in lightly only shifts the order."""

NOTHING_LEFT = 1e-6  # length below which positive and negative terms have canceled each other
"""A sum of unit vectors this short has no direction; searching with it would rank by rounding errors."""


@dataclass(frozen=True)
class Term:
    """One part of a question: exactly one of the first four, and its weight, -2 to 2.

    A picture is given by the key under which it is kept, or as it is when nobody needs to come back to it. Of an image
    or a kept picture a `region` may be what counts.
    """

    text: str | None = None
    image_id: str | None = None
    picture_key: str | None = None
    picture: QueryPicture | None = None
    weight: float = 1.0
    region: Region | None = None


@dataclass(frozen=True)
class Question:
    """The terms as one vector, with what must be left out or put first, and the words of its texts.

    `vector` is None when there are only texts of which the encoder understands nothing. `refusal` is what it said to
    such a text; it is to be told when nothing has the words either. `is_broad` is true where only words were asked
    that stand for very many kinds of things. `reach` is how long what is asked for is, of the length of the whole
    question, 0 to 1: what leads away makes all cosines smaller by it. `words_share` is what part of all that is asked
    for, by weight, are texts, 0 to 1. `is_mixed` says that there are several terms, and `parts` are their vectors then,
    of unit length, None for what the encoder did not understand. `pictured` is the only picture that is asked for, if
    it is one and meant as a whole.
    """

    vector: npt.NDArray[np.float32] | None
    by_picture: bool
    leave_out: frozenset[int]
    identical: tuple[int, ...]
    ignored: tuple[str, ...]
    words: tuple[Asked, ...] = ()
    refusal: InvalidQuery | None = None
    is_broad: bool = False
    reach: float = 1.0
    words_share: float = 1.0
    is_mixed: bool = False
    parts: tuple[npt.NDArray[np.float32] | None, ...] = ()
    pictured: Pictured | None = None

    @property
    def deciding_words(self) -> tuple[Asked, ...]:
        """The words, where they weigh enough to say how strong a hit is."""
        return self.words if self.words_share >= WORDS_DECIDE else ()


def ask(backend: Backend, terms: Sequence[Term], principal: Principal) -> Question:
    """Return what `terms` ask for. Raises InvalidQuery, ImageNotFound or QueryPictureNotFound with its sentence."""
    total, toward = np.zeros((2, backend.encoder.dimension), np.float64)
    leave_out: set[int] = set()
    identical: list[int] = []
    ignored: list[str] = []
    refusal: InvalidQuery | None = None
    understood = 0
    parts: list[npt.NDArray[np.float32] | None] = []
    pictures: list[Pictured | None] = []
    is_broad = True
    heaviest = max((term.weight for term in terms), default=0.0)
    for term in terms:
        if term.text is not None:
            try:
                with spent_on("embedding"):
                    text = backend.encoder.embed_text(term.text)
            except InvalidQuery as error:
                if not term.weight > 0:  # whose words nobody looks for
                    raise InvalidQuery(NOTHING_TO_LEAVE.format(words=term.text)) from error
                refusal = refusal or error
                ignored += term.text.split()
                parts.append(None)
                continue
            ignored += text.ignored
            is_broad = is_broad and text.is_broad
            vector = text.vector
        elif term.image_id is not None:
            row, vector = _vector_of_image(backend, term.image_id, term.region, principal)
            leave_out.add(row)
            pictures.append(row if term.weight > 0 and term.region is None else None)
        else:
            picture = term.picture or get_query_picture(backend, term.picture_key or "")
            vector = (
                embedding_of(backend, picture)
                if term.region is None
                else embed_region(backend, picture.thumbnail, term.region)
            )
            pictures.append(picture if term.weight > 0 and term.region is None else None)
            if term.weight == heaviest > 0 and term.region is None and picture.sha256:
                with backend.database.read() as connection:
                    identical += records_images.rows_by_sha256(connection, picture.sha256, principal)
        total += term.weight * vector
        toward += max(term.weight, 0.0) * vector
        understood += 1
        parts.append(vector)
    length = float(np.linalg.norm(total))
    if understood and length < NOTHING_LEFT:
        raise InvalidQuery("The parts of this search cancel each other. Please change a weight.")
    by_picture = any(term.text is None for term in terms)
    texts = [(term.text, term.weight) for term in terms if term.text is not None and term.weight > 0]
    asked_for = sum(max(term.weight, 0.0) for term in terms)
    return Question(
        vector=(total / length).astype(np.float32) if understood else None,
        by_picture=by_picture,
        leave_out=frozenset(leave_out),
        identical=tuple(identical),
        ignored=tuple(ignored),
        words=tuple(asked_in_parts(texts)),
        refusal=refusal,
        is_broad=is_broad and not by_picture,
        reach=min(1.0, float(np.linalg.norm(toward)) / length) if toward.any() else 1.0,
        words_share=sum(weight for _, weight in texts) / asked_for if asked_for else 1.0,
        is_mixed=len(terms) > 1,
        parts=tuple(parts) if len(terms) > 1 else (),
        pictured=pictures[0] if len(pictures) == 1 else None,
    )


def _vector_of_image(
    backend: Backend, image_id: str, region: Region | None, principal: Principal
) -> tuple[int, npt.NDArray[np.float32]]:
    image = get_image(backend, image_id, principal)
    if region:
        return image.row, embed_region(backend, thumbnail(backend, image, THUMBNAIL_SIZES[-1]), region)
    with backend.database.read() as connection:
        vector = records_embeddings.get_vector(connection, image.row, backend.encoder.fingerprint)
    if vector is None:
        raise InvalidQuery("This picture has not been analyzed yet. Please try again in a moment.")
    return image.row, vector / np.linalg.norm(vector)
