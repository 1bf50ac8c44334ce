"""How well a search by colors finds the picture they were taken from, and how long it takes among a million.

    python bench/color_search.py DATA [--palettes 100] [--images 1000000] [--searches 100]

DATA has `images.csv` and its pictures. Palettes of random pictures are asked for among all of them, and the source
should be among the first ten: as they are kept; up to five colors with shares rounded to 5 %; the same, each color off
by CIEDE2000 2 to 3; and the same without any share. The fast ranking is compared with one over all palettes.

Then so many synthetic images are written into a database, with palettes of DATA whose colors and shares are moved, and
searches are timed from the filter to the records of a page, as the API does them: by the clock, and on a processor,
which says more where others work on the same one.
"""

import argparse
import csv
import random
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from pipeline.backend import open_backend
from pipeline.errors import ImageRejected
from pipeline.features.color import ciede2000, lab_to_srgb, rgb_to_hex, srgb_to_lab
from pipeline.features.decode import Limits, decode
from pipeline.features.palette import extract_palette
from pipeline.features.palette_fit import AskedColor, palette_distances
from pipeline.features.picture import Swatch
from pipeline.filters import Filter
from pipeline.principals import OWNER
from pipeline.search import SearchQuery, search
from pipeline.settings import read_settings
from pipeline.stores.database import Database
from pipeline.stores.swatch_columns import PLANES, Palettes, palettes_of
from pipeline.stores.swatch_ranking import asked_of, ranking_of
from pipeline.stores.swatches import SwatchTable
from pipeline.stores.tables import counters, palette

SEED = 1
THREADS = 2
MOST_ASKED = 5
TOP = 10
ROUNDING = 0.05
JITTER = (2.0, 3.0)  # CIEDE2000
BATCH = 20_000

Swatches = tuple[Swatch, ...]
Asked = tuple[AskedColor, ...]


def main() -> None:
    options = _options()
    found = read_palettes(options.data)
    print(f"{len(found):,} pictures with a palette")
    quality(found, options.palettes)
    if options.images:
        with tempfile.TemporaryDirectory(prefix="likeness-colors-") as folder:
            latency(Path(folder), found, options.images, options.searches)


def read_palettes(data: Path) -> list[Swatches]:
    """Return the palettes of all pictures of images.csv that can be read."""
    with (data / "images.csv").open(newline="", encoding="utf-8") as stream:
        paths = [data / row["path"] for row in csv.DictReader(stream)]

    def swatches_of(path: Path) -> Swatches:
        try:
            return extract_palette(decode(path, Limits())).swatches
        except ImageRejected:
            return ()

    with ThreadPoolExecutor(THREADS) as pool:
        return [swatches for swatches in pool.map(swatches_of, paths) if swatches]


def quality(found: Sequence[Swatches], number: int) -> None:
    """Print how often the source is among the first ten, and how much of the exact ten the fast ranking has."""
    palettes = together(found)
    chance = random.Random(SEED)  # noqa: S311 - a sample, no secret
    sources = chance.sample(range(len(found)), min(number, len(found)))
    print(f"{'asked for':44}{'in first 10':>12}{'first':>8}{'recall@10':>11}")
    for name, ask in QUESTIONS.items():
        places, recalls = [], []
        for source in sources:
            asked = ask(found[source], chance)
            where = Filter(palette=asked)
            best = ranking_of(palettes, where).first(TOP)
            exact = palette_distances(asked_of(where), palettes.lab, palettes.shares.astype(np.float32))
            order = np.lexsort((-palettes.rows, exact))
            truth = order[exact[order] <= where.color_tolerance][:TOP].tolist()
            recalls.append(len(set(truth) & set(best.tolist())) / max(1, len(truth)))
            places.append(best.tolist().index(source) if source in best else TOP)
        ranks = np.array(places)
        print(f"{name:44}{np.mean(ranks < TOP):12.2%}{np.mean(ranks == 0):8.0%}{np.mean(recalls):11.3f}")


