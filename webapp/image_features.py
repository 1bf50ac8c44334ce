"""What analysis found in an image, as the bars of its page."""

from urllib.parse import urlencode

import numpy as np

from pipeline.features.color_names import name_indices
from pipeline.features.picture import COLOR_NAMES
from pipeline.images import ImageRecord
from webapp.language import translated
from webapp.pages_image import PaletteBar, ScoreBar, WordLink
from webapp.wording import as_percent

SMALLEST_SCORE = 0.01  # categories below one percent are noise and not listed


def palette_bars(image: ImageRecord) -> tuple[PaletteBar, ...]:
    """Return the palette, largest first, each color with its basic name and a search for it."""
    if image.color is None:
        return ()
    names = name_indices(np.array([swatch.lab for swatch in image.color.swatches], np.float32).reshape(-1, 3))
    return tuple(
        PaletteBar(
            hex=swatch.hex,
            name=translated(COLOR_NAMES[name], "color_name"),
            share=swatch.share,
            percent=as_percent(swatch.share),
            find_url=f"/?{urlencode({'color': swatch.hex})}",
            is_background=swatch.is_background,
        )
        for swatch, name in zip(image.color.swatches, names, strict=True)
    )


def score_bars(image: ImageRecord) -> tuple[ScoreBar, ...]:
    """Return the categories, most likely first."""
    if image.category is None:
        return ()
    ordered = sorted(image.category.scores.items(), key=lambda item: -item[1])
    return tuple(
        ScoreBar(translated(name, "category"), score, as_percent(score), f"/?{urlencode({'category': name})}")
        for name, score in ordered
        if score >= SMALLEST_SCORE
    )


def word_links(image: ImageRecord) -> tuple[WordLink, ...]:
    """Return the keywords, the best first, each with a search for it."""
    return tuple(WordLink(found.word, f"/?{urlencode({'text': found.word})}") for found in image.keywords)
