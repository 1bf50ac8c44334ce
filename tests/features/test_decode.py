"""From files to working copies: every format, every mode, upright, in sRGB, at the right size."""

from io import BytesIO

import numpy as np
import pytest
from drawn import compass, corners, photo, saved
from PIL import Image, ImageCms

from pipeline.features.decode import Limits, decode, display_copy

LIMITS = Limits()

FORMATS = [
    ("JPEG", "image/jpeg", "JPEG", {}),
    ("JPEG", "image/jpeg", "JPEG", {"progressive": True}),
    ("PNG", "image/png", "PNG", {}),
    ("GIF", "image/gif", "GIF", {}),
    ("WebP", "image/webp", "WEBP", {}),
    ("WebP", "image/webp", "WEBP", {"lossless": True}),
    ("AVIF", "image/avif", "AVIF", {"speed": 10}),
    ("HEIF", "image/heif", "HEIF", {}),
    ("TIFF", "image/tiff", "TIFF", {}),
    ("TIFF", "image/tiff", "TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", "image/tiff", "TIFF", {"big_tiff": True}),
    ("BMP", "image/bmp", "BMP", {}),
    ("JPEG 2000", "image/jp2", "JPEG2000", {}),
]


def distance(pixels, image):
    """Return the mean difference to an image shrunk by Pillow alone, in bytes."""
    reference = image.convert("RGB").resize((pixels.shape[1], pixels.shape[0]), Image.Resampling.BICUBIC)
    return np.abs(pixels.astype(int) - np.asarray(reference)).mean()


@pytest.mark.parametrize(("name", "media_type", "plugin", "options"), FORMATS)
def test_every_format_becomes_the_same_working_copy(name, media_type, plugin, options):
    image = photo(1600, 1200)
    picture = decode(saved(image, plugin, **options), LIMITS)
    assert picture.pixels.shape == (512, 683, 3)
    assert picture.pixels.dtype == np.uint8
    assert picture.alpha is None
    assert (picture.facts.format, picture.facts.media_type) == (name, media_type)
    assert (picture.facts.width, picture.facts.height) == (1600, 1200)
    assert distance(picture.pixels, image) < 4


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("size", [(4001, 3003), (1025, 1031), (2047, 16_001)])
def test_a_jpeg_of_odd_size_is_decoded_at_a_fraction_of_it(mode, size):
    image = Image.linear_gradient("L").resize(size).convert(mode)
    pixels = decode(saved(image, "JPEG"), LIMITS).pixels
    assert min(pixels.shape[:2]) <= 512
    assert distance(pixels, image) < 2