def together(found: Sequence[Swatches]) -> Palettes:
    """Return palettes as the process keeps them; the row of each is its place."""
    rows = np.repeat(np.arange(len(found)), [len(swatches) for swatches in found])
    flat = [swatch for swatches in found for swatch in swatches]
    return palettes_of(
        rows,
        np.array([swatch.lab for swatch in flat], np.float32),
        np.array([swatch.share for swatch in flat]),
        np.array([swatch.is_background for swatch in flat]),
    )


def as_kept(swatches: Swatches, _: random.Random) -> Asked:
    return tuple(AskedColor(swatch.hex, swatch.share) for swatch in swatches)


def rounded(swatches: Swatches, _: random.Random) -> Asked:
    """Return the five largest colors, with rounded shares."""
    largest = swatches[:MOST_ASKED]
    return tuple(AskedColor(swatch.hex, max(ROUNDING, round(swatch.share / ROUNDING) * ROUNDING)) for swatch in largest)


def off(swatches: Swatches, chance: random.Random) -> Asked:
    """Return the same with colors that a person could have picked instead."""
    return tuple(AskedColor(_moved(color.hex, chance), color.share) for color in rounded(swatches, chance))


def without_shares(swatches: Swatches, chance: random.Random) -> Asked:
    return tuple(AskedColor(color.hex) for color in off(swatches, chance))


def three(swatches: Swatches, chance: random.Random) -> Asked:
    """Return what somebody may remember of a picture: its three largest colors, about."""
    return off(swatches, chance)[:3]


QUESTIONS: dict[str, Callable[[Swatches, random.Random], Asked]] = {
    "the palette as it is kept": as_kept,
    "five colors, shares to 5 %": rounded,
    "five colors off by 2 to 3, shares to 5 %": off,
    "three colors off by 2 to 3, shares to 5 %": three,
    "five colors off by 2 to 3, no shares": without_shares,
}


def _moved(code: str, chance: random.Random) -> str:
    """Return a color of sRGB that is CIEDE2000 2 to 3 away."""
    rgb = np.frombuffer(bytes.fromhex(code[1:]), np.uint8)
    while True:
        lab = srgb_to_lab(rgb) + np.array([chance.gauss(0, 3) for _ in range(3)])
        other = lab_to_srgb(lab)
        if JITTER[0] <= float(ciede2000(srgb_to_lab(rgb), srgb_to_lab(other))) <= JITTER[1]:
            return rgb_to_hex(other)


def latency(folder: Path, found: Sequence[Swatches], number: int, searches: int) -> None:
    """Print how long a start and searches take."""
    with open_backend(read_settings(data=folder)) as backend:
        started = time.perf_counter()
        fill(backend.database, found, number)
        print(f"\n{number:,} synthetic images written in {time.perf_counter() - started:.0f} s")
        before = _memory_mib()
        print(f"read from the table, and the file written: {_timed(lambda: backend.swatches.warm().join()):.2f} s")
        print(f"memory for them: {_memory_mib() - before:.0f} MiB more at most")
        again = SwatchTable(backend.database, backend.settings.data / "index")
        print(f"read from the file at the next start: {_timed(lambda: again.warm().join()):.2f} s")
        chance = random.Random(SEED)  # noqa: S311
        print(f"{'milliseconds':52}{'p50':>7}{'p95':>7}{'p99':>7}{'processor p50':>16}{'p99':>7}")

        def ask(where: Filter) -> None:
            search(backend, SearchQuery(where=where), OWNER)

        questions: dict[str, Callable[[], Filter]] = {
            name: lambda make=make: Filter(palette=make(chance.choice(found), chance))  # type: ignore[misc]
            for name, make in QUESTIONS.items()
        }
        questions |= {
            "one color, a quarter": lambda: Filter(palette=(AskedColor(_any_color(chance), 0.25),)),
            "one color of a picture, as a filter": lambda: Filter(colors=(chance.choice(found)[0].hex,)),
            "two colors of a picture, as filters": lambda: Filter(
                colors=tuple(swatch.hex for swatch in chance.choice(found)[:2])
            ),
            "five colors off, shares, background ignored": lambda: Filter(
                palette=off(chance.choice(found), chance), ignore_background=True
            ),
        }
        for name, make in questions.items():
            asked = [make() for _ in range(searches)]
            _row(name, asked, ask)
        asked = [Filter(palette=off(chance.choice(found), chance)) for _ in range(searches)]
        _row("all that pass, as facets count them: five colors", asked, backend.swatches.rows_with)


