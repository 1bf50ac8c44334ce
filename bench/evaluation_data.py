"""The labelled pictures that the measurements share: rows of `images.csv`, working copies, embeddings, P@10."""

import csv
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.features.decode import Limits, decode
from pipeline.features.encoders.protocol import Encoder
from pipeline.features.picture import Picture

THREADS = 2

RETRIEVAL_SETS = (
    "caltech101",
    "clothing",
    "desktop_ui",
    "dtd",
    "grocery",
    "intel_scenes",
    "pacs",
    "sroie",
    "wikiart",
)
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


def precision_at_10(rows: list[Labelled], embeddings: npt.NDArray[np.float32]) -> dict[str, float]:
    """Return P@10 of each of RETRIEVAL_SETS.

    Relevant is what has the same set and label; k = min(10, size of the class - 1).
    """
    keys = np.array([f"{row.set}/{row.label}" for row in rows])
    result = {}
    for name in RETRIEVAL_SETS:
        queries = [at for at, row in enumerate(rows) if row.set == name and row.label]
        similarities = embeddings[queries] @ embeddings.T
        similarities[np.arange(len(queries)), queries] = -np.inf
        best = np.argsort(-similarities, axis=1)[:, :10]
        precisions = []
        for query, found in zip(queries, best, strict=True):
            k = min(10, int((keys == keys[query]).sum()) - 1)
            if k > 0:
                precisions.append(float((keys[found[:k]] == keys[query]).mean()))
        result[name] = float(np.mean(precisions))
    return result
