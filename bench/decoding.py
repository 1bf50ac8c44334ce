"""Measure what decoding costs: memory and time by format and size, and what a folder of hostile files does to the pool.

    python bench/decoding.py photos FOLDER     every file of FOLDER; if there are none, they are made first (2 minutes)
    python bench/decoding.py hostile FOLDER    every file below FOLDER, one at a time and eight at a time

Memory is the growth of the peak resident size of a fresh process, beside what `limits.decode_bytes` had estimated; an
estimate marked ! is above the budget, so the pool refuses such a picture.
"""

import argparse
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil
from PIL import Image
from skimage import data

from pipeline.decoders import DecoderPool
from pipeline.errors import ImageRejected, LikenessError
from pipeline.features.decode import Limits, decode, display_copy, probe

MEBIBYTE = 1 << 20
SIZES = {12: (4000, 3000), 24: (5660, 4240), 50: (8160, 6120)}
BUDGET = 160 * MEBIBYTE
UNLIMITED = replace(Limits(), max_bytes=1 << 40, max_decode_bytes=1 << 40)

VARIANTS: dict[str, dict[str, Any]] = {
    "baseline.jpg": {"quality": 88},
    "progressive.jpg": {"quality": 88, "progressive": True},
    "progressive444.jpg": {"quality": 88, "progressive": True, "subsampling": 0},
    "rgb.png": {"compress_level": 1},
    "interlaced.gif": {},
    "lossy.webp": {"quality": 80, "method": 0},
    "plain.avif": {"quality": 60, "speed": 10},
    "plain.heic": {"quality": 50},
    "lzw.tif": {"compression": "tiff_lzw"},
    "raw.tif": {},
    "plain.bmp": {},
    "plain.jp2": {"quality_mode": "rates", "quality_layers": [20]},
}


def make_photos(folder: Path) -> None:
    """Write a noisy photograph in every variant and size."""
    noise = np.random.default_rng(0)
    for megapixels, size in SIZES.items():
        image = Image.fromarray(data.astronaut()).resize(size, Image.Resampling.BICUBIC)
        grain = noise.integers(-6, 7, (size[1], size[0], 1), dtype=np.int16)
        image = Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))
        for name, options in VARIANTS.items():
            image.save(folder / f"{megapixels}mp-{name}", **options)
        image.convert("RGBA").save(folder / f"{megapixels}mp-rgba.png", compress_level=1)


def peak_mebibytes() -> float:
    """Return the largest resident size that this process has had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def measure_one(path: Path, long_side_px: int | None) -> None:
    """Decode one picture in this process and print the growth of its peak and the seconds."""
    before, started = peak_mebibytes(), time.perf_counter()
    if long_side_px is None:
        decode(path, UNLIMITED)
    else:
        display_copy(path, UNLIMITED, long_side_px)
    print(f"{peak_mebibytes() - before:.1f} {time.perf_counter() - started:.2f}")


def photos(folder: Path) -> None:
    """Print the table by format and size."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        make_photos(folder)
    print(f"{'':38}    working copy             display copy")
    print(f"{'file':30} {'MB':>7} " + "  MB peak  estimate     s " * 2)
    for path in sorted(folder.iterdir()):
        row = f"{path.name:30} {path.stat().st_size / MEBIBYTE:7.1f}"
        for long_side_px, width in ((None, 8), (2048, 8)):
            command = [sys.executable, __file__, "one", str(path), *([str(long_side_px)] if long_side_px else [])]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            grown, seconds = map(float, done.stdout.split())
            estimate = probe(path, UNLIMITED, long_side_px=long_side_px).decode_bytes
            mark = " " if estimate <= BUDGET else "!"
            row += f" {grown:{width}.0f} {estimate / MEBIBYTE:8.0f}{mark} {seconds:7.2f}"
        print(row)


def hostile(folder: Path, threads: int) -> None:
    """Send every file below the folder through a pool and print what became of them, and what it cost."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "index.csv")
    with DecoderPool(2, Limits(), BUDGET, seconds=20) as pool:
        pool.start()
        with _Watch() as watch, ThreadPoolExecutor(threads) as executor:
            results = list(executor.map(lambda path: _send(pool, path), files))
    slowest = sorted(zip((seconds for seconds, _ in results), files, strict=True), reverse=True)[:3]
    print(f"{len(files)} files, {threads} at a time: {dict(Counter(outcome for _, outcome in results))}")
    peak, own = watch.peak / MEBIBYTE, watch.own / MEBIBYTE
    print(f"  peak of all decoder processes {peak:.0f} MB, of this process +{own:.0f} MB")
    print("  slowest: " + ", ".join(f"{path.name} {seconds:.2f} s" for seconds, path in slowest))


def _send(pool: DecoderPool, path: Path) -> tuple[float, str]:
    started = time.perf_counter()
    try:
        pool.decode(path)
    except ImageRejected as error:
        outcome = error.code
    except LikenessError as error:
        outcome = f"NOT A REJECTION: {error}"
    else:
        outcome = "decoded"
    return time.perf_counter() - started, outcome


class _Watch:
    """The largest resident size of the children together, and the growth of this process, while the block runs."""

    def __enter__(self) -> Self:
        self.peak, self.own = 0, 0
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def _run(self) -> None:
        while not self._done.wait(0.005):
            self.own = max(self.own, self._process.memory_info().rss - self._before)
            self.peak = max(self.peak, sum(map(_resident, self._process.children())))

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("photos", "hostile", "one"))
    parser.add_argument("path", type=Path)
    parser.add_argument("long_side_px", type=int, nargs="?")
    arguments = parser.parse_args()
    if arguments.what == "one":
        measure_one(arguments.path, arguments.long_side_px)
    elif arguments.what == "photos":
        photos(arguments.path)
    else:
        hostile(arguments.path, 1)
        hostile(arguments.path, 8)
