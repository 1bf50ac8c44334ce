"""Fits the rules by which a search has a match (`pipeline.relevance`) on half of the classes, and reports the others.

    python bench/fit_relevance.py --data DATA --models /tmp/models [--vectors V.npy] [--plot docs/images/relevance.svg]

A class is fitted on when the SHA-256 of `set/label` begins with 0 to 7; nothing is fitted on the others. A query has
kin when pictures of its class are in the gallery, and none when the whole set it comes from is left out. Galleries are
also thinned out, down to a hundred pictures, and queries are also left with a single relative, so that the rules know
small libraries and lonely pictures. `--vectors` keeps the embeddings in a file, which only saves time.
"""

import argparse
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from evaluation_data import RETRIEVAL_SETS, Labelled, embed_files, read_rows
from relevance_plot import draw_curves
from sklearn.linear_model import LogisticRegression

from pipeline.calibration import MOST_VECTORS, WORDS
from pipeline.errors import InvalidQuery
from pipeline.evaluation_relevance import curve, decide, limit_at, lost_at
from pipeline.features.encoders.lexicon import load_lexicon
from pipeline.features.encoders.lite import LiteEncoder, open_lite
from pipeline.features.encoders.protocol import SimilarityBands
from pipeline.relevance import JUDGED_HITS, Rule, figures_of

Numbers = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]
Chosen = npt.NDArray[np.bool_]

LOSS = 0.05  # of the right hits, by the limit of a match
LOSS_OF_NONE = 0.02  # of the right hits, by the limit below which nothing is alike
STRONG_PRECISION = 0.8  # of the hits from "strong" on, over all queries with kin that are fitted on
ALONE = 0.01  # of the queries without kin whose first hit may reach what is a match by itself
PARTS = (1.0, 0.5, 0.25, 0.12, 0.06, 0.03)  # of all pictures, as galleries
SPLITS = 20  # random halves of the classes, for how much the figures vary
SEED = 1

WORDED_SETS = ("caltech101", "clothing", "grocery", "imagenet1k", "intel_scenes", "pacs")
"""Sets whose labels are words that a person might type."""

WITH_RELATIVES = frozenset((
    "airplanes", "butterfly", "car_side", "cellphone", "chair", "umbrella", "soccer_ball", "laptop", "pizza",
    "strawberry", "schooner", "ketch", "minaret", "pagoda", "Motorbikes", "pigeon", "rooster", "inline_skate",
    "bass", "mandolin", "flamingo", "emu", "flamingo_head", "dolphin", "camera", "watch", "llama", "headphone",
    "barrel", "lotus", "water_lilly", "sea_horse", "grand_piano",
))  # fmt: skip
"""Classes of Caltech-101 of which, or of whose like, other sets may have pictures (Flickr8k, COCO, PACS, ImageNet)."""


@dataclass(frozen=True)
class Cases:
    """Queries both ways.

    `with_kin`, `single` (one relative left) and `without` are (n, 4) figures, `right` and `right_single` the right ones
    among the first ten.
    """

    label: npt.NDArray[np.str_]
    with_kin: Numbers
    single: Numbers
    without: Numbers
    right: npt.NDArray[np.int64]
    right_single: npt.NDArray[np.int64]

    def only(self, chosen: Chosen) -> "Cases":
        """Return those that are chosen."""
        return Cases(*(each[chosen] for each in vars(self).values()))

    def of_set(self, name: str) -> Chosen:
        """Say which are of a set."""
        return np.char.startswith(self.label, f"{name}/")


def is_fitted(label: str) -> bool:
    """Whether the class, `set/label`, is one that is fitted on."""
    return hashlib.sha256(label.encode()).hexdigest()[0] < "8"


def first_hits(cosines: Vectors) -> npt.NDArray[np.int64]:
    """Return the places of the first ten, best first."""
    near = np.argpartition(-cosines, JUDGED_HITS)[: JUDGED_HITS + 1] if len(cosines) > JUDGED_HITS + 1 else None
    near = np.arange(len(cosines)) if near is None else near
    return near[np.argsort(-cosines[near], kind="stable")][:JUDGED_HITS]


