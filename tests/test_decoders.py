"""The pool of decoder processes, with real processes: what they do, and what happens when they die."""

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO

import numpy as np
import psutil
import pytest
from PIL import Image
from skimage import data

from pipeline import decoders
from pipeline.decoders import DecoderPool
from pipeline.errors import DamagedImage, DecoderUnavailable, TooManyPixels, UnsupportedFormat
from pipeline.features.decode import Limits, decode, probe
from pipeline.memory_budget import MemoryBudget

MEBIBYTE = 1 << 20
LIMITS = Limits()
BUDGET = 160 * MEBIBYTE


def photo_file(plugin="JPEG", size=(900, 600), **options):
    file = BytesIO()
    Image.fromarray(data.astronaut()).resize(size).save(file, plugin, **options)
    return file.getvalue()


def children():
    """Return the decoders of this process, which may have other children: servers that tests share."""
    return [child for child in psutil.Process().children() if "pipeline.decoder_process" in child.cmdline()]


@contextmanager
def stopped_decoder(pool):
    """Start a decoder of the pool and have it stand still, for as long as a test likes."""
    before = set(children())
    pool.decode(photo_file(size=(90, 60)))
    (decoder,) = set(children()) - before
    decoder.suspend()
    try:
        yield decoder
    finally:
        if decoder.is_running():
            decoder.resume()


@pytest.fixture
def pool():
    with DecoderPool(2, LIMITS, BUDGET, seconds=30) as opened:
        yield opened


