"""What the `lite` encoder is worth: P@10, words and captions as queries, how similarities fall, and milliseconds.

python bench/evaluate_lite.py --data DATA --models /tmp/models
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from evaluation_data import RETRIEVAL_SETS, Labelled, embed_files, load_picture, read_rows, score_sets
from sklearn.metrics import average_precision_score

from pipeline.errors import InvalidQuery
from pipeline.evaluation_protocols import mean_over_sets, score_captions
from pipeline.features.encoders.lexicon import load_lexicon
from pipeline.features.encoders.lite import LiteEncoder, open_lite

Numbers = npt.NDArray[np.float32]

WORDED_SETS = ("caltech101", "clothing", "intel_scenes", "pacs")
"""Sets whose labels are words that a person might type."""

BROAD = {
    "animal": "animal",
    "vehicle": "vehicle",
    "building": "building",
    "food": "food",
    "landscape": "landscape",
    "text": "text",
    "clothing": "other",
}
"""Broad words and the category whose pictures they should find."""

TIMED = 100


def report_retrieval(rows: list[Labelled], vectors: Numbers) -> None:
    scores = score_sets(rows, vectors)
    for name in RETRIEVAL_SETS:
        print(f"  P@10 {name:13s} {scores[name].precision:.3f}")
    print(f"  P@10 mean of nine  {mean_over_sets(scores).precision:.3f}")


def report_words(encoder: LiteEncoder, rows: list[Labelled], vectors: Numbers) -> None:
    """Labels as queries: P@10 among the nine sets, a picture of the same label in any set being right."""
    labels = np.array([row.label if row.set in RETRIEVAL_SETS else "" for row in rows])
    precisions, cosines, right = [], [], []
    for label in sorted({row.label for row in rows if row.set in WORDED_SETS and row.label}):
        if load_lexicon().read(label.replace("_", " ")).ignored:
            continue
        similarities = vectors @ encoder.embed_text(label.replace("_", " ")).vector
        best = np.argsort(-np.where(labels == "", -np.inf, similarities))[:10]
        precisions.append((labels[best] == label).mean())
        cosines.extend(similarities[best])
        right.extend(labels[best] == label)
    print(f"  words: P@10 {np.mean(precisions):.3f} over {len(precisions)} labels")
    report_bins("    text hits", np.array(cosines), np.array(right), np.arange(0.1, 0.8, 0.1))
    categories = np.array([row.category for row in rows])
    known = categories != ""
    for word, category in BROAD.items():
        similarities = vectors[known] @ encoder.embed_text(word).vector
        print(f"  AP of {word!r}: {average_precision_score(categories[known] == category, similarities):.2f}")


def report_keywords(encoder: LiteEncoder, rows: list[Labelled], vectors: Numbers) -> None:
    """How often the keywords of ImageNet samples name their class, and how many other pictures have."""
    found = encoder.keywords(vectors)
    samples = [at for at, row in enumerate(rows) if row.set == "imagenet1k"]
    named = [[keyword.word.casefold() == _label(rows[at]) for keyword in found[at]] for at in samples]
    precise = np.mean([right for each in named for right in each])
    print(f"  keywords: {len(samples)} ImageNet samples, {np.mean([any(each) for each in named]):.2f} have the name of")
    print(f"    their class, {precise:.2f} of their keywords are it")
    for name in sorted({row.set for row in rows}):
        counts = np.array([len(found[at]) for at, row in enumerate(rows) if row.set == name])
        print(f"    {name:16s} {counts.mean():.2f} keywords a picture, {(counts > 0).mean():.2f} have any")


def _label(row: Labelled) -> str:
    return row.label.replace("_", " ").casefold()


def report_captions(encoder: LiteEncoder, data: Path, rows: list[Labelled], vectors: Numbers) -> None:
    place = {row.path: at for at, row in enumerate(rows)}
    captioned = json.loads((data / "captions" / "captions.json").read_text(encoding="utf-8"))
    gallery = vectors[[place[entry["path"]] for entry in captioned]]
    scores = score_captions(gallery, [embed_caption(encoder, entry["captions"][0]) for entry in captioned])
    recalls = f"@1 {scores.recall_at_1:.3f}, @5 {scores.recall_at_5:.3f}, @10 {scores.recall_at_10:.3f}"
    silent = round(scores.not_understood * scores.pictures)
    print(f"  captions: recall {recalls}; {silent} of {scores.pictures} not understood at all")


def embed_caption(encoder: LiteEncoder, caption: str) -> Numbers | None:
    try:
        return encoder.embed_text(caption).vector
    except InvalidQuery:
        return None


def report_similarities(rows: list[Labelled], vectors: Numbers) -> None:
    keys = np.array([f"{row.set}/{row.label}" for row in rows])
    queries = np.array([at for at, row in enumerate(rows) if row.set in RETRIEVAL_SETS and row.label])
    similarities = vectors[queries] @ vectors.T
    similarities[np.arange(len(queries)), queries] = np.nan
    same = keys[queries][:, None] == keys[None]
    for name, chosen in (("same label", same), ("another label", ~same)):
        spread = np.nanpercentile(similarities[chosen], [1, 10, 50, 90, 99, 99.9])
        print(f"  cosines, {name}: 1, 10, 50, 90, 99, 99.9 % at " + " ".join(f"{value:.2f}" for value in spread))
    best = np.argsort(-np.nan_to_num(similarities, nan=-9), axis=1)[:, :10]
    hits = np.take_along_axis(similarities, best, 1).ravel()
    report_bins("    picture hits", hits, np.take_along_axis(same, best, 1).ravel(), np.arange(0.2, 1.0, 0.1))


def report_bins(name: str, cosines: Numbers, right: npt.NDArray[np.bool_], edges: Numbers) -> None:
    for low in edges:
        inside, above = (cosines >= low) & (cosines < low + edges[1] - edges[0]), cosines >= low
        if inside.any():
            print(
                f"{name} at {low:.1f}: {inside.mean():.3f} of all, {right[inside].mean():.2f} right; "
                f"from there on {right[above].mean():.2f} right"
            )


def report_speed(encoder: LiteEncoder, data: Path, rows: list[Labelled]) -> None:
    pictures = [load_picture(data / row.path) for row in rows[:: len(rows) // TIMED]]
    encoder.embed_pictures(pictures[:3])
    wall, busy = [], []
    for picture in pictures:
        started, worked = time.perf_counter(), time.thread_time()
        encoder.classify(encoder.embed_pictures([picture]))
        wall.append(time.perf_counter() - started)
        busy.append(time.thread_time() - worked)
    print(
        f"  {len(pictures)} pictures on one thread, embedding and category: median {1000 * np.median(wall):.1f} ms, "
        f"of the processor {1000 * np.median(busy):.1f} ms, fastest {1000 * min(wall):.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    arguments = parser.parse_args()
    started = time.perf_counter()
    encoder = open_lite(arguments.models)
    print(f"  opened in {time.perf_counter() - started:.2f} s, fingerprint {encoder.fingerprint}")
    rows = read_rows(arguments.data)
    vectors = embed_files(encoder, [arguments.data / row.path for row in rows])
    report_retrieval(rows, vectors)
    report_words(encoder, rows, vectors)
    report_keywords(encoder, rows, vectors)
    report_captions(encoder, arguments.data, rows, vectors)
    report_similarities(rows, vectors)
    report_speed(encoder, arguments.data, rows)


if __name__ == "__main__":
    main()