def collect(
    queries: Sequence[tuple[str, Vectors, Chosen, Chosen]], vectors: Vectors, scale: Callable[[Vectors], Vectors]
) -> Cases:
    """Ask each query (label, vector, kin, what to leave out without kin) of each thinned gallery."""
    random = np.random.default_rng(SEED)
    rows: list[tuple[object, ...]] = []
    for part in PARTS:
        gallery = random.random(len(vectors)) < part
        for label, vector, kin, out in queries:
            own = kin & gallery
            if not own.any():
                continue
            places = scale(vectors @ vector)
            one = np.zeros(len(vectors), bool)
            one[random.choice(np.flatnonzero(own))] = True
            asked = []
            itself = vectors @ vector > 1 - 1e-5
            for kept in (gallery & ~itself, gallery & ~itself & (~kin | one), gallery & ~itself & ~out):
                at = np.flatnonzero(kept)
                best = at[first_hits(places[at])]
                asked.append((figures_of(places[best].tolist(), len(at)), int(kin[best].sum())))
            (full, right), (single, right_single), (without, _) = asked
            rows.append((label, full, single, without, right, right_single))
    labels, *numbers = zip(*rows, strict=True)
    return Cases(np.array(labels), *(np.array(each) for each in numbers))


def picture_queries(rows: list[Labelled], vectors: Vectors) -> list[tuple[str, Vectors, Chosen, Chosen]]:
    sets = np.array([row.set for row in rows])
    labels = np.array([f"{row.set}/{row.label}" for row in rows])
    asking = [at for at, row in enumerate(rows) if row.set in RETRIEVAL_SETS and row.label]
    found = []
    for at in asking:
        kin = labels == labels[at]
        kin[at] = False
        found.append((str(labels[at]), vectors[at], kin, sets == sets[at]))
    return [query for query in found if query[2].any()]


def text_queries(
    encoder: LiteEncoder, rows: list[Labelled]
) -> tuple[list[tuple[str, Vectors, Chosen, Chosen]], list[Vectors]]:
    """Return the labels as queries, and the vectors of the names of classes of which no picture is labelled."""
    sets = np.array([row.set for row in rows])
    words = np.array([row.label.replace("_", " ").casefold() for row in rows])
    asked = sorted({word for word, name in zip(words, sets, strict=True) if name in WORDED_SETS and word})
    found = []
    for word in asked:
        if (vector := embed_word(encoder, word)) is None:
            continue
        kin = words == word
        homes = set(sets[kin].tolist()) - {"imagenet1k"}
        found.append((f"{min(homes, default='imagenet1k')}/{word}", vector, kin, kin | np.isin(sets, list(homes))))
    others = [name.casefold() for name in load_lexicon().class_names if name.casefold() not in set(asked)]
    return found, [vector for name in others if (vector := embed_word(encoder, name)) is not None]


def embed_word(encoder: LiteEncoder, word: str) -> Vectors | None:
    try:
        understood = encoder.embed_text(word)
    except InvalidQuery:
        return None
    return None if understood.ignored else understood.vector


def fit_bands(queries: Sequence[tuple[str, Vectors, Chosen, Chosen]], vectors: Vectors) -> tuple[float, float]:
    """Return the cosines of strong and possible, from the first ten hits of the queries that are fitted on."""
    cosines, right = [], []
    for label, vector, kin, _ in queries:
        if not is_fitted(label):
            continue
        similarities = vectors @ vector
        similarities[similarities > 1 - 1e-5] = -1
        best = first_hits(similarities)
        cosines += similarities[best].tolist()
        right += kin[best].tolist()
    order = np.argsort(cosines)
    ordered, is_right = np.array(cosines)[order], np.array(right)[order]
    possible = float(np.quantile(ordered[is_right], LOSS))
    precision = np.cumsum(is_right[::-1])[::-1] / np.arange(len(order), 0, -1)
    strong = float(ordered[int(np.argmax(precision >= STRONG_PRECISION))])
    for name, limit in (("possible", possible), ("strong", strong)):
        above = ordered >= limit
        print(
            f"  {name} from cosine {limit:.3f}: {is_right[above].mean():.2f} of the hits are right, "
            f"{above[is_right].mean():.2f} of the right ones lie there, {above[~is_right].mean():.2f} of the wrong ones"
        )
    return strong, possible


