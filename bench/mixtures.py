"""What is lost and told of questions with several parts, by the rule for pictures, with and without `bands_within`.

    python bench/mixtures.py --data DATA --models /tmp/models

A question is a picture whose label is a word, that word with some weight, and a random picture to lead away from. It
has kin when pictures of the same set and label are in the gallery, and none when its whole set is left out. "Lost" is
the share of right hits among the first ten that are weak, "told" that of questions without kin answered weak or none.
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from evaluation_data import Labelled, embed_files, read_rows

from pipeline.features.encoders.lexicon import load_lexicon
from pipeline.features.encoders.lite import BANDS, LiteEncoder, open_lite
from pipeline.relevance import bands_within, graded, judge

SETS = ("caltech101", "clothing", "grocery", "imagenet1k", "intel_scenes", "pacs")
MIXTURES = ((0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (0.0, 0.5), (0.0, 1.0), (1.0, 0.5), (1.0, 1.0), (2.0, 1.0))
QUESTIONS = 600
SEED = 0
HITS = 10
LEFT_OUT = -9.0  # below every cosine

Vectors = npt.NDArray[np.float32]


def measure(
    encoder: LiteEncoder, rows: list[Labelled], vectors: Vectors, mixture: tuple[float, float], *, scaled: bool
) -> tuple[float, float]:
    """Return what is lost and what is told."""
    chance = np.random.default_rng(SEED)
    worded, away = mixture
    sets, labels = np.array([row.set for row in rows]), np.array([row.label for row in rows])
    asked = [at for at, row in enumerate(rows) if row.set in SETS and row.label and _is_known(row.label)]
    lost = right = told = 0
    chosen = chance.permutation(asked)[:QUESTIONS]
    for at in chosen:
        toward = vectors[at] + worded * encoder.embed_text(labels[at].replace("_", " ")).vector
        another = (at + chance.integers(1, len(rows))) % len(rows)
        question = toward - away * vectors[another]
        length = float(np.linalg.norm(question))
        bands = bands_within(BANDS, min(1.0, float(np.linalg.norm(toward)) / length)) if scaled else BANDS
        cosines = vectors @ (question / length)
        cosines[at] = LEFT_OUT
        kin = (sets == sets[at]) & (labels == labels[at])
        first = np.argsort(-cosines)[:HITS]
        verdict = judge(cosines[first].tolist(), bands, len(rows) - 1, by_picture=True)
        strengths = [
            graded(float(cosines[hit]), bands, verdict, is_first=place == 0, by_picture=True)
            for place, hit in enumerate(first)
        ]
        right += int(kin[first].sum())
        lost += sum(is_kin and strength == "weak" for is_kin, strength in zip(kin[first], strengths, strict=True))
        strangers = np.sort(cosines[sets != sets[at]])[::-1][:HITS]
        told += judge(strangers.tolist(), bands, int((sets != sets[at]).sum()), by_picture=True) != "match"
    return lost / right, told / len(chosen)


def _is_known(label: str) -> bool:
    return not load_lexicon().read(label.replace("_", " ")).ignored


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    arguments = parser.parse_args()
    encoder = open_lite(arguments.models)
    rows = read_rows(arguments.data)
    vectors = embed_files(encoder, [arguments.data / row.path for row in rows])
    print(f"{'word':>6}{'away':>6}   lost and told by cosines as they are, and within what is asked for")
    for mixture in MIXTURES:
        plain = measure(encoder, rows, vectors, mixture, scaled=False)
        scaled = measure(encoder, rows, vectors, mixture, scaled=True)
        print(
            f"{mixture[0]:6g}{mixture[1]:6g}   {plain[0]:.3f} {plain[1]:.3f}   {scaled[0]:.3f} {scaled[1]:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
