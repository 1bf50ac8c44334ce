"""How long filters, facets, orders and late pages take in a large library.

    python bench/filters.py [FOLDER] [--synthetic 100000] [--times 9]

Functions are called in this process, without HTTP. The library consists of images without a file, as those of
`bench/latency.py`, with random sizes, formats, times and three of two hundred tags each. FOLDER is a data folder in
which such a library was made before, or is made now and stays; without it, it is made and thrown away.

Beside the time on the clock the table has the processor's time of this process, which others on the machine lengthen
less.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from latency import SEED, fill

from pipeline import listing
from pipeline.backend import Backend, open_backend
from pipeline.filters import Filter
from pipeline.images import ImageState
from pipeline.principals import OWNER
from pipeline.questions import Term
from pipeline.search import SearchQuery, search
from pipeline.settings import read_settings
from pipeline.sorting import Sort
from pipeline.stores import records_embeddings, records_images, records_queries
from pipeline.stores.image_table import ImageTable
from pipeline.stores.records_queries import QueryPicture
from pipeline.stores.tables import images

WORDS = 200
TAGS = 3
PAGE = 60
LATE = 9960
MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "image/heif")
FIRST_DAY = datetime(2012, 1, 1)  # noqa: DTZ001 - the clock of a camera
HOURS = 100_000


def main() -> None:
    options = _options()
    with (
        tempfile.TemporaryDirectory(prefix="likeness-filters-") as folder,
        open_backend(read_settings(data=options.folder or Path(folder))) as backend,
    ):
        if not listing.count_all_states(backend)[ImageState.READY]:
            fill(backend, options.synthetic)
            vary(backend)
        print(
            f"{listing.count_all_states(backend)[ImageState.READY]:,} images, milliseconds, {options.times} times each"
        )
        print(f"{'':52}{'median':>9}{'least':>9}{'processor':>11}")
        for name, ask in questions(backend).items():
            row(name, ask, 1 if name.startswith("first") else options.times)


def vary(backend: Backend) -> None:
    """Give the images sizes, formats, times and tags."""
    rng = np.random.default_rng(SEED)
    often = 1 / np.arange(1, WORDS + 1)
    with backend.database.write() as connection:
        rows = list(connection.scalars(sa.select(images.c.row)))
        for image in rows:
            taken = FIRST_DAY + timedelta(hours=int(rng.integers(HOURS)))
            values = {
                "width": int(rng.integers(300, 6000)),
                "height": int(rng.integers(300, 6000)),
                "bytes": int(rng.integers(20_000, 8_000_000)),
                "media_type": str(rng.choice(MEDIA_TYPES)),
                "taken_at": taken if rng.random() < 0.7 else None,
            }
            connection.execute(images.update().where(images.c.row == image).values(**values))
            words = rng.choice(WORDS, TAGS, p=often / often.sum())
            records_images.add_tags(connection, [image], [f"word{word}" for word in words])


def questions(backend: Backend) -> dict[str, Callable[[], object]]:
    """Return what is asked, in the order in which it is."""
    picture = Term(picture_key=_kept(backend))
    words = Term(text="dog")
    some = {
        "a color name": Filter(color_names=("red",)),
        "a tag": Filter(tags=("word3",)),
        "a shape": Filter(orientations=("landscape",)),
        "a format": Filter(formats=("png",)),
        "a year": Filter(taken_years=(2015,)),
    }
    three = Filter(categories=("food",), schemes=("warm",), color_names=("red",))
    question = search(backend, SearchQuery((words,), limit=PAGE), OWNER).question

    def listed(sort: Sort, offset: int = 0) -> Callable[[], object]:
        return lambda: search(backend, SearchQuery(sort=sort, limit=PAGE, offset=offset), OWNER)

    def found(term: Term, where: Filter, **options: object) -> Callable[[], object]:
        query = replace(SearchQuery((term,), where, limit=PAGE), **options)
        return lambda: search(backend, query, OWNER)

    def after_a_change() -> None:
        with backend.database.write() as connection:
            records_embeddings.touch(connection, [1])
        backend.images.catch_up()

    return {
        "first reading of the image table": lambda: ImageTable(backend.database).catch_up(),
        "facets of all": lambda: listing.count_facets(backend, Filter(), OWNER),
        "facets, one category": lambda: listing.count_facets(backend, Filter(categories=("food",)), OWNER),
        "facets, three groups": lambda: listing.count_facets(backend, three, OWNER),
        "facets among the matches of a text": lambda: listing.count_facets(backend, Filter(), OWNER, question),
        "the image table after a change": after_a_change,
        **{
            f"rows with {name}": lambda where=where: backend.images.rows(where, colored=None)
            for name, where in some.items()
        },
        "text": found(words, Filter()),
        **{f"text with {name}": found(words, where) for name, where in some.items()},
        "text, largest first": found(words, Filter(), sort=Sort.LARGEST),
        **{f"list, {sort}": listed(sort) for sort in Sort},
        f"list, largest, at offset {LATE:,}": listed(Sort.LARGEST, LATE),
        "a picture": found(picture, Filter()),
        f"first time straight to offset {LATE:,} of a picture": found(picture, Filter(), offset=LATE),
        f"a picture at offset {LATE:,}, ranked before": found(picture, Filter(), offset=LATE),
    }


def row(name: str, ask: Callable[[], object], times: int) -> None:
    """Ask and print a line of the table."""
    if times > 1:
        ask()
    waits, work = [], []
    for _ in range(times):
        started, worked = time.perf_counter(), time.process_time()
        ask()
        waits.append(time.perf_counter() - started)
        work.append(time.process_time() - worked)
    figures = (statistics.median(waits), min(waits), statistics.median(work))
    print(
        f"{name:52}" + "".join(f"{1000 * figure:{width}.1f}" for figure, width in zip(figures, (9, 9, 11), strict=True))
    )


def _kept(backend: Backend) -> str:
    """Return the key of a picture to search with, of which only the vector is known."""
    vector = np.random.default_rng(SEED).normal(size=backend.encoder.dimension)
    vector = (vector / np.linalg.norm(vector)).astype(np.float32)
    key = records_queries.new_key()
    with backend.database.write() as connection:
        kept = QueryPicture(key, "", backend.encoder.fingerprint, vector, b"", 1, 1)
        records_queries.keep(connection, kept)
    return key


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER")
    parser.add_argument("--synthetic", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=9)
    return parser.parse_args()


if __name__ == "__main__":
    main()
