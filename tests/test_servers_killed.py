"""A worker, Redis and PostgreSQL are killed in the middle of an import: nothing is lost, and nothing is there twice."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

BENCH = Path(__file__).parent.parent / "bench" / "takeover.py"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is needed")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that is not one of pytest's.

    Whoever starts pytest on this machine closes the folder of all such folders to other accounts. PostgreSQL runs under
    one of those when we are root, and could not be started again after that.
    """
    with tempfile.TemporaryDirectory(prefix="killed-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def test_an_import_survives_that_a_worker_redis_and_postgresql_are_killed(folder, models, lite, postgresql):
    del lite, postgresql  # its network is among the models; and this server is skipped where it cannot be had
    options = [
        "--pictures",
        "60",
        "--batch",
        "2",
        "--lease",
        "5",
        "--retry",
        "0.2",
        "--models",
        models,
        "--forgetful",
        "--json",
    ]

    done = subprocess.run(
        [sys.executable, BENCH, *map(str, options)],
        env=os.environ | {"TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["pictures"], report["different_files"], list(report["killed_at"])) == (
        60,
        60,
        ["worker", "redis", "postgresql"],
    )
    assert max(report["killed_at"].values()) < 60, "all was done before the last was killed"
    assert report["held_by_the_killed_worker"] > 0
    found = {name: value for name, value in list(report.items())[7:] if value}
    assert found == {}
