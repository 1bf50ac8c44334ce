"""The models that an export begins with: those of open_clip, opened on whatever PyTorch is installed.

PyTorch and open_clip are imported here and in `model_export` only; running a model needs neither.
"""

import contextlib
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from pipeline.errors import ModelUnusable
from pipeline.features.encoders.cards import Preprocessing


def _mend_torchvision() -> list[Any]:
    """Let open_clip import a torchvision that was built for another PyTorch, such as the wheel for CUDA beside a CPU's.

    Importing it fails at the first operator that its own library would have defined; open_clip uses none of them. What
    is returned has to be kept: the definitions end with it.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        return [library]
    return []


_definitions = _mend_torchvision()

open_clip: Any = importlib.import_module("open_clip")


@dataclass(frozen=True)
class SourceModel:
    """A model of open_clip, ready to be asked: `transform` shows it a Pillow image, `tokenize` a list of texts."""

    network: Any
    preprocessing: Preprocessing
    transform: Callable[[Any], Any]
    tokenize: Any
    dimension: int
    parameters: int


def open_source(architecture: str, pretrained: str, *, seed: int = 0) -> SourceModel:
    """Return a model by open_clip's names.

    `pretrained` is one of open_clip's tags, which downloads, a file with a checkpoint, or empty for weights drawn from
    `seed`, which are good for trying things only. Raises ModelUnusable when there is no such model, or one whose
    pictures are not square.
    """
    torch.manual_seed(seed)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            # Of weights that were trained with another activation than the architecture has, open_clip only warns.
            quick = bool(open_clip.get_pretrained_cfg(architecture, pretrained).get("quick_gelu"))
            network = open_clip.create_model(architecture, pretrained=pretrained or None, force_quick_gelu=quick).eval()
            tokenize = open_clip.get_tokenizer(architecture)
    except Exception as error:  # it raises RuntimeError, OSError, ValueError, and what the hub's client raises
        raise ModelUnusable(
            f"open_clip cannot open {architecture} with the weights {pretrained or 'drawn at random'}. Please check "
            "both names, and that the model hub can be reached, or give a checkpoint file.",
            detail=repr(error),
        ) from error
    trunk = getattr(getattr(network, "visual", None), "trunk", None)
    if trunk is not None:  # branches that were only needed for training become one, as in MobileCLIP
        network.visual.trunk = importlib.import_module("timm.utils").reparameterize_model(trunk)
    config = open_clip.get_model_preprocess_cfg(network) | _usual_looks(architecture, pretrained)
    with torch.no_grad():
        dimension = int(network.encode_text(tokenize(["a dog"])).shape[1])
    return SourceModel(
        network=network,
        preprocessing=_preprocessing(architecture, config),
        transform=open_clip.transform.image_transform_v2(open_clip.transform.PreprocessCfg(**config), is_train=False),
        tokenize=tokenize,
        dimension=dimension,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
    )


def _usual_looks(architecture: str, pretrained: str) -> dict[str, Any]:
    """Return how all published weights of this architecture look at pictures, if they agree.

    open_clip knows that by the tag of the weights. For a checkpoint file it takes what OpenAI's models do, which is
    wrong for SigLIP and others.
    """
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if pretrained in tags:
        return {}
    known = [open_clip.get_pretrained_cfg(architecture, tag) for tag in tags]
    looks = [{name: one[name] for name in ("mean", "std", "interpolation", "resize_mode")} for one in known]
    return looks[0] if looks and looks.count(looks[0]) == len(looks) else {}


def _preprocessing(architecture: str, config: dict[str, Any]) -> Preprocessing:
    size = config["size"]
    sides = set(size) if isinstance(size, (tuple, list)) else {size}
    if len(sides) != 1 or config["mode"] != "RGB" or (config["resize_mode"] == "longest" and config["fill_color"] != 0):
        raise ModelUnusable(
            f"{architecture} looks at pictures in a way that Likeness does not know.", detail=str(config)
        )
    return Preprocessing(
        size=int(sides.pop()),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        resize=config["resize_mode"] or "shortest",
        interpolation=config["interpolation"],
    )
