"""Running `likeness` on a data folder of its own: the real command in a process, or the same in this one.

A process is needed where signals, several processes or what a shell sees are tested; it costs a second to start.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from webapp.cli import run

PROGRAM = Path(sys.executable).with_name("likeness")
DEADLINE_SECONDS = 60.0
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class CommandLine:
    """The command with its settings."""

    data: Path
    models: Path

    @property
    def environment(self) -> dict[str, str]:
        ours = {"LIKENESS_DATA": str(self.data), "LIKENESS_MODELS": str(self.models), "LIKENESS_HUB": "off"}
        return {**os.environ, **ours}

    def run(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run to the end; whatever happens, stderr has no traceback."""
        done = subprocess.run(
            [PROGRAM, *map(str, arguments)],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        return done

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        """Start in a process group of its own, as a shell does."""
        return subprocess.Popen(
            [PROGRAM, *map(str, arguments)],
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class CommandHere:
    """The command in this process."""

    data: Path
    models: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: object, **environment: str) -> Done:
        """Run to the end; whatever happens, stderr has no traceback."""
        ours = {"LIKENESS_DATA": str(self.data), "LIKENESS_MODELS": str(self.models), "LIKENESS_HUB": "off"}
        settings = ours | environment
        self.capsys.readouterr()
        with self.monkeypatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name, value)
            status = run([str(argument) for argument in arguments])
        shown = self.capsys.readouterr()
        assert "Traceback" not in shown.err + shown.out
        return Done(status, shown.out, shown.err)


def wait_until(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds; fail the test when it never does."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(LOOK_SECONDS)
