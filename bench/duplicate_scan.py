"""A scan for duplicates: seconds, pairs, memory, alignments a picture, and how all of that grows.

    python bench/duplicate_scan.py real DATA_FOLDER [--pairs DATA/duplicates/pairs.csv]
    python bench/duplicate_scan.py drawn [--sizes 2000 8000 32000] [--most 400] --models MODELS

`real` scans what was imported into DATA_FOLDER (`LIKENESS_DATA=DATA_FOLDER likeness import FOLDER`) once more from the
beginning, all of it, and says which of the known pairs were found. It writes into DATA_FOLDER.

`drawn` fills a database with so many synthetic images and checks `--most` of them, taken at random, as a scan does.
What is synthetic: one picture in ten is a variant of another. Embeddings are drawn around 200 centers so that the
nearest stranger has the cosine that it has among 3,138 real pictures, and variants are as near as real ones were;
hashes are random bits, those of variants turned and with some bits flipped. What is real: the database, the index, the
candidates, and the comparisons, for which each picture is drawn from its number when its thumbnail is asked for, with
the edit that it stands for done to its pixels.
"""

import argparse
import csv
import io
import math
import os
import resource
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
import sqlalchemy as sa
from PIL import Image, ImageDraw

from pipeline.backend import Backend, open_backend
from pipeline.duplicate_checking import Checker
from pipeline.duplicate_scanning import scan
from pipeline.features.fingerprint import VERSION
from pipeline.features.picture import COLOR_NAMES
from pipeline.images import image_of_key, new_image_id
from pipeline.settings import Settings, read_settings
from pipeline.stores.objects_folder import FolderObjects
from pipeline.stores.tables import color_share_column, counters, embeddings, image_sources, images, libraries
from pipeline.stores.tables_duplicates import fingerprints, pair_findings

SEED = 7
BATCH = 5000  # rows written at once
CENTERS = 200
SPREAD = 1.1  # length of what is drawn around a center, whose own length is 1
VARIANTS = 10  # of so many pictures one is a variant of the one before it
EDITS = ("smaller file", "mirrored", "quarter turn", "cropped")
FLIPPED = 12  # bits of the hash of a variant; that of a crop is another one
VARIANT_NOISE = {"cropped": 1.0}  # length of what is added to its embedding; 0.4 for the others
SIZE = (640, 480)
CORES = 2  # that a scan is told to take; what is measured is processor time, on a machine that others use as well


def main() -> None:
    """Run one of both."""
    options = _options()
    if options.what == "real":
        _real(options)
    else:
        _drawn(options)


# ---- Real pictures


def _real(options: argparse.Namespace) -> None:
    with open_backend(read_settings(data=options.data)) as backend:
        started, memory = _processor_seconds(), _megabytes()
        scanned = scan(backend, lambda _: None, again=True)
        seconds = _processor_seconds() - started
        number = scanned.checked
        print(f"{number:,} pictures: {scanned.seconds:.0f} s, {seconds:.0f} s of processor time")
        print(f"{scanned.compared:,} pairs compared, {scanned.compared / number:.2f} a picture")
        print("pairs found: " + ", ".join(f"{count:,} {verdict}" for verdict, count in scanned.pairs.items()))
        print(
            f"memory: {memory:.0f} MB before, {_megabytes():.0f} MB at most; {_hash_bytes(backend):.0f} bytes of hashes"
        )
        if options.pairs:
            _known_pairs(backend, options.pairs)


def _known_pairs(backend: Backend, file: Path) -> None:
    """Print how many of the known pairs a scan has found to be copies, per transform."""
    verdicts = {}
    with backend.database.read() as connection:
        paths = dict(connection.execute(sa.select(image_sources.c.path, image_sources.c.image_row)).all())
        for a, b, verdict in connection.execute(
            sa.select(pair_findings.c.a_row, pair_findings.c.b_row, pair_findings.c.verdict)
        ):
            verdicts[a, b] = verdict
    told: dict[str, Counter[str]] = defaultdict(Counter)
    root = file.parent.parent.resolve()
    for pair in csv.DictReader(file.open(newline="", encoding="utf-8")):
        a, b = (paths.get(str(root / pair[side])) for side in ("a", "b"))
        name = pair["kind"] if pair["kind"] == "hard_negative" else f"{pair['kind']} {pair['transform']}"
        if a is None or b is None:
            told[name]["not there"] += 1
        elif a == b:
            told[name]["the same bytes"] += 1
        else:
            told[name][verdicts.get((min(a, b), max(a, b)), "nothing")] += 1
    for name, counts in sorted(told.items()):
        print(f"  {name:36}" + ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()))


