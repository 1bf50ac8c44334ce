"""ONNX Runtime as every encoder uses it: one thread a call, many calls at once.

A picture is too small a job to be shared among threads, and idle threads of ONNX Runtime spin: with the
defaults, two pictures at a time on two cores took twice as long as one after the other. So a call stays on
its thread, and the caller works on several pictures at once; a session may be shared by threads.

A network may also be opened on a graphics card or by OpenVINO, where ONNX Runtime was built with them.
"""

import logging
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from pipeline.errors import ModelUnusable

ERRORS_ONLY = 3
"""ONNX Runtime's kERROR. Its warnings are about how somebody else's network was written."""

GROW_AS_REQUESTED = 1
"""ONNX Runtime's kSameAsRequested: memory grows by what is asked for, not by doubling."""


DEVICES = ("auto", "cpu", "cuda", "openvino")
"""Where a network may run; `auto` is the first of CUDA, OpenVINO and the processor that can be had."""

CPU, CUDA, OPENVINO = "CPUExecutionProvider", "CUDAExecutionProvider", "OpenVINOExecutionProvider"

_PROVIDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "cuda": (CUDA, {}),
    # Left alone, OpenVINO computes in bfloat16 where the processor can, and gives other vectors without a word.
    "openvino": (OPENVINO, {"device_type": "CPU", "precision": "FP32", "num_of_threads": "1"}),
}

logger = logging.getLogger(__name__)


def open_session(network: bytes | Path, name: str, device: str = "cpu") -> onnxruntime.InferenceSession:
    """Return a session for the ONNX file in or at `network`, on `device`, one of DEVICES.

    A device that cannot be had is logged and the processor taken instead. Raises ModelUnusable when it is no network.
    """
    for wanted in ("cuda", "openvino") if device == "auto" else (device,):
        if wanted in _PROVIDERS:
            session = _on_device(network, name, wanted, expected=device != "auto")
            if session is not None:
                return session
    try:
        return _session(network, [CPU])
    except Exception as error:  # its errors share no base class but Exception
        advice = "delete the models folder and start" if isinstance(network, bytes) else "pull or export it"
        raise ModelUnusable(
            f"The network of the encoder {name} cannot be opened. Please {advice} again.",
            detail=repr(error),
        ) from error


def on_graphics_card(session: onnxruntime.InferenceSession) -> bool:
    """Return whether the network runs beside the processor, where pictures are better given in batches."""
    return provider_of(session) == CUDA


def provider_of(session: onnxruntime.InferenceSession) -> str:
    """Return what runs the network, by ONNX Runtime's name."""
    return str(session.get_providers()[0])


def _on_device(network: bytes | Path, name: str, device: str, *, expected: bool) -> onnxruntime.InferenceSession | None:
    provider, options = _PROVIDERS[device]
    if provider not in onnxruntime.get_available_providers():
        if expected:
            logger.warning(
                "This ONNX Runtime was built without %s: the encoder %s runs on the processor.", device, name
            )
        return None
    if device == "cuda":
        with redirect_stdout(sys.stderr):  # where it says what it lacks, and answers of commands do not belong
            onnxruntime.preload_dlls()  # CUDA and cuDNN as pip installs them, where the system's linker does not look
    try:
        session = _session(network, [(provider, options), CPU])
    except Exception as error:  # noqa: BLE001 - its errors share no base class, and the processor is tried next
        logger.warning("The encoder %s cannot be opened on %s and runs on the processor: %r", name, device, error)
        return None
    if provider_of(session) != provider:
        logger.warning("%s does not start: the encoder %s runs on the processor.", device, name)
        return None
    return session


def _session(network: bytes | Path, providers: list[Any]) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_session_config_entry("session.use_env_allocators", "1")
    return onnxruntime.InferenceSession(
        network if isinstance(network, bytes) else str(network), options, providers=providers
    )


def run_session(session: onnxruntime.InferenceSession, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the only output of the network for its only input."""
    (result,) = session.run(None, {session.get_inputs()[0].name: pixels})
    return np.asarray(result, np.float32)


def _share_one_arena() -> None:
    """Let all sessions of this process draw on one pool of memory, so that two encoders do not keep two."""
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    arena = onnxruntime.OrtArenaCfg({"arena_extend_strategy": GROW_AS_REQUESTED})
    onnxruntime.create_and_register_allocator(memory, arena)


_share_one_arena()
