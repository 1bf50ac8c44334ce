"""From a model of open_clip to a folder that Likeness runs: two ONNX files, a tokenizer and a card.

What was written is opened as a search would open it, and its vectors are compared with those of PyTorch before it gets
its name: an export that says something else is an error, not a model.
"""

import math
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from PIL import Image

from pipeline.errors import Conflict, ModelUnusable
from pipeline.features.encoders.cards import (
    IMAGE,
    OTHER,
    TEXT,
    TOKENIZER,
    ModelCard,
    ModelFile,
)
from pipeline.features.encoders.clip import ClipEncoder, open_clip
from pipeline.features.encoders.clip_files import sha256_of
from pipeline.features.encoders.registry import check_new_name
from pipeline.features.picture import Facts, Picture
from pipeline.model_export_source import SourceModel, open_source
from pipeline.model_export_tokens import write_tokenizer
from pipeline.model_files import write_card

PRECISIONS = ("fp32", "int8")

LEAST_COSINE = {"fp32": 0.9999, "int8": 0.95}
"""The cosine to PyTorch's vector that an export must reach for every picture and text. What is below is an export that
went wrong; 8 bits have been seen to stay above 0.999 (docs/measurements.md), but with random weights."""

ONE_FILE_BYTES = 1_900_000_000
"""An ONNX file is a protocol buffer, which ends at 2 GB; larger towers keep their numbers beside it."""

FLOAT_BYTES = 4

LARGE_TABLE = 1_000_000
"""Numbers in a table from which on it is worth being halved; that of positions is smaller."""

UNKNOWN_LICENCE = "unknown; see where the weights come from"

TEXTS = (
    "a photo of a dog",
    "two children playing football on a beach",
    "Red car in front of an old house.",
    "sunset over the mountains",
    "a plate with pasta, basil and tomatoes",
    "the Eiffel Tower at night",
    "black and white portrait of an old man",
    "a diagram",
    "crème brûlée &amp; café",
    "a very long description of " + "a street with many shops and people " * 20,
)

DRAWN_PICTURES = 16


@dataclass(frozen=True)
class Parity:
    """How close an export is to the model it was made from: cosines of the same pictures and texts."""

    pictures: int
    picture_min: float
    picture_mean: float
    texts: int
    text_min: float
    text_mean: float

    def __str__(self) -> str:
        return (
            f"cosine to PyTorch: {self.pictures} pictures, least {self.picture_min:.6f}, mean {self.picture_mean:.6f}; "
            f"{self.texts} texts, least {self.text_min:.6f}, mean {self.text_mean:.6f}"
        )


@dataclass(frozen=True)
class Wish:
    """What is to be exported, by open_clip's names; `pretrained` is a tag, a checkpoint file or empty (random)."""

    architecture: str
    pretrained: str
    name: str
    licence: str = UNKNOWN_LICENCE
    commercial_use: bool = False


def export(
    wish: Wish,
    folder: Path,
    *,
    precisions: Sequence[str] = ("fp32",),
    pictures: Sequence[Picture] = (),
    tell: Callable[[str], None] = lambda _sentence: None,
) -> list[ModelCard]:
    """Export a model into folders below `folder`, one for each of `precisions`, and return their cards.

    The folder is called like the model, with `-int8` behind it if both precisions are asked for. `pictures` are what
    the export is tried on; without any, some are drawn. Raises Conflict when a folder is there already, and
    ModelUnusable when its name is none or one of the list, and when the model cannot be had, cannot be exported, or
    says something else afterwards.
    """
    names = {one: wish.name + ("-int8" if one == "int8" and len(precisions) > 1 else "") for one in precisions}
    for name in names.values():
        check_new_name(name)
        if (folder / name).exists():
            raise Conflict(f"There is a model {name} in {folder} already. Please choose another name, or remove it.")
    tell(f"opening {wish.architecture} {wish.pretrained or '(random weights)'}")
    source = open_source(wish.architecture, wish.pretrained)
    reference = _Reference(source, list(pictures) or draw_pictures(DRAWN_PICTURES))
    folder.mkdir(parents=True, exist_ok=True)
    cards = []
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{wish.name}-", suffix=".part") as parts:
        exact = Path(parts) / "fp32"
        exact.mkdir()
        write_towers(source, exact, tell)
        for precision, name in names.items():
            ready = _at_precision(precision, exact, Path(parts) / "ready" / precision, tell)
            tokenizing = write_tokenizer(source.tokenize, ready / "tokenizer.json")
            card = ModelCard(
                name=name,
                description=f"{wish.architecture} of open_clip, weights {wish.pretrained or 'random'}",
                architecture=wish.architecture,
                pretrained=wish.pretrained,
                precision=precision,
                dimension=source.dimension,
                files=_files(ready),
                preprocessing=source.preprocessing,
                tokenizing=tokenizing,
                licence=wish.licence,
                commercial_use=wish.commercial_use,
            )
            parity = _proven(card, reference, ready)
            tell(f"{name}: {parity}")
            card = replace(card, extra={"parity": asdict(parity)})
            write_card(ready, card)
            ready.rename(folder / name)
            cards.append(card)
    return cards


