"""Whether the evidence is right, and whether bursts are told apart from edits.

python bench/evidence.py DATA --known 200 --scenes 40

Known crops, mirrors and rotations: intersection over union of the reported box with the true one, and the error of
the angle. Bursts: frames with parallax, frames between which something moved, and edits of the same photos.
"""

import argparse
import random
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
from duplicate_bursts import moved, pan
from duplicate_edits import EDITS, cropped, edited
from duplicate_originals import HALVES, originals, scenes, seen
from PIL import Image, ImageOps

from pipeline.features.comparison import Box
from pipeline.features.verdicts import compare

PARALLAX = (0.005, 0.01, 0.02, 0.04, 0.08)
MOVED = (0.1, 0.2, 0.3)


def main() -> None:
    arguments = _options()
    chance = random.Random(arguments.seed)  # noqa: S311
    _known(arguments, chance)
    _bursts(arguments, chance)


def _known(arguments: argparse.Namespace, chance: random.Random) -> None:
    overlaps, errors, mirrors, missed = [], [], [], []
    pictures = originals(arguments.data, arguments.half, arguments.known, arguments.seed)
    for number in range(arguments.known):
        path, picture = pictures[number % len(pictures)]
        copy, box, degrees, mirrored = _made(picture, chance)
        said = compare(seen(picture), seen(copy))
        if not said.verdict.is_copy or said.box_in_a is None or said.degrees is None:
            missed.append(f"{path}: {said.verdict}, a box of {box[2]:.2f} by {box[3]:.2f}, {degrees:.1f} degrees")
            continue
        overlaps.append(_iou(said.box_in_a, box))
        errors.append(abs((said.degrees - degrees + 180) % 360 - 180))
        mirrors.append(said.mirrored == mirrored)
    boxes, angles = np.array(overlaps), np.array(errors)
    found = len(boxes)
    print(f"{found} of {arguments.known} known crops, mirrors and rotations found")
    print(f"box: IoU >= 0.9 for {(boxes >= 0.9).mean():.3f}, median {np.median(boxes):.3f}, least {boxes.min():.3f}")
    print(f"angle: within 2 degrees for {(angles <= 2).mean():.3f}, most {angles.max():.2f}")
    print(f"mirrored or not: right for {np.mean(mirrors):.3f}")
    print("\n".join(missed))


def _made(picture: Image.Image, chance: random.Random) -> tuple[bytes, Box, float, bool]:
    """Return a copy, which box of the picture is in it, and how it was turned clockwise after it was mirrored."""
    part, degrees, mirrored = 1.0, 0.0, chance.random() < 0.4
    if chance.random() < 0.6:
        part = chance.uniform(0.5, 0.95)
    copy, box = cropped(picture, part, chance)
    if mirrored:
        copy = ImageOps.mirror(copy)
    if chance.random() < 0.6:
        degrees = chance.choice((90.0, -90.0, 180.0, chance.uniform(-30, 30), chance.uniform(-30, 30)))
        copy = copy.rotate(-degrees, Image.Resampling.BICUBIC, expand=True)
    file = BytesIO()
    copy.save(file, "JPEG", quality=85)
    return file.getvalue(), box, degrees, mirrored


def _iou(one: Box, other: Box) -> float:
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(0.0, across) * max(0.0, down)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def _bursts(arguments: argparse.Namespace, chance: random.Random) -> None:
    photos = scenes(arguments.data, arguments.half, arguments.scenes, arguments.seed)
    print(f"\nwhat is said of pairs made of {len(photos)} photos")
    for parallax in PARALLAX:
        pairs = [pan(photo, parallax, chance) for _, photo in photos]
        _print(f"pan, parallax {parallax:.1%} of the width", [compare(seen(a), seen(b)).verdict for a, b in pairs])
    for part in MOVED:
        pairs = [moved(photo, part, chance) for _, photo in photos]
        _print(f"at rest, something of {part:.0%} moved", [compare(seen(a), seen(b)).verdict for a, b in pairs])
    names = list(EDITS)
    said = [compare(seen(photo), seen(edited(photo, chance.choice(names), chance))).verdict for _, photo in photos * 5]
    _print("edits", said)


def _print(name: str, verdicts: list[str]) -> None:
    counts = Counter(str(verdict) for verdict in verdicts)
    print(f"{name:36}" + ", ".join(f"{verdict} {count / len(verdicts):.2f}" for verdict, count in counts.most_common()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--known", type=int, default=200)
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--half", choices=HALVES, default="final")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


if __name__ == "__main__":
    main()
