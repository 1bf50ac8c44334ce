"""How long a search in the words of captions, tags and file names takes, and how that grows.

    python bench/word_search.py CAPTIONS.json [--images 1000 10000 100000] [--database-url URL] [--runs 20]

Images are written straight into the tables of a new database (SQLite in a temporary folder, or the empty one named by
the address) with captions drawn from a file of `[{"captions": [...]}]`, so that common words are as common as people
make them. Printed is the median of each kind of question in milliseconds, the statement and the ranking alone.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from pipeline.filters import Filter
from pipeline.stores import records_words
from pipeline.stores.database import Database
from pipeline.stores.tables import image_sources, images, libraries, tags
from pipeline.stores.word_search import rank
from pipeline.words import asked_words

BATCH = 2000
SEED = 1
SMALL_LIBRARY = 100  # one image of so many is in a library of its own, which is asked for alone
RARE = "zebra"  # given to one image of a thousand, as a tag
QUESTIONS = {
    "a rare word": ("zebra ", Filter()),
    "a common word": ("dog ", Filter()),
    "the commonest": ("a ", Filter()),
    "being typed": ("gras", Filter()),
    "five words": ("brown dog runs across the grass", Filter()),
    "all common": ("man woman dog white black ", Filter()),
    "a small library": ("brown dog runs across the grass", Filter(libraries=("small",))),
    "a tag as filter": ("brown dog runs across the grass", Filter(tags=(RARE,))),
}


def main() -> None:
    options = _options()
    captions = [caption for image in json.loads(options.captions.read_text()) for caption in image["captions"]]
    with tempfile.TemporaryDirectory(prefix="likeness-words-") as folder:
        database = Database(options.database_url or f"sqlite:///{folder}/words.db")
        database.migrate()
        print(f"{'images':>8}  {'writing':>9}  " + "  ".join(f"{name:>16}" for name in QUESTIONS))
        before = 0
        for count in options.images:
            took = _fill(database, captions, before, count)
            before = count
            medians = [_median(database, text, where, options.runs) for text, where in QUESTIONS.values()]
            print(f"{count:>8}  {took:>7.1f} s  " + "  ".join(f"{median:>13.1f} ms" for median in medians))
        database.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", type=Path)
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--database-url", default="")
    parser.add_argument("--runs", type=int, default=20)
    return parser.parse_args()


def _fill(database: Database, captions: list[str], first: int, until: int) -> float:
    """Write the images of these numbers; return the seconds that making their words took."""
    dice = random.Random(SEED + first)  # noqa: S311 - a drawing, no secret
    now = datetime.now(UTC)
    took = 0.0
    for start in range(first, until, BATCH):
        rows = range(start + 1, min(start + BATCH, until) + 1)
        with database.write() as connection:
            if start == 0:
                values = {"id": "small", "name": "small", "created_at": now}
                connection.execute(libraries.insert(), [values])
            connection.execute(images.insert(), [_image(row, dice.choice(captions), now) for row in rows])
            names = [{"image_row": row, "filename": f"IMG_{row:06}.jpg", "created_at": now} for row in rows]
            connection.execute(image_sources.insert(), names)
            rare = [{"image_row": row, "tag": RARE} for row in rows if row % 1000 == 0]
            if rare:
                connection.execute(tags.insert(), rare)
            began = time.perf_counter()
            records_words.refresh(connection, list(rows))
            took += time.perf_counter() - began
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))
    return took


def _image(row: int, caption: str, now: datetime) -> dict[str, object]:
    return {
        "row": row,
        "id": f"{row}",
        "library": "main" if row % SMALL_LIBRARY else "small",
        "sha256": f"{row:064x}",
        "state": "ready",
        "not_before": now,
        "media_type": "image/jpeg",
        "bytes": 1,
        "width": 1,
        "height": 1,
        "created_at": now,
        "caption": caption,
        "exif": {},
    }


def _median(database: Database, text: str, where: Filter, runs: int) -> float:
    asked = asked_words(text)
    seconds = []
    for _ in range(runs):
        with database.read() as connection:
            began = time.perf_counter()
            rank(connection, asked, where)
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1000


if __name__ == "__main__":
    main()
