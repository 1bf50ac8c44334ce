"""How long it takes to compare what comes in with the searches that people keep.

    python bench/saved_searches.py [--images 2000] [--searches 10 100 1000] [--database-url URL]

A database is filled with images of random embeddings, colors and categories, all of which count as having just come
in; then every saved search is compared with all of them. One third of the searches asks with a vector alone, one third
with a vector and a category, and one third with a category alone.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import sqlalchemy as sa
from latency import fill

from pipeline import matching, saved_searches
from pipeline.backend import Backend, open_backend
from pipeline.features.picture import CATEGORIES
from pipeline.principals import OWNER
from pipeline.questions import Term
from pipeline.search import SearchQuery
from pipeline.settings import read_settings
from pipeline.stores import records_searches
from pipeline.stores.tables_searches import saved_matches

SEED = 7


def main() -> None:
    options = _options()
    settings = {"database_url": options.database_url} if options.database_url else {}
    with (
        tempfile.TemporaryDirectory(prefix="likeness-saved-") as folder,
        open_backend(read_settings(data=Path(folder), **settings)) as backend,
    ):
        fill(backend, options.images)
        print("| saved searches | new images | seconds | microseconds a pair | matches |")
        print("| --- | --- | --- | --- | --- |")
        for count in options.searches:
            _measure(backend, options.images, count)


def _measure(backend: Backend, images: int, count: int) -> None:
    first = saved_searches.save(backend, OWNER, "first", {"text": ["dog"]}, SearchQuery((Term(text="dog"),)))
    saved_searches.delete(backend, OWNER, first.id)
    random = np.random.default_rng(SEED)
    with backend.database.write() as connection:
        for number in range(count):
            where = {"categories": [CATEGORIES[number % len(CATEGORIES)]]} if number % 3 else {}
            asks = {"terms": first.query["terms"], "where": where} if number % 3 < 2 else {"terms": [], "where": where}
            vector = random.normal(size=backend.encoder.dimension).astype(np.float32)
            vector /= np.linalg.norm(vector)
            made = replace(
                first, id=str(uuid4()), seen=0, query=asks, vector=vector.tobytes() if asks["terms"] else None
            )
            records_searches.add(connection, made)
    begun = time.perf_counter()
    while matching.step(backend):
        pass
    seconds = time.perf_counter() - begun
    with backend.database.write() as connection:
        matches = connection.scalar(sa.select(sa.func.count()).select_from(saved_matches))
        connection.execute(sa.text("DELETE FROM saved_searches"))
    print(
        f"| {count:,} | {images:,} | {seconds:.2f} | {seconds / images / count * 1e6:.2f} | {matches:,} |", flush=True
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--searches", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--database-url", default="")
    return parser.parse_args()


if __name__ == "__main__":
    main()
