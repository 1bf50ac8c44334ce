"""What the levels of banks find, and what it costs to compare a picture with a million known ones.

    python bench/banks.py DATA [--entries 1000000] [--pictures 200]

DATA has `duplicates/pairs.csv`. The first picture of each pair is put into a bank as an upload of it would be, and the
second one is compared with it as a new upload is: for each transform, the part of the pairs that each level matches,
and the same of hard negatives, which no level should match. Then a bank of so many entries (random hashes, so that
nothing matches by chance, with the pictures of DATA among them) is read from a database and asked.
"""

import argparse
import csv
import resource
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np

from pipeline.bank_matching import questions_of, ranked
from pipeline.bank_rules import LEVELS, MOST_DISTANCE, BankAction, Kind, reach
from pipeline.features.decode import Limits, decode
from pipeline.features.fingerprint import Fingerprint, fingerprint_of
from pipeline.features.near_hashes import HASH_BYTES, NearHashes
from pipeline.features.pdq import distances
from pipeline.stores import records_banks
from pipeline.stores.bank_table import BankTable
from pipeline.stores.database import Database
from pipeline.stores.records_banks import Bank, NewEntry

LIMITS = Limits(max_bytes=64 << 20, max_pixels=100_000_000, max_decode_bytes=160 << 20)
BATCH = 50_000
SEED = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--pictures", type=int, default=60)
    options = parser.parse_args()
    seen = levels(options.data)
    cost(seen[: options.pictures], options.entries)


def levels(data: Path) -> list[Fingerprint]:
    """Print what each level matches; return the fingerprints of all pictures."""

    @cache
    def seen(path: str) -> Fingerprint:
        return fingerprint_of(decode(data / path, LIMITS))

    found: dict[tuple[str, str], list[tuple[int, bool]]] = defaultdict(list)
    with (data / "duplicates/pairs.csv").open() as file:
        pairs = list(csv.DictReader(file))
    for pair in pairs:
        a, b = seen(pair["a"]), seen(pair["b"])
        apart = distances(questions_of(b), a.trimmed[:HASH_BYTES])
        nearest = int(apart.min())
        within = [nearest <= reach(bits, a.quality, b.quality) for bits in LEVELS.values()]
        kind = pair["kind"] if pair["kind"] != "synthetic" else ""
        found[kind, "all" if kind == "hard_negative" else pair["transform"]].append((nearest, within))
    print(f"{'':34} pairs  " + "".join(f"{name:>8}" for name in LEVELS) + "   median bits")
    for (kind, transform), values in sorted(found.items()):
        shares = np.mean([within for _, within in values], axis=0)
        middle = np.median([nearest for nearest, _ in values])
        print(
            f"{kind} {transform:28}"[:34].ljust(34),
            f"{len(values):5}  " + "".join(f"{s:8.3f}" for s in shares),
            f"   {middle:.0f}, least {min(nearest for nearest, _ in values)}",
        )
    return [seen(path) for path in dict.fromkeys(path for pair in pairs for path in (pair["a"], pair["b"]))]


def cost(seen: list[Fingerprint], entries: int) -> None:
    """Print how long a bank of so many entries is written, read and asked."""
    generator = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/banks.db")
        database.migrate()
        bank = Bank(
            "b",
            None,
            "bank",
            Kind.KNOWN,
            BankAction.HOLD,
            "",
            31,
            1.0,
            None,
            "",
            None,
            None,
            True,
            True,
            datetime.now(UTC),
            None,
        )
        with database.write() as connection:
            records_banks.add(connection, bank)
        started = time.perf_counter()
        for first in range(0, entries, BATCH):
            hashes = generator.integers(0, 256, (min(BATCH, entries - first), HASH_BYTES), np.uint8)
            if not first:
                hashes[: len(seen)] = [np.frombuffer(one.trimmed[:HASH_BYTES], np.uint8) for one in seen]
            with database.write() as connection:
                records_banks.add_entries(
                    connection, "b", [NewEntry(one.tobytes(), 100, "file:bench") for one in hashes], None
                )
        print(f"\n{entries:,} entries written in {time.perf_counter() - started:.1f} s")
        table = BankTable(database)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.perf_counter()
        (known,) = table.known()
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(
            f"read and indexed in {time.perf_counter() - started:.1f} s; the process grew by {grown:,.0f} MiB at most"
        )
        with database.write() as connection:
            records_banks.add_entries(connection, "b", [NewEntry(bytes(HASH_BYTES), 100, "file:bench")], None)
        started = time.perf_counter()
        (known,) = table.known()
        print(f"one entry more is seen in {1000 * (time.perf_counter() - started):.1f} ms")
        started = time.perf_counter()
        table.known()
        print(f"nothing new is seen in {1000 * (time.perf_counter() - started):.1f} ms")
        now = datetime.now(UTC)
        for name, bits in {**LEVELS, "most": MOST_DISTANCE}.items():
            if bits == MOST_DISTANCE:
                seen = seen[:10]
            took = []
            for one in seen:
                started = time.perf_counter()
                found = ranked(known, one, now, bits, beyond=True)
                took.append(1000 * (time.perf_counter() - started))
                assert found or not any(one.trimmed[:HASH_BYTES])
            print(f"{name:7} {bits:3} bits: {np.median(took):7.1f} ms a picture, p95 {np.percentile(took, 95):7.1f} ms")
        started = time.perf_counter()
        plain = NearHashes.__new__(NearHashes)
        plain.hashes, plain._index = known.hashes.hashes, None  # noqa: SLF001 - all compared, to see what the index saves
        for one in seen[:10]:
            plain.within(questions_of(one), 31)
        print(f"without the index, 31 bits: {100 * (time.perf_counter() - started):.1f} ms a picture")


main()
