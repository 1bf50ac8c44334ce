"""What a graphics card makes of CLIP: pictures a second of the network alone, and of the whole way from files.

    python bench/gpu.py FOLDER... [--architecture NAME]... [--pictures N] [--threads N]... [--models DIR]

Needs the extra `export` and an ONNX Runtime with CUDA (`pip install onnxruntime-gpu[cuda,cudnn]`). Weights are random,
which makes no difference to time. First the image tower of each model, in batches, on the processor with one thread and
on the card, with the least cosine between the two; then `likeness import` of N pictures into a fresh data folder, by a
process that uses the card, from files to searchable. Where the folders have fewer, their pictures are taken again with
a byte behind their end, which makes another file of them.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from clip_parity import Picture, exported
from served import PROGRAM

from pipeline.errors import ImageRejected
from pipeline.features.decode import Limits, decode
from pipeline.features.encoders.cards import ModelCard
from pipeline.features.encoders.clip_pixels import prepare
from pipeline.features.encoders.clip_towers import ImageTower, open_image_tower
from pipeline.folder_walk import list_files

LIMITS = Limits(max_bytes=64 << 20, max_pixels=100_000_000, max_decode_bytes=256 << 20)
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
BATCHES = {"cpu": (1, 8), "cuda": (1, 8, 32, 128)}
COMPARED = 256  # pictures whose vectors are compared
SECONDS = 2.0  # each batch size is repeated for so long


def main() -> None:
    """Print what each model does on each device, and a line for each import."""
    options = _options()
    found = map(Path, list_files(options.folders).files)
    files = [path for path in found if path.suffix.lower() in SUFFIXES]
    pictures = _decoded(files[:COMPARED])
    with tempfile.TemporaryDirectory() as scratch:
        models = options.models or Path(scratch) / "models"
        models.mkdir(parents=True, exist_ok=True)
        for architecture in options.architecture:
            card = exported(architecture, "", models, "fp32").card
            _towers(models, card, pictures)
        folder = _many(files, Path(scratch) / "pictures", options.pictures)
        for architecture in options.architecture:
            for threads in options.threads:
                _import(folder, models, f"bench-{architecture.lower()}-fp32", threads, Path(scratch))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="CLIP on a graphics card.")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--architecture", action="append", default=[])
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--threads", type=int, action="append", default=[])
    parser.add_argument("--models", type=Path)
    options = parser.parse_args()
    options.architecture = options.architecture or ["ViT-B-32"]
    options.threads = options.threads or [2, os.cpu_count() or 2]
    return options


def _decoded(files: list[Path]) -> list[Picture]:
    pictures = []
    for path in files:
        try:
            pictures.append(decode(path.read_bytes(), LIMITS))
        except ImageRejected:
            continue
    return pictures


def _towers(models: Path, card: ModelCard, pictures: list[Picture]) -> None:
    shown = np.stack([prepare(picture.pixels, card.preprocessing) for picture in pictures])
    vectors = {}
    for device in ("cpu", "cuda"):
        started = time.perf_counter()
        tower = open_image_tower(models / card.name, card, device)
        opened = time.perf_counter() - started
        if tower.on_card != (device == "cuda"):
            sys.exit("There is no graphics card that ONNX Runtime can use here.")
        vectors[device] = np.concatenate([tower.embed(shown[at : at + 32]) for at in range(0, len(shown), 32)])
        rates = ", ".join(f"{_rate(tower, shown, size):,.0f} of {size}" for size in BATCHES[device])
        print(f"{card.name} on {device}: opened in {opened:.1f} s, pictures a second in batches: {rates}", flush=True)
    cosines = (vectors["cpu"] * vectors["cuda"]).sum(axis=1)
    print(f"{card.name}: least cosine of {len(cosines)} pictures {cosines.min():.6f}", flush=True)


def _rate(tower: ImageTower, shown: np.ndarray, size: int) -> float:
    batch = np.resize(shown, (size, *shown.shape[1:]))
    tower.embed(batch)
    started = time.perf_counter()
    done, taken = 0, 0.0
    while taken < SECONDS:
        tower.embed(batch)
        done, taken = done + size, time.perf_counter() - started
    return done / taken


def _many(files: list[Path], folder: Path, number: int) -> Path:
    folder.mkdir(parents=True)
    for at in range(number):
        path = files[at % len(files)]
        (folder / f"{at:07}{path.suffix}").write_bytes(path.read_bytes() + bytes(at // len(files)))
    return folder


def _import(folder: Path, models: Path, encoder: str, threads: int, scratch: Path) -> None:
    data = scratch / f"data-{encoder}-{threads}"
    wanted = {
        "LIKENESS_DATA": data,
        "LIKENESS_MODELS": models,
        "LIKENESS_ENCODER": encoder,
        "LIKENESS_HUB": "off",
        "LIKENESS_WORKER_THREADS": threads,
    }
    environment = os.environ | {name: str(value) for name, value in wanted.items()}
    number = sum(1 for _ in folder.iterdir())
    with tempfile.TemporaryDirectory(dir=scratch) as empty:
        # The first time the words of the categories are embedded, which is kept beside the model.
        (Path(empty) / "one").mkdir()
        (Path(empty) / "one" / "first.jpg").write_bytes(next(folder.iterdir()).read_bytes())
        begun = {**environment, "LIKENESS_DATA": str(Path(empty) / "data")}
        alone = _timed([PROGRAM, "import", str(Path(empty) / "one")], begun)[0]
    seconds, processor = _timed([PROGRAM, "import", str(folder)], environment)
    print(
        f"{encoder}, {threads} threads: {number:,} pictures imported in {seconds:.1f} s (one takes {alone:.1f}): "
        f"{number / seconds:,.0f} a second, {number / max(0.001, seconds - alone):,.0f} without the start; "
        f"{1000 * processor / number:.1f} ms of processor each",
        flush=True,
    )


def _timed(command: list[object], environment: dict[str, str]) -> tuple[float, float]:
    """Return the seconds that a command took by the clock, and of all processors."""
    before, started = psutil.Process().cpu_times(), time.perf_counter()
    done = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - started
    print(*done.stdout.strip().splitlines()[-2:], *done.stderr.strip().splitlines()[-3:], sep="\n", flush=True)
    if done.returncode not in {0, 1}:  # 1: some were refused
        sys.exit(f"The import ended with {done.returncode}.")
    after = psutil.Process().cpu_times()
    used = sum(getattr(after, name) - getattr(before, name) for name in ("children_user", "children_system"))
    return taken, used


if __name__ == "__main__":
    main()
