"""What Likeness does, beside what people would write first, timed in turn in one run: quote the ratios.

    python bench/peers.py [--vectors 100000] [--rounds 5]

- the palette of a picture: a weighted histogram in CIELAB, beside scikit-learn's k-means over all pixels in RGB;
- decoding a photo: shrinking while decoding, beside decoding whole and shrinking then;
- the nearest of many vectors, without a filter and with one that keeps 1 %: our index, beside plain NumPy.
"""

import argparse
import io
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import skimage.data
from PIL import Image
from sklearn.cluster import KMeans

from pipeline.features.decode import Limits, decode
from pipeline.features.palette import extract_palette
from pipeline.filters import Filter
from pipeline.stores import records_embeddings
from pipeline.stores.database import Database
from pipeline.stores.records_embeddings import EncoderRow
from pipeline.stores.tables import counters, embeddings, images
from pipeline.stores.vectors_faiss import FaissVectors
from pipeline.stores.vectors_faiss_graph import GraphPlan

DIMENSION = 512
NEIGHBORS = 10
ENCODER = "bench"
BATCH = 5000  # rows written at once
CATEGORIES = 100  # so that a filter for one of them keeps 1 %
NAIVE_SIDE_PX = 1024
NEVER = 1 << 60  # vectors from which on a graph is asked instead; `bench/faiss_graph.py` measures that
PHOTO_SIZE = (4000, 3000)  # 12 megapixels, an ordinary phone


def main() -> None:
    """Print a table: what, our milliseconds, theirs, and how many times theirs takes ours."""
    options = _options()
    print(f"{'milliseconds, median of ' + str(options.rounds):44}{'Likeness':>10}{'beside':>10}{'ratio':>8}")
    photo = _photo()
    picture = decode(photo, Limits())
    pixels = _pixels(photo)
    _row("palette of a picture", lambda: extract_palette(picture), lambda: _naive_palette(pixels), options.rounds)
    _row("decoding a photo of 12 megapixels", lambda: decode(photo, Limits()), lambda: _whole(photo), options.rounds)
    _vectors(options.vectors, options.rounds)


def _row(name: str, ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> None:
    taken: list[tuple[float, float]] = [(_timed(ours), _timed(theirs)) for _ in range(rounds + 1)][1:]
    mine, others = (statistics.median(column) for column in zip(*taken, strict=True))
    print(f"{name:44}{mine:10.2f}{others:10.2f}{others / mine:8.1f}")


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def _photo() -> bytes:
    with Image.open(Path(skimage.data.__file__).parent / "chelsea.png") as opened:
        large = opened.convert("RGB").resize(PHOTO_SIZE)
    stream = io.BytesIO()
    large.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _pixels(photo: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(photo)) as opened:
        small = opened.resize((NAIVE_SIDE_PX, NAIVE_SIDE_PX))
    return np.asarray(small, np.float64).reshape(-1, 3)


def _naive_palette(pixels: np.ndarray) -> None:
    KMeans(n_clusters=5, n_init=10, random_state=0).fit(pixels)


def _whole(photo: bytes) -> None:
    with Image.open(io.BytesIO(photo)) as opened:
        opened.convert("RGB").resize((683, 512), Image.Resampling.BICUBIC)


def _vectors(count: int, rounds: int) -> None:
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((count, DIMENSION), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    query = vectors[count // 2]
    kinds = np.arange(count) % CATEGORIES
    with TemporaryDirectory() as folder:
        index = _index(Database(f"sqlite:///{folder}/empty.db"), vectors, kinds)
        _row(
            f"nearest of {count:,}",
            lambda: index.nearest(query, NEIGHBORS, where=Filter()),
            lambda: np.argsort(-(vectors @ query))[:NEIGHBORS],
            rounds,
        )
        _row(
            f"nearest of {count:,}, a filter keeps 1 %",
            lambda: index.nearest(query, NEIGHBORS, where=Filter(categories=("7",))),
            lambda: np.argsort(-(vectors[kinds == 7] @ query))[:NEIGHBORS],
            rounds,
        )


def _index(database: Database, vectors: np.ndarray, kinds: np.ndarray) -> FaissVectors:
    """Write `vectors` as the embeddings of as many analyzed images, and return our index, which has read them."""
    database.migrate()
    now = datetime.now(UTC)
    image = {"library": "main", "state": "ready", "not_before": now, "created_at": now, "exif": {}, "bytes": 1}
    image |= {"media_type": "image/jpeg", "width": 640, "height": 480, "scheme": "warm"}
    with database.write() as connection:
        encoder = EncoderRow(ENCODER, "bench", DIMENSION)
        records_embeddings.activate_encoder(connection, encoder)
        for start in range(0, len(vectors), BATCH):
            rows = range(start, min(start + BATCH, len(vectors)))
            connection.execute(
                images.insert(),
                [image | {"row": row, "id": str(row), "sha256": str(row), "category": str(kinds[row])} for row in rows],
            )
            connection.execute(
                embeddings.insert(),
                [
                    {"image_row": row, "encoder": ENCODER, "region": records_embeddings.WHOLE, "change": row + 1}
                    | {"vector": vectors[row].astype(np.float16).tobytes()}
                    for row in rows
                ],
            )
        connection.execute(counters.update().values(value=len(vectors)))
    index = FaissVectors(database, ENCODER, DIMENSION, plan=GraphPlan(least_vectors=NEVER))
    index.catch_up()
    return index


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
