"""Measuring an encoder on pictures with known answers. Touches no store: pictures are read, decoded and forgotten.

How the scores are defined is told in `evaluation_protocols`, where the answers come from in `labelled_folder`.
"""

import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline import calibration
from pipeline import evaluation_protocols as protocols
from pipeline.decoders import DecoderPool
from pipeline.errors import ImageRejected, InvalidQuery
from pipeline.evaluation_protocols import CaptionScores, CategoryScores, ColorScores, RetrievalScores
from pipeline.evaluation_relevance import RelevanceScores, score_relevance
from pipeline.features import decode
from pipeline.features.encoders.protocol import Encoder
from pipeline.features.palette import extract_palette
from pipeline.features.picture import Picture
from pipeline.labelled_folder import LabelledFolder, LabelledPicture

T = TypeVar("T")

PROTOCOL_SETS = frozenset(
    {"caltech101", "clothing", "desktop_ui", "dtd", "grocery", "intel_scenes", "pacs", "sroie", "wikiart"}
)
"""The sets of our evaluation data whose labels are classes. In a folder with any of them only they are queries."""

HISTOGRAM_LEVELS = 8
"""Levels of each channel in the RGB histogram that retrieval is compared with: 512 colors, as usual.

Of nine ways tried on our data (4 or 8 levels jointly or 32 apart; cosine of counts, of their square roots, L1) this
one with square roots is the strongest: P@10 0.239 over the nine sets, plain counts 0.198.
"""

SPEED_PICTURES = 100  # pictures timed one by one, spread over the folder
WARM_UP_PICTURES = 3  # run first and not counted: the first picture pays for lazy loading

PARTS = ("retrieval", "relevance", "category", "captions", "colors", "speed")

FITTED = "fitted on"
NOT_FITTED = "not fitted on"
ALL = "all"


class Track(Protocol):
    """Shows how far a long loop has come."""

    def __call__(self, items: Iterable[T], label: str, total: int) -> Iterator[T]:
        """Yield `items`, of which there are `total`."""
        ...


@dataclass(frozen=True)
class RetrievalReport:
    """Scores by set and over sets, ours and those of the RGB histogram in the same run."""

    sets: dict[str, RetrievalScores]
    mean: RetrievalScores
    histogram_sets: dict[str, RetrievalScores]
    histogram_mean: RetrievalScores


@dataclass(frozen=True)
class StageTime:
    """Milliseconds per picture of one stage, in one thread."""

    stage: str
    mean_ms: float
    median_ms: float


@dataclass(frozen=True)
class Report:
    """Everything that was measured; None is what was not asked for or what the folder has no answers for."""

    folder: str
    machine: str
    encoder: str
    pictures: int
    unreadable: tuple[str, ...]
    retrieval: RetrievalReport | None
    relevance: RelevanceScores | None
    categories: dict[str, CategoryScores] | None
    captions: CaptionScores | None
    colors: dict[str, ColorScores] | None
    speed: tuple[StageTime, ...] | None


@dataclass(frozen=True)
class _Seen:
    """What is kept of a picture."""

    embedding: npt.NDArray[np.float32]
    histogram: npt.NDArray[np.float32]
    palette: tuple[tuple[str, float], ...]


class _Eye:
    """Looks at pictures, each once whatever it is asked for, and remembers which could not be read."""

    def __init__(self, encoder: Encoder, decoders: DecoderPool, threads: int, track: Track) -> None:
        self.encoder = encoder
        self.decoders = decoders
        self.threads = threads
        self.track = track
        self.seen: dict[Path, _Seen] = {}
        self.unreadable: dict[Path, str] = {}

    def look(self, paths: Sequence[Path], label: str) -> None:
        new = [path for path in dict.fromkeys(paths) if path not in self.seen and path not in self.unreadable]
        with ThreadPoolExecutor(self.threads) as pool:
            for path, found in self.track(pool.map(self._look_at, new), label, len(new)):
                if isinstance(found, _Seen):
                    self.seen[path] = found
                else:
                    self.unreadable[path] = found

    def _look_at(self, path: Path) -> tuple[Path, _Seen | str]:
        try:
            picture = self.decoders.decode(path)
        except ImageRejected as error:
            return path, error.user_message
        except OSError as error:
            return path, error.strerror or str(error)
        palette = tuple((swatch.hex, swatch.share) for swatch in extract_palette(picture).swatches)
        return path, _Seen(self.encoder.embed_pictures([picture])[0], rgb_histogram(picture), palette)