def fit(cases: Cases) -> Rule:
    """Return the rule that these cases teach; each kind of case weighs the same, each right hit as well."""
    x = np.concatenate([cases.with_kin, cases.single, cases.without])
    y = np.concatenate([np.ones(2 * len(cases.label)), np.zeros(len(cases.label))])
    weights = np.concatenate([cases.right / cases.right.mean(), 0.3 * cases.right_single, np.ones(len(cases.label))])
    mean, spread = x.mean(axis=0), x.std(axis=0)
    model = LogisticRegression(C=1.0, max_iter=2000).fit((x - mean) / spread, y, weights)
    coefficients = (model.coef_[0] / spread).tolist()
    best, average, last, size = coefficients
    alone = float(np.quantile(cases.without[:, 0], 1 - ALONE))
    rule = Rule(best, average, last, size, 0.0, -np.inf, alone)
    scores = score(cases.with_kin, rule)
    constant, none = (-limit_at(loss, scores, cases.right) for loss in (LOSS, LOSS_OF_NONE))
    rule = replace(rule, constant=constant, none_below=constant - none)
    return Rule(*(round(float(value), 2) for value in astuple(rule)))


def score(figures: Numbers, rule: Rule) -> Numbers:
    return np.array([decide(row, rule) for row in figures.tolist()])


def largest(cases: Cases) -> Cases:
    """Return the cases of the whole gallery."""
    return cases.only(cases.with_kin[:, 3] == cases.with_kin[:, 3].max())


def report(name: str, cases: Cases, rule: Rule) -> None:
    """Print the curve, and what the limits of the rule do."""
    if not len(cases.label):
        return
    scores, without = score(cases.with_kin, rule), score(cases.without, rule)
    points = "  ".join(f"{point.lost:.2f}→{point.told:.2f}" for point in curve(scores, cases.right, without))
    alone = score(cases.single, rule)
    print(
        f"  {name:42s} {len(cases.label):5d}  {points}   shipped: {lost_at(0, scores, cases.right):.3f}→"
        f"{(without < 0).mean():.3f} (none {(without < rule.none_below).mean():.3f}); "
        f"one relative: {lost_at(0, alone, cases.right_single):.2f} lost"
    )