def fill(database: Database, found: Sequence[Swatches], number: int) -> None:
    """Write analyzed images without files or vectors, with palettes of `found` whose colors and shares are moved."""
    chance = np.random.default_rng(SEED)
    kept = together(found)
    moment = "2026-01-01 00:00:00.000000"
    for start in range(0, number, BATCH):
        rows = range(start + 1, min(start + BATCH, number) + 1)
        swatches = _others(kept, rows, chance)
        with database.write() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO images (row, id, library, sha256, state, attempts, not_before, media_type, bytes,"
                    " width, height, created_at, caption, exif, category, category_scores, scheme, brightness,"
                    " saturation) VALUES (:row, :id, 'main', :id, 'ready', 0, :now, 'image/png', 1, 1, 1, :now, '',"
                    " '{}', 'other', '{\"other\": 1}', 'warm', 0.5, 0.5)"
                ),
                [{"row": row, "id": f"{row:036x}", "now": moment} for row in rows],
            )
            connection.execute(palette.insert(), swatches)
            connection.execute(
                sa.text(
                    "INSERT INTO embeddings (image_row, encoder, region, change) SELECT :row, fingerprint, 'whole',"
                    " :row FROM encoders WHERE state = 'active'"
                ),
                [{"row": row} for row in rows],
            )
            connection.execute(counters.update().where(counters.c.name == "change").values(value=rows[-1]))


def _others(kept: Palettes, rows: range, chance: np.random.Generator) -> list[dict[str, object]]:
    """Return swatches for the images of `rows`, as the table has them."""
    sources = chance.integers(len(kept), size=len(rows))
    rgb = lab_to_srgb(kept.lab[:, sources] + chance.normal(scale=8, size=(PLANES, len(rows), 3)))
    shares = kept.shares[:, sources] * chance.uniform(0.5, 1.5, (PLANES, len(rows)))
    shares /= shares.sum(axis=0)
    order = np.argsort(-shares, axis=0)
    return [
        {"image_row": row, "position": place, "l": lab[0], "a": lab[1], "b": lab[2], "hex": rgb_to_hex(code)}
        | {"share": share, "background": background}
        for place, plane in enumerate(order)
        for row, lab, code, share, background in zip(
            rows,
            srgb_to_lab(rgb[plane, range(len(rows))]).tolist(),
            rgb[plane, range(len(rows))].tolist(),
            shares[plane, range(len(rows))].tolist(),
            kept.background[plane, sources].tolist(),
            strict=True,
        )
        if share > 0
    ]


def _any_color(chance: random.Random) -> str:
    return f"#{chance.randrange(1 << 24):06x}"


def _row(name: str, asked: Sequence[Filter], ask: Callable[[Filter], object]) -> None:
    clock, processor = [], []
    for where in asked:
        worked = time.thread_time()
        clock.append(_timed(lambda where=where: ask(where)) * 1000)  # type: ignore[misc]
        processor.append((time.thread_time() - worked) * 1000)
    waited = "".join(f"{figure:7.0f}" for figure in np.percentile(clock, (50, 95, 99)))
    print(f"{name:52}{waited}{np.percentile(processor, 50):16.0f}{np.percentile(processor, 99):7.0f}", flush=True)


def _timed(do: Callable[[], object]) -> float:
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


def _memory_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--palettes", type=int, default=100)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--searches", type=int, default=100)
    return parser.parse_args()


if __name__ == "__main__":
    main()
