"""The hashes of all images in memory: they follow the database and find what a plain loop would find."""

import numpy as np
import pytest
from fakes import GridEncoder
from random_records import fill

from pipeline.features.fingerprint import Fingerprint
from pipeline.stores import hash_table, records_fingerprints, records_images
from pipeline.stores.hash_table import GOOD_QUALITY, POOR_REACH, REACH, HashTable, Near

pytestmark = pytest.mark.on_both_databases

IMAGES = 60
BITS = 256


def flipped(rng: np.random.Generator, hashed: bytes, bits: int) -> bytes:
    """Return a hash that differs in so many bits."""
    values = np.unpackbits(np.frombuffer(hashed, np.uint8))
    values[rng.choice(BITS, bits, replace=False)] ^= 1
    return np.packbits(values).tobytes()


def hashes_near(rng: np.random.Generator, center: Fingerprint, bits: int, quality: int = 100) -> Fingerprint:
    """Return the fingerprint of a copy that was turned, so that another of the orientations is so many bits away."""
    orientations = [center.trimmed[start : start + 32] for start in range(0, 256, 32)]
    turned = orientations[3:] + orientations[:3]
    trimmed = b"".join(flipped(rng, one, bits) for one in turned)
    return Fingerprint(rng.bytes(32), trimmed, quality)


def by_hand(asked: Fingerprint, known: dict[int, Fingerprint]) -> list[Near]:
    """Which images are near, comparing bit by bit."""

    def apart(a: bytes, b: bytes) -> int:
        return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()

    found = []
    for row, one in known.items():
        turned = [asked.trimmed[start : start + 32] for start in range(0, 256, 32)]
        distance = min([apart(asked.whole, one.whole), *(apart(each, one.trimmed[:32]) for each in turned)])
        is_poor = min(asked.quality, one.quality) < GOOD_QUALITY
        if min(asked.quality, one.quality) > 0 and distance <= (POOR_REACH if is_poor else REACH):
            found.append(Near(row, distance))
    return sorted(found, key=lambda near: (near.distance, near.row))


def test_what_is_near_is_found_as_images_come_change_and_go(monkeypatch, database):
    monkeypatch.setattr(hash_table, "IMAGES_PER_READ", 7)
    monkeypatch.setattr(hash_table, "IMAGES_PER_STEP", 16)
    monkeypatch.setattr(hash_table, "LEAST_ROOM", 4)
    rng = np.random.default_rng(3)
    center = Fingerprint(rng.bytes(32), rng.bytes(256), 90)
    with database.write() as connection:
        images = fill(connection, rng, IMAGES, encoder=GridEncoder.fingerprint, dimension=GridEncoder.dimension)
        # None where half of the bits that may differ lie in one half of the hash: of these a few may be missed.
        made = {
            image.row: hashes_near(
                rng, center, int(rng.choice([0, 5, 12, 40, 55, 90])), int(rng.choice([0, 20, 60, 100]))
            )
            for image in images
        }
        records_fingerprints.put_missing(connection, made)
        known = {image.row: made[image.row] for image in images if image.deleted_at is None}
    table = HashTable(database)

    def agrees() -> None:
        for asked in (
            center,
            Fingerprint(center.whole, center.trimmed, 20),
            Fingerprint(center.whole, center.trimmed, 0),
        ):
            assert table.near(asked, IMAGES) == by_hand(asked, known)
        assert len(table) == sum(one.quality > 0 for one in known.values())

    agrees()
    assert len(by_hand(center, known)) > 5

    gone, back, purged, changed = sorted(known)[:20], sorted(known)[:3], sorted(known)[20:26], sorted(known)[-4:]
    with database.write() as connection:
        records_images.delete(connection, gone)
        records_images.restore(connection, back)
        records_images.purge(connection, purged)
        again = {row: hashes_near(rng, center, 3) for row in changed}
        records_fingerprints.put_missing(connection, again)
    known = {row: one for row, one in (known | again).items() if row not in {*gone, *purged} - set(back)}
    agrees()

    assert table.near(center, 2) == by_hand(center, known)[:2]


def test_no_more_than_eighty_bytes_are_held_for_an_image(database):
    rng = np.random.default_rng(4)
    with database.write() as connection:
        images = fill(connection, rng, 30, encoder=GridEncoder.fingerprint, dimension=GridEncoder.dimension)
        records_fingerprints.put_missing(
            connection, {image.row: Fingerprint(rng.bytes(32), rng.bytes(256), 90) for image in images}
        )
    table = HashTable(database)
    table.catch_up()

    assert table.bytes_held / hash_table.LEAST_ROOM <= 80  # there is room for so many