def report_splits(cases: Cases) -> None:
    """Say how much the figure of the aim depends on which half of the classes was fitted on."""
    whole, told, lost, shipped = largest(cases), [], [], []
    for seed in range(SPLITS):
        names = np.unique(cases.label)
        half = np.random.default_rng(seed).permutation(names)[: len(names) // 2]
        rule = fit(cases.only(np.isin(cases.label, half)))
        test = whole.only(~np.isin(whole.label, half) & whole.of_set("caltech101"))
        scores, without = score(test.with_kin, rule), score(test.without, rule)
        told.append((without < limit_at(LOSS, scores, test.right)).mean())
        lost.append(lost_at(0, scores, test.right))
        shipped.append((without < 0).mean())
    print(
        f"  {SPLITS} other halves, Caltech-101 classes not fitted on: told {np.mean(told):.3f} ± {np.std(told):.3f} at "
        f"{LOSS:.0%}; by the limit of the fitted half told {np.mean(shipped):.3f} ± {np.std(shipped):.3f}, lost "
        f"{np.mean(lost):.3f} ± {np.std(lost):.3f}"
    )


def scaling(strong: float, possible: float) -> Callable[[Vectors], Vectors]:
    return lambda cosines: (cosines - possible) / (strong - possible)


def study_pictures(rows: list[Labelled], vectors: Vectors, plot: Path | None) -> tuple[float, float, Rule]:
    queries = picture_queries(rows, vectors)
    print(f"\nPictures: {len(queries):,} queries, {len(vectors):,} pictures")
    strong, possible = (round(limit, 2) for limit in fit_bands(queries, vectors))
    cases = collect(queries, vectors, scaling(strong, possible))
    fitted = np.array([is_fitted(label) for label in cases.label])
    rule = fit(cases.only(fitted))
    print(f"  {rule}\n  lost→told:")
    whole, others = largest(cases), largest(cases.only(~fitted))
    is_caltech = others.of_set("caltech101")
    clean = is_caltech & ~np.isin(others.label, [f"caltech101/{name}" for name in WITH_RELATIVES])
    report("fitted on: all sets", largest(cases.only(fitted)), rule)
    report("not fitted on: all sets", others, rule)
    report("not fitted on: Caltech-101", others.only(is_caltech), rule)
    report("… whose like is nowhere else", others.only(clean), rule)
    for name in RETRIEVAL_SETS:
        if name != "caltech101":
            report(f"not fitted on: {name}", others.only(others.of_set(name)), rule)
    sizes = sorted(set(np.round(cases.with_kin[:, 3], 1)), reverse=True)[1:]
    smaller = cases.only(~fitted & cases.of_set("caltech101"))
    for size in sizes:
        chosen = smaller.only(np.round(smaller.with_kin[:, 3], 1) == size)
        report(f"not fitted on: Caltech-101, about {1000 * np.exp(size):,.0f} pictures", chosen, rule)
    foreign = fit(cases.only(~cases.of_set("caltech101")))
    report("fitted without Caltech-101, reported on it", whole.only(whole.of_set("caltech101")), foreign)
    home = fit(cases.only(cases.of_set("caltech101")))
    report("fitted on Caltech-101, reported on the rest", whole.only(~whole.of_set("caltech101")), home)
    mean_only = Rule(0.0, 1.0, 0.0, 0.0, 0.0, -1.0, np.inf)
    report("the mean of five alone: Caltech-101", others.only(is_caltech), mean_only)
    first_only = Rule(1.0, 0.0, 0.0, 0.0, 0.0, -1.0, np.inf)
    report("the first hit alone: Caltech-101", others.only(is_caltech), first_only)
    report_splits(cases)
    if plot:
        named = {
            "Caltech-101, classes not fitted on": others.only(is_caltech),
            "… whose like is nowhere else": others.only(clean),
            "all nine sets, classes not fitted on": others,
        }
        drawn = {
            name: (score(each.with_kin, rule), each.right, score(each.without, rule)) for name, each in named.items()
        }
        plot.write_text(draw_curves(drawn, mark=LOSS), encoding="utf-8")
    return strong, possible, rule


def study_texts(encoder: LiteEncoder, rows: list[Labelled], vectors: Vectors) -> tuple[float, float, Rule]:
    queries, nameless = text_queries(encoder, rows)
    print(f"\nWords: {len(queries)} labels, {len(nameless)} names of classes without a labelled picture")
    strong, possible = (round(limit, 2) for limit in fit_bands(queries, vectors))
    scale = scaling(strong, possible)
    cases = collect(queries, vectors, scale)
    fitted = np.array([is_fitted(label) for label in cases.label])
    rule = fit(cases.only(fitted))
    print(f"  {rule}\n  lost→told:")
    others = largest(cases.only(~fitted))
    report("fitted on", largest(cases.only(fitted)), rule)
    report("not fitted on", others, rule)
    report("… of which a set has several", others.only(~others.of_set("imagenet1k")), rule)
    answers = []
    for vector in nameless:
        places = scale(vectors @ vector)
        answers.append(figures_of(places[first_hits(places)].tolist(), len(vectors)))
    scores = score(np.array(answers), rule)
    none = (scores < rule.none_below).mean()
    print(f"  names without a labelled picture: told {(scores < 0).mean():.3f}, none {none:.3f}")
    return strong, possible, rule


def report_background(encoder: LiteEncoder, vectors: Vectors, bands: SimilarityBands) -> None:
    """Print what part of the background lies below the bands: the quantiles of `pipeline.calibration`."""
    sample = np.random.default_rng(SEED).permutation(vectors)[:MOST_VECTORS]
    pairs = (sample @ sample.T)[np.triu_indices(len(sample), 1)]
    words = np.concatenate([sample @ encoder.embed_text(word).vector for word in WORDS])
    print("\nBackground: the part of it below each band")
    for name, value in vars(bands).items():
        print(f"  {name:17s} {value:.2f}  {((pairs if name.startswith('picture') else words) < value).mean():.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    encoder = open_lite(options.models)
    rows = read_rows(options.data)
    if options.vectors and options.vectors.exists():
        vectors = np.load(options.vectors)
    else:
        vectors = embed_files(encoder, [options.data / row.path for row in rows])
        if options.vectors:
            np.save(options.vectors, vectors)
    strong, possible, _ = study_pictures(rows, vectors, options.plot)
    text_strong, text_possible, _ = study_texts(encoder, rows, vectors)
    report_background(encoder, vectors, SimilarityBands(strong, possible, text_strong, text_possible))


if __name__ == "__main__":
    main()
