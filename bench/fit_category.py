"""Fit the category head of the `lite` encoder and say what it is worth.

Fitted on the rows of `images.csv` that have a category and whose SHA-256 begins with 0 to 7 (a group stays on
one side, that of its first row), on everyday objects of Caltech-101 from the same side ("other"), on the
classes of the encoder's own text tower and on drawn patterns ("abstract"). Reported on the other side, and
with each source left out of the fitting in turn.

    python bench/fit_category.py --data DATA --models /tmp/models [--write]
"""

import argparse
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from drawn_patterns import draw_patterns
from evaluation_data import Labelled, embed_files, read_rows
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from pipeline.features.category import CategoryHead, Voters
from pipeline.features.encoders.lexicon import expand_spans
from pipeline.features.encoders.lite import CATEGORY_FILE, LiteEncoder, open_lite
from pipeline.features.picture import CATEGORIES, Facts, Picture

INVERSE_REGULARIZATION = 2.0
"""Smaller helps sources that were left out and makes confidences too modest; larger does the reverse."""

CLASS_SCALE = 0.5
"""Pictures lie at a cosine of about 0.4 to their class; its unit vector at full length would be too easy."""

PATTERNS = 200

OBJECTS = frozenset(
    {
        "barrel",
        "binocular",
        "camera",
        "cellphone",
        "chair",
        "chandelier",
        "dollar_bill",
        "ewer",
        "grand_piano",
        "headphone",
        "inline_skate",
        "laptop",
        "mandolin",
        "menorah",
        "metronome",
        "saxophone",
        "soccer_ball",
        "umbrella",
        "watch",
    }
)
"""Classes of Caltech-101 that have no category in `images.csv` and are plainly "other"."""

UNSEEN_LOGIT = -20.0
"""Of a category that the fitting saw no example of."""

Numbers = npt.NDArray[np.float32]
Names = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Examples:
    vectors: Numbers
    categories: Names
    sources: Names

    def where(self, kept: npt.NDArray[np.bool_]) -> "Examples":
        return Examples(self.vectors[kept], self.categories[kept], self.sources[kept])

    def __add__(self, other: "Examples") -> "Examples":
        return Examples(
            np.concatenate([self.vectors, other.vectors]),
            np.concatenate([self.categories, other.categories]),
            np.concatenate([self.sources, other.sources]),
        )


def fitting_side(rows: list[Labelled]) -> npt.NDArray[np.bool_]:
    first: dict[str, bool] = {}
    return np.array([first.setdefault(r.group or r.path, r.sha256[:1] in set("01234567")) for r in rows])


def read_voters(encoder: LiteEncoder) -> Voters:
    table = tomllib.loads((Path(__file__).parent / "class_categories.toml").read_text(encoding="utf-8"))
    categories = np.full(len(encoder.class_vectors), -1, np.int8)
    for name, spans in table.items():
        categories[list(expand_spans(",".join(spans)))] = CATEGORIES.index(name)
    return Voters(encoder.class_vectors, categories)


def class_examples(encoder: LiteEncoder, voters: Voters) -> Examples:
    known = voters.categories >= 0
    names = np.array(CATEGORIES)[voters.categories[known]]
    vectors = encoder.space.place_things(encoder.space.classes[known]) * np.float32(CLASS_SCALE)
    return Examples(vectors, names, np.full(len(names), "classes"))


def pattern_examples(encoder: LiteEncoder) -> Examples:
    facts = Facts("PNG", "image/png", 384, 384)
    vectors = encoder.embed_pictures([Picture(pixels, None, facts) for pixels in draw_patterns(PATTERNS)])
    return Examples(vectors, np.full(PATTERNS, "abstract"), np.full(PATTERNS, "patterns"))


def balanced_weights(examples: Examples) -> npt.NDArray[np.float64]:
    """Return weights that give each category the same sum, shared by its sources as the roots of their sizes."""
    pairs = list(zip(examples.categories, examples.sources, strict=True))
    counts = Counter(pairs)
    shares: Counter[str] = Counter()
    for (category, _), count in counts.items():
        shares[category] += np.sqrt(count)
    weights = np.array([1 / np.sqrt(counts[pair]) / shares[pair[0]] for pair in pairs])
    return np.asarray(weights * len(weights) / weights.sum())


