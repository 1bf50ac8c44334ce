"""Which copies are found, and what is taken for one: recall of each transform, false positives, milliseconds a pair.

python bench/duplicates.py DATA --models /tmp/models --plot docs/images/duplicates.svg
python bench/duplicates.py DATA --own 110 --half final
"""

import argparse
import csv
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from duplicate_edits import EDITS, edited
from duplicate_originals import HALVES, originals, seen
from duplicates_plot import draw

from pipeline.features.comparison import Comparison
from pipeline.features.encoders.lite import open_lite
from pipeline.features.pdq import distances
from pipeline.features.verdicts import Seen, compare

FALSE_POSITIVES = 0.003
"""The part of the hard negatives, 0 to 1, that may pass: each single measure gets the limit that lets in no more."""

LIMITS = np.arange(0.30, 1.0, 0.05)


@dataclass(frozen=True)
class Row:
    a: str
    b: str
    kind: str
    is_copy: bool


@dataclass(frozen=True)
class Measured:
    """How near a pair is by single measures, higher is nearer, and what we say of it in how many seconds."""

    row: Row
    measures: dict[str, float]
    said: Comparison
    seconds: float


def main() -> None:
    arguments = _options()
    if arguments.own:
        _own(arguments)
    else:
        _pairs(arguments)


def _pairs(arguments: argparse.Namespace) -> None:
    with (arguments.data / "duplicates" / "pairs.csv").open(newline="", encoding="utf-8") as stream:
        rows = [_row(line) for line in csv.DictReader(stream)]
    chance = random.Random(arguments.seed)  # noqa: S311
    rows = [row for row in rows if row.kind != "hard negative" or chance.random() < arguments.negatives]
    known: dict[str, Seen] = {}
    started = time.process_time()
    for path in sorted({path for row in rows for path in (row.a, row.b)}):
        known[path] = seen(arguments.data / path)
    decoding = time.process_time() - started
    measures: dict[str, Callable[[str, str], float]] = {
        "dHash": _by_dhash(known),
        "PDQ": lambda a, b: -float(_bits(known[a], known[b])),
    }
    if arguments.models:
        measures["embedding"] = _by_embedding(known, arguments.models)
    measured = [_measure(row, known[row.a], known[row.b], measures) for row in rows]
    _print_table(measured, list(measures))
    _print_verdicts(measured)
    _print_curve(measured)
    seconds = np.array([each.seconds for each in measured])
    print(f"\n{len(rows):,} pairs, {1000 * seconds.mean():.1f} ms a pair, features of each picture counted once")
    for name, these in (("copies", True), ("hard negatives", False)):
        own = [each.seconds for each in measured if each.row.is_copy == these]
        print(f"  {name}: mean {1000 * np.mean(own):.1f}, 95 of 100 below {1000 * np.percentile(own, 95):.1f} ms")
    print(f"  decoding and fingerprint: {1000 * decoding / len(known):.1f} ms a picture")
    if arguments.plot:
        arguments.plot.write_text(draw(_curves(measured), mark=arguments.mark), encoding="utf-8")


def _row(line: dict[str, str]) -> Row:
    kind = {"hard_negative": "hard negative", "real_hard": "real_hard"}.get(line["kind"], line["transform"])
    kind = f"real: {kind}" if line["kind"] == "real" else kind
    return Row(line["a"], line["b"], kind, line["is_duplicate"] == "1")


def _measure(row: Row, a: Seen, b: Seen, measures: dict[str, Callable[[str, str], float]]) -> Measured:
    started = time.process_time()
    said = compare(a, b)
    return Measured(row, {name: of(row.a, row.b) for name, of in measures.items()}, said, time.process_time() - started)


def _bits(a: Seen, b: Seen) -> int:
    return int(distances(np.frombuffer(a.fingerprint.whole, np.uint8)[None], b.fingerprint.whole)[0])


