"""Fit the category head of the `lite` encoder and say what it is worth.

Fitted on the rows of `images.csv` that have a category and whose SHA-256 begins with 0 to 7 (a group stays on one
side, that of its first row); reported on the others, and with each source left out of the fitting in turn.

    python bench/fit_category.py --data ../shared/data --models /tmp/models [--write]
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from evaluation_data import Labelled, embed_files, read_rows
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from pipeline.features.category import CategoryHead
from pipeline.features.encoders.lite import CATEGORY_FILE
from pipeline.features.encoders.registry import open_encoder
from pipeline.features.picture import CATEGORIES

INVERSE_REGULARIZATION = 20.0

Array = npt.NDArray[np.float32]


def fitting_side(rows: list[Labelled]) -> npt.NDArray[np.bool_]:
    first: dict[str, bool] = {}
    return np.array([first.setdefault(r.group or r.path, r.sha256[0] in "01234567") for r in rows])


def fit(embeddings: Array, categories: npt.NDArray[np.str_]) -> CategoryHead:
    model = LogisticRegression(C=INVERSE_REGULARIZATION, class_weight="balanced", max_iter=2000)
    model.fit(embeddings, categories)
    weights = np.zeros((len(CATEGORIES), embeddings.shape[1]), np.float32)
    biases = np.full(len(CATEGORIES), -20.0, np.float32)
    for name, row, bias in zip(model.classes_, model.coef_, model.intercept_, strict=True):
        weights[CATEGORIES.index(name)], biases[CATEGORIES.index(name)] = row, bias
    return CategoryHead(weights, biases)


def predict(head: CategoryHead, embeddings: Array) -> npt.NDArray[np.str_]:
    return np.array(CATEGORIES)[head.probabilities(embeddings).argmax(axis=1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    rows = [row for row in read_rows(arguments.data) if row.category]
    embeddings = embed_files(
        open_encoder("lite", arguments.models), [arguments.data / row.path for row in rows]
    )
    categories, fitted = np.array([row.category for row in rows]), fitting_side(rows)
    head = fit(embeddings[fitted], categories[fitted])
    found = predict(head, embeddings[~fitted])
    scores = f1_score(categories[~fitted], found, labels=CATEGORIES, average=None, zero_division=0)
    print(
        f"macro-F1 {scores.mean():.3f}  "
        + "  ".join(f"{n} {s:.2f}" for n, s in zip(CATEGORIES, scores, strict=True))
    )
    for source in sorted({row.set for row in rows}):
        left_out = np.array([row.set == source for row in rows])
        head_without = fit(embeddings[fitted & ~left_out], categories[fitted & ~left_out])
        accuracy = (predict(head_without, embeddings[left_out]) == categories[left_out]).mean()
        print(f"without {source}: accuracy there {accuracy:.3f} of {left_out.sum()}")
    if arguments.write:
        np.savez(CATEGORY_FILE, weights=head.weights.astype(np.float16), biases=head.biases)


if __name__ == "__main__":
    main()
