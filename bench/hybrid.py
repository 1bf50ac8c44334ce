"""What the words of captions add to a search by text: content alone, words alone, and both joined, by their weights.

    python bench/hybrid.py DATA/captions [--embeddings FILE.npy]

`captions.json` there is `[{"path", "captions": [...]}]`. Every first caption is a question over all pictures. Half of
the pictures are given another caption of their own, the second, so that a question and what it looks for are two
people's words for one picture; the other half has none, as in a library that somebody has begun to caption. Told are
recall@1, @5 and @10 and the mean reciprocal rank over all questions, and recall@10 of each half. File names are left
out: they are numbers. `--embeddings` keeps what the encoder `lite` made of the pictures for the next run.
"""

import argparse
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from evaluation_data import embed_files

from pipeline.errors import InvalidQuery
from pipeline.features.encoders import registry
from pipeline.features.encoders.protocol import Encoder
from pipeline.filters import Filter
from pipeline.fusion import Weights, fuse
from pipeline.stores import records_words
from pipeline.stores.database import Database
from pipeline.stores.protocols import Neighbor
from pipeline.stores.tables import images, keywords_json, libraries
from pipeline.stores.word_search import Ranked, rank
from pipeline.words import asked_words

RATIOS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
"""What words count for each part of content."""

Ranking = list[Neighbor]


def main() -> None:
    options = _options()
    told = json.loads((options.folder / "captions.json").read_text())
    with tempfile.TemporaryDirectory(prefix="likeness-hybrid-") as folder:
        encoder = registry.open_encoder("lite", Path(folder))
        vectors = _vectors(encoder, [_found(options.folder, image["path"]) for image in told], options.embeddings)
        by_content = [_by_content(encoder, image["captions"][0], vectors) for image in told]
        captioned = np.arange(len(told)) % 2 == 0
        for title, keywords in (("captions", False), ("captions and keywords", True)):
            database = Database(f"sqlite:///{folder}/{title}.db")
            database.migrate()
            _fill(database, encoder, told, captioned, vectors if keywords else None)
            by_words = [_by_words(database, image["captions"][0]) for image in told]
            database.close()
            print(f"\n{len(told)} pictures, every second one has a caption; words of {title}")
            print(f"{'words : content':>16}{'R@1':>8}{'R@5':>8}{'R@10':>8}{'MRR':>8}{'captioned':>12}{'others':>9}")
            _row("content alone", by_content, captioned)
            _row("words alone", [[Neighbor(found.row, 0.0) for found in ranked] for ranked in by_words], captioned)
            for ratio in RATIOS[1:]:
                weights = Weights(content=1.0, words=ratio)
                _row(
                    f"{ratio:g} : 1",
                    [fuse(*both, weights) for both in zip(by_content, by_words, strict=True)],
                    captioned,
                )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--embeddings", type=Path)
    return parser.parse_args()


def _found(folder: Path, path: str) -> Path:
    return folder / path if (folder / path).exists() else folder.parent / path


def _vectors(encoder: Encoder, paths: list[Path], kept: Path | None) -> npt.NDArray[np.float32]:
    if kept and kept.exists():
        return np.asarray(np.load(kept), np.float32)
    vectors = embed_files(encoder, paths)
    if kept:
        np.save(kept, vectors)
    return vectors


def _fill(
    database: Database,
    encoder: Encoder,
    told: list[dict[str, list[str]]],
    captioned: npt.NDArray[np.bool_],
    vectors: npt.NDArray[np.float32] | None,
) -> None:
    now = datetime.now(UTC)
    found = encoder.keywords(vectors) if vectors is not None else [()] * len(told)
    values = [
        {
            "row": row,
            "id": f"{row}",
            "library": "captions",
            "sha256": f"{row:064x}",
            "state": "ready",
            "not_before": now,
            "media_type": "image/jpeg",
            "bytes": 1,
            "width": 1,
            "height": 1,
            "created_at": now,
            "caption": image["captions"][1] if captioned[row] else "",
            "keywords": keywords_json(found[row]),
            "exif": {},
        }
        for row, image in enumerate(told)
    ]
    with database.write() as connection:
        connection.execute(libraries.insert(), {"id": "captions", "name": "captions", "created_at": now})
        connection.execute(images.insert(), values)
        records_words.refresh(connection, list(range(len(told))))


def _by_content(encoder: Encoder, text: str, vectors: npt.NDArray[np.float32]) -> Ranking:
    try:
        cosines = vectors @ encoder.embed_text(text).vector
    except InvalidQuery:
        return []
    return [Neighbor(int(row), float(cosines[row])) for row in np.argsort(-cosines, kind="stable")]


def _by_words(database: Database, text: str) -> list[Ranked]:
    with database.read() as connection:
        return rank(connection, asked_words(text), Filter())


def _row(name: str, rankings: list[Ranking], captioned: npt.NDArray[np.bool_]) -> None:
    places = np.array(
        [
            next((place for place, neighbor in enumerate(ranking, start=1) if neighbor.row == wanted), np.inf)
            for wanted, ranking in enumerate(rankings)
        ]
    )
    recalls = [float(np.mean(places <= depth)) for depth in (1, 5, 10)]
    halves = [float(np.mean(places[half] <= 10)) for half in (captioned, ~captioned)]
    figures = [*recalls, float(np.mean(1 / places))]
    print(f"{name:>16}" + "".join(f"{figure:>8.3f}" for figure in figures) + f"{halves[0]:>12.3f}{halves[1]:>9.3f}")


if __name__ == "__main__":
    main()
