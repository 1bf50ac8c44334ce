"""Originals to make copies of: pictures of many kinds out of DATA, in two halves that have none in common.

Thresholds were found with the half `tune`; what is reported is of the half `final`. None is an original of pairs.csv.
"""

import csv
import hashlib
import random
from collections import defaultdict
from io import BytesIO
from pathlib import Path

from PIL import Image

from pipeline.features.decode import Limits, decode
from pipeline.features.picture import Picture
from pipeline.features.verdicts import Seen, seen_of

HALVES = ("tune", "final")

OF_EACH_SET = {
    "caltech101": 20,
    "pacs": 10,
    "clothing": 10,
    "grocery": 10,
    "wikiart": 10,
    "dtd": 8,
    "sroie": 4,
    "desktop_ui": 4,
    "imagenet1k": 12,
    "flickr8k": 30,
    "coco": 20,
    "intel_scenes": 6,
}
FLAGS = 8  # flat drawings

NO_SCENES = ("flags", "screenshots", "intel", "textures", "receipts")
"""What is no photo of things in a room or a landscape, or smaller than 200 pixels, and so makes no burst."""


def originals(data: Path, half: str, limit: int, seed: int) -> list[tuple[str, Image.Image]]:
    """Return up to `limit` pictures of a half, in an order of chance."""
    chance = random.Random(HALVES.index(half))  # noqa: S311
    of_set = defaultdict(list)
    with (data / "images.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if int(hashlib.sha256(row["path"].encode()).hexdigest(), 16) % 2 == HALVES.index(half):
                of_set[row["set"]].append(row["path"])
    paths = [path for name, count in OF_EACH_SET.items() for path in chance.sample(sorted(of_set[name]), count)]
    flags = sorted(path.relative_to(data).as_posix() for path in (data / "colour" / "flags").iterdir())
    paths += flags[HALVES.index(half) :: 2][:FLAGS]
    random.Random(seed).shuffle(paths)  # noqa: S311
    return [(path, _opened(data / path)) for path in paths[:limit]]


def scenes(data: Path, half: str, limit: int, seed: int) -> list[tuple[str, Image.Image]]:
    """Return up to `limit` photos of scenes, at least 640 pixels wide."""
    found = [
        (path, picture)
        for path, picture in originals(data, half, sum(OF_EACH_SET.values()) + FLAGS, seed)
        if not any(word in path for word in NO_SCENES)
    ]
    return [(path, _widened(picture)) for path, picture in found[:limit]]


def seen(file: bytes | Image.Image | Path) -> Seen:
    """Return a picture as it is compared, decoded as an uploaded file is."""
    return seen_of(decoded(file))


def decoded(file: bytes | Image.Image | Path) -> Picture:
    """Return a picture as it is analyzed."""
    if isinstance(file, Image.Image):
        stream = BytesIO()
        file.save(stream, "PNG")
        file = stream.getvalue()
    return decode(file, Limits())


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        seen_through = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", seen_through.size, "white"), seen_through).convert("RGB")


def _widened(picture: Image.Image, width: int = 640) -> Image.Image:
    if picture.width >= width:
        return picture
    return picture.resize((width, round(width * picture.height / picture.width)), Image.Resampling.LANCZOS)
