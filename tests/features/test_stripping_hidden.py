"""A secret where a format has room for it, in a place that is otherwise kept: it goes, and the picture stays."""

import struct
import zlib
from io import BytesIO

import pytest
import told
from drawn import photo, saved
from PIL import Image
from told import PROFILE, SECRET, chunk, segment

from pipeline.errors import DamagedImage
from pipeline.features.stripping.strip import stripped_parts

SMALL = photo(80, 60)
GRAY = SMALL.convert("L")
JPEG, PNG, WEBP, BMP = (saved(SMALL, kind) for kind in ("JPEG", "PNG", "WEBP", "BMP"))
GRAY_PNG, ALPHA_PNG = saved(GRAY, "PNG"), saved(SMALL.convert("RGBA"), "PNG")
PALETTE_PNG, PALETTE_BMP = (saved(SMALL.quantize(64), kind) for kind in ("PNG", "BMP"))
GIF, APNG, MOVING_WEBP = (
    saved(SMALL, kind, save_all=True, append_images=told.moving(), duration=100) for kind in ("GIF", "PNG", "WEBP")
)
TEXT = b"text\0\0\0\0" + SECRET
PROFILES = {
    "no profile at all": SECRET * 9,
    "no mark": told.profile(tail=SECRET).replace(b"acsp", b"ascp"),
    "a tail": told.profile(tail=SECRET),
    "a length that is too long": told.profile([(b"prvt", TEXT)], shift=4),
    "a private tag": told.profile([(b"prvt", TEXT)]),
    "a tag of measurements": told.profile([(b"targ", TEXT)]),
    "a second tag of a name": told.profile([(b"cprt", TEXT)]),
    "a long text": told.profile([(b"dmdd", TEXT + bytes(1 << 14))]),
    "a color that is too long": told.profile([(b"bkpt", b"XYZ \0\0\0\0" + bytes(12) + SECRET)]),
    "a curve that is too long": told.profile([(b"kTRC", b"curv" + bytes(8) + SECRET)]),
    "reserved bytes": PROFILE[:100] + SECRET.ljust(28) + PROFILE[128:],
    "an ID that is none": PROFILE[:84] + SECRET[:16] + PROFILE[100:],
}


def stripped(data):
    _, parts = stripped_parts(BytesIO(data))
    return b"".join(part if isinstance(part, bytes) else data[part.start : part.stop] for part in parts)


def in_jpeg(profile):
    return JPEG[:20] + segment(0xE2, b"ICC_PROFILE\0\1\1" + profile) + JPEG[20:]


def in_png(profile):
    return after_header(PNG, chunk(b"iCCP", b"name\0\0" + zlib.compress(profile)))


def in_webp(profile):
    head = struct.pack("<IIHBHB", 10, 0x20, 79, 0, 59, 0)
    return riff(b"VP8X" + head, riff_chunk(b"ICCP", profile), WEBP[12:])


def after_header(png, *chunks):
    return png[:33] + b"".join(chunks) + png[33:]


def riff(*chunks):
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def riff_chunk(kind, data):
    return kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


@pytest.mark.parametrize("embed", [in_jpeg, in_png, in_webp])
@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_tells_nothing_but_colors(name, embed):
    data = embed(PROFILES[name])
    left = stripped(data)
    with Image.open(BytesIO(left)) as image:
        kept = image.info.get("icc_profile", b"")
        assert (kept == b"") == (name in {"no profile at all", "no mark", "a length that is too long"})
    assert SECRET[:16] not in kept
    assert SECRET[:16] not in left
    assert told.frames(left) == told.frames(data)
    assert stripped(left) == left


@pytest.mark.parametrize("embed", [in_jpeg, in_png, in_webp])
def test_a_profile_that_may_matter_and_is_not_understood_is_refused(embed):
    with pytest.raises(DamagedImage):
        stripped(embed(told.profile([(b"B2A0", b"mAB \0\0\0\0" + SECRET)])))
    with pytest.raises(DamagedImage):
        stripped(embed(told.profile([(b"gTRC", b"curv\0\0\0\0" + b"\0\0\0\xff")])))


def test_a_profile_that_unpacks_without_end_is_refused():
    with pytest.raises(DamagedImage):
        stripped(in_png(PROFILE[:128] + bytes(100_000_000)))


