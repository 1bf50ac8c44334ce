"""What stacks cost: the search page with what is nearly the same in stacks, beside the same page without stacks.

    python bench/stacks.py [--pictures 2000] [--copies 300] [--times 30] [--data FOLDER]

Images without a file are made as by `latency.py`; `--copies` of them are said to be re-encoded from others, three of
each. Both pages are asked in turns of one application in this process, so that whatever else the machine does meets
both. Of each the medians are told: milliseconds of CPU, which say more on a shared machine, and by the clock.
"""

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

from latency import fill
from starlette.testclient import TestClient

from pipeline.backend import Backend
from pipeline.duplicate_groups import regroup
from pipeline.features.comparison import Comparison, Verdict
from pipeline.filters import Filter
from pipeline.settings import read_settings
from pipeline.stores import records_findings
from webapp.app import create_app

LOCAL = "http://127.0.0.1:8000"
SEED = 1
EACH = 3  # copies of one picture
WARMING = 3  # pages of each that are not counted
PAGES = {
    "words, 60 tiles": "/?text=dog",
    "colors, 60 tiles": "/?color=808080&color_tolerance=60&color_share=0",
    "words, from place 1,000 on": "/?text=dog&offset=1000",
    "words, 1,200 tiles at once": "/?text=dog&shown=1200",
}


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="likeness-stacks-") as folder:
        data = options.data or Path(folder)
        is_kept = (data / "likeness.db").exists()
        app = create_app(read_settings(data=data), with_worker=False)
        with TestClient(app, base_url=LOCAL) as client:
            if not is_kept:
                fill(app.state.running.backend, options.pictures)
                find_copies(app.state.running.backend, options.copies)
            print(f"{'milliseconds, stacked / not':30}{'CPU':>18}{'ratio':>8}{'clock':>18}{'ratio':>8}{'stacks':>8}")
            for name, address in PAGES.items():
                compare(client, name, address, options.times)


def find_copies(backend: Backend, number: int) -> None:
    """Say of so many images of chance that they were made from others of chance."""
    rows = backend.images.rows(Filter(), colored=None).tolist()
    random.Random(SEED).shuffle(rows)  # noqa: S311 - a sample, no secret
    said = Comparison(Verdict.REENCODED, agreement=0.99)
    with backend.database.write() as connection:
        for copy in range(number):
            records_findings.write(connection, rows[number + copy // EACH], {rows[copy]: said})
        regroup(connection, rows[: 2 * number])


def compare(client: TestClient, name: str, address: str, times: int) -> None:
    """Ask for a page with and without stacks in turns, and print what they took."""
    pages = {"stacked": address, "apart": f"{address}&copies=apart"}
    took: dict[str, list[tuple[float, float]]] = {kind: [] for kind in pages}
    stacks = 0
    for _ in range(WARMING + times):
        for kind, url in pages.items():
            cpu, clock = time.process_time(), time.perf_counter()
            answer = client.get(url).raise_for_status()
            took[kind].append((time.process_time() - cpu, time.perf_counter() - clock))
            stacks = max(stacks, answer.text.count('class="tile-stack"'))
    told = f"{name:30}"
    for at in (0, 1):
        with_stacks, without = (
            1000 * statistics.median(one[at] for one in took[kind][WARMING:]) for kind in ("stacked", "apart")
        )
        told += f"{f'{with_stacks:.0f} / {without:.0f}':>18}{with_stacks / without:>8.2f}"
    print(f"{told}{stacks:>8}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--copies", type=int, default=300)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--data", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
