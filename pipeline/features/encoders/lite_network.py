"""EfficientNet-Lite0 as an ONNX graph, built from the tensors of its PyTorch file.

The shape of the network is that of the TensorFlow original (Tan and Le, EfficientNet, 2019; the "lite"
variant has neither squeeze-and-excitation nor swish). Batch normalization is folded into the convolutions.
TensorFlow's "same" padding puts the odd pixel at the end, which the paddings below spell out; they hold for
sides that are multiples of 32. How pictures get to that side belongs to `lite_views`, where the file is kept
to `model_cache`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from pipeline.features.encoders.torch_file import Tensor

NETWORK_VERSION = "efficientnet-lite0-rms-inner-1"
"""Part of the fingerprint and of the name of the kept file: change it with anything here that changes a
number."""

OPSET = 17
IR_VERSION = 8
"""Old enough for every ONNX Runtime that the project accepts."""

BATCH_NORM_EPSILON = 1e-3
"""TensorFlow's default, with which the network was trained; PyTorch's own is 1e-5."""

PIXEL_MEAN, PIXEL_SCALE = 127.0, 128.0
"""The input of the network is (pixel - 127) / 128."""

SIDE_MULTIPLE = 32
"""The network halves its input five times."""

FEATURES = 1280
CLASSES = 1000

BORDER_CELLS = 1
"""The outermost cells of the last layer see mostly padding; without them, and with root mean squares instead
of plain averages, P@10 on Caltech-101 rises from 0.666 to 0.704 (docs/evaluation-lite.md)."""

INPUT, OUTPUT = "pixels", "features"


@dataclass(frozen=True)
class Block:
    """An inverted residual block: widen, filter each channel, narrow, and add the input where shapes allow."""

    kernel: int
    stride: int
    widens: bool
    residual: bool


BLOCKS = (
    Block(3, 1, widens=False, residual=False),
    Block(3, 2, widens=True, residual=False),
    Block(3, 1, widens=True, residual=True),
    Block(5, 2, widens=True, residual=False),
    Block(5, 1, widens=True, residual=True),
    Block(3, 2, widens=True, residual=False),
    Block(3, 1, widens=True, residual=True),
    Block(3, 1, widens=True, residual=True),
    Block(5, 1, widens=True, residual=False),
    Block(5, 1, widens=True, residual=True),
    Block(5, 1, widens=True, residual=True),
    Block(5, 2, widens=True, residual=False),
    Block(5, 1, widens=True, residual=True),
    Block(5, 1, widens=True, residual=True),
    Block(5, 1, widens=True, residual=True),
    Block(3, 1, widens=True, residual=False),
)


def build_network(tensors: Mapping[str, Tensor]) -> ModelProto:
    """Return the network: `pixels` (n, height, width, 3) uint8 to `features` (n, 1280) float32, each 0 to 6.

    Height and width are multiples of 32, at least 96. Features are the root mean squares of the last layer
    over the picture without its outermost cells. Raises KeyError when a tensor is missing.
    """
    graph = _Graph(tensors)
    top = graph.prepare_pixels()
    top = graph.convolve(top, "_conv_stem", "_bn0", stride=2, activate=True)
    for index, block in enumerate(BLOCKS):
        top = graph.add_block(top, f"_blocks.{index}", block)
    top = graph.convolve(top, "_conv_head", "_bn1", activate=True)
    graph.pool(top)
    return graph.to_model()


@dataclass
class _Graph:
    """The nodes and numbers gathered so far."""

    tensors: Mapping[str, Tensor]
    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, numbers: npt.NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(numbers, name))
        return name

    def prepare_pixels(self) -> str:
        mean = self.constant("pixel_mean", np.full((), PIXEL_MEAN, np.float32))
        scale = self.constant("pixel_scale", np.full((), PIXEL_SCALE, np.float32))
        self.constant("zero", np.zeros((), np.float32))
        self.constant("six", np.full((), 6, np.float32))
        planes = self.add("Transpose", [INPUT], "planes", perm=[0, 3, 1, 2])
        numbers = self.add("Cast", [planes], "numbers", to=TensorProto.FLOAT)
        centered = self.add("Sub", [numbers, mean], "centered")
        return self.add("Div", [centered, scale], "normalized")

    def convolve(
        self, source: str, name: str, norm: str, *, stride: int = 1, channelwise: bool = False, activate: bool
    ) -> str:
        kernel, bias = fold_batch_norm(self.tensors, name, norm)
        size = kernel.shape[-1]
        before, after = same_padding(size, stride)
        result = self.add(
            "Conv",
            [source, self.constant(f"{name}.kernel", kernel), self.constant(f"{name}.bias", bias)],
            f"{name}.out",
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=kernel.shape[0] if channelwise else 1,
        )
        return self._relu6(result) if activate else result

    def _relu6(self, source: str) -> str:
        return self.add("Clip", [source, "zero", "six"], f"{source}.relu6")

    def add_block(self, source: str, name: str, block: Block) -> str:
        top = source
        if block.widens:
            top = self.convolve(top, f"{name}._expand_conv", f"{name}._bn0", activate=True)
        top = self.convolve(
            top,
            f"{name}._depthwise_conv",
            f"{name}._bn1",
            stride=block.stride,
            channelwise=True,
            activate=True,
        )
        top = self.convolve(top, f"{name}._project_conv", f"{name}._bn2", activate=False)
        return self.add("Add", [top, source], f"{name}.sum") if block.residual else top

    def pool(self, source: str) -> str:
        border = self.constant("border", np.array([BORDER_CELLS, BORDER_CELLS], np.int64))
        ends = self.constant("ends", np.array([-BORDER_CELLS, -BORDER_CELLS], np.int64))
        axes = self.constant("axes", np.array([2, 3], np.int64))
        inner = self.add("Slice", [source, border, ends, axes], "inner")
        squares = self.add("Mul", [inner, inner], "squares")
        mean_square = self.add("ReduceMean", [squares], "mean_square", axes=[2, 3], keepdims=0)
        return self.add("Sqrt", [mean_square], OUTPUT)

    def to_model(self) -> ModelProto:
        pixels = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["pictures", "height", "width", 3])
        features = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["pictures", FEATURES])
        graph = helper.make_graph(self.nodes, "efficientnet-lite0", [pixels], [features], self.constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="likeness",
        )
        checker.check_model(model)
        return model


def fold_batch_norm(
    tensors: Mapping[str, Tensor], convolution: str, norm: str
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return kernel and bias of one convolution that does what `convolution` followed by `norm` does."""
    variance = np.asarray(tensors[f"{norm}.running_var"], np.float64)
    gain = np.asarray(tensors[f"{norm}.weight"], np.float64) / np.sqrt(variance + BATCH_NORM_EPSILON)
    kernel = np.asarray(tensors[f"{convolution}.weight"], np.float64) * gain[:, None, None, None]
    mean = np.asarray(tensors[f"{norm}.running_mean"], np.float64)
    bias = np.asarray(tensors[f"{norm}.bias"], np.float64) - gain * mean
    return kernel.astype(np.float32), bias.astype(np.float32)


def same_padding(kernel: int, stride: int) -> tuple[int, int]:
    """Return the padding before and after an even side, so that the result has side / stride pixels."""
    total = max(kernel - stride, 0)
    return total // 2, total - total // 2
