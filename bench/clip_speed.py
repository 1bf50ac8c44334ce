"""Time CLIP on PyTorch, on ONNX Runtime in fp32 and in int8: a picture, a query, loading, memory. One thread each.

    python bench/clip_speed.py [--rounds N] [--architecture NAME] [--models DIR]

Needs the extra `export`; weights are random, which makes no difference to time. The rounds are interleaved in one
process; loading and memory are those of a process of its own each, over one that has imported NumPy and Pillow. A
picture is timed from decoded pixels to vector, a query from text to vector.
"""

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import psutil
from PIL import Image
from skimage import data

from pipeline.features.encoders.cards import CARD_FILE, read_card
from pipeline.features.encoders.clip import ClipEncoder, open_clip
from pipeline.features.picture import Facts, Picture

KINDS = ("torch", "fp32", "int8")
CHECKPOINT = "bench.pt"
MEBIBYTE = 1 << 20
Ask = tuple[Callable[[], object], Callable[[int], object]]
"""Embeds the picture; embeds a text that was not embedded before."""


def main() -> None:
    """Print a line for each way to run the model."""
    parser = argparse.ArgumentParser(description="CLIP on PyTorch and on ONNX Runtime.")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--architecture", default="ViT-B-32")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _child(options.child, options.architecture, options.models)
        return
    with tempfile.TemporaryDirectory() as scratch:
        models = options.models or Path(scratch)
        _export(options.architecture, models)
        own = {kind: _in_a_process_of_its_own(kind, options.architecture, models) for kind in KINDS}
        times = _interleaved(options.architecture, models, options.rounds)
    print(f"{options.architecture}, one thread, median of {options.rounds} rounds, processor time (elapsed)")
    print("           ms a picture      ms a query   s to load   MB after a picture   after a text")
    for kind in KINDS:
        picture, text = (f"{cpu:6.1f} ({wall:6.1f})" for cpu, wall in times[kind])
        print(f"{kind:8} {picture} {text}     {own[kind][0]:7.2f}     {own[kind][1]:16,.0f} {own[kind][2]:14,.0f}")


def _export(architecture: str, models: Path) -> None:
    from clip_parity import exported  # noqa: PLC0415 - it brings PyTorch

    for precision in ("fp32", "int8"):
        exported(architecture, "", models, precision)
    source = importlib.import_module("pipeline.model_export_source").open_source(architecture, "")
    importlib.import_module("torch").save(source.network.state_dict(), models / CHECKPOINT)


def _opened(kind: str, architecture: str, models: Path) -> Ask:
    picture = _picture()
    if kind == "torch":
        return _torch(architecture, picture, models / CHECKPOINT)
    folder = models / f"bench-{architecture.lower()}-{kind}"
    encoder: ClipEncoder = open_clip(
        folder, read_card(json.loads((folder / CARD_FILE).read_text("utf-8"))), device="cpu"
    )
    return partial(encoder.embed_pictures, [picture]), lambda number: encoder.embed_text(f"a dog and {number} cats")


def _torch(architecture: str, picture: Picture, checkpoint: Path) -> Ask:
    # Imported here, as a process that measures ONNX Runtime must not carry PyTorch.
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    source = importlib.import_module("pipeline.model_export_source").open_source(architecture, str(checkpoint))

    @torch.no_grad()
    def image() -> object:
        return source.network.encode_image(source.transform(Image.fromarray(picture.pixels))[None], normalize=True)

    @torch.no_grad()
    def text(number: int) -> object:
        return source.network.encode_text(source.tokenize([f"a dog and {number} cats"]), normalize=True)

    return image, text


def _picture() -> Picture:
    pixels = np.asarray(Image.fromarray(data.astronaut()).resize((682, 512), Image.Resampling.BICUBIC))
    return Picture(pixels, None, Facts("PNG", "image/png", 682, 512))


def _child(kind: str, architecture: str, models: Path) -> None:
    process = psutil.Process()
    before = process.memory_info().rss
    started = time.perf_counter()
    image, text = _opened(kind, architecture, models)
    loaded = time.perf_counter() - started
    image()
    with_image = process.memory_info().rss - before
    text(0)
    print(json.dumps([loaded, with_image / MEBIBYTE, (process.memory_info().rss - before) / MEBIBYTE]))


def _in_a_process_of_its_own(kind: str, architecture: str, models: Path) -> tuple[float, float, float]:
    command = [sys.executable, __file__, "--child", kind, "--architecture", architecture, "--models", str(models)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    loaded, image, both = json.loads(lines[-1])
    return loaded, image, both


def _interleaved(architecture: str, models: Path, rounds: int) -> dict[str, list[tuple[float, float]]]:
    asks = {kind: _opened(kind, architecture, models) for kind in KINDS}
    taken: dict[tuple[str, int], list[tuple[float, float]]] = {(kind, which): [] for kind in KINDS for which in (0, 1)}
    for number in range(rounds + 2):
        for kind, (image, text) in asks.items():
            calls: tuple[Callable[[], object], ...] = (image, partial(text, number))
            for which, ask in enumerate(calls):
                cpu, wall = time.process_time(), time.perf_counter()
                ask()
                taken[kind, which].append((time.process_time() - cpu, time.perf_counter() - wall))
    return {kind: [_median(taken[kind, which][2:]) for which in (0, 1)] for kind in KINDS}  # the first two warm up


def _median(times: list[tuple[float, float]]) -> tuple[float, float]:
    cpu, wall = np.median(np.array(times), axis=0) * 1000
    return float(cpu), float(wall)


if __name__ == "__main__":
    main()
