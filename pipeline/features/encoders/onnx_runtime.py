"""ONNX Runtime as every encoder uses it: one thread a call, many calls at once.

A picture is too small a job to be shared among threads, and idle threads of ONNX Runtime spin: with the
defaults, two pictures at a time on two cores took twice as long as one after the other. So a call stays on
its thread, and the caller works on several pictures at once; a session may be shared by threads.
"""

import numpy as np
import numpy.typing as npt
import onnxruntime

from pipeline.errors import ModelUnusable

GROW_AS_REQUESTED = 1
"""ONNX Runtime's kSameAsRequested: memory grows by what is asked for, not by doubling."""


def open_session(network: bytes, name: str) -> onnxruntime.InferenceSession:
    """Return a session for the ONNX file in `network`. Raises ModelUnusable when it is none."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_session_config_entry("session.use_env_allocators", "1")
    try:
        return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base class but Exception
        raise ModelUnusable(
            f"The network of the encoder {name} cannot be opened. Please delete the models folder and start again.",
            detail=repr(error),
        ) from error


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
