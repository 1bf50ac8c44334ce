"""What ONNX Runtime is allowed to do on its own: nothing."""

import os
import subprocess
import sys

OPEN_A_NETWORK = """
import sys
from pathlib import Path
from pipeline.features.encoders import registry
registry.open_encoder("lite", Path(sys.argv[1])).embed_text("dog")
"""


def test_onnx_runtime_keeps_no_record_to_send_to_its_makers(tmp_path, models, lite):
    del lite  # its network is built by now
    quiet_elsewhere = {"CI", "ORT_RUNNING_UNIT_TESTS", "ORT_DISABLE_TELEMETRY"}  # it says nothing where these are set
    environment = {name: value for name, value in os.environ.items() if name not in quiet_elsewhere}

    command = [sys.executable, "-c", OPEN_A_NETWORK, str(models)]
    subprocess.run(command, check=True, env=environment | {"HOME": str(tmp_path), "XDG_CACHE_HOME": ""})

    assert list(tmp_path.iterdir()) == []
