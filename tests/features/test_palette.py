"""Palettes of pictures whose colors are known because they were drawn here."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data

from pipeline.features.color import ciede2000, hex_to_lab
from pipeline.features.palette import MAX_SWATCHES, extract_palette
from pipeline.features.picture import COLOR_NAMES, Facts, Picture

FACTS = Facts("PNG", "image/png", 1, 1)


def picture(image, alpha=None):
    return Picture(np.asarray(image.convert("RGB")), alpha, FACTS)


def stripes(*colors, height=200, width=300):
    """Draw horizontal stripes, each a color and how many rows it has."""
    image = Image.new("RGB", (width, height))
    top = 0
    for color, rows in colors:
        image.paste(color, (0, top, width, top + rows))
        top += rows
    return image


def test_a_flag_has_exactly_its_colors_and_shares():
    tricolor = stripes(("#ae1c28", 67), ("#ffffff", 66), ("#21468b", 67))
    palette = extract_palette(picture(tricolor))
    assert {swatch.hex for swatch in palette.swatches} == {"#ae1c28", "#ffffff", "#21468b"}
    assert [swatch.share for swatch in palette.swatches] == pytest.approx([1 / 3] * 3, abs=0.01)


def test_swatches_come_largest_first_and_fill_the_picture():
    palette = extract_palette(picture(stripes(("#ff0000", 20), ("#00ff00", 120), ("#0000ff", 60))))
    assert [swatch.hex for swatch in palette.swatches] == ["#00ff00", "#0000ff", "#ff0000"]
    assert sum(swatch.share for swatch in palette.swatches) == pytest.approx(1)


def test_the_lab_of_a_swatch_is_that_of_its_hex():
    for swatch in extract_palette(picture(Image.fromarray(data.coffee()))).swatches:
        assert swatch.lab == pytest.approx(hex_to_lab(swatch.hex).tolist(), abs=0.01)


def test_near_shades_become_one_swatch():
    palette = extract_palette(picture(stripes(("#3060c0", 100), ("#3263c3", 100))))
    assert len(palette.swatches) == 1


def test_a_picture_of_many_colors_has_six_swatches_at_most():
    noise = np.random.default_rng(3).integers(0, 256, (200, 200, 3)).astype(np.uint8)
    assert len(extract_palette(picture(Image.fromarray(noise))).swatches) <= MAX_SWATCHES


def test_the_blurred_edge_between_two_colors_is_no_color_of_the_picture():
    image = Image.new("RGB", (1200, 800), "#ffffff")
    ImageDraw.Draw(image).ellipse((300, 100, 900, 700), fill="#bc002d")
    palette = extract_palette(picture(image.resize((300, 200), Image.Resampling.LANCZOS)))
    assert [swatch.hex for swatch in palette.swatches] == ["#ffffff", "#bc002d"]


def test_a_small_accent_is_kept():
    image = stripes(("#203040", 200))
    image.paste("#ffd020", (10, 10, 50, 34))  # 960 of 60,000 pixels
    accent = extract_palette(picture(image)).swatches[-1]
    assert accent.hex == "#ffd020"
    assert accent.share == pytest.approx(0.016, abs=0.002)


def test_an_accent_whose_color_is_a_mixture_of_two_others_is_kept():
    image = stripes(("#000000", 100), ("#ffffff", 100))
    image.paste("#808080", (100, 40, 160, 80))  # 4 %
    assert "#808080" in {swatch.hex for swatch in extract_palette(picture(image)).swatches}


def test_transparent_parts_count_for_nothing():
    image = stripes(("#ffffff", 100), ("#008040", 100))
    alpha = np.zeros((200, 300), dtype=np.uint8)
    alpha[100:] = 255
    palette = extract_palette(picture(image, alpha))
    assert [(swatch.hex, swatch.share) for swatch in palette.swatches] == [("#008040", pytest.approx(1))]
    assert palette.names["white"] == 0


def test_half_transparent_paint_has_the_color_it_had_before_it_was_put_on_white():
    on_white = Image.new("RGB", (100, 100), (255, 128, 128))
    palette = extract_palette(picture(on_white, np.full((100, 100), 128, dtype=np.uint8)))
    assert ciede2000(palette.swatches[0].lab, hex_to_lab("#ff0000")) < 1


def test_a_wholly_transparent_picture_has_no_colors_and_is_neutral():
    palette = extract_palette(picture(Image.new("RGB", (50, 50), "#ffffff"), np.zeros((50, 50), dtype=np.uint8)))
    assert palette.swatches == ()
    assert palette.scheme == "neutral"
    assert sum(palette.names.values()) == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (2, 2)])
def test_the_smallest_and_thinnest_pictures_have_a_palette(size):
    assert extract_palette(picture(Image.new("RGB", size, "#123456"))).swatches[0].hex == "#123456"


def test_names_sum_to_one_and_follow_the_areas():
    names = extract_palette(picture(stripes(("#ff0000", 50), ("#0000ff", 150)))).names
    assert tuple(names) == COLOR_NAMES
    assert names["blue"] == pytest.approx(0.75, abs=0.01)
    assert names["red"] == pytest.approx(0.25, abs=0.01)
    assert sum(names.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("color", "scheme", "brightness", "saturation"),
    [
        ("#ff8000", "warm", 0.67, 1.0),
        ("#0080ff", "cool", 0.55, 1.0),
        ("#777777", "neutral", 0.50, 0.0),
        ("#000000", "neutral", 0.0, 0.0),
        ("#ffffff", "neutral", 1.0, 0.0),
        ("#ff8080", "warm", 0.69, 0.5),
    ],
)
def test_scheme_brightness_and_saturation_of_plain_colors(color, scheme, brightness, saturation):
    """Brightness is L* / 100 and saturation that of HSV, both from any color calculator."""
    palette = extract_palette(picture(Image.new("RGB", (20, 20), color)))
    assert palette.scheme == scheme
    assert palette.brightness == pytest.approx(brightness, abs=0.015)
    assert palette.saturation == pytest.approx(saturation, abs=0.005)


def test_a_sunset_is_warm_and_the_sea_is_cool():
    assert extract_palette(picture(stripes(("#ff7e30", 90), ("#7a1f2b", 60), ("#2b2030", 50)))).scheme == "warm"
    assert extract_palette(picture(stripes(("#9fd3e8", 90), ("#1c6e8c", 110)))).scheme == "cool"


def test_the_same_picture_has_the_same_palette_from_any_thread():
    photos = [picture(Image.fromarray(image)) for image in (data.astronaut(), data.coffee(), data.chelsea())] * 4
    alone = [extract_palette(photo) for photo in photos]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(extract_palette, photos)) == alone
