"""From an image or a hit to the tile that shows it."""

from dataclasses import replace

from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.images import ImageRecord
from pipeline.judging import Hit
from pipeline.originals import DISPLAY_PX
from pipeline.relevance import Strength
from webapp.language import gettext as _
from webapp.language import marked, translated
from webapp.pages import Tile
from webapp.wording import as_reason, listed

STRENGTH_WORDS: dict[Strength, str] = {
    "strong": marked("very similar"),
    "possible": marked("similar"),
    "weak": marked("a little similar"),
}
STRENGTH_WORDS_OF_TEXT: dict[Strength, str] = {
    "strong": marked("fits well"),
    "possible": marked("may fit"),
    "weak": marked("fits little"),
}
"""A picture is not similar to a word."""

WORDS_OF_COLORS = ((4.0, marked("fits very well")), (8.0, marked("fits well")))
"""Distances of palettes, in units of CIEDE2000, up to which their colors fit so; 2 is just visible."""

WORDS_OF_OTHER_COLORS = marked("fits roughly")

IDENTICAL_WORDS = marked("the same picture")


def image_url(image: ImageRecord) -> str:
    """Return the address of an image's page."""
    return f"/images/{image.id}"


def thumbnail_url(image: ImageRecord, px: int) -> str:
    """Return the address of a derivative; the hash in it makes it safe to cache for good."""
    return f"/images/{image.id}/thumbnail?px={px}&v={image.sha256[:12]}"


def display_url(image: ImageRecord) -> str:
    """Return the address of the large derivative."""
    return thumbnail_url(image, DISPLAY_PX)


def region_url(image: ImageRecord) -> str:
    """Return where a part of the picture is chosen to search with."""
    return f"/region?like={image.id}"


def tile_of_image(image: ImageRecord) -> Tile:
    """Return the tile of an image in a plain list."""
    return Tile(
        image=image,
        url=image_url(image),
        thumbnail_url=thumbnail_url(image, THUMBNAIL_SIZES[0]),
        thumbnail_srcset=", ".join(f"{thumbnail_url(image, px)} {_width_at(image, px)}w" for px in THUMBNAIL_SIZES),
        alt=alternative_text(image),
        more_like_this_url=f"/?like={image.id}",
        region_url=region_url(image),
    )


def tile_of_hit(hit: Hit, *, in_words: bool = False) -> Tile:
    """Return the tile of a hit, with its strength in words; `in_words` says that only words were asked."""
    plain = tile_of_image(hit.image)
    if hit.strength is None:
        return replace(plain, reason=words_of_colors(hit.why["distance"])) if "distance" in hit.why else plain
    words = (
        IDENTICAL_WORDS
        if hit.why.get("identical")
        else (STRENGTH_WORDS_OF_TEXT if in_words else STRENGTH_WORDS)[hit.strength]
    )
    return Tile(
        **{
            **vars(plain),
            "similarity": hit.similarity,
            "strength": hit.strength,
            "strength_words": _(words),
            "reason": _("These are the very same bytes.") if hit.why.get("identical") else as_reason(hit.why),
        }
    )


def words_of_colors(distance: object) -> str:
    """Return how well colors fit that are so far from those asked for."""
    far = float(str(distance))
    return _(next((words for limit, words in WORDS_OF_COLORS if far <= limit), WORDS_OF_OTHER_COLORS))


def alternative_text(image: ImageRecord) -> str:
    """Return what a screen reader says instead of the picture: its caption, or what analysis saw."""
    if image.caption:
        return image.caption
    category = image.category.name if image.category else "other"
    parts = [_("picture") if category == "other" else translated(category, "category")]
    if image.color:
        largest = sorted(image.color.names.items(), key=lambda item: -item[1])[:2]
        parts.append(_(" and ").join(translated(name, "color_name") for name, share in largest if share > 0))
    return _("%(what)s: %(name)s", what=listed(part for part in parts if part), name=image.filename)


def _width_at(image: ImageRecord, px: int) -> int:
    longest = max(image.width, image.height, 1)
    return max(1, round(image.width * min(1.0, px / longest)))
