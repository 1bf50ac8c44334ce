"""A change of encoder under constant search: whether a search fails or mixes two encoders, and what it costs.

    python bench/encoder_switch.py FOLDER... --models DIR --to NAME [--pictures 2000] [--clients 2]

The pictures are imported with `lite` into a fresh data folder, a real server is started, and clients search without a
pause, by image and by words, while `likeness models use NAME --no-wait` changes the encoder to a model that is
installed in DIR. Each answer must be, picture by picture, what that encoder answers at rest: the lists before the
change and after it are taken as the reference.
"""

import argparse
import os
import random
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx
import numpy as np
from served import PROGRAM, MemoryWatch, Server, serving

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
WORDS = ("dog", "car", "flower", "church")
BY_IMAGE = 12  # images that are searched with, over and over
LIMIT = 10
TIMEOUT_SECONDS = 60.0
LOOK_SECONDS = 0.5
LONGEST_SECONDS = 3600.0
SEED = 1


@dataclass
class Seen:
    """What the clients were answered."""

    milliseconds: list[float] = field(default_factory=list)
    by_encoder: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    answers: set[tuple[str, str, tuple[str, ...]]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


def main() -> None:
    options = _options()
    files = sorted(path for folder in options.folders for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    random.Random(SEED).shuffle(files)  # noqa: S311 - a sample, no secret
    files = files[: options.pictures]
    with tempfile.TemporaryDirectory(prefix="likeness-switch-") as folder:
        data, chosen = Path(folder) / "data", Path(folder) / "chosen"
        chosen.mkdir()
        for number, file in enumerate(files):
            (chosen / f"{number:05}{file.suffix.lower()}").symlink_to(file.resolve())
        environment = {
            "LIKENESS_MODELS": str(options.models.resolve()),
            "LIKENESS_HUB": "off",
            "LIKENESS_ENCODER": "auto",
        }
        command(data, environment, "import", str(chosen))
        with (
            serving(data, **environment) as server,
            httpx.Client(base_url=server.url, timeout=TIMEOUT_SECONDS) as client,
        ):
            measure(client, server, data, environment, options)


def measure(
    client: httpx.Client, server: Server, data: Path, environment: dict[str, str], options: argparse.Namespace
) -> None:
    listed = client.get("/api/v1/images", params={"limit": 200}).json()["images"]
    questions = [{"image_id": image["id"]} for image in listed[:BY_IMAGE]] + [{"text": word} for word in WORDS]
    old = {str(question): answer(client, question) for question in questions}
    at_rest = server.memory_mib
    seen, ended = Seen(), threading.Event()
    askers = [
        threading.Thread(target=ask, args=(client.base_url, questions, seen, ended)) for _ in range(options.clients)
    ]
    with MemoryWatch(server) as watch:
        for asker in askers:
            asker.start()
        started = time.monotonic()
        command(data, environment, "models", "use", options.to, "--no-wait")
        while time.monotonic() - started < LONGEST_SECONDS:
            status = client.get("/api/v1/status").json()
            if status["encoder"]["name"] == options.to:
                break
            time.sleep(LOOK_SECONDS)
        seconds = time.monotonic() - started
        time.sleep(LOOK_SECONDS)
        ended.set()
        for asker in askers:
            asker.join()
    new = {str(question): answer(client, question) for question in questions}
    mixed = [given for given in seen.answers if given[1:] not in (old[given[0]], new[given[0]])]
    states = client.get("/api/v1/status").json()["states"]
    print(f"{states['ready']:,} pictures, from {old[str(questions[0])][0]} to {new[str(questions[0])][0]}")
    print(f"seconds until searches had gone over   {seconds:.1f} ({states['ready'] / seconds:.0f} pictures a second)")
    print(f"searches meanwhile                     {len(seen.milliseconds):,} {seen.by_encoder}")
    print(f"failed                                 {len(seen.failed)} {seen.failed[:3]}")
    print(f"answers that neither encoder gives     {len(mixed)}")
    p50, p99 = np.percentile(seen.milliseconds, (50, 99))
    print(f"milliseconds a search                  p50 {p50:.0f}, p99 {p99:.0f}, most {max(seen.milliseconds):.0f}")
    print(
        f"memory of the server, MiB              {at_rest:.0f} before, {watch.peak_mib:.0f} at most, "
        f"{server.memory_mib:.0f} after"
    )


def ask(url: httpx.URL, questions: list[dict[str, str]], seen: Seen, ended: threading.Event) -> None:
    with httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS) as client:
        while not ended.is_set():
            for question in questions:
                begun = time.perf_counter()
                try:
                    encoder, ids = answer(client, question)
                except (httpx.HTTPError, RuntimeError) as error:
                    with seen.lock:
                        seen.failed.append(repr(error))
                    continue
                with seen.lock:
                    seen.milliseconds.append((time.perf_counter() - begun) * 1000)
                    seen.by_encoder[encoder] = seen.by_encoder.get(encoder, 0) + 1
                    seen.answers.add((str(question), encoder, ids))


def answer(client: httpx.Client, question: dict[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return which encoder answered, and the images it found, the nearest first."""
    response = client.post("/api/v1/search", json={**question, "limit": LIMIT})
    if response.status_code != httpx.codes.OK:
        raise RuntimeError(f"{response.status_code} {response.text[:200]}")
    found = response.json()
    return found["encoder"], tuple(result["image"]["id"] for result in found["results"])


def command(data: Path, environment: dict[str, str], *arguments: str) -> None:
    subprocess.run([PROGRAM, *arguments], env=os.environ | environment | {"LIKENESS_DATA": str(data)}, check=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--to", required=True)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
