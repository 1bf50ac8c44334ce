"""Whether a search found nothing because there is nothing to recognize in its picture."""

from collections.abc import Sequence

from pipeline.access import get_image
from pipeline.backend import Backend
from pipeline.features.palette import extract_palette
from pipeline.features.plainness import is_plain
from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.originals import thumbnail
from pipeline.principals import Principal
from pipeline.query_pictures import get_query_picture
from pipeline.questions import Term


def plain_color(backend: Backend, terms: Sequence[Term], principal: Principal) -> str | None:
    """Return the color, `#rrggbb`, of the only picture of a search if it is too plain to be compared, else None.

    Looks at its thumbnail, which takes some milliseconds: for searches that found nothing. Raises ImageNotFound or
    QueryPictureNotFound when it is gone.
    """
    if len(terms) != 1 or terms[0].text is not None:
        return None
    term = terms[0]
    if term.image_id is not None:
        small = thumbnail(backend, get_image(backend, term.image_id, principal), THUMBNAIL_SIZES[0])
    else:
        small = (term.picture or get_query_picture(backend, term.picture_key or "")).thumbnail
    picture = backend.decoders.decode(small)
    return extract_palette(picture).swatches[0].hex if is_plain(picture) else None
