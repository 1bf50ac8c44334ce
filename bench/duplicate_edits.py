"""The 22 edits that copies are made by, of one's own pictures, with their parameters drawn anew for each picture."""

import random
from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Picture = Image.Image
Edit = Callable[[Picture, random.Random], Picture]

WORDS = ("WHEN THE TESTS PASS", "MONDAY AGAIN", "ONE DOES NOT SIMPLY", "ME AFTER LUNCH", "NOBODY: ABSOLUTELY NOBODY:")
MARKS = ("SAMPLE", "PREVIEW", "(c) 2026 Somebody", "DRAFT", "stock.example")


def encoded(picture: Picture, kind: str, quality: int) -> Picture:
    """Return what is left of a picture after it was saved."""
    file = BytesIO()
    picture.save(file, kind, quality=quality)
    return Image.open(BytesIO(file.getvalue())).convert("RGB")


def cropped(picture: Picture, part: float, chance: random.Random) -> tuple[Picture, tuple[float, float, float, float]]:
    """Return a box of `part` of both sides from somewhere, and which, in fractions."""
    width, height = picture.size
    across, down = max(1, round(width * part)), max(1, round(height * part))
    left, top = chance.randint(0, width - across), chance.randint(0, height - down)
    box = (left / width, top / height, across / width, down / height)
    return picture.crop((left, top, left + across, top + down)), box


def _scaled(picture: Picture, across: float, down: float) -> Picture:
    width, height = picture.size
    return picture.resize((max(1, round(width * across)), max(1, round(height * down))), Image.Resampling.LANCZOS)


def _rotated(picture: Picture, chance: random.Random) -> Picture:
    degrees = chance.uniform(2, 8) * chance.choice((-1, 1))
    return picture.rotate(degrees, Image.Resampling.BICUBIC, expand=chance.random() < 0.5)


def _quarter(picture: Picture, chance: random.Random) -> Picture:
    return picture.transpose(
        chance.choice((Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180))
    )


def _noisy(picture: Picture, chance: random.Random) -> Picture:
    rng = np.random.default_rng(chance.getrandbits(32))
    noise = rng.normal(0, chance.uniform(6, 12), (*picture.size[::-1], 3))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


def _font(pixels: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(8, round(pixels)))


def _watermarked(picture: Picture, chance: random.Random) -> Picture:
    width, height = picture.size
    size = chance.uniform(0.06, 0.1) * max(width, height) * 0.7
    layer = Image.new("RGBA", picture.size, (255, 255, 255, 0))
    draw, word = ImageDraw.Draw(layer), "  ".join([chance.choice(MARKS)] * 6)
    rows = chance.randint(2, 3)
    for row in range(rows):
        at = (width * 0.06 * (row + 1), height * (0.05 + 0.9 * row / rows))
        draw.text(at, word, (255, 255, 255, chance.randint(160, 255)), _font(size))
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")


def _bordered(picture: Picture, chance: random.Random) -> Picture:
    color = chance.choice(("black", "white", "#dddddd", "#203040"))
    return ImageOps.expand(picture, round(chance.uniform(0.05, 0.12) * min(picture.size)), color)


def _captioned(picture: Picture, chance: random.Random) -> Picture:
    width, height = picture.size
    bar = round(chance.uniform(0.15, 0.3) * width)
    result = Image.new("RGB", (width, height + bar), "white")
    below = chance.random() < 0.3
    result.paste(picture, (0, 0 if below else bar))
    at = (width * 0.04, (height if below else 0) + bar * 0.3)
    ImageDraw.Draw(result).text(at, chance.choice(WORDS), "black", _font(bar * 0.35))
    return result


def _screenshot(picture: Picture, chance: random.Random) -> Picture:
    width, height = picture.size
    side, title = round(width * chance.uniform(0.1, 0.25)), max(16, round(width * 0.08))
    result = Image.new("RGB", (width + 2 * side, height + title + side), chance.choice(("#f1f1f4", "#222226", "white")))
    draw = ImageDraw.Draw(result)
    draw.rectangle((0, 0, result.width, title), fill="#262b33")
    draw.text((title * 0.3, title * 0.25), f"Photos - {chance.randint(1, 40)} of 41", "white", _font(title * 0.5))
    result.paste(picture, (side, title + side // 2))
    return result


def _hue_shifted(picture: Picture, chance: random.Random) -> Picture:
    hue, saturation, value = picture.convert("HSV").split()
    shift = chance.randint(30, 225)
    return Image.merge("HSV", (hue.point(lambda level: (level + shift) % 256), saturation, value)).convert("RGB")


EDITS: dict[str, Edit] = {
    "jpeg_q75": lambda picture, _: encoded(picture, "JPEG", 75),
    "jpeg_q20": lambda picture, chance: encoded(picture, "JPEG", chance.randint(12, 25)),
    "webp_q50": lambda picture, chance: encoded(picture, "WEBP", chance.randint(30, 60)),
    "resize_50": lambda picture, chance: _scaled(picture, *[chance.uniform(0.4, 0.6)] * 2),
    "resize_25": lambda picture, chance: _scaled(picture, *[chance.uniform(0.22, 0.3)] * 2),
    "crop_90": lambda picture, chance: cropped(picture, chance.uniform(0.85, 0.95), chance)[0],
    "crop_70": lambda picture, chance: cropped(picture, chance.uniform(0.6, 0.8), chance)[0],
    "crop_50": lambda picture, chance: cropped(picture, chance.uniform(0.45, 0.55), chance)[0],
    "rotate_90": _quarter,
    "rotate_5": _rotated,
    "hflip": lambda picture, _: ImageOps.mirror(picture),
    "bright_130": lambda picture, chance: ImageEnhance.Brightness(picture).enhance(
        chance.choice((0.6, 0.75, 1.3, 1.5))
    ),
    "contrast_60": lambda picture, chance: ImageEnhance.Contrast(picture).enhance(chance.choice((0.5, 0.6, 1.5))),
    "grey": lambda picture, _: ImageOps.grayscale(picture).convert("RGB"),
    "blur_2": lambda picture, chance: picture.filter(ImageFilter.GaussianBlur(chance.uniform(1.5, 3))),
    "noise": _noisy,
    "watermark": _watermarked,
    "border": _bordered,
    "stretch_120": lambda picture, chance: _scaled(picture, chance.choice((0.8, 1.2, 1.3)), 1),
    "meme_caption": _captioned,
    "ui_screenshot": _screenshot,
    "hue_shift": _hue_shifted,
}


def edited(picture: Picture, name: str, chance: random.Random) -> bytes:
    """Return the file of an edited copy, as JPEG of quality 90 unless the edit is an encoding itself."""
    file = BytesIO()
    EDITS[name](picture, chance).save(file, "JPEG", quality=90)
    return file.getvalue()