def write_towers(source: SourceModel, folder: Path, tell: Callable[[str], None]) -> None:
    """Write image.onnx and text.onnx into `folder`, in fp32, for batches of any size."""
    size = source.preprocessing.size
    towers: list[tuple[str, str, torch.nn.Module, Any]] = [
        (IMAGE, "pixel_values", _Images(source.network), torch.zeros(2, 3, size, size)),
        (TEXT, "input_ids", _Texts(source.network), source.tokenize(["a dog", "two cats"])),
    ]
    for role, given, tower, example in towers:
        tell(f"exporting the {role} tower")
        try:
            torch.onnx.export(
                tower.eval(),
                (example,),
                str(folder / f"{role}.onnx"),
                dynamo=True,
                verbose=False,
                external_data=source.parameters * FLOAT_BYTES > ONE_FILE_BYTES,
                input_names=[given],
                output_names=[f"{role}_embeds"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
            )
        except Exception as error:  # anything at all, from deep inside
            raise ModelUnusable(
                f"The {role} tower of this model cannot be written as ONNX.", detail=repr(error)[:500]
            ) from error


def quantize(path: Path, target: Path) -> None:
    """Write the network at `path` to `target` with the weights of its products in 8 bits, its large tables in 16.

    Activations are unsigned: products of two signed numbers take eighteen times as long on x86 (measured).
    """
    network = onnx.load(str(path))
    del network.graph.value_info[:]  # the shapes that PyTorch wrote contradict those that are inferred here
    _halve_tables(network.graph)
    large = sum(len(tensor.raw_data) for tensor in network.graph.initializer) > ONE_FILE_BYTES
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        plain = Path(scratch) / "plain.onnx"
        onnx.save(network, str(plain), save_as_external_data=large)
        quantize_dynamic(
            plain,
            target,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=large,
            extra_options={"ActivationSymmetric": False},
        )


def _halve_tables(graph: onnx.GraphProto) -> None:
    """Keep tables that are only looked up in, such as the vectors of all tokens, in float16.

    They are most of a text tower in 8 bits: 800 MB for the 256,000 tokens of SigLIP 2.
    """
    tables = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT}
    used = Counter(name for node in graph.node for name in node.input)
    for place, node in reversed(list(enumerate(graph.node))):
        table = tables.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or used[table.name] > 1 or math.prod(table.dims) < LARGE_TABLE:
            continue
        halved = onnx.numpy_helper.to_array(table).astype(np.float16)
        table.CopyFrom(onnx.numpy_helper.from_array(halved, table.name))
        wide, node.output[0] = node.output[0], f"{node.output[0]}_half"
        cast = onnx.helper.make_node("Cast", [node.output[0]], [wide], to=onnx.TensorProto.FLOAT)
        graph.node.insert(place + 1, cast)


def draw_pictures(count: int, seed: int = 0) -> list[Picture]:
    """Return pictures of soft spots of color, which differ in shape as photographs do."""
    generator = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        rough = Image.fromarray(generator.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        size = (int(generator.integers(240, 700)), int(generator.integers(240, 700)))
        pixels = np.asarray(rough.resize(size, Image.Resampling.BICUBIC))
        pictures.append(Picture(pixels, None, Facts("PNG", "image/png", *size)))
    return pictures


class _Images(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: Any) -> Any:
        return self.network.encode_image(pixel_values, normalize=True)


class _Texts(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Any) -> Any:
        return self.network.encode_text(input_ids, normalize=True)


class _Reference:
    """What PyTorch says of the pictures and texts that an export is tried on."""

    def __init__(self, source: SourceModel, pictures: Sequence[Picture]) -> None:
        self.pictures = pictures
        with torch.no_grad():
            shown = [source.transform(Image.fromarray(picture.pixels)) for picture in pictures]
            self.images = np.concatenate([_unit(source.network.encode_image(one[None])) for one in shown])
            self.texts = np.concatenate([_unit(source.network.encode_text(source.tokenize([one]))) for one in TEXTS])

    def compare(self, encoder: ClipEncoder) -> Parity:
        images = (encoder.embed_pictures(self.pictures) * self.images).sum(axis=1)
        texts = (np.stack([encoder.embed_text(text).vector for text in TEXTS]) * self.texts).sum(axis=1)
        return Parity(
            len(images), float(images.min()), float(images.mean()), len(texts), float(texts.min()), float(texts.mean())
        )


def _unit(vectors: Any) -> npt.NDArray[np.float32]:
    rows = vectors.numpy().astype(np.float64)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _at_precision(precision: str, exact: Path, ready: Path, tell: Callable[[str], None]) -> Path:
    if precision == "fp32":
        return Path(shutil.copytree(exact, ready))
    ready.mkdir(parents=True)
    tell("making 8 bits of the weights")
    for role in (IMAGE, TEXT):
        quantize(exact / f"{role}.onnx", ready / f"{role}.onnx")
    return ready


def _files(folder: Path) -> tuple[ModelFile, ...]:
    roles = {"image.onnx": IMAGE, "text.onnx": TEXT, "tokenizer.json": TOKENIZER}
    return tuple(
        ModelFile(roles.get(path.name, OTHER), path.name, bytes=path.stat().st_size, sha256=sha256_of(path))
        for path in sorted(folder.iterdir())
    )


def _proven(card: ModelCard, reference: _Reference, folder: Path) -> Parity:
    parity = reference.compare(open_clip(folder, card, device="cpu"))
    if not min(parity.picture_min, parity.text_min) >= LEAST_COSINE[card.precision]:
        raise ModelUnusable(
            f"The export of {card.architecture} in {card.precision} says something else than the model it comes from.",
            detail=str(parity),
        )
    return parity