def _by_dhash(known: dict[str, Seen]) -> Callable[[str, str], float]:
    hashes: dict[str, npt.NDArray[np.bool_]] = {}
    for path, picture in known.items():
        small = cv2.resize(picture.gray, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
        hashes[path] = np.diff(small, axis=1) > 0
    return lambda a, b: -float((hashes[a] != hashes[b]).sum())


def _by_embedding(known: dict[str, Seen], models: Path) -> Callable[[str, str], float]:
    encoder = open_lite(models)
    embeddings = {path: encoder.embed_pictures([picture.picture])[0] for path, picture in known.items()}
    return lambda a, b: float(embeddings[a] @ embeddings[b])


def _print_table(measured: list[Measured], names: list[str]) -> None:
    """Print recall by kind, each single measure at the limit that lets in FALSE_POSITIVES of the hard negatives."""
    negatives = [each for each in measured if not each.row.is_copy]
    passes: dict[str, Callable[[Measured], bool]] = {"ours": lambda each: each.said.verdict.is_copy}
    for name in names:
        ordered = np.sort([each.measures[name] for each in negatives])[::-1]
        limit = float(ordered[int(FALSE_POSITIVES * len(ordered))]) if len(ordered) else 0.0
        passes[name] = lambda each, name=name, limit=limit: each.measures[name] > limit
        print(f"{name} alone passes above {limit:.3f}")
    columns = [*names, "ours"]
    print(f"{'':28}{'n':>6}" + "".join(f"{name:>11}" for name in columns))
    of_kind = defaultdict(list)
    for each in measured:
        of_kind[each.row.kind].append(each)
    edits = [each for each in measured if each.row.is_copy and not each.row.kind.startswith("real")]
    real = [each for each in measured if each.row.kind.startswith("real: ")]
    for kind, these in (*sorted(of_kind.items()), ("all synthetic edits", edits), ("all real pairs", real)):
        parts = [np.mean([passes[name](each) for each in these]) if these else 0 for name in columns]
        print(f"{kind:28}{len(these):6}" + "".join(f"{part:11.4f}" for part in parts))
    for each in measured:
        if each.row.kind != "real_hard" and each.said.verdict.is_copy != each.row.is_copy:
            print("wrong:", each.row.kind, each.row.a, each.row.b, each.said.verdict, each.said.agreement)


def _print_verdicts(measured: list[Measured]) -> None:
    print("\nverdicts and edits")
    of_kind = defaultdict(Counter)
    for each in measured:
        edits = "+".join(f"{edit.kind}" for edit in each.said.edits)
        of_kind[each.row.kind][f"{each.said.verdict}{': ' if edits else ''}{edits}"] += 1
    for kind, counts in sorted(of_kind.items()):
        print(f"{kind:28}" + ", ".join(f"{name} {count}" for name, count in counts.most_common(4)))


def _curves(measured: list[Measured]) -> dict[str, npt.NDArray[np.float64]]:
    """Return agreements: of copies, of those with a watermark, and of hard negatives; 0 where nothing was aligned."""
    groups = {
        "copies but watermarks": [
            e for e in measured if e.row.is_copy and e.row.kind not in {"watermark", "real_hard"}
        ],
        "watermarks": [e for e in measured if e.row.kind == "watermark"],
        "hard negatives": [e for e in measured if not e.row.is_copy],
    }
    return {name: np.array([each.said.agreement or 0.0 for each in these]) for name, these in groups.items()}


def _print_curve(measured: list[Measured]) -> None:
    print("\nthe part with an agreement above a limit, whatever else the verdict looks at")
    curves = _curves(measured)
    print(f"{'':24}" + "".join(f"{limit:8.2f}" for limit in LIMITS))
    for name, agreements in curves.items():
        print(f"{name:24}" + "".join(f"{(agreements > limit).mean():8.4f}" for limit in LIMITS))


def _own(arguments: argparse.Namespace) -> None:
    """Print recall on edits of one's own making."""
    chance = random.Random(arguments.seed)  # noqa: S311
    found, alone, seconds, wrong = Counter(), Counter(), [], []
    pictures = originals(arguments.data, arguments.half, arguments.own, arguments.seed)
    for path, picture in pictures:
        a = seen(picture)
        for name in EDITS:
            b = seen(edited(picture, name, chance))
            started = time.process_time()
            said = compare(a, b)
            seconds.append(time.process_time() - started)
            found[name] += said.verdict.is_copy
            alone[name] += _bits(a, b) <= arguments.pdq
            if not said.verdict.is_copy:
                wrong.append(f"{name} of {path}: {said.verdict}, agreement {said.agreement}, {said.hash_distance} bits")
    print(f"{'':16}{'PDQ <= ' + str(arguments.pdq):>12}{'ours':>9}   of {len(pictures)} originals ({arguments.half})")
    for name in EDITS:
        print(f"{name:16}{alone[name] / len(pictures):12.3f}{found[name] / len(pictures):9.3f}")
    print(f"{'all':16}{alone.total() / len(seconds):12.3f}{found.total() / len(seconds):9.4f}")
    print(f"{1000 * np.mean(seconds):.1f} ms a pair")
    print("\n".join(wrong))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=Path, help="where the lite encoder is kept; without it, no embeddings")
    parser.add_argument("--negatives", type=float, default=1.0, help="the part of the hard negatives to look at")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--mark", type=float, default=0.70, help="the limit that the plot shows")
    parser.add_argument("--own", type=int, default=0, help="originals to make copies of, instead of pairs.csv")
    parser.add_argument("--half", choices=HALVES, default="final")
    parser.add_argument("--pdq", type=int, default=31)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


if __name__ == "__main__":
    main()
