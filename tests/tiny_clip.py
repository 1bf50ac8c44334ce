"""A CLIP model small enough to be drawn by hand: real ONNX towers and a real tokenizer, made in milliseconds.

It sees the mean color of each quarter of a picture, and knows the words for colors: "red" lies where red pictures lie,
and a few other words lie somewhere of their own. `seed` turns its space, so the vectors of two seeds have nothing to do
with each other, while both find the same pictures alike.

    card = build_tiny_clip(models / "tiny-a", "tiny-a", seed=1)
    encoder = open_clip(models / "tiny-a", card)
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from pipeline.features.encoders.cards import (
    CARD_FILE,
    IMAGE,
    TEXT,
    TOKENIZER,
    ModelCard,
    ModelFile,
    Preprocessing,
    Tokenizing,
    as_json,
)
from pipeline.features.encoders.clip_files import sha256_of

SIZE = 32
CONTEXT = 12
QUARTERS = 4
SEEN = 3 * QUARTERS + 1
"""What the model sees: three colors in four quarters, and a constant, so that gray pictures have a direction too."""
CONSTANT = 0.5

MARKS = ("[PAD]", "[UNK]", "[START]", "[END]")
COLORS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "orange": (255, 128, 0),
    "purple": (128, 0, 255),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
}
THINGS = ("person", "face", "mountain", "beach", "dog", "cat", "food", "meal", "vehicle", "car")
THINGS += ("building", "house", "plant", "tree", "pattern", "texture", "text", "document", "object", "tool")


def build_tiny_clip(
    folder: Path,
    name: str = "tiny-a",
    *,
    seed: int = 0,
    dimension: int = 32,
    pixel_input: str = "pixel_values",
    id_input: str = "input_ids",
    image_output: str = "image_embeds",
    text_output: str = "text_embeds",
    half: bool = False,
    narrow_ids: bool = False,
    masked: bool = False,
    one_at_a_time: bool = False,
) -> ModelCard:
    """Write the files of the model and its card into `folder` and return the card.

    The last arguments are what ONNX files in the wild differ in: names, float16 pictures, int32 ids, an attention mask,
    and a batch that is 1 for ever.
    """
    folder.mkdir(parents=True, exist_ok=True)
    batch = 1 if one_at_a_time else "batch"
    turn = _turn(seed, dimension)
    onnx.save(_image_tower(turn, pixel_input, image_output, batch, half=half), str(folder / "image.onnx"))
    onnx.save(
        _text_tower(turn, id_input, text_output, batch, narrow=narrow_ids, masked=masked), str(folder / "text.onnx")
    )
    _tokenizer().save(str(folder / "tokenizer.json"))
    roles = ((IMAGE, "image.onnx"), (TEXT, "text.onnx"), (TOKENIZER, "tokenizer.json"))
    card = ModelCard(
        name=name,
        description="Sees colors",
        architecture="tiny",
        pretrained=f"seed-{seed}",
        precision="fp32",
        dimension=dimension,
        files=tuple(ModelFile(role, path) for role, path in roles),
        preprocessing=Preprocessing(SIZE, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        tokenizing=Tokenizing(CONTEXT, pad_id=0, end_id=len(MARKS) - 1),
        licence="Apache-2.0",
        commercial_use=True,
    )
    return write_card(folder, card)


def write_card(folder: Path, card: ModelCard) -> ModelCard:
    """Write `card.json` with the sizes and hashes of the files as they are now, and return that card."""
    files = tuple(
        replace(file, bytes=(folder / file.path).stat().st_size, sha256=sha256_of(folder / file.path))
        for file in card.files
    )
    card = replace(card, files=files)
    (folder / CARD_FILE).write_text(as_json(card), encoding="utf-8")
    return card


def _turn(seed, dimension):
    """Return (SEEN, dimension): a random turn of what the model sees into its space."""
    numbers = np.random.default_rng(seed).standard_normal((max(dimension, SEEN), SEEN))
    turned, _ = np.linalg.qr(numbers)
    return turned[:dimension].T.astype(np.float32)


def _image_tower(turn, given, returned, batch, *, half):
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    side = SIZE // 2
    nodes = [
        helper.make_node("Cast", [given], ["as_floats"], to=TensorProto.FLOAT),
        helper.make_node("AveragePool", ["as_floats"], ["quarters"], kernel_shape=[side, side], strides=[side, side]),
        helper.make_node("Flatten", ["quarters"], ["colors"]),
        helper.make_node("Pad", ["colors", "one_more", "constant"], ["seen"]),
        helper.make_node("MatMul", ["seen", "turn"], ["turned"]),
        helper.make_node("Cast", ["turned"], [returned], to=kind),
    ]
    numbers = {"turn": turn, "one_more": np.array([0, 0, 0, 1], np.int64), "constant": np.array(CONSTANT, np.float32)}
    inputs = [helper.make_tensor_value_info(given, kind, [batch, 3, SIZE, SIZE])]
    return _model(nodes, inputs, helper.make_tensor_value_info(returned, kind, [batch, turn.shape[1]]), numbers)


def _text_tower(turn, given, returned, batch, *, narrow, masked):
    kind = TensorProto.INT32 if narrow else TensorProto.INT64
    numbers = {"meanings": _meanings(), "turn": turn, "middle": np.array([1], np.int64)}
    nodes = [helper.make_node("Gather", ["meanings", given], ["words"])]
    inputs = [helper.make_tensor_value_info(given, kind, [batch, CONTEXT])]
    words = "words"
    if masked:
        numbers["last"] = np.array([2], np.int64)
        inputs.append(helper.make_tensor_value_info("attention_mask", kind, [batch, CONTEXT]))
        nodes += [
            helper.make_node("Cast", ["attention_mask"], ["weights"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["weights", "last"], ["column"]),
            helper.make_node("Mul", ["words", "column"], ["counted"]),
        ]
        words = "counted"
    nodes += [
        helper.make_node("ReduceSum", [words, "middle"], ["meant"], keepdims=0),
        helper.make_node("MatMul", ["meant", "turn"], [returned]),
    ]
    output = helper.make_tensor_value_info(returned, TensorProto.FLOAT, [batch, turn.shape[1]])
    return _model(nodes, inputs, output, numbers)


def _meanings():
    """Return (words, SEEN): what a picture of each word looks like. Padding and marks but the end say nothing."""
    generator = np.random.default_rng(20)  # the same for every seed: it is the space that turns, not what words mean
    colors = [np.repeat(np.array(color) / 127.5 - 1, QUARTERS) for color in COLORS.values()]
    things = [generator.uniform(-0.6, 0.6, 3 * QUARTERS) for _ in THINGS]
    silent = [np.zeros(3 * QUARTERS) for _ in MARKS]
    rows = np.array([*silent, *colors, *things])
    constants = np.zeros((len(rows), 1))
    constants[MARKS.index("[END]")] = CONSTANT
    return np.hstack([rows, constants]).astype(np.float32)


def _model(nodes, inputs, output, numbers):
    tensors = [numpy_helper.from_array(array, name) for name, array in numbers.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, [output], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _tokenizer():
    vocabulary = {word: number for number, word in enumerate((*MARKS, *COLORS, *THINGS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=MARKS[1]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[START] $A [END]",
        special_tokens=[(mark, vocabulary[mark]) for mark in ("[START]", "[END]")],
    )
    return tokenizer