def test_a_path_is_decoded_like_its_bytes(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(saved(photo(), "JPEG"))
    assert np.array_equal(decode(path, LIMITS).pixels, decode(path.read_bytes(), LIMITS).pixels)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((300, 200), (300, 200)),  # never enlarged
        ((512, 512), (512, 512)),
        ((1024, 2048), (512, 1024)),
        ((3000, 9000), (512, 1536)),
        ((1, 60_000), (1, 16_000)),
        ((60_000, 1), (16_000, 1)),
        ((1000, 30_000), (258, 7746)),  # two million pixels
        ((1, 1), (1, 1)),
    ],
)
def test_the_working_copy_has_a_short_side_of_512_and_is_never_enlarged_or_huge(size, expected):
    pixels = decode(saved(Image.new("L", size, 77), "PNG"), LIMITS).pixels
    assert (pixels.shape[1], pixels.shape[0]) == expected
    assert (pixels == 77).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("plugin", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_rotated_phone_photo_is_decoded_upright(orientation, plugin):
    """The file is made by the inverse of what EXIF says must be done to it."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = compass().transpose(undo[orientation]) if orientation in undo else compass()
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = decode(saved(stored, plugin, exif=exif), LIMITS)
    assert corners(picture.pixels) == ["red", "green", "blue", "yellow"]
    assert (picture.facts.width, picture.facts.height) == (600, 400)
    assert picture.pixels.shape == (400, 600, 3)


def test_a_heic_photo_is_turned_once_and_not_twice():
    stored = compass().transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    stored.info["exif"] = exif.tobytes()  # pillow-heif then writes both, EXIF and the turn that HEIF itself knows
    picture = decode(saved(stored, "HEIF"), LIMITS)
    assert corners(picture.pixels) == ["red", "green", "blue", "yellow"]
    assert (picture.facts.width, picture.facts.height) == (600, 400)


def test_sixteen_bit_gray_is_scaled_and_not_clipped():
    values = np.full((100, 120), 110 * 257, dtype=np.uint16)
    assert (decode(saved(Image.fromarray(values), "PNG"), LIMITS).pixels == 110).all()
    assert (decode(saved(Image.fromarray(values), "TIFF"), LIMITS).pixels == 110).all()


@pytest.mark.parametrize(("low", "high", "expected"), [(0.0, 1.0, 128), (0.0, 255.0, 128), (-5.0, 5.0, 128)])
def test_floating_point_grays_are_stretched_to_their_range(low, high, expected):
    values = np.full((64, 64), (low + high) / 2, dtype=np.float32)
    values[0, 0], values[0, 1] = low, high
    pixels = decode(saved(Image.fromarray(values), "TIFF"), LIMITS).pixels
    assert pixels[32, 32, 0] == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "F"])
def test_every_mode_of_tiff_becomes_rgb(mode):
    image = photo(80, 60)
    if mode in {"L", "LA", "F"}:
        image = image.convert("L")
    elif mode == "P":
        image = image.quantize(8)
    stored = image if mode == "LAB" else image.convert(mode)
    if mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        stored = ImageCms.profileToProfile(image, *profiles, outputMode="LAB")
    pixels = decode(saved(stored, "TIFF"), LIMITS).pixels
    assert pixels.shape == (60, 80, 3)
    assert distance(pixels, image) < 3


def test_black_and_white_stays_black_and_white():
    image = Image.new("1", (90, 60), 1)
    image.paste(0, (0, 0, 45, 60))
    pixels = decode(saved(image, "TIFF", compression="group4"), LIMITS).pixels
    assert (pixels[:, :45] == 0).all()
    assert (pixels[:, 45:] == 255).all()


def test_cmyk_with_white_paper_stays_white():
    assert (decode(saved(Image.new("CMYK", (50, 50), (0, 0, 0, 0)), "JPEG"), LIMITS).pixels >= 254).all()


@pytest.mark.parametrize("plugin", ["PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_transparent_parts_are_put_on_white_and_kept_as_alpha(plugin):
    image = Image.new("RGBA", (200, 100), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 100, 100))
    picture = decode(saved(image, plugin, quality=100), LIMITS)
    assert picture.alpha is not None
    assert (picture.alpha[:, :90] > 250).all()
    assert (picture.alpha[:, 110:] < 5).all()
    assert (picture.pixels[:, 110:] > 250).all()
    assert np.abs(picture.pixels[:, :90].astype(int) - (0, 0, 255)).max() < 8


def test_an_opaque_alpha_channel_is_no_alpha():
    assert decode(saved(photo(64, 64).convert("RGBA"), "PNG"), LIMITS).alpha is None


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_color_becomes_alpha(mode):
    image = Image.new(mode, (60, 60), 0)
    image.paste(1 if mode == "P" else "white", (0, 0, 60, 30))
    transparent = (0, 0, 0) if mode == "RGB" else 0
    alpha = decode(saved(image, "PNG", transparency=transparent), LIMITS).alpha
    assert (alpha[:30] == 255).all()
    assert (alpha[31:] == 0).all()


def test_colors_of_another_profile_are_brought_to_srgb():
    """A gray profile of gamma 1: linear 50 % is 188 in sRGB (IEC 61966-2-1)."""
    linear = linear_gray_profile()
    image = Image.new("L", (40, 40), 128)
    pixels = decode(saved(image, "TIFF", icc_profile=linear), LIMITS).pixels
    assert np.abs(pixels.astype(int) - 188).max() <= 1


def linear_gray_profile():
    """Write the smallest ICC profile (version 2.1, class mntr) of a gray with gamma 1 and a white point of D50."""
    curve = b"curv" + bytes(4) + (0).to_bytes(4)
    white = b"XYZ " + bytes(4) + b"".join(value.to_bytes(4) for value in (0xF6D6, 0x10000, 0xD32D))
    text = b"desc" + bytes(4) + (7).to_bytes(4) + b"linear\0" + bytes(78 + 1)
    tags = [(b"desc", text), (b"wtpt", white), (b"kTRC", curve)]
    table, body = len(tags).to_bytes(4), b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags:
        table += name + (start + len(body)).to_bytes(4) + len(data).to_bytes(4)
        body += data + bytes(-len(data) % 4)
    size = start + len(body)
    head = size.to_bytes(4) + bytes(4) + b"\x02\x10\0\0" + b"mntrGRAYXYZ " + bytes(12) + b"acsp" + bytes(28)
    head += b"".join(value.to_bytes(4) for value in (0xF6D6, 0x10000, 0xD32D))
    return head.ljust(128, b"\0") + table + body


def test_a_broken_profile_is_left_aside():
    image = photo(64, 64)
    assert distance(decode(saved(image, "PNG", icc_profile=b"no profile at all"), LIMITS).pixels, image) == 0


@pytest.mark.parametrize("plugin", ["GIF", "PNG", "WEBP"])
def test_the_first_frame_of_an_animation_is_the_picture(plugin):
    frames = [Image.new("RGB", (40, 40), color) for color in ("#ff0000", "#00ff00", "#0000ff")]
    picture = decode(saved(frames[0], plugin, save_all=True, append_images=frames[1:], duration=40), LIMITS)
    assert np.abs(picture.pixels.astype(int) - (255, 0, 0)).max() < 6
    assert picture.facts.frames == 3


def test_a_large_png_in_strips_is_the_same_as_a_small_one_decoded_whole():
    """Above four megapixels the rows are decoded by turns; all filters of PNG occur in a photograph."""
    image = photo(2400, 1800)
    assert distance(decode(saved(image, "PNG", compress_level=1), LIMITS).pixels, image) < 1
    with_alpha = image.convert("RGBA")
    with_alpha.putalpha(128)
    striped = decode(saved(with_alpha, "PNG", compress_level=1), LIMITS)
    assert (striped.alpha == 128).all()
    gray = image.convert("LA")
    assert distance(decode(saved(gray, "PNG", compress_level=1), LIMITS).pixels, gray) < 1


@pytest.mark.parametrize(
    ("size", "long_side_px", "expected"), [((3000, 2000), 1000, (1000, 667)), ((300, 200), 1000, (300, 200))]
)
def test_a_display_copy_has_the_size_asked_for_and_no_metadata(size, long_side_px, expected):
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    copy = Image.open(BytesIO(display_copy(saved(photo(*size), "JPEG", exif=exif), LIMITS, long_side_px)))
    assert copy.format == "WEBP"
    assert copy.size == expected
    assert not copy.getexif()
    assert "icc_profile" not in copy.info


def test_a_display_copy_is_upright_and_keeps_transparency():
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = compass().transpose(Image.Transpose.ROTATE_90)
    sideways.putalpha(100)
    copy = Image.open(BytesIO(display_copy(saved(sideways, "PNG", exif=exif), LIMITS, 2048)))
    assert corners(np.asarray(copy.convert("RGB"))) == ["red", "green", "blue", "yellow"]
    assert copy.getchannel("A").getextrema() == (100, 100)
