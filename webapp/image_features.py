"""What analysis found in an image, as the bars of its page."""

from urllib.parse import urlencode

from pipeline.features.color_names import name_of_lab
from pipeline.images import ImageRecord
from webapp.pages import PaletteBar, ScoreBar
from webapp.wording import as_percent

SMALLEST_SCORE = 0.01  # categories below one percent are noise and not listed


def palette_bars(image: ImageRecord) -> tuple[PaletteBar, ...]:
    """Return the palette, largest first, each color with its basic name and a search for it."""
    if image.color is None:
        return ()
    return tuple(
        PaletteBar(
            hex=swatch.hex,
            name=name_of_lab(swatch.lab),
            share=swatch.share,
            percent=as_percent(swatch.share),
            find_url=f"/?{urlencode({'color': swatch.hex})}",
        )
        for swatch in image.color.swatches
    )


def score_bars(image: ImageRecord) -> tuple[ScoreBar, ...]:
    """Return the categories, most likely first."""
    if image.category is None:
        return ()
    ordered = sorted(image.category.scores.items(), key=lambda item: -item[1])
    return tuple(
        ScoreBar(name, score, as_percent(score), f"/?{urlencode({'category': name})}")
        for name, score in ordered
        if score >= SMALLEST_SCORE
    )