def fit(voters: Voters, examples: Examples) -> CategoryHead:
    model = LogisticRegression(C=INVERSE_REGULARIZATION, max_iter=3000)
    described = voters.describe(examples.vectors)
    model.fit(described, examples.categories, sample_weight=balanced_weights(examples))
    weights = np.zeros((len(CATEGORIES), described.shape[1]), np.float32)
    biases = np.full(len(CATEGORIES), UNSEEN_LOGIT, np.float32)
    for name, row, bias in zip(model.classes_, model.coef_, model.intercept_, strict=True):
        weights[CATEGORIES.index(name)], biases[CATEGORIES.index(name)] = row, bias
    return CategoryHead(voters, weights, biases)


def predict(head: CategoryHead, vectors: Numbers) -> Names:
    return np.array(CATEGORIES)[head.probabilities(vectors).argmax(axis=1)]


def report(head: CategoryHead, tested: Examples) -> None:
    found = predict(head, tested.vectors)
    scores = f1_score(tested.categories, found, labels=CATEGORIES, average=None, zero_division=0)
    print(f"other half, {len(found)} pictures: macro-F1 {scores.mean():.3f}")
    print("  " + "  ".join(f"{name} {score:.2f}" for name, score in zip(CATEGORIES, scores, strict=True)))
    confidences = head.probabilities(tested.vectors).max(axis=1)
    right = found == tested.categories
    print(f"  accuracy {right.mean():.3f}, mean confidence {confidences.mean():.3f}")
    for low, high in ((0.0, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
        inside = (confidences >= low) & (confidences < high)
        share = right[inside].mean()
        print(f"  confidence {low:.1f} to {min(high, 1):.1f}: {inside.sum():4d} pictures, {share:.2f} right")


def report_left_out(voters: Voters, known: Examples, on_side: npt.NDArray[np.bool_], more: Examples) -> None:
    """Print the macro-F1 over the categories that a source has, and over all ten when every source was left out once.

    A source of one category has the F1 of that one, which is above its share right: it can have no false alarm.
    """
    accuracies, scores, everything_found = [], [], np.empty_like(known.categories)
    for source in sorted(set(known.sources)):
        left_out = known.sources == source
        head = fit(voters, known.where(on_side & ~left_out) + more)
        tested = known.where(left_out)
        found = everything_found[left_out] = predict(head, tested.vectors)
        present = sorted(set(tested.categories))
        accuracies.append((found == tested.categories).mean())
        scores.append(macro_f1(tested.categories, found, present))
        print(
            f"  without {source:12s} macro-F1 {scores[-1]:.2f} over {len(present):2d} categories, "
            f"{accuracies[-1]:.2f} of its {len(found)} pictures right"
        )
    print(f"  mean over the sources: macro-F1 {np.mean(scores):.3f}, share right {np.mean(accuracies):.3f}")
    print(f"  all of them together: macro-F1 {macro_f1(known.categories, everything_found, list(CATEGORIES)):.3f}")


def macro_f1(truth: Names, found: Names, categories: list[str]) -> float:
    return float(f1_score(truth, found, labels=categories, average="macro", zero_division=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    encoder = open_lite(arguments.models)
    rows = [r for r in read_rows(arguments.data) if r.category or (r.set == "caltech101" and r.label in OBJECTS)]
    everything = Examples(
        embed_files(encoder, [arguments.data / row.path for row in rows]),
        np.array([row.category or "other" for row in rows]),
        np.array([row.set for row in rows]),
    )
    on_side, judged = fitting_side(rows), np.array([bool(row.category) for row in rows])
    objects = everything.where(on_side & ~judged)
    voters = read_voters(encoder)
    more = (
        class_examples(encoder, voters)
        + pattern_examples(encoder)
        + Examples(objects.vectors, objects.categories, np.full(len(objects.sources), "objects"))
    )
    known, on_side = everything.where(judged), on_side[judged]
    head = fit(voters, known.where(on_side) + more)
    report(head, known.where(~on_side))
    report_left_out(voters, known, on_side, more)
    if arguments.write:
        np.savez_compressed(
            CATEGORY_FILE,
            weights=head.weights.astype(np.float16),
            biases=head.biases,
            voter_categories=voters.categories,
        )


if __name__ == "__main__":
    main()
