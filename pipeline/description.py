"""What programs are told about images and searches, ready for JSON: the contract's Image and Search answer.

The HTTP API, the shell and exports say the same, because they all ask here. Shares, brightness and the like are told
as they are kept, not rounded: filters compare the values that are told.
"""

from pipeline.features.picture import COLOR_NAMES, Category, Palette
from pipeline.images import ImageRecord
from pipeline.judging import Hit
from pipeline.search import SearchResult

_PLAIN = (
    "id",
    "library",
    "library_id",
    "state",
    "error",
    "filename",
    "media_type",
    "bytes",
    "width",
    "height",
    "sha256",
    "caption",
    "created_at",
    "taken_at",
    "encoder",
)
FLAT_COLUMNS = (
    *_PLAIN,
    "tags",
    "category",
    "category_confidence",
    "scheme",
    "brightness",
    "saturation",
    "palette",
    *(f"share_{name}" for name in COLOR_NAMES),
)
"""What a row of a table tells of an image, in this order."""

SIMILARITY_DIGITS = 4  # embeddings are kept as float16, which has about three digits


def describe(image: ImageRecord) -> dict[str, object]:
    """Return the contract's Image. `category`, `color` and `encoder` are None until it has been analyzed.

    Times are ISO 8601: `created_at` in UTC, `taken_at` on the camera's clock.
    """
    return {
        "id": image.id,
        "library": image.library_name,
        "library_id": image.library,
        "state": image.state.value,
        "error": image.error,
        "filename": image.filename,
        "media_type": image.media_type,
        "bytes": image.bytes,
        "width": image.width,
        "height": image.height,
        "sha256": image.sha256,
        "caption": image.caption,
        "tags": list(image.tags),
        "created_at": image.created_at.isoformat(),
        "taken_at": image.taken_at.isoformat() if image.taken_at else None,
        "encoder": image.encoder,
        "category": _category(image.category) if image.category else None,
        "keywords": [{"word": keyword.word, "similarity": keyword.similarity} for keyword in image.keywords],
        "color": _color(image.color) if image.color else None,
    }


def describe_flat(image: ImageRecord) -> dict[str, object]:
    """Return an image as a row of a table: values for `FLAT_COLUMNS`, without those that are not known."""
    known = describe(image)
    row: dict[str, object] = {name: known[name] for name in _PLAIN} | {"tags": "; ".join(image.tags)}
    if image.category:
        row |= {"category": image.category.name, "category_confidence": image.category.confidence}
    if image.color:
        row |= {name: getattr(image.color, name) for name in ("scheme", "brightness", "saturation")}
        row["palette"] = "; ".join(f"{swatch.hex} {swatch.share:.3f}" for swatch in image.color.swatches)
        row |= {f"share_{name}": share for name, share in image.color.names.items()}
    return row


def describe_hit(hit: Hit) -> dict[str, object]:
    """Return one result of a search."""
    return {
        "image": describe(hit.image),
        "similarity": None if hit.similarity is None else round(hit.similarity, SIMILARITY_DIGITS),
        "strength": hit.strength,
        "why": hit.why,
    }


def describe_result(result: SearchResult) -> dict[str, object]:
    """Return the contract's answer to a search, best first."""
    return {
        "results": [describe_hit(hit) for hit in result.hits],
        "verdict": result.verdict,
        "encoder": result.encoder,
        "took_ms": round(result.took_ms, 1),
        "has_more": result.has_more,
        "ignored": list(result.ignored),
        "by_words_alone": result.by_words_alone,
        "reason": result.reason or None,
    }


def _category(category: Category) -> dict[str, object]:
    return {
        "name": category.name,
        "confidence": category.confidence,
        "scores": dict(category.scores),
    }


def _color(color: Palette) -> dict[str, object]:
    return {
        "palette": [{"hex": swatch.hex, "share": swatch.share} for swatch in color.swatches],
        "scheme": color.scheme,
        "brightness": color.brightness,
        "saturation": color.saturation,
        "names": dict(color.names),
    }
