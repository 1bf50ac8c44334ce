"""Encoders: pictures and words as vectors.

ONNX Runtime for Linux tells its makers about the networks it opens unless this variable is set before it is loaded
(from 1.29 on; https://github.com/microsoft/onnxruntime/blob/main/docs/Privacy.md). Likeness tells nobody anything, so
it is set here, before any module of this package imports it.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
