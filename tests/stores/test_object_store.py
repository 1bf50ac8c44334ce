"""The promises of `ObjectStore`, kept by every implementation."""

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from pipeline.errors import ObjectNotFound, StoreUnavailable
from pipeline.stores.protocols import ObjectStore

KEY = "originals/main/0a1b2c"
CLOCK_TOLERANCE = timedelta(seconds=5)  # file systems and servers have clocks of their own


class Trickle(io.RawIOBase):
    """A stream that knows neither its length nor any place in it, and gives less than it is asked for."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        return self._content.readinto(memoryview(buffer)[:300_000])


def read(objects: ObjectStore, key: str) -> bytes:
    with objects.open(key) as stream:
        return stream.read()


def listed(objects: ObjectStore, prefix: str = "") -> list[str]:
    return sorted(stored.key for stored in objects.list(prefix))


@pytest.mark.parametrize("content", [b"", b"x", bytes(range(256)) * 10_000], ids=["empty", "one byte", "2.5 MB"])
def test_what_was_put_is_read_back_byte_for_byte(objects, content):
    objects.put(KEY, io.BytesIO(content))

    assert read(objects, KEY) == content


def test_what_need_not_be_durable_is_read_back_and_replaced_all_the_same(objects):
    objects.put(KEY, io.BytesIO(b"first, and longer"), durable=False)
    assert read(objects, KEY) == b"first, and longer"

    objects.put(KEY, io.BytesIO(b"second"), durable=False)
    assert read(objects, KEY) == b"second"
    assert listed(objects) == [KEY]


def test_an_object_can_be_read_from_any_place_in_it(objects):
    objects.put(KEY, io.BytesIO(b"0123456789"))

    with objects.open(KEY) as stream:
        stream.seek(7)
        assert stream.read() == b"789"


def test_putting_twice_keeps_the_second_content(objects):
    objects.put(KEY, io.BytesIO(b"first, and longer"))
    objects.put(KEY, io.BytesIO(b"second"))

    assert read(objects, KEY) == b"second"
    assert listed(objects) == [KEY]


def test_a_reader_goes_on_with_what_it_opened_while_the_object_is_replaced(objects):
    objects.put(KEY, io.BytesIO(b"first"))

    with objects.open(KEY) as stream:
        objects.put(KEY, io.BytesIO(b"other"))
        assert stream.read() == b"first"


def test_an_object_that_is_not_there_is_said_to_be_gone(objects):
    with pytest.raises(ObjectNotFound) as caught:
        objects.open(KEY)

    assert caught.value.user_message.endswith(".")


def test_an_object_is_there_from_putting_to_deleting(objects):
    assert not objects.exists(KEY)

    objects.put(KEY, io.BytesIO(b"x"))
    assert objects.exists(KEY)

    objects.delete(KEY)
    assert not objects.exists(KEY)
    assert listed(objects) == []


def test_deleting_what_is_not_there_is_no_error(objects):
    objects.delete(KEY)
    objects.put(KEY, io.BytesIO(b"x"))
    objects.delete("originals/main/ffffff")

    assert objects.exists(KEY)


def test_many_are_deleted_together_and_those_that_are_not_there_are_no_error(objects):
    keys = [f"originals/main/{number:06x}" for number in range(5)]
    for key in keys:
        objects.put(key, io.BytesIO(b"x"))
    objects.delete_many([*keys[1:], "originals/main/ffffff"])
    objects.delete_many([])

    assert listed(objects) == keys[:1]


def test_a_listing_tells_keys_sizes_and_times(objects):
    before = datetime.now(UTC)
    objects.put(KEY, io.BytesIO(b"12345"))

    [stored] = objects.list("")

    assert (stored.key, stored.bytes) == (KEY, 5)
    assert before - CLOCK_TOLERANCE <= stored.modified_at <= datetime.now(UTC) + CLOCK_TOLERANCE


def test_a_listing_is_narrowed_by_the_beginning_of_keys(objects):
    keys = ["originals/main/aa11", "originals/main/bb22", "originals/other/aa11", "thumbnails/main/aa11-320.webp"]
    for key in keys:
        objects.put(key, io.BytesIO(b"x"))

    assert listed(objects) == keys
    assert listed(objects, "originals/") == keys[:3]
    assert listed(objects, "originals/main/") == keys[:2]
    assert listed(objects, "originals/main/a") == keys[:1]
    assert listed(objects, "nothing") == []


def test_an_empty_store_lists_nothing(objects):
    assert listed(objects) == []


def test_a_stream_that_breaks_leaves_what_was_there(objects):
    class Broken(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, _buffer: bytearray) -> int:
            raise ValueError("the sender went away")

    objects.put(KEY, io.BytesIO(b"whole"))
    with pytest.raises(ValueError, match="went away"):
        objects.put(KEY, io.BufferedReader(Broken()))

    assert read(objects, KEY) == b"whole"
    assert listed(objects) == [KEY]


@pytest.mark.parametrize(
    "key",
    ["../outside", "/etc/passwd", "a/../../b", "a//b", "", "a/", ".hidden", "a\0b", "a/b\n", "a\\b", "ü", "a" * 201],
)
def test_a_key_cannot_leave_the_store(objects, key):
    for use in (lambda: objects.put(key, io.BytesIO(b"x")), lambda: objects.open(key), lambda: objects.exists(key)):
        with pytest.raises(ValueError, match="key"):
            use()
    with pytest.raises(ValueError, match="key"):
        objects.delete(key)


def test_a_file_of_twenty_megabytes_from_a_stream_of_unknown_length_comes_back_whole(objects):
    content = np.random.default_rng(1).bytes(20_000_001)
    objects.put(KEY, Trickle(content))

    assert read(objects, KEY) == content
    assert [stored.bytes for stored in objects.list("")] == [len(content)]


def test_many_threads_put_and_read_at_once(objects):
    contents = {f"originals/main/{number:04x}": bytes([number]) * 20_000 for number in range(160)}

    def there_and_back(key: str) -> bytes:
        objects.put(key, io.BytesIO(contents[key]))
        return read(objects, key)

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(there_and_back, contents)) == list(contents.values())
    assert listed(objects) == sorted(contents)


def test_what_is_put_many_times_at_once_is_always_whole(objects_replaced_at_once):
    objects = objects_replaced_at_once
    contents = [bytes([number]) * (50_000 + number) for number in range(16)]
    objects.put(KEY, io.BytesIO(contents[0]))

    def read_or_refused() -> bytes | None:
        try:
            return read(objects, KEY)
        except StoreUnavailable:  # replaced during each of its downloads
            return None

    with ThreadPoolExecutor(16) as pool:
        puts = [pool.submit(objects.put, KEY, io.BytesIO(content)) for content in contents]
        seen = [pool.submit(read_or_refused) for _ in contents]
        assert all(put.result() is None for put in puts)
        assert {one.result() for one in seen} <= {None, *contents}

    assert read(objects, KEY) in contents


def test_a_healthy_store_passes_its_check_and_holds_nothing_more(objects):
    objects.check()

    assert listed(objects) == []


def test_a_store_that_is_down_says_so_whatever_it_is_asked(objects_down):
    asked = [
        lambda: objects_down.put(KEY, io.BytesIO(b"x")),
        lambda: objects_down.open(KEY),
        lambda: objects_down.exists(KEY),
        lambda: objects_down.delete(KEY),
        lambda: objects_down.delete_many([KEY]),
        lambda: list(objects_down.list("")),
        objects_down.check,
    ]
    for ask in asked:
        with pytest.raises(StoreUnavailable) as caught:
            ask()
        assert caught.value.user_message.endswith((".", "?"))
