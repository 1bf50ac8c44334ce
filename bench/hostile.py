"""Every file of a folder, posted to a real server one by one and then eight at a time, as uploads and as searches.

    python bench/hostile.py FOLDER

Asked of each: no 5xx, an answer within 3 s, a sentence with every refusal, a service that lives and never takes
300 MiB more than at rest, and nothing served back that a browser could run. Exit status 1 when anything falls short.
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import httpx2 as httpx
from PIL import Image
from served import MemoryWatch, Server, serving

AT_ONCE = 8
MOST_SECONDS = 3.0
MOST_EXTRA_MIB = 300.0
TIMEOUT_SECONDS = 120.0
FEWEST_WORDS = 5  # of a sentence
SERVED_TYPES = {
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/heic",
    "image/heif",
    "image/tiff",
    "image/bmp",
    "image/jp2",
}
INLINE_TYPES = {"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"}

Send = Callable[[httpx.Client, str, Path], "Answer"]


@dataclass(frozen=True)
class Answer:
    """What the server said to one file."""

    file: str
    status: int
    seconds: float
    problem: str


@dataclass
class Round:
    """One way through all files."""

    name: str
    answers: list[Answer] = field(default_factory=list)
    rest_mib: float = 0.0
    peak_mib: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def extra_mib(self) -> float:
        return self.peak_mib - self.rest_mib

    def judge(self) -> None:
        for answer in self.answers:
            if answer.problem:
                self.problems.append(f"{answer.file}: {answer.problem}")
            if answer.seconds > MOST_SECONDS:
                self.problems.append(f"{answer.file}: {answer.seconds:.2f} s")
        if self.extra_mib > MOST_EXTRA_MIB:
            self.problems.append(f"{self.extra_mib:.0f} MiB over rest")


def upload(client: httpx.Client, name: str, path: Path) -> Answer:
    """Post a file as an upload that waits for its analysis, and take back what is served of it."""
    answer, seconds = _timed(client, "/api/v1/images", name, path, {"wait": "true"})
    problem = _problem(answer)
    if not problem and answer.status_code in {200, 201} and answer.json()["state"] == "ready":
        problem = "; ".join(_served_back(client, answer.json()["id"]))
    return Answer(name, answer.status_code, seconds, problem)


def search(client: httpx.Client, name: str, path: Path) -> Answer:
    """Post a file as a picture to search with."""
    answer, seconds = _timed(client, "/api/v1/search", name, path, {"limit": "5"})
    return Answer(name, answer.status_code, seconds, _problem(answer))


def _timed(
    client: httpx.Client, address: str, name: str, path: Path, fields: dict[str, str]
) -> tuple[httpx.Response, float]:
    data = path.read_bytes()
    started = time.perf_counter()
    answer = client.post(address, files={"file": (Path(name).name, data)}, data=fields)
    return answer, time.perf_counter() - started


def _problem(answer: httpx.Response) -> str:
    """Return what is wrong with an answer: a status of ours, or a refusal without a sentence."""
    if answer.status_code in {200, 201}:
        return ""
    if answer.status_code not in {413, 415, 422}:
        return f"status {answer.status_code}"
    return "" if _sentence(answer) else f"no sentence: {answer.text[:100]}"


def _sentence(answer: httpx.Response) -> str:
    message = str(answer.json().get("error", {}).get("message", ""))
    return message if message.endswith((".", "?")) and len(message.split()) >= FEWEST_WORDS else ""


def _served_back(client: httpx.Client, image_id: str) -> Iterator[str]:
    for kind in ("original", "thumbnail", "thumbnail?px=1600"):
        answer = client.get(f"/images/{image_id}/{kind}")
        media_type = answer.headers.get("content-type", "")
        disposition = answer.headers.get("content-disposition", "inline")
        if answer.status_code != 200:
            yield f"{kind} {answer.status_code}"
        elif media_type not in SERVED_TYPES:
            yield f"{kind} served as {media_type}"
        elif disposition.startswith("inline") and media_type not in INLINE_TYPES:
            yield f"{kind} shown in place as {media_type}"
        if answer.headers.get("x-content-type-options") != "nosniff":
            yield f"{kind} without nosniff"
        if "sandbox" not in answer.headers.get("content-security-policy", ""):
            yield f"{kind} without sandbox"


def run_round(name: str, files: list[tuple[str, Path]], send: Send, at_once: int) -> Round:
    """Send every file to a server with an empty data folder; return what came of it."""
    result = Round(name)
    with tempfile.TemporaryDirectory(prefix="likeness-hostile-") as folder, serving(Path(folder)) as server:
        _warm_up(server)
        result.rest_mib = server.memory_mib
        with MemoryWatch(server) as watch, ThreadPoolExecutor(at_once) as pool, _client(server) as client:
            result.answers = list(pool.map(lambda file: send(client, *file), files))
            if client.get("/readyz").status_code != 200 or not server.process.is_running():
                result.problems.append("the service does not live")
        result.peak_mib = watch.peak_mib
    result.judge()
    return result


def _client(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.url, timeout=TIMEOUT_SECONDS)


def _warm_up(server: Server) -> None:
    """Let the server do everything once, so that its rest is that of a server which has worked."""
    with _client(server) as client:
        for color in ("red", "blue"):
            answer = client.post(
                "/api/v1/images", files={"file": (f"{color}.png", _picture(color))}, data={"wait": "true"}
            )
            answer.raise_for_status()
            client.post("/api/v1/search", files={"file": ("a.png", _picture(color))}).raise_for_status()


def _picture(color: str) -> bytes:
    stream = BytesIO()
    Image.new("RGB", (640, 480), color).save(stream, "PNG")
    return stream.getvalue()


def show(result: Round) -> None:
    """Print the line of a round, its slowest files and its problems."""
    statuses = ", ".join(
        f"{status}: {number}" for status, number in sorted(Counter(a.status for a in result.answers).items())
    )
    slowest = sorted(result.answers, key=lambda answer: -answer.seconds)[:3]
    print(f"{result.name}: {len(result.answers)} files; {statuses}")
    print(f"  memory (PSS of all processes): {result.rest_mib:.0f} MiB at rest, {result.extra_mib:+.0f} at the peak")
    for answer in slowest:
        print(f"  slowest: {answer.seconds:.2f} s, status {answer.status}, {answer.file}")
    for problem in result.problems:
        print(f"  PROBLEM {problem}")


def main(folder: Path) -> int:
    files = sorted((str(path.relative_to(folder)), path) for path in folder.rglob("*") if path.is_file())
    rounds = [
        run_round(f"{what}, {'one by one' if at_once == 1 else f'{at_once} at a time'}", files, send, at_once)
        for what, send in (("uploads", upload), ("searches", search))
        for at_once in (1, AT_ONCE)
    ]
    for result in rounds:
        show(result)
    return int(any(result.problems for result in rounds))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
