"""Measure palettes against pictures whose colors are known, and color names against those that people give.

    python bench/colors.py FOLDER      (with truth.json, xkcd_names.json and web_colors.json)

Prints, by kind of picture, the share-weighted recall of the true colors at CIEDE2000 <= 5 and <= 8, the mean absolute
error of their shares, the share of swatches that are no true color, and the milliseconds a picture takes.
"""

import argparse
import json
import re
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.features.color import ciede2000, hex_to_lab
from pipeline.features.color_names import name_indices
from pipeline.features.decode import Limits, decode
from pipeline.features.palette import extract_palette
from pipeline.features.picture import COLOR_NAMES

CLOSE, NEAR = 5, 8
"""CIEDE2000 at which a swatch counts as a true color."""

_SPELLINGS = {"grey": "gray"}


def measure(folder: Path, entry: dict[str, Any]) -> tuple[float, ...]:
    """Return recall at 5, recall at 8, error of shares, spurious share, milliseconds, number of swatches."""
    picture = decode(folder.parent / entry["path"], Limits())
    started = time.perf_counter()
    swatches = extract_palette(picture).swatches
    elapsed = (time.perf_counter() - started) * 1000
    truth = np.array([hex_to_lab(color["hex"]) for color in entry["palette"]])
    shares = np.array([color["share"] for color in entry["palette"]])
    distance = ciede2000(truth[:, None], np.array([swatch.lab for swatch in swatches])[None, :])
    found = np.array([swatch.share for swatch in swatches])
    close, near = (distance.min(axis=1) <= limit for limit in (CLOSE, NEAR))
    spurious = distance.min(axis=0) > NEAR
    owner = distance.argmin(axis=0)
    given = np.array([found[(owner == at) & ~spurious].sum() for at in range(len(truth))])
    error = np.abs(given - shares / shares.sum()).mean()
    return (
        float(shares[close].sum() / shares.sum()),
        float(shares[near].sum() / shares.sum()),
        float(error),
        float(found[spurious].sum()),
        elapsed,
        len(swatches),
    )


def palettes(folder: Path, worst: int) -> None:
    """Print the table of palettes, and the pictures with the lowest recall."""
    entries = json.loads((folder / "truth.json").read_text())
    by_kind: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    rows = []
    for entry in entries:
        figures = measure(folder, entry)
        by_kind[entry["kind"]].append(figures)
        rows.append((figures, entry["path"]))
    print(f"{'kind':18} pictures  recall<=5  recall<=8  share MAE  spurious  swatches  ms (median)")
    for kind, values in [*by_kind.items(), ("all", [figures for figures, _ in rows])]:
        close, near, error, spurious, _, count = np.mean(values, axis=0)
        median = np.median([figures[4] for figures in values])
        print(f"{kind:18} {len(values):8}  {close:9.3f}  {near:9.3f}  {error:9.4f}", end="")
        print(f"  {spurious:8.4f}  {count:8.2f}  {median:6.2f}")
    for figures, path in sorted(rows, key=lambda row: row[0][1] - row[0][3])[:worst]:
        print(f"  {path}: recall {figures[0]:.2f} {figures[1]:.2f}, spurious {figures[3]:.3f}")


def names(folder: Path) -> None:
    """Print how often a color whose name ends in one basic color word is called by that word here."""
    for file in ("xkcd_names.json", "web_colors.json"):
        right: dict[str, list[bool]] = defaultdict(list)
        confused: dict[tuple[str, str], int] = defaultdict(int)
        for color in json.loads((folder / file).read_text())["colors"]:
            words = [_SPELLINGS.get(word, word) for word in re.findall("[a-z]+", _spaced(color["color"]))]
            if words[-1] not in COLOR_NAMES:
                continue
            ours = COLOR_NAMES[int(name_indices(hex_to_lab(color["hex"].lower())))]
            right[words[-1]].append(ours == words[-1])
            confused[words[-1], ours] += ours != words[-1]
        everything = [one for several in right.values() for one in several]
        print(f"{file}: {np.mean(everything):.3f} of {len(everything)}")
        print(
            "  "
            + ", ".join(
                f"{name} {np.mean(right[name]):.2f} ({len(right[name])})" for name in COLOR_NAMES if right[name]
            )
        )
        most = sorted(confused.items(), key=lambda item: -item[1])[:10]
        print("  most confused: " + ", ".join(f"{a} as {b} {count}" for (a, b), count in most))


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--worst", type=int, default=10)
    arguments = parser.parse_args()
    palettes(arguments.folder, arguments.worst)
    names(arguments.folder)
