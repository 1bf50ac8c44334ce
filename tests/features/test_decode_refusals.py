"""What is refused before anything is decoded, and what turns out to be damaged: each with its sentence."""

import random
import struct
import subprocess
import sys
import tracemalloc
import zlib
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from zipfile import ZipFile

import pytest
from drawn import photo, saved
from PIL import Image

from pipeline.errors import DamagedImage, ImageRejected, TooManyBytes, TooManyPixels, UnsupportedFormat
from pipeline.features import formats
from pipeline.features.decode import Limits, decode, display_copy, probe
from pipeline.features.headers import Header
from pipeline.features.limits import decode_bytes
from pipeline.features.shrink import WORKING_COPY

LIMITS = Limits()


def iso_media(brand, *others):
    brands = b"".join((brand, bytes(4), *others))
    return struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands + bytes(64)


def box(kind, body=b""):
    return struct.pack(">I4s", 8 + len(body), kind) + body


def heic(meta):
    """Write a HEIC of these boxes, and of no picture."""
    return box(b"ftyp", b"heic" + bytes(4) + b"mif1heic") + box(b"meta", bytes(4) + meta)


def image_size(width, height):
    return box(b"ispe", struct.pack(">III", 0, width, height))


def tiff(*entries):
    """Write a TIFF directory of (tag, type, value) entries, each fitting into its field."""
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4)


def archive():
    file = BytesIO()
    with ZipFile(file, "w") as inside:
        inside.writestr("photo.jpg", b"")
    return file.getvalue()