def test_a_profile_in_several_segments_is_put_together_in_the_order_of_their_numbers():
    whole = told.profile([(b"dmdd", b"text" + bytes(300))])
    parts = [segment(0xE2, b"ICC_PROFILE\0" + bytes([n, 2]) + part) for n, part in ((2, whole[200:]), (1, whole[:200]))]
    with Image.open(BytesIO(stripped(JPEG[:20] + b"".join(parts) + JPEG[20:]))) as image:
        assert image.info["icc_profile"] == whole


@pytest.mark.parametrize("numbers", [(1, 1), (1, 3), (0, 1)])
def test_a_profile_with_a_segment_twice_or_missing_is_left_out(numbers):
    parts = [segment(0xE2, b"ICC_PROFILE\0" + bytes([number, 2]) + PROFILE) for number in numbers]
    left = stripped(JPEG[:20] + b"".join(parts) + JPEG[20:])
    assert b"ICC_PROFILE" not in left


TAGGED_PNG = {
    "colors that RGB has no use for": (PNG, chunk(b"PLTE", (SECRET * 9)[:48])),
    "a key of alpha": (ALPHA_PNG, chunk(b"tRNS", SECRET)),
    "a key of RGB": (PNG, chunk(b"tRNS", SECRET)),
    "a key of gray": (GRAY_PNG, chunk(b"tRNS", SECRET)),
    "gamma": (PNG, chunk(b"gAMA", SECRET[:16])),
    "chromaticities": (PNG, chunk(b"cHRM", SECRET)),
    "coding": (PNG, chunk(b"cICP", SECRET)),
    "bits": (PNG, chunk(b"sBIT", SECRET)),
    "background": (PNG, chunk(b"bKGD", SECRET)),
    "density": (PNG, chunk(b"pHYs", SECRET)),
    "light": (PNG, chunk(b"cLLI", SECRET)),
    "screen": (PNG, chunk(b"mDCV", SECRET)),
    "animation": (PNG, chunk(b"acTL", SECRET)),
    "a frame of nothing": (PNG, chunk(b"fcTL", (SECRET + SECRET)[:26]) + chunk(b"fdAT", SECRET)),
}


@pytest.mark.parametrize("name", TAGGED_PNG)
def test_a_chunk_of_another_length_or_for_another_kind_of_png_is_left_out(name):
    plain, added = TAGGED_PNG[name]
    left = stripped(after_header(plain, added))
    assert left == plain


def test_a_chunk_stands_there_once():
    gamma = chunk(b"gAMA", b"\0\0\xb1\x8f")
    assert stripped(after_header(PNG, gamma, chunk(b"gAMA", SECRET[:4]))) == after_header(PNG, gamma)


def rows(png, change):
    """Return a PNG whose compressed rows are changed."""
    start = png.index(b"IDAT")
    (length,) = struct.unpack(">I", png[start - 4 : start])
    return png[: start - 4] + chunk(b"IDAT", change(png[start + 4 : start + 4 + length])) + png[start + 8 + length :]


def first_frame_with(control, extra):
    """Return an animated PNG with something more before its first frame and behind its last rows."""
    start = APNG.index(b"fcTL") - 4
    return APNG[:start] + control + APNG[start:-12] + extra + APNG[-12:]


