"""What other programs find of the known pairs, and how long they take: imagededup and Czkawka, as far as they install.

    /tmp/peers/bin/python bench/duplicate_peers.py DATA

To be run by a Python of its own (`python -m venv /tmp/peers`), into which
`pip install --no-deps imagededup czkawka` and `pip install numpy scipy pillow scikit-learn tqdm matplotlib PyWavelets`
were done: imagededup asks for torch, which only its CNN needs, and 2.5 GB of CUDA with it; here stand-ins are imported
in its place, and the CNN is left out. Czkawka is the binding of its library to Python. All files below DATA that the
pairs and the gallery name are looked through, about 3,100.
"""

import csv
import resource
import shutil
import sys
import time
import types
from collections import Counter
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import MagicMock

Pairs = set[tuple[str, str]]
Find = Callable[[Path], Iterable[tuple[str, str]]]

ASKED_FOR = (
    "torch",
    "torch.nn",
    "torch.utils",
    "torch.utils.data",
    "torchvision",
    "torchvision.models",
    "torchvision.models.vision_transformer",
    "torchvision.transforms",
)
PHASH_BITS = 10  # of 64, as imagededup has it by default
CZKAWKA_BITS = (5, 10)  # of 64 that may differ; its own names for them are High and Medium


def main() -> None:
    """Print for each program its seconds, how many pairs it found, and which part of the known ones."""
    data = Path(sys.argv[1])
    known = list(csv.DictReader((data / "duplicates" / "pairs.csv").open(newline="", encoding="utf-8")))
    names = [row["path"] for row in csv.DictReader((data / "images.csv").open(newline="", encoding="utf-8"))]
    with TemporaryDirectory() as folder:
        flat = {}
        for number, name in enumerate(names):
            place = Path(folder) / f"{number:05}{Path(name).suffix}"
            shutil.copyfile(data / name, place)  # a link would be passed over by some
            flat[place.name] = name
        for title, find in _programs().items():
            started, processor = time.perf_counter(), time.process_time()
            found = {tuple(sorted((flat[a], flat[b]))) for a, b in find(Path(folder))}
            seconds, processor = time.perf_counter() - started, time.process_time() - processor
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{title}: {seconds:.0f} s ({processor:.0f} of processor), {len(found):,} pairs, {memory:.0f} MB so far"
            )
            _tell(found, known)


def _tell(found: Pairs, known: list[dict[str, str]]) -> None:
    total: Counter[str] = Counter()
    hit: Counter[str] = Counter()
    for pair in known:
        name = pair["kind"] if pair["kind"] in {"hard_negative", "real"} else pair["transform"]
        total[name] += 1
        hit[name] += int(tuple(sorted((pair["a"], pair["b"]))) in found)
    print("  " + ", ".join(f"{name} {hit[name] / total[name]:.2f}" for name in total), flush=True)


def _programs() -> dict[str, Find]:
    programs: dict[str, Find] = {}
    try:
        sys.modules.update({name: MagicMock(Tensor=type("Tensor", (), {})) for name in ASKED_FOR})
        methods = import_module("imagededup.methods")
        for name in ASKED_FOR:  # or else SciPy would take everything for tensors
            del sys.modules[name]
        programs[f"imagededup PHash, {PHASH_BITS} bits"] = lambda folder: _imagededup(methods.PHash, folder)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told and the others go on
        print(f"imagededup cannot be used here: {error!r}")
    try:
        module = import_module("czkawka")
        for bits in CZKAWKA_BITS:
            programs[f"Czkawka, {bits} bits"] = lambda folder, bits=bits: _czkawka(module, folder, bits)
    except Exception as error:  # noqa: BLE001 - the same
        print(f"Czkawka cannot be used here: {error!r}")
    return programs


def _imagededup(method: type, folder: Path) -> Iterable[tuple[str, str]]:
    found = method(verbose=False).find_duplicates(image_dir=str(folder), max_distance_threshold=PHASH_BITS)
    return {(a, b) for a, others in found.items() for b in others}


def _czkawka(module: types.ModuleType, folder: Path, bits: int) -> Iterable[tuple[str, str]]:
    finder = module.ImageSimilarity()
    finder.set_directories([folder])
    finder.set_similarity(bits)
    groups = finder.find_similar()
    return {(a.name, b.name) for group in groups for a in group for b in group if a != b}


if __name__ == "__main__":
    main()
