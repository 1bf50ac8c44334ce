"""What part of the background lies below the bands that an encoder came with: the quantiles of `pipeline.calibration`.

    python bench/background.py FOLDER [--encoder lite] [--pictures 1500]

Pairs of pictures taken at random, and the words of `calibration.WORDS` against pictures. A change of encoder measures
its bands at the same quantiles, so that "very similar" goes on meaning the same.
"""

import argparse
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from pipeline.calibration import WORDS
from pipeline.errors import ImageRejected
from pipeline.features.decode import Limits, decode
from pipeline.features.encoders import registry

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
THREADS = 2
SEED = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder", default=registry.DEFAULT)
    parser.add_argument("--models", type=Path, default=Path("data/models"))
    parser.add_argument("--pictures", type=int, default=1500)
    options = parser.parse_args()
    encoder = registry.open_encoder(options.encoder, options.models)
    files = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    random.Random(SEED).shuffle(files)  # noqa: S311 - a sample, no secret

    def embedded(path: Path) -> np.ndarray | None:
        try:
            return encoder.embed_pictures([decode(path.read_bytes(), Limits())])[0]
        except ImageRejected:
            return None

    with ThreadPoolExecutor(THREADS) as pool:
        found = [vector for vector in pool.map(embedded, files[: options.pictures]) if vector is not None]
    vectors = np.array(found)
    pairs = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    by_words = np.concatenate([vectors @ encoder.embed_text(word).vector for word in WORDS])
    print(f"{len(vectors):,} pictures, {len(WORDS)} words, encoder {encoder.name}")
    for name, cosine, background in (
        ("picture, strong", encoder.bands.picture_strong, pairs),
        ("picture, possible", encoder.bands.picture_possible, pairs),
        ("words, strong", encoder.bands.text_strong, by_words),
        ("words, possible", encoder.bands.text_possible, by_words),
    ):
        print(f"{name:20} cosine {cosine:.2f}   below it {np.mean(background < cosine):.4%}")


if __name__ == "__main__":
    main()