def evaluate(
    folder: LabelledFolder,
    encoder: Encoder,
    decoders: DecoderPool,
    *,
    parts: Sequence[str] = PARTS,
    threads: int = 1,
    track: Track,
) -> Report:
    """Measure those of PARTS that are asked for and that `folder` has answers for."""
    eye = _Eye(encoder, decoders, threads, track)
    if folder.pictures and {"retrieval", "relevance", "category"} & set(parts):
        eye.look([picture.path for picture in folder.pictures], "Labelled pictures")
    retrieval = _retrieval(eye, folder) if "retrieval" in parts and folder.pictures else None
    relevance = _relevance(eye, folder) if "relevance" in parts and folder.pictures else None
    categories = _categories(eye, folder) if "category" in parts else None
    captions = _captions(eye, folder) if "captions" in parts and folder.captioned else None
    colors = _colors(eye, folder) if "colors" in parts and folder.colored else None
    return Report(
        folder=str(folder.folder),
        machine=describe_machine(),
        encoder=encoder.name,
        pictures=len(eye.seen),
        unreadable=tuple(f"{path}: {reason}" for path, reason in eye.unreadable.items()),
        retrieval=retrieval,
        relevance=relevance,
        categories=categories or None,
        captions=captions,
        colors=colors,
        speed=_speed(folder, encoder, decoders, track) if "speed" in parts else None,
    )


def rgb_histogram(picture: Picture) -> npt.NDArray[np.float32]:
    """Return the joint histogram of the three channels as square roots of shares: what one would do without a network.

    It is of unit length, and a dot product of two is the Bhattacharyya coefficient.
    """
    levels = picture.pixels.reshape(-1, 3) // (256 // HISTOGRAM_LEVELS)
    codes = (levels.astype(np.int32) * (HISTOGRAM_LEVELS**2, HISTOGRAM_LEVELS, 1)).sum(axis=1)
    counts = np.bincount(codes, minlength=HISTOGRAM_LEVELS**3)
    return np.asarray(np.sqrt(counts / counts.sum()), np.float32)