HIDING = {
    "jpeg: a table twice": JPEG[:20] + segment(0xDB, b"\0" + (SECRET * 3)[:64]) * 2 + JPEG[20:],
    "jpeg: a table after the last scan": JPEG[:-2] + segment(0xDB, b"\0" + (SECRET * 3)[:64]) + JPEG[-2:],
    "jpeg: a table of no number": JPEG[:20] + segment(0xDB, b"\x0f" + (SECRET * 3)[:64]) + JPEG[20:],
    "jpeg: a table with a tail": JPEG[:20] + segment(0xDB, b"\3" + bytes(64) + SECRET) + JPEG[20:],
    "jpeg: codes with a tail": JPEG[:20] + segment(0xC4, b"\3" + bytes(16) + SECRET) + JPEG[20:],
    "jpeg: two frames": JPEG[:20] + segment(0xC0, b"\x08\0\x3c\0\x50\1" + SECRET[:3]) + JPEG[20:],
    "jpeg: many components": JPEG[:20] + segment(0xC0, b"\x08\0\x3c\0\x50\x09" + SECRET[:27]) + JPEG[20:],
    "jpeg: restarts with a tail": JPEG[:20] + segment(0xDD, b"\0\0" + SECRET) + JPEG[20:],
    "png: behind the rows": rows(PNG, lambda data: data + SECRET),
    "png: rows too many": rows(PNG, lambda data: zlib.compress(zlib.decompress(data) + SECRET, 0)),
    "png: rows in a second place": PNG[:-12] + chunk(b"tIME", bytes(7)) + chunk(b"IDAT", SECRET) + PNG[-12:],
    "png: rows that unpack without end": rows(PNG, lambda _: zlib.compress(bytes(50_000_000))),
    "png: a frame too many": first_frame_with(chunk(b"fcTL", (SECRET * 2)[:26]), b""),
    "png: a frame that is too long": first_frame_with(chunk(b"fcTL", SECRET * 2), b""),
    "png: rows of no frame": first_frame_with(chunk(b"fdAT", SECRET), b""),
    "png: rows behind the last": first_frame_with(b"", chunk(b"fdAT", b"\0\0\0\x09" + SECRET)),
    "png: a palette of no length": PALETTE_PNG.replace(b"PLTE", b"prVt", 1)[:-12] + chunk(b"PLTE", SECRET[:25]),
    "bmp: more colors than pixels can have": (
        PALETTE_BMP[:10] + struct.pack("<I", 14 + 40 + 4 * 264) + PALETTE_BMP[14:46] + struct.pack("<I", 264)
        + PALETTE_BMP[50:54] + PALETTE_BMP[54:].ljust(4 * 264, b"s") + PALETTE_BMP
    ),
    "bmp: a gap before the pixels": BMP[:10] + struct.pack("<I", 54 + len(SECRET)) + BMP[14:54] + SECRET + BMP[54:],
}  # fmt: skip


@pytest.mark.parametrize("name", HIDING)
def test_what_hides_in_what_cannot_be_left_out_is_refused(name):
    with pytest.raises(DamagedImage):
        stripped(HIDING[name])


def gif_with(*extensions):
    at = GIF.index(b"!\xf9")
    return GIF[:at] + b"".join(extensions) + GIF[at:]


ADOBE = segment(0xEE, b"Adobe\0\x64\0\0\0\0\1")
LEFT_OUT = {
    "jpeg: an earlier note of Adobe": (
        JPEG[:20] + segment(0xEE, b"Adobe" + SECRET) + ADOBE + JPEG[20:],
        JPEG[:20] + ADOBE + JPEG[20:],
    ),
    "gif: a control of no frame": (gif_with(b"!\xf9\4" + SECRET[:4] + b"\0"), GIF),
    "gif: a control that is too long": (gif_with(b"!\xf9\x1a" + SECRET[:26] + b"\0"), GIF),
    "gif: rounds with a tail": (gif_with(b"!\xff\x0bNETSCAPE2.0\x1a\1" + SECRET[:25] + b"\0"), GIF),
    "bmp: reserved bytes": (BMP[:6] + SECRET[:4] + BMP[10:], BMP),
    "webp: a second picture": (riff(WEBP[12:], riff_chunk(b"VP8 ", SECRET)), WEBP),
    "webp: a profile of a simple file": (riff(WEBP[12:], riff_chunk(b"ICCP", PROFILE + SECRET)), WEBP),
    "webp: transparency behind the picture": (
        riff(in_webp(PROFILE)[12:], riff_chunk(b"ALPH", SECRET)),
        in_webp(PROFILE),
    ),
    "webp: a second animation": (riff(MOVING_WEBP[12:], riff_chunk(b"ANIM", SECRET[:6])), MOVING_WEBP),
    "webp: a picture beside an animation": (riff(MOVING_WEBP[12:], riff_chunk(b"VP8 ", SECRET)), MOVING_WEBP),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_decoders_do_not_look_at_is_left_out(name):
    data, expected = LEFT_OUT[name]
    assert stripped(data) == expected


@pytest.mark.parametrize(
    "data",
    [JPEG, PNG, GRAY_PNG, ALPHA_PNG, PALETTE_PNG, WEBP, BMP, PALETTE_BMP, GIF, APNG, MOVING_WEBP, in_jpeg(PROFILE)],
)
def test_a_file_that_tells_nothing_is_sent_as_it_is(data):
    assert stripped(data) == data


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_keeps_its_rows(mode):
    image = GRAY.convert("I").point(lambda value: value * 257).convert(mode) if mode == "I;16" else SMALL.convert(mode)
    data = saved(image, "PNG")
    assert stripped(data) == data
