"""What only the index in the process has: portions, growth, and threads that search while it follows the table."""

import threading

import numpy as np
import pytest

from pipeline.filters import Filter
from pipeline.stores import filter_columns, records_images, vectors_faiss
from pipeline.stores.vectors_faiss import FaissVectors


@pytest.fixture
def small(monkeypatch, backend) -> FaissVectors:
    """An index that reads seven changes at once and has room for four vectors at first."""
    monkeypatch.setattr(vectors_faiss, "CHANGES_PER_READ", 7)
    monkeypatch.setattr(vectors_faiss, "LEAST_COMPACTED", 4)
    monkeypatch.setattr(filter_columns, "FIRST_CAPACITY", 4)
    return FaissVectors(backend.database, backend.encoder.fingerprint, backend.encoder.dimension)


def test_it_grows_as_it_reads_in_portions_and_is_built_anew_when_much_is_dead(small, shelf):
    made = shelf.add_many([shelf.axis(0, tilt=0.01 * number) for number in range(100)])
    assert small.catch_up() == 100

    with shelf.backend.database.write() as connection:
        records_images.delete(connection, [image.row for image in made[:60]])
        records_images.purge(connection, [image.row for image in made[:30]])
        records_images.restore(connection, [image.row for image in made[30:40]])

    expected = [image.row for image in (*made[30:40], *made[60:])]
    found = small.nearest(shelf.axis(0), 100, where=Filter())
    assert sorted(neighbor.row for neighbor in found) == expected
    assert small.count() == 50
    assert small.rebuild() == 50
    assert small.nearest(shelf.axis(0), 100, where=Filter()) == found


def test_threads_search_exactly_while_others_write(small, shelf):
    """Whatever moment a search meets, it finds every image that was committed before it began."""
    stop, wrong = threading.Event(), []
    first = shelf.add_many([shelf.axis(0)] * 5)

    def search_on() -> None:
        while not stop.is_set():
            found = {neighbor.row for neighbor in small.nearest(shelf.axis(0), 1000, where=Filter())}
            if not found >= {image.row for image in first}:
                wrong.append(found)

    threads = [threading.Thread(target=search_on) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(60):
        image = shelf.add(f"{number}", shelf.axis(number % 40))
        if number % 3 == 0:
            with shelf.backend.database.write() as connection:
                records_images.delete(connection, [image.row])
        if image.row not in {row for row, *_ in small.nearest(shelf.axis(number % 40), 1000, where=Filter())}:
            assert number % 3 == 0
    stop.set()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert small.count() == 5 + 40


def test_a_color_is_compared_with_the_precision_it_was_kept_in(small, shelf):
    [image] = shelf.add_many([shelf.axis(0)])
    brightness = image.color.brightness

    assert small.nearest(shelf.axis(0), 1, where=Filter(min_brightness=brightness, max_brightness=brightness))
    assert not small.nearest(shelf.axis(0), 1, where=Filter(min_brightness=float(np.nextafter(brightness, 2))))