REFUSED = {
    "canon CR2": (b"II*\0\x10\0\0\0CR\x02\0" + bytes(64), "RAW photo"),
    "canon CR3": (iso_media(b"crx "), "RAW photo"),
    "adobe DNG": (tiff((50706, 1, 1), (256, 4, 160), (257, 4, 120)), "RAW photo"),
    "nikon NEF": (tiff((254, 4, 1), (256, 4, 160), (257, 4, 120), (271, 2, 0), (330, 4, 99)), "RAW photo"),
    "olympus ORF": (b"IIRO" + bytes(64), "RAW photo"),
    "panasonic RW2": (b"IIU\0" + bytes(64), "RAW photo"),
    "fujifilm RAF": (b"FUJIFILMCCD-RAW 0201" + bytes(64), "RAW photo"),
    "MP4": (iso_media(b"isom", b"mp41"), "video"),
    "quicktime": (iso_media(b"qt  "), "video"),
    "old quicktime": (bytes(4) + b"moov" + bytes(64), "video"),
    "webm": (b"\x1aE\xdf\xa3" + bytes(64), "video"),
    "AVI": (b"RIFF\0\0\0\0AVI LIST" + bytes(64), "video"),
    "SVG": (b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG drawing"),
    "SVG in UTF-16": ("\ufeff<svg/>".encode("utf-16-le"), "SVG drawing"),
    "PDF": (b"%PDF-1.7\n", "PDF document"),
    "PDF behind other bytes": (b"\0\0junk%PDF-1.4", "PDF document"),
    "photoshop": (b"8BPS\0\x01" + bytes(64), "image editor"),
    "HTML": (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
    "text": ("caption;tag\nein Wort mit Ümlaut\n".encode(), "text file"),
    "zip": (archive(), "archive"),
    "sound": (b"ID3\x04" + bytes(64), "sound file"),
    "program": (b"MZ\x90\0" + bytes(64), "program"),
    "icon": (b"\0\0\x01\0\x01\0" + bytes(64), "convert it"),
    "JPEG XL": (b"\xff\x0a" + bytes(64), "convert it"),
    "nothing": (b"", "empty"),
    "noise": (bytes(range(128, 256)) * 4, "not a picture that can be read"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_supported_picture_is_named_and_the_way_out_is_said(kind):
    content, sentence = REFUSED[kind]
    with pytest.raises(UnsupportedFormat, match=sentence) as caught:
        probe(content, LIMITS)
    assert "Please" in caught.value.user_message


def test_the_name_of_a_file_decides_nothing(tmp_path):
    path = tmp_path / "invoice.pdf"
    path.write_bytes(saved(photo(60, 40), "PNG"))
    assert probe(path, LIMITS).media_type == "image/png"


def test_a_plain_tiff_of_a_camera_is_not_taken_for_raw():
    exif = Image.Exif()
    exif[271], exif[272] = "NIKON CORPORATION", "NIKON D70"
    assert probe(saved(photo(60, 40), "TIFF", exif=exif), LIMITS).format == "TIFF"


@pytest.mark.parametrize("plugin", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF", "TIFF", "BMP", "JPEG2000"])
def test_a_probe_tells_the_size_without_decoding(plugin):
    whole = saved(photo(123, 45), plugin)
    found = probe(whole, LIMITS)
    assert (found.width, found.height) == (123, 45)
    assert 0 < found.decode_bytes < 30 << 20


@pytest.mark.parametrize(
    "options", [{}, {"lossless": True}, {"lossless": True, "exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}]
)
def test_every_layout_of_webp_tells_its_size(options):
    image = photo(77, 33).convert("RGBA") if options else photo(77, 33)
    found = probe(saved(image, "WEBP", **options), LIMITS)
    assert (found.width, found.height) == (77, 33)


@pytest.mark.parametrize(
    ("limit", "told"), [(64_000_000, "64"), (10_000_000, "10"), (2_560_000, "2.5"), (1_048_576, "1"), (50_000, "0.05")]
)
def test_a_file_of_too_many_bytes_is_refused_with_the_limit_in_decimal_megabytes(limit, told):
    file = saved(photo(60, 40), "PNG")
    with pytest.raises(TooManyBytes) as caught:
        probe(file + bytes(limit - len(file) + 1), replace(LIMITS, max_bytes=limit))
    assert caught.value.user_message == (
        f"This file is larger than the limit of {told} MB. Please upload a smaller version."
    )
    assert probe(file + bytes(limit - len(file)), replace(LIMITS, max_bytes=limit)).format == "PNG"


def test_the_limit_of_a_file_is_by_itself_that_of_the_settings():
    assert Limits().max_bytes == 64_000_000


def png_header(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunk = b"IHDR" + header
    rows = struct.pack(">I4s", 1, b"IDAT") + b"\0" + bytes(4)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + rows


def test_a_bomb_is_refused_by_its_header():
    with pytest.raises(TooManyPixels, match=r"412 megapixels; the limit is 100\. Please upload a smaller version"):
        probe(png_header(20_600, 20_000), LIMITS)


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (
            {"max_decode_bytes": 22 << 20},
            "This picture has 1.0 megapixels; for WebP files of this kind the limit is 0.9.",
        ),
        (
            {"max_decode_bytes": 16 << 20},
            "This picture has 1.0 megapixels; for WebP files of this kind the limit is 0.3.",
        ),
        ({"max_decode_bytes": 12 << 20}, "This WebP file takes more memory to read than one picture may."),
        ({"max_decode_bytes": 1 << 20}, "This WebP file takes more memory to read than one picture may."),
        ({"max_pixels": 999_999}, "This picture has 1.0 megapixels; the limit is 0.9."),
        ({"max_pixels": 2_000}, "This picture has 1.0 megapixels; the limit is 0.002."),
    ],
)
def test_no_refusal_tells_a_limit_of_zero(limits, told):
    claim = (999).to_bytes(3, "little")
    file = b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + claim + claim + bytes(8)
    with pytest.raises(TooManyPixels) as caught:
        probe(file, replace(LIMITS, **limits))
    assert caught.value.user_message.startswith(told + " Please upload a smaller version")


def test_a_small_tiff_of_many_channels_is_refused_for_its_memory_and_not_for_its_size():
    channels = tiff((256, 4, 500), (257, 4, 500), (258, 3, 8), (259, 3, 5), (277, 3, 60_000))
    with pytest.raises(TooManyPixels, match=r"^This TIFF file takes more memory to read than one picture may\. Please"):
        probe(channels, LIMITS)


def test_a_small_file_that_claims_a_large_picture_costs_nothing():
    """38 bytes of WebP that would have taken 1.5 GB."""
    claim = (8_999).to_bytes(3, "little")
    bomb = b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + claim + claim + bytes(8)
    with pytest.raises(TooManyPixels, match=r"81 megapixels; for WebP files of this kind the limit is 1\d\."):
        probe(bomb, LIMITS)


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        (formats.JPEG, Header(11_600, 8_600)),
        (formats.JPEG, Header(8_160, 6_120, whole=True, coefficients=3)),  # progressive, 4:2:0
        (formats.PNG, Header(11_600, 8_600)),
        (formats.GIF, Header(11_600, 8_600, samples=1)),
        (formats.HEIF, Header(5_712, 4_284)),
        (formats.WEBP, Header(4_032, 3_024)),
        (formats.AVIF, Header(4_032, 3_024, samples=4)),
        (formats.TIFF, Header(6_000, 4_000)),
        (formats.BMP, Header(6_000, 4_000)),
    ],
)
def test_photos_of_ordinary_size_are_within_the_memory_that_one_may_take(kind, header):
    """Baseline JPEG and PNG of 100 megapixels, progressive ones of 50, HEIC of 24, the others of 12 at least."""
    assert decode_bytes(kind, header, WORKING_COPY, file_bytes=5 << 20) <= LIMITS.max_decode_bytes


PNG_HEADER = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBBI", 13, b"IHDR", 9, 9, 8, 2, 0, 0, 0, 0)
GIF_HEADER = b"GIF89a\x01\0\x01\0\0\0\0"
JPEG_HEADER = b"\xff\xd8\xff\xe0\0\x02"
PIECES = 2_000_000
ENDLESS = {
    "GIF of small blocks": GIF_HEADER + b"!\xfe" + b"\x01x" * PIECES,
    "GIF of empty extensions": GIF_HEADER + b"!\xfe\0" * PIECES,
    "GIF of nothing": GIF_HEADER + b"x" * PIECES,
    "JPEG of nothing": JPEG_HEADER + b"x" * PIECES,
    "JPEG of empty segments": JPEG_HEADER + b"\xff\xe0\0\x02" * PIECES,
    "JPEG of bare markers": JPEG_HEADER + b"\xff\xd0" * PIECES,
    "JPEG of fill bytes": JPEG_HEADER + b"\xff" * PIECES,
    "PNG of empty chunks": PNG_HEADER + struct.pack(">I4sI", 0, b"tEXt", 0) * PIECES,
    "TIFF of many tags": tiff(*[(300, 3, 1)] * 60_000),
    "JPEG 2000 of empty boxes": b"\0\0\0\x0cjP  \r\n\x87\n" + box(b"free") * PIECES,
    "WebP of empty chunks": b"RIFF\0\0\0\1WEBP" + b"ABCD\0\0\0\0" * PIECES,
    "HEIC of empty boxes": box(b"ftyp", b"heic" + bytes(8)) + box(b"free") * PIECES,
    "HEIC of empty boxes in its meta box": heic(box(b"free") * PIECES),
    "HEIC of empty properties": heic(box(b"iprp", box(b"ipco", image_size(90, 60) + box(b"free") * 1_000_000))),
    "HEIC of sizes": heic(box(b"iprp", box(b"ipco", image_size(90, 60) * 400_000))),
    "HEIC of empty property lists": heic(box(b"iprp", box(b"ipco", image_size(90, 60))) * 200_000),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_header_without_end_is_given_up_early_and_without_holding_it(kind, tmp_path):
    path = tmp_path / "endless"
    path.write_bytes(ENDLESS[kind])
    tracemalloc.start()
    try:
        with pytest.raises(DamagedImage):
            probe(path, LIMITS)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 20 << 20


def test_a_heic_of_a_grid_whose_tiles_share_nothing_still_tells_its_size():
    tiles = (image_size(512, 512) + box(b"hvcC") + box(b"pixi", bytes(4) + b"\3\x08\x08\x08")) * 800
    found = probe(heic(box(b"iprp", box(b"ipco", tiles + image_size(6_000, 4_000)))), LIMITS)
    assert (found.width, found.height) == (6_000, 4_000)


def test_a_missing_file_is_a_rejection_and_no_crash(tmp_path):
    with pytest.raises(ImageRejected, match="could not be opened"):
        probe(tmp_path / "gone.jpg", LIMITS)


@pytest.mark.parametrize("plugin", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF", "TIFF", "BMP", "JPEG2000"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.7, 0.95])
def test_a_truncated_file_is_damaged(plugin, part):
    whole = saved(photo(320, 240), plugin)
    with pytest.raises(DamagedImage, match="damaged or incomplete"):
        decode(whole[: int(len(whole) * part)], LIMITS)


def test_a_large_png_whose_rows_end_early_is_damaged():
    whole = saved(Image.effect_noise((2200, 2000), 40).convert("RGB"), "PNG", compress_level=1)
    size = len(whole)
    for cut in (whole[: size // 2], whole[: size // 2] + bytes(size - size // 2)):
        with pytest.raises(DamagedImage):
            decode(cut, LIMITS)
        with pytest.raises(DamagedImage):
            display_copy(cut, LIMITS, 2048)


@pytest.mark.parametrize("plugin", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF", "TIFF", "BMP", "JPEG2000"])
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's own about broken metadata
def test_flipped_bytes_are_never_more_than_a_rejection(plugin):
    whole = bytearray(saved(photo(96, 64), plugin))
    chance = random.Random(5)  # noqa: S311 - seeded, for a test
    for _ in range(60):
        broken = bytearray(whole)
        for _ in range(4):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        with suppress(ImageRejected):
            decode(bytes(broken), LIMITS)


def test_decoding_imports_nothing_large():
    """Every decoder process pays for what `pipeline.features.decode` imports."""
    large = "{'onnx', 'onnxruntime', 'sklearn', 'scipy', 'faiss', 'cv2', 'sqlalchemy', 'fastapi', 'pydantic'}"
    code = f"import sys, pipeline.features.decode; print(sorted({large} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
