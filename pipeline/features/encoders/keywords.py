"""Which of many words fit a picture: those that stand out among all, because no fixed cosine would do.

Some words are near all pictures, and a cosine means something else for each encoder.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.features.picture import Keyword

MOST_KEYWORDS = 6


def outstanding(
    words: Sequence[str], similarities: npt.NDArray[np.float32], margin: float
) -> list[tuple[Keyword, ...]]:
    """Return for each picture at most MOST_KEYWORDS words, the best first.

    `similarities` is (pictures, words), cosines; a word must be `margin` standard deviations above the mean of its
    picture's row.
    """
    least = similarities.mean(axis=1) + margin * similarities.std(axis=1)
    best = np.argsort(-similarities, axis=1, kind="stable")[:, :MOST_KEYWORDS]
    return [
        tuple(Keyword(words[at], float(row[at])) for at in places if row[at] > bound)
        for row, places, bound in zip(similarities, best, least, strict=True)
    ]
