"""A real Milvus server, the last that comes as a wheel (2.3.5), on ports that are free.

It is one process with its own etcd and object store in a folder. Its clock ticks more often than usual, and it looks
more often for what is to be loaded, so that tests wait less; nothing else differs from how it comes.
"""

import gc
import json
import signal
import socket
import tempfile
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from real_servers import missing

QUICKER = {
    "rootCoord.timeTickInterval": 50,
    "proxy.timeTickInterval": 50,
    "dataNode.timeTickInterval": 50,
    "queryCoord.checkInterval": 100,
    "queryCoord.distPullInterval": 100,
    "queryCoord.checkHandoffInterval": 200,
}
"""In milliseconds."""

START_SECONDS = 120.0
POLL_SECONDS = 0.1


class MilvusServer:
    """Milvus 2.3.5 in a folder that is removed by `close`."""

    def __init__(self) -> None:
        try:
            import milvus
        except ImportError:
            missing("The Milvus server is not installed (`pip install --group servers`).")
        self._spare: list[str] = []
        self._folder = tempfile.TemporaryDirectory(prefix="milvus", ignore_cleanup_errors=True)
        config = milvus.MilvusServerConfig(data_dir=self._folder.name)
        self._server = milvus.MilvusServer(config, wait_for_started=False)
        for name, value in QUICKER.items():
            self._server.config.set(name, value)
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """The address of its default database."""
        return f"milvus://127.0.0.1:{self._server.listen_port}"

    @contextmanager
    def lent_collection(self, vectors) -> Iterator[None]:
        """Give a store without a collection an empty one that another test is through with: making one takes seconds.

        It follows the database of the store from its beginning, as a new one would.
        """
        follower, connection = vectors._follower, vectors._connection
        if self._spare:
            follower.begin(self._spare.pop())
        yield
        position = follower.position()
        if position and connection.call("has_collection", position.place):
            connection.call("delete", position.place, filter="row >= 0")
            self._spare.append(position.place)

    def wait_for_graphs(self, vectors) -> None:
        """Wait until everything a store holds is in graphs: what was written lately is searched coarsely till then."""
        place, connection = vectors._follower.position().place, vectors._connection
        connection.call("flush", place, timeout=START_SECONDS)
        deadline = time.monotonic() + START_SECONDS
        while connection.call("describe_index", place, "vector")["pending_index_rows"]:
            if time.monotonic() > deadline:
                pytest.fail("The Milvus server did not build its graphs.")
            time.sleep(POLL_SECONDS)
        # A graph that is built is taken up some seconds later; what is loaded anew has it at once.
        connection.call("release_collection", place, timeout=START_SECONDS)
        connection.call("load_collection", place, timeout=START_SECONDS)

    def start(self) -> None:
        """Start it, also again on the same data, and wait until it is well."""
        # It would try the same ports in turn as another one that starts at this moment, and one of both would fail.
        config = self._server.config
        config.update(**{name: _free_port() for name in config.configurable_items if name.endswith("_port")})
        self._server.webservice_port = _free_port()
        etcd = Path(self._folder.name) / "etcd.json"
        with pytest.MonkeyPatch.context() as environment:
            if not etcd.exists():
                etcd.write_text(json.dumps(self._etcd()))
            environment.setenv("ETCD_CONFIG_PATH", str(etcd))
            with warnings.catch_warnings(action="ignore", category=ResourceWarning):
                self._server.start()  # it forgets about the sockets with which it looked for free ports
                gc.collect()
        health = f"http://127.0.0.1:{self._server.webservice_port}/healthz"
        deadline = time.monotonic() + START_SECONDS
        while not _is_well(health):
            if self._server.server_proc.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"The Milvus server did not start: {self.log()[-2000:]}")
            time.sleep(POLL_SECONDS)

    def kill(self) -> None:
        """End it with SIGKILL, as a power cut would."""
        if self._server.server_proc:
            self._server.server_proc.send_signal(signal.SIGKILL)
            self._server.server_proc.wait()

    def pause(self) -> None:
        """Let it answer nothing although its port is open, as a machine that is overwhelmed does."""
        self._process().suspend()

    def go_on(self) -> None:
        """Let it answer again."""
        self._process().resume()

    def close(self) -> None:
        """End it and remove its folder.

        Its data goes as well, so it is killed: `stop` gives up on a process that takes seconds to end, as it may on a
        busy machine, and the folder would then be removed only when Python happens to come by, which is a warning.
        """
        try:
            self.kill()
            self._server.stop()  # closes the files of its log
        finally:
            self._folder.cleanup()

    def log(self) -> str:
        """Return what it wrote, for whoever looks for the reason of a failure."""
        return "".join(path.read_text(errors="replace") for path in Path(self._folder.name).glob("logs/milvus-*.log"))

    def _etcd(self) -> dict[str, str]:
        """Return settings of its etcd, whose second port is always the same otherwise."""
        client, peer = f"http://127.0.0.1:{_free_port()}", f"http://127.0.0.1:{_free_port()}"
        self._server.config.set("etcd.endpoints", client.removeprefix("http://"))
        return {
            "name": "default",
            "data-dir": str(Path(self._folder.name) / "data" / "etcd.data"),
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
        }

    def _process(self) -> psutil.Process:
        return psutil.Process(self._server.server_proc.pid)


def _is_well(health: str) -> bool:
    try:
        with urllib.request.urlopen(health, timeout=5) as answer:  # noqa: S310 - our own server
            return b"OK" in answer.read()
    except (urllib.error.URLError, ConnectionError):
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]
