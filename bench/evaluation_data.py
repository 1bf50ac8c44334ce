"""The labelled pictures that the measurements share: rows of `images.csv`, working copies, embeddings, scores."""

import csv
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.evaluation import PROTOCOL_SETS
from pipeline.evaluation_protocols import RetrievalScores, score_retrieval
from pipeline.features.decode import Limits, decode
from pipeline.features.encoders.protocol import Encoder
from pipeline.features.picture import Picture

THREADS = 2

RETRIEVAL_SETS = tuple(sorted(PROTOCOL_SETS))
"""The sets whose labels are classes; the others only fill the gallery."""


@dataclass(frozen=True)
class Labelled:
    path: str
    set: str
    label: str
    category: str
    group: str
    sha256: str


def read_rows(data: Path) -> list[Labelled]:
    with (data / "images.csv").open(newline="", encoding="utf-8") as stream:
        return [
            Labelled(r["path"], r["set"], r["label"], r["category"], r["group"], r["sha256_source"])
            for r in csv.DictReader(stream)
        ]


def load_picture(path: Path) -> Picture:
    return decode(path, Limits())


def embed_files(encoder: Encoder, paths: Iterable[Path]) -> npt.NDArray[np.float32]:
    with ThreadPoolExecutor(THREADS) as pool:
        return np.concatenate(list(pool.map(lambda path: encoder.embed_pictures([load_picture(path)]), paths)))


def score_sets(rows: list[Labelled], embeddings: npt.NDArray[np.float32]) -> dict[str, RetrievalScores]:
    """Return the scores of each of RETRIEVAL_SETS that occurs, by the protocol of `likeness evaluate`."""
    classes = [(row.set, row.label) if row.label and row.set in PROTOCOL_SETS else None for row in rows]
    return score_retrieval(embeddings, classes)