# ---- Drawn pictures


class DrawnObjects(FolderObjects):
    """Thumbnails drawn from the number of an image, which is its hash, when they are asked for."""

    def open(self, key: str) -> BinaryIO:
        """Return the thumbnail of an image."""
        _, sha256 = image_of_key(key) or ("", "0")
        return io.BytesIO(_drawn_file(int(sha256, 16)))


def _edit_of(number: int) -> str | None:
    return EDITS[number // VARIANTS % len(EDITS)] if number % VARIANTS == 1 else None


def _drawn_file(number: int) -> bytes:
    edit = _edit_of(number)
    image = _drawn_picture(number - 1 if edit else number)
    if edit == "mirrored":
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    elif edit == "quarter turn":
        image = image.transpose(Image.Transpose.ROTATE_90)
    elif edit == "cropped":
        image = image.crop((80, 60, 560, 420))
    file = io.BytesIO()
    image.save(file, "WEBP", quality=60 if edit else 80, method=0)
    # What a thumbnail is asked to be, so that it is taken for whole.
    return file.getvalue()


def _drawn_picture(number: int) -> Image.Image:
    """Return a picture with soft ground, grain and shapes, of which no two numbers have much in common."""
    chance = np.random.default_rng((SEED, number))
    coarse = chance.integers(0, 256, (12, 16, 3), np.uint8)
    fine = chance.integers(0, 256, (120, 160, 3), np.uint8)
    ground, grain = (Image.fromarray(layer).resize(SIZE, Image.Resampling.BICUBIC) for layer in (coarse, fine))
    image = Image.blend(ground, grain, 0.25)
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        x, y = chance.integers(0, SIZE[0]), chance.integers(0, SIZE[1])
        width, height = chance.integers(8, 160, 2)
        color = tuple(int(level) for level in chance.integers(0, 256, 3))
        shape = (draw.rectangle, draw.ellipse)[int(chance.integers(2))]
        shape((x, y, x + width, y + height), fill=color)
    return image


def _drawn(options: argparse.Namespace) -> None:
    print(
        f"{'pictures':>9}{'checked':>9}{'ms each':>9}{'CPU ms':>8}{'pairs':>7}{'alignments':>11}{'found':>7}{'MB':>6}"
    )
    measured = []
    for number in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            settings = read_settings(data=Path(folder), models=options.models)
            with closing(_filled(settings, number)) as backend:
                measured.append((number, _check_some(backend, number, options.most)))
    if len(measured) > 1:
        sizes, seconds = np.log([size for size, _ in measured]), np.log([each for _, each in measured])
        slope = float(np.polyfit(sizes, seconds, 1)[0])
        last_size, last = measured[-1]
        million = 1e6 * last * (1e6 / last_size) ** max(0.0, slope)
        print(f"a picture takes n^{slope:.2f} of processor time, so all n of them n^{1 + slope:.2f}; with two cores")
        print(
            f"all {last_size:,} in {last_size * last / CORES / 3600:.1f} h, a million in {million / CORES / 3600:.0f} h"
        )


def _check_some(backend: Backend, number: int, most: int) -> float:
    """Check pictures taken at random, and print a row; return the seconds of processor time for one."""
    chance = np.random.default_rng(SEED)
    rows = sorted(int(row) for row in chance.choice(np.arange(1, number + 1), min(most, number), replace=False))
    checker = Checker()
    backend.vectors.catch_up()
    backend.hashes.catch_up()
    with ThreadPoolExecutor(backend.settings.worker_threads) as pool:
        checker.step(backend, pool, only=rows[:4])  # what is measured once, and what is loaded
        first, left = checker.compared, rows[4:]
        started, processor = time.perf_counter(), _processor_seconds()
        while checker.step(backend, pool, only=left):
            pass
        seconds, processor = time.perf_counter() - started, _processor_seconds() - processor
    with backend.database.read() as connection:
        pairs = set(connection.execute(sa.select(pair_findings.c.a_row, pair_findings.c.b_row)).all())
    # The picture with the number n is in the row n + 1.
    wanted = {(row - 1, row) for row in left if _edit_of(row - 1)} | {(row, row + 1) for row in left if _edit_of(row)}
    wanted = {pair for pair in wanted if pair[1] <= number}
    found = len(wanted & {tuple(pair) for pair in pairs}) / max(1, len(wanted))
    print(
        f"{number:9,}{len(left):9,}{1000 * seconds / len(left):9.0f}{1000 * processor / len(left):8.0f}{len(pairs):7,}"
        f"{(checker.compared - first) / len(left):11.2f}{found:7.3f}{_megabytes():6.0f}",
        flush=True,
    )
    return processor / len(left)


def _filled(settings: Settings, number: int) -> Backend:
    backend = open_backend(settings, first_encoder="lite")
    drawn = replace(backend, objects=DrawnObjects(settings.data / "objects"))
    chance = np.random.default_rng(SEED)
    dimension, encoder = backend.encoder.dimension, backend.encoder.fingerprint
    centers = _units(chance.normal(size=(CENTERS, dimension)))
    last_vector, last_hash = centers[0], chance.integers(0, 256, (9, 32), np.uint8)
    now = datetime.now(UTC)
    shares = {color_share_column(name): 0.0 for name in COLOR_NAMES}
    with backend.database.write() as connection:
        connection.execute(libraries.insert().values(id="drawn", name="drawn", created_at=now))
    for start in range(0, number, BATCH):
        rows, vectors, hashes = [], [], []
        for place in range(start, min(start + BATCH, number)):
            edit = _edit_of(place)
            if edit:
                noise = chance.normal(size=dimension) / math.sqrt(dimension)
                vector = _units(last_vector + VARIANT_NOISE.get(edit, 0.4) * noise)
                hashed = chance.integers(0, 256, (9, 32), np.uint8) if edit == "cropped" else _turned(chance, last_hash)
            else:
                noise = chance.normal(size=dimension) / math.sqrt(dimension)
                vector = _units(centers[chance.integers(CENTERS)] + SPREAD * noise)
                hashed = chance.integers(0, 256, (9, 32), np.uint8)
            last_vector, last_hash = vector, hashed
            row = place + 1
            rows.append(
                {
                    "row": row, "id": new_image_id(), "library": "drawn", "sha256": f"{place:064x}", "state": "ready",
                    "not_before": now, "media_type": "image/webp", "bytes": 1, "width": SIZE[0], "height": SIZE[1],
                    "created_at": now, "exif": {}, "encoder": "lite", "scheme": "warm", "brightness": 0.5,
                    "saturation": 0.5, "category": "other",
                    "category_scores": {"other": 1.0}, "keywords": [], **shares,
                }
            )  # fmt: skip
            half = vector.astype(np.float16).tobytes()
            vectors.append({"image_row": row, "encoder": encoder, "change": row, "vector": half})
            hashes.append(
                {"image_row": row, "whole": hashed[0].tobytes(), "trimmed": hashed[1:].tobytes(), "quality": 100}
                | {"version": VERSION}
            )
        with backend.database.write() as connection:
            connection.execute(images.insert(), rows)
            connection.execute(embeddings.insert(), vectors)
            connection.execute(fingerprints.insert(), hashes)
            connection.execute(counters.update().where(counters.c.name == "change").values(value=rows[-1]["row"]))
    return drawn


def _turned(chance: np.random.Generator, hashed: np.ndarray) -> np.ndarray:
    """Return the hashes of a picture that was turned: in another order, and with some bits flipped."""
    turned = np.concatenate([hashed[:1], np.roll(hashed[1:], 3, axis=0)])
    bits = np.unpackbits(turned, axis=1)
    for each in bits:
        each[chance.choice(256, FLIPPED, replace=False)] ^= 1
    return np.packbits(bits, axis=1)


def _units(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


# ---- Figures


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _processor_seconds() -> float:
    """Return the processor time of this process and of its decoders, which are alive."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = time.process_time()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[1]) == os.getpid():
            total += (int(fields[11]) + int(fields[12])) / ticks
    return total


def _hash_bytes(backend: Backend) -> float:
    return backend.hashes.bytes_held / max(1, len(backend.hashes))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="what", required=True)
    real = kinds.add_parser("real")
    real.add_argument("data", type=Path)
    real.add_argument("--pairs", type=Path)
    drawn = kinds.add_parser("drawn")
    drawn.add_argument("--sizes", type=int, nargs="+", default=[2000, 8000, 32_000])
    drawn.add_argument("--most", type=int, default=400)
    drawn.add_argument("--models", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
