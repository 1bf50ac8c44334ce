"""How long people wait: from sending a picture until it can be found, and for each kind of search.

    python bench/latency.py FOLDER... [--pictures 3000] [--synthetic 0] [--searches 200] [--data FOLDER]

A real server is asked over HTTP by one client. Pictures of the folders are posted one after another with `wait=true`;
the answer comes when the picture can be found. Before that, `--synthetic` images without a file may be put into the
database through its records layer: random embeddings around a hundred centers, random colors and categories. They
make a library large without decoding anything, so they say something of searches and nothing of finding well. With
`--data` they are kept in that folder, and are there already the next time; then no worker runs beside the searches.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx2 as httpx
import numpy as np
from served import serving

from pipeline.backend import Backend, open_backend
from pipeline.features.color import lab_to_srgb, rgb_to_hex
from pipeline.features.picture import (
    CATEGORIES,
    COLOR_NAMES,
    SCHEMES,
    Category,
    Facts,
    Features,
    Meaning,
    Palette,
    Swatch,
)
from pipeline.settings import read_settings
from pipeline.stores import records_images, records_queue
from pipeline.stores.records_images import NewImage

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
BATCH = 500  # synthetic images written in one transaction
CENTERS = 100
SPREAD = 0.6  # of a synthetic embedding around its center, in parts of the center's length
SWATCHES = 4
LEASE = timedelta(hours=1)
TIMEOUT_SECONDS = 120.0
SEED = 1


def main() -> None:
    options = _options()
    files = sorted(path for folder in options.folders for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    random.Random(SEED).shuffle(files)  # noqa: S311 - a sample, no secret
    files = files[: options.pictures]
    with tempfile.TemporaryDirectory(prefix="likeness-latency-") as folder:
        data = options.data or Path(folder)
        is_kept = (data / "likeness.db").exists()
        if options.synthetic and not is_kept:
            with open_backend(read_settings(data=data)) as backend:
                fill(backend, options.synthetic)
        alone = (
            ["--no-worker"] if is_kept else []
        )  # nothing is left to be done for pictures, so only searches are measured
        with serving(data, *alone) as server, httpx.Client(base_url=server.url, timeout=TIMEOUT_SECONDS) as client:
            print(f"{len(files):,} pictures, {options.synthetic:,} synthetic images, {options.searches} searches a row")
            print(f"{'milliseconds':42}{'p50':>8}{'p95':>8}{'p99':>8}{'most':>8}")
            ids = upload(client, files)
            row("first search of this process", [_timed(lambda: _search(client, {"text": "dog"}))])
            for name, ask in questions(client, files, ids).items():
                row(name, [_timed(ask) for _ in range(options.searches)])
                row_of_parts(parts_of(client, ask, options.searches))
            print(f"memory of the server: {server.memory_mib:.0f} MiB (PSS of all its processes)")


def upload(client: httpx.Client, files: list[Path]) -> list[str]:
    """Post every file and wait for its analysis; return the ids of those that became searchable."""
    ids: list[str] = []
    waits: list[float] = []
    for path in files:
        started = time.perf_counter()
        answer = client.post("/api/v1/images", files={"file": (path.name, path.read_bytes())}, data={"wait": "true"})
        if answer.status_code in {200, 201} and answer.json()["state"] == "ready":
            if answer.status_code == 201:
                waits.append(time.perf_counter() - started)
            ids.append(answer.json()["id"])
    row(f"from sending until found ({len(waits):,} new)", waits)
    for name, half in (
        ("  the first tenth", waits[: len(waits) // 10]),
        ("  the last tenth", waits[-len(waits) // 10 :]),
    ):
        row(name, half)
    return ids


def questions(client: httpx.Client, files: list[Path], ids: list[str]) -> dict[str, Callable[[], object]]:
    """Return what is asked again and again, each time with something else."""
    chance = random.Random(SEED)  # noqa: S311
    words = ["dog", "car", "a red flower", "food on a plate", "mountain lake", "bicycle", "cat", "building"]

    def by_file() -> None:
        path = chance.choice(files)
        client.post("/api/v1/search", files={"file": (path.name, path.read_bytes())}).raise_for_status()

    def by(**fixed: object) -> Callable[[], object]:
        return lambda: _search(client, {name: pick() if callable(pick) else pick for name, pick in fixed.items()})

    def any_word() -> str:
        return chance.choice(words)

    def any_color() -> str:
        return f"#{chance.randrange(1 << 24):06x}"

    return {
        "search by a picture that is sent": by_file,
        "search by an image that is there": by(image_id=lambda: chance.choice(ids)),
        "search by text": by(text=any_word),
        "text within a category": by(text=any_word, category=lambda: chance.choice(CATEGORIES)),
        "text with a named color": by(text=any_word, color_name=lambda: chance.choice(COLOR_NAMES)),
        "text with a color of one's own": by(text=any_word, color=any_color),
        "category alone, newest first": by(category=lambda: chance.choice(CATEGORIES)),
        "color of one's own alone, newest first": by(color=any_color),
        "the search page, with its facets": lambda: client.get("/", params={"text": any_word()}).raise_for_status(),
        "the same with 1,200 pictures at once": lambda: client.get(
            "/", params={"text": any_word(), "shown": 1200}
        ).raise_for_status(),
        "the first 1,000 results as CSV": lambda: client.get(
            "/results.csv", params={"text": any_word()}
        ).raise_for_status(),
        "the first 1,000 results as JSON": lambda: client.get(
            "/results.json", params={"text": any_word()}
        ).raise_for_status(),
        "the page of an image": lambda: client.get(f"/images/{chance.choice(ids)}").raise_for_status(),
        "a thumbnail": lambda: client.get(f"/images/{chance.choice(ids)}/thumbnail").raise_for_status(),
    }


def parts_of(client: httpx.Client, ask: Callable[[], object], times: int) -> list[dict[str, float]]:
    """Ask again; return what the server says of each answer: milliseconds by part, and the total."""
    told: list[dict[str, float]] = []

    def note(answer: httpx.Response) -> None:
        parts = [part.partition(";dur=") for part in answer.headers.get("Server-Timing", "").split(", ") if part]
        told.append({name: float(milliseconds) for name, _, milliseconds in parts})

    client.event_hooks = {"response": [note]}
    for _ in range(times):
        ask()
    client.event_hooks = {"response": []}
    return [parts for parts in told if parts]


def row_of_parts(told: list[dict[str, float]]) -> None:
    """Print where the time of these answers went: the median of each part, and of what has no name."""
    if not told:
        return
    names = dict.fromkeys(name for parts in told for name in parts if name != "total")
    rest = [parts["total"] - sum(parts.get(name, 0) for name in names) for parts in told]
    medians = {name: float(np.median([parts.get(name, 0) for parts in told])) for name in names}
    said = ", ".join(f"{name} {milliseconds:.1f}" for name, milliseconds in medians.items())
    print(f"    in the server: {said}, other {np.median(rest):.1f}", flush=True)


def fill(backend: Backend, number: int) -> None:
    """Put images without a file into the database, as analyzed."""
    chance = np.random.default_rng(SEED)
    centers = chance.normal(size=(CENTERS, backend.encoder.dimension))
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    started = time.perf_counter()
    for start in range(0, number, BATCH):
        count = min(BATCH, number - start)
        with backend.database.write() as connection:
            for place in range(start, start + count):
                records_images.add(
                    connection, NewImage("main", f"{place:064x}", 1000, "image/jpeg", 640, 480, f"{place}.jpg")
                )
            claim = records_queue.claim(connection, limit=count, lease=LEASE, max_attempts=1)
            for image in claim.images:
                center = centers[chance.integers(CENTERS)]
                noise = chance.normal(size=center.shape) / np.sqrt(len(center)) * SPREAD
                records_queue.complete(
                    connection,
                    image.row,
                    claim.token,
                    facts=Facts("JPEG", "image/jpeg", 640, 480),
                    features=_features(chance, center + noise),
                    encoder_name=backend.encoder.name,
                    encoder=backend.encoder.fingerprint,
                )
    print(f"{number:,} synthetic images written in {time.perf_counter() - started:.0f} s")


def _features(chance: np.random.Generator, vector: np.ndarray) -> Features:
    scores = dict(zip(CATEGORIES, chance.dirichlet(np.ones(len(CATEGORIES))).tolist(), strict=True))
    best = max(scores, key=lambda name: scores[name])
    labs = [(chance.uniform(5, 95), chance.uniform(-50, 50), chance.uniform(-50, 50)) for _ in range(SWATCHES)]
    shares = sorted(chance.dirichlet(np.ones(SWATCHES)).tolist(), reverse=True)
    return Features(
        embedding=(vector / np.linalg.norm(vector)).astype(np.float32),
        palette=Palette(
            swatches=tuple(
                Swatch(lab, rgb_to_hex(lab_to_srgb(lab)), share) for lab, share in zip(labs, shares, strict=True)
            ),
            names=dict(zip(COLOR_NAMES, chance.dirichlet(np.ones(len(COLOR_NAMES))).tolist(), strict=True)),
            scheme=SCHEMES[chance.integers(len(SCHEMES))],
            brightness=float(chance.random()),
            saturation=float(chance.random()),
        ),
        meaning=Meaning(Category(best, scores[best], scores)),
    )


def row(name: str, seconds: list[float]) -> None:
    """Print a line of the table."""
    if seconds:
        figures = [*np.percentile(seconds, (50, 95, 99)), max(seconds)]
        print(f"{name:42}" + "".join(f"{figure * 1000:8.0f}" for figure in figures), flush=True)


def _search(client: httpx.Client, asked: dict[str, object]) -> None:
    client.post("/api/v1/search", json=asked).raise_for_status()


def _timed(ask: Callable[[], object]) -> float:
    started = time.perf_counter()
    ask()
    return time.perf_counter() - started


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--pictures", type=int, default=3000)
    parser.add_argument("--synthetic", type=int, default=0)
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--data", type=Path, help="the folder for all data, instead of a temporary one")
    return parser.parse_args()


if __name__ == "__main__":
    main()