def test_a_picture_from_the_pool_is_the_one_decoded_here(pool, tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Camera", 6
    file = photo_file(exif=exif)
    path = tmp_path / "photo.jpg"
    path.write_bytes(file)
    expected = decode(file, LIMITS)
    for source in (file, path):
        picture = pool.decode(source)
        assert np.array_equal(picture.pixels, expected.pixels)
        assert picture.alpha is None
        assert picture.facts == expected.facts


def test_transparency_comes_back_from_the_pool(pool):
    file = BytesIO()
    Image.new("RGBA", (70, 50), (10, 200, 30, 128)).save(file, "PNG")
    picture = pool.decode(file.getvalue())
    assert picture.alpha.shape == (50, 70)
    assert (picture.alpha == 128).all()


def test_a_display_copy_comes_back_as_webp(pool):
    copy = Image.open(BytesIO(pool.display_copy(photo_file(), 450)))
    assert (copy.format, copy.size) == ("WEBP", (450, 300))


def test_a_display_copy_is_smaller_where_memory_does_not_suffice():
    with DecoderPool(1, LIMITS, 32 * MEBIBYTE, seconds=30) as small:
        file = photo_file(size=(3500, 3500))
        with pytest.raises(TooManyPixels):
            probe(file, small.limits, long_side_px=3500)
        assert max(Image.open(BytesIO(small.display_copy(file, 3500))).size) < 3500


def test_rejections_come_back_as_what_they_are(pool):
    with pytest.raises(UnsupportedFormat, match="PDF"):
        pool.decode(b"%PDF-1.4")
    with pytest.raises(DamagedImage, match="damaged or incomplete"):
        pool.decode(photo_file()[:5000])
    with pytest.raises(TooManyPixels, match="megapixels; for WebP files"):
        pool.probe(photo_file("WEBP", (5000, 5000), method=0))


def test_processes_start_when_needed_and_end_with_the_pool():
    before = len(children())
    with DecoderPool(2, LIMITS, BUDGET, seconds=30) as pool:
        assert len(children()) == before
        pool.decode(photo_file())
        assert len(children()) == before + 1
    assert len(children()) == before


def test_all_processes_can_be_started_ahead(pool):
    before = len(children())
    pool.start()
    assert len(children()) == before + 2
    pool.decode(photo_file())
    assert len(children()) == before + 2


def test_many_threads_share_few_processes(pool):
    file = photo_file()
    before = len(children())
    with ThreadPoolExecutor(8) as threads:
        shapes = [picture.pixels.shape for picture in threads.map(pool.decode, [file] * 40)]
    assert shapes == [(512, 768, 3)] * 40
    assert len(children()) <= before + 2


def test_a_killed_decoder_costs_one_picture_and_is_replaced(pool):
    """As when the kernel ends it for want of memory, or a decoder bug crashes it."""
    with ThreadPoolExecutor(1) as threads, stopped_decoder(pool) as decoder:
        process = pool._idle[-1]
        unlucky = threads.submit(pool.decode, photo_file())
        wait_until(lambda: not process.usable)  # it is at work now
        decoder.kill()
        with pytest.raises(DamagedImage, match="damaged in a way that cannot be read"):
            unlucky.result()
    assert pool.decode(photo_file()).pixels.shape == (512, 768, 3)


def test_a_decoder_that_was_ended_while_idle_costs_nothing(pool):
    before = set(children())
    pool.decode(photo_file())
    (decoder,) = set(children()) - before
    decoder.kill()
    decoder.wait()
    assert pool.decode(photo_file()).pixels.shape == (512, 768, 3)


def test_a_picture_that_takes_too_long_is_given_up_by_the_decoder_itself():
    with DecoderPool(1, LIMITS, BUDGET, seconds=0.001) as pool:
        for _ in range(2):
            with pytest.raises(DamagedImage, match="took too long"):
                pool.decode(photo_file("WEBP", (2000, 2000), method=0))


def test_a_decoder_that_does_not_even_answer_the_kernel_is_ended_from_outside(pool):
    with stopped_decoder(pool):
        pool._seconds = 0.1
        with pytest.raises(DamagedImage, match="took too long"):
            pool.decode(photo_file())
    pool._seconds = 30
    assert pool.decode(photo_file()).pixels.shape == (512, 768, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much memory a process has")
def test_a_decoder_gets_no_more_memory_than_it_was_granted(monkeypatch):
    """The estimate is made to lie, as a hostile header would."""
    monkeypatch.setattr("pipeline.decoders._SLACK_BYTES", -40 * MEBIBYTE)
    with (
        DecoderPool(1, LIMITS, BUDGET, seconds=30) as pool,
        pytest.raises(TooManyPixels, match="takes more memory to read"),
    ):
        pool.decode(photo_file("BMP", (4000, 3000)))


def test_when_no_decoder_comes_free_the_person_is_asked_to_try_again():
    with (
        DecoderPool(1, LIMITS, BUDGET, seconds=30, wait_seconds=0.05) as pool,
        ThreadPoolExecutor(1) as threads,
        stopped_decoder(pool) as decoder,
    ):
        busy = threads.submit(pool.decode, photo_file())
        wait_until(lambda: not pool._idle)
        with pytest.raises(DecoderUnavailable, match="try again"):
            pool.decode(photo_file())
        decoder.resume()
        assert busy.result().pixels.shape == (512, 768, 3)


def test_decoders_end_when_the_service_is_killed():
    code = (
        "import sys, time; from pipeline.decoders import DecoderPool; from pipeline.features.decode import Limits;"
        "pool = DecoderPool(1, Limits(), 1 << 28, 30.0); pool.decode(sys.stdin.buffer.read());"
        "print('ready', flush=True); time.sleep(60)"
    )
    service = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    service.stdin.write(photo_file(size=(90, 60)))
    service.stdin.close()
    assert service.stdout.readline() == b"ready\n"
    orphans = psutil.Process(service.pid).children()
    assert len(orphans) == 1
    service.kill()
    service.wait()
    service.stdout.close()
    _, alive = psutil.wait_procs(orphans, timeout=10)
    assert alive == []


def test_decoders_do_not_see_the_secrets_of_the_service(monkeypatch):
    monkeypatch.setenv("LIKENESS_SECRET", "hush")
    before = set(children())
    with DecoderPool(1, LIMITS, BUDGET, seconds=30) as pool:
        pool.start()
        (decoder,) = set(children()) - before
        assert "LIKENESS_SECRET" not in decoder.environ()


def test_decoders_load_nothing_that_decoding_does_not_need():
    large = "{'onnx', 'sklearn', 'scipy', 'faiss', 'cv2', 'sqlalchemy', 'fastapi', 'pydantic'}"
    code = f"import sys, pipeline.decoder_process; print(sorted({large} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


TAKEN_OVER = """
import struct, sys
header, body_bytes = {header!r}.encode(), {body_bytes}
sys.stdout.buffer.write(struct.pack(">IQ", {header_bytes} or len(header), body_bytes) + header + bytes(12))
sys.stdout.buffer.flush()
sys.stdin.buffer.read()
"""
"""A decoder that says what a hostile file has made it say."""


@pytest.fixture
def taken_over(tmp_path, monkeypatch):
    """Return a function that opens a pool whose processes all give this answer."""

    def opened(header, body_bytes=12, header_bytes=0):
        program = TAKEN_OVER.format(header=header, body_bytes=body_bytes, header_bytes=header_bytes)
        (tmp_path / "pipeline").mkdir()
        (tmp_path / "pipeline" / "__init__.py").touch()
        (tmp_path / "pipeline" / "decoder_process.py").write_text(program)
        monkeypatch.setitem(decoders._PROCESS_ENVIRONMENT, "PYTHONPATH", str(tmp_path))
        return DecoderPool(1, LIMITS, BUDGET, seconds=30)

    return opened


def test_a_decoder_that_was_taken_over_does_not_choose_how_its_file_is_served(taken_over):
    facts = {"format": "HTML", "media_type": "text/html", "width": 2, "height": 2, "taken_at": None, "exif": {}}
    with taken_over(json.dumps({"shape": [2, 2], "alpha": False, "facts": facts})) as pool:
        found = pool.decode(photo_file()).facts
    assert (found.format, found.media_type) == ("JPEG", "image/jpeg")


@pytest.mark.parametrize(
    ("header", "sizes"),
    [
        ("{}", {"body_bytes": 1 << 62}),
        ("{}", {"body_bytes": 9_000_000}),  # a working copy has 2 megapixels at most, so 8 MB
        ("{}", {"header_bytes": 0xFFFFFFFF}),
        ("[" * 60_000, {}),
        ("[]", {}),
        ('{"shape": [2], "alpha": false}', {}),
        ('{"shape": [3, 3], "alpha": true, "facts": {}}', {}),
        ('{"error": {"code": "exit", "message": "", "detail": ""}}', {}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_answer_that_makes_no_sense_costs_one_picture_and_no_memory(taken_over, header, sizes):
    with taken_over(header, **sizes) as pool, pytest.raises(DamagedImage, match="cannot be read"):
        pool.decode(photo_file())


def test_a_budget_is_given_out_in_the_order_of_asking():
    """A large request waits for all others to end; small ones that come later wait behind it."""
    budget, order = MemoryBudget(100), []

    def hold(wanted, name):
        with budget.hold(wanted, timeout=10) as held:
            assert held
            order.append(name)

    with budget.hold(60, timeout=1):
        large = threading.Thread(target=hold, args=(100, "large"))
        large.start()
        wait_until(lambda: len(budget._waiting) == 1)
        small = threading.Thread(target=hold, args=(10, "small"))
        small.start()
        wait_until(lambda: len(budget._waiting) == 2)
        assert order == []
    large.join()
    small.join()
    assert order == ["large", "small"]


def test_a_budget_that_is_spent_says_so_after_the_timeout_and_is_whole_again_later():
    budget = MemoryBudget(100)
    with budget.hold(80, timeout=1), budget.hold(30, timeout=0.01) as held:
        assert not held
    with budget.hold(500, timeout=0.01) as held:
        assert held  # more than there is counts as all there is


def wait_until(happened, seconds=20):
    """Look until something has happened in another process; it is not a matter of how long it takes."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)