def describe_machine() -> str:
    """Return processor, cores and the versions that speed depends on."""
    return (
        f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"onnxruntime {version('onnxruntime')}, numpy {version('numpy')}, pillow {version('pillow')}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _classes(eye: _Eye, folder: LabelledFolder) -> tuple[list[LabelledPicture], list[tuple[str, str] | None]]:
    """Return the pictures that could be read, and the set and label of each that is a query."""
    pictures = [picture for picture in folder.pictures if picture.path in eye.seen]
    judged = {picture.set for picture in pictures} & PROTOCOL_SETS or {picture.set for picture in pictures}
    classes = [
        (picture.set, picture.label) if picture.label and picture.set in judged else None for picture in pictures
    ]
    return pictures, classes


def _relevance(eye: _Eye, folder: LabelledFolder) -> RelevanceScores | None:
    """Judge with the bands that these pictures have as a library."""
    pictures, classes = _classes(eye, folder)
    if not any(classes):
        return None
    embeddings = np.stack([eye.seen[picture.path].embedding for picture in pictures])
    sampled = embeddings[:: -(-len(embeddings) // calibration.MOST_VECTORS)]
    bands = calibration.measure_vectors(sampled, eye.encoder) or eye.encoder.bands
    return score_relevance(embeddings, classes, bands)


def _retrieval(eye: _Eye, folder: LabelledFolder) -> RetrievalReport | None:
    pictures, classes = _classes(eye, folder)
    if not any(classes):
        return None
    embeddings = np.stack([eye.seen[picture.path].embedding for picture in pictures])
    histograms = np.stack([eye.seen[picture.path].histogram for picture in pictures])
    work = eye.track([embeddings, histograms], "Ranking", 2)
    ours, baseline = (protocols.score_retrieval(vectors, classes) for vectors in work)
    if not ours:
        return None
    return RetrievalReport(ours, protocols.mean_over_sets(ours), baseline, protocols.mean_over_sets(baseline))


def _categories(eye: _Eye, folder: LabelledFolder) -> dict[str, CategoryScores]:
    by_part: dict[str, list[LabelledPicture]] = {}
    for picture in folder.pictures:
        if picture.category and picture.path in eye.seen:
            part = {None: ALL, True: FITTED, False: NOT_FITTED}[picture.fitted]
            by_part.setdefault(part, []).append(picture)
    scores = {}
    for part in sorted(by_part, reverse=True):
        pictures = by_part[part]
        predicted = eye.encoder.classify(np.stack([eye.seen[picture.path].embedding for picture in pictures]))
        scores[part] = protocols.score_categories(
            [picture.category for picture in pictures], [category.name for category in predicted]
        )
    return scores


def _captions(eye: _Eye, folder: LabelledFolder) -> CaptionScores | None:
    eye.look([picture.path for picture in folder.captioned], "Captioned pictures")
    pictures = [picture for picture in folder.captioned if picture.path in eye.seen]
    if not pictures:
        return None
    vectors = np.stack([eye.seen[picture.path].embedding for picture in pictures])
    firsts = eye.track((picture.captions[0] for picture in pictures), "Captions", len(pictures))
    return protocols.score_captions(vectors, [_embed_caption(eye.encoder, caption) for caption in firsts])


def _embed_caption(encoder: Encoder, caption: str) -> npt.NDArray[np.float32] | None:
    try:
        return encoder.embed_text(caption).vector
    except InvalidQuery:
        return None


def _colors(eye: _Eye, folder: LabelledFolder) -> dict[str, ColorScores]:
    """Return the scores of each kind of picture, and of all."""
    eye.look([picture.path for picture in folder.colored], "Colored pictures")
    pairs: dict[str, list[tuple[Sequence[tuple[str, float]], Sequence[tuple[str, float]]]]] = {ALL: []}
    for picture in folder.colored:
        if picture.path in eye.seen and picture.palette:
            pair = (picture.palette, eye.seen[picture.path].palette)
            pairs.setdefault(picture.kind, []).append(pair)
            pairs[ALL].append(pair)
    return {kind: protocols.score_colors(found) for kind, found in pairs.items() if found}


def _speed(folder: LabelledFolder, encoder: Encoder, decoders: DecoderPool, track: Track) -> tuple[StageTime, ...]:
    """Time pictures one by one, each stage in this thread. Decoding is timed here, without the way to its process."""
    paths = [picture.path for picture in folder.pictures]
    paths += [picture.path for picture in folder.captioned] + [picture.path for picture in folder.colored]
    chosen = paths[:: max(1, len(paths) // SPEED_PICTURES)][:SPEED_PICTURES]
    rows = []
    for path in track(chosen, "Speed", len(chosen)):
        try:
            rows.append(_time_stages(path, encoder, decoders))
        except (ImageRejected, OSError):
            continue  # told already as unreadable, or not asked to be looked at
    counted = rows[WARM_UP_PICTURES:] or rows
    names = ("decode", "embed", "palette", "category")
    columns = np.array(counted).T * 1000 if counted else np.zeros((len(names), 1))
    return tuple(
        StageTime(name, float(column.mean()), float(np.median(column)))
        for name, column in zip(names, columns, strict=True)
    )


def _time_stages(path: Path, encoder: Encoder, decoders: DecoderPool) -> list[float]:
    picture, decoding = _timed(lambda: decode.decode(path, decoders.limits))
    embedding, embedding_time = _timed(lambda: encoder.embed_pictures([picture]))
    _, palette_time = _timed(lambda: extract_palette(picture))
    _, category_time = _timed(lambda: encoder.classify(embedding))
    return [decoding, embedding_time, palette_time, category_time]


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started
