"""What a file is, told from its first bytes and never from its name.

Knows the formats that are decoded, and the common ones that are not, each with a sentence saying what it is and
what to do. How large the picture is, is left to `headers`.
"""

import codecs
import struct
from dataclasses import dataclass
from typing import BinaryIO

from pipeline.errors import DamagedImage, UnsupportedFormat

HEAD_BYTES = 4096
"""How much of a file is looked at to tell what it is: enough for the comments before an `<svg` tag."""


@dataclass(frozen=True)
class Format:
    """A format that is decoded: our name for it, its media type, and the name of its Pillow plugin."""

    name: str
    media_type: str
    plugin: str


JPEG = Format("JPEG", "image/jpeg", "JPEG")
PNG = Format("PNG", "image/png", "PNG")
GIF = Format("GIF", "image/gif", "GIF")
WEBP = Format("WebP", "image/webp", "WEBP")
AVIF = Format("AVIF", "image/avif", "AVIF")
HEIF = Format("HEIF", "image/heif", "HEIF")
TIFF = Format("TIFF", "image/tiff", "TIFF")
BMP = Format("BMP", "image/bmp", "BMP")
JPEG2000 = Format("JPEG 2000", "image/jp2", "JPEG2000")

FORMATS = (JPEG, PNG, GIF, WEBP, AVIF, HEIF, TIFF, BMP, JPEG2000)

_RAW = "This is a RAW photo. Please export it as JPEG and upload that."
_VIDEO = "This is a video. Please save a still picture from it as JPEG or PNG and upload that."
_SVG = "This is an SVG drawing. Please export it as PNG and upload that."
_PDF = "This is a PDF document. Please export the page as JPEG or PNG and upload that."
_POSTSCRIPT = "This is a PostScript drawing. Please export it as PNG and upload that."
_LAYERED = "This is a file of an image editor with layers. Please export it as JPEG or PNG and upload that."
_WEB_PAGE = "This is a web page, not a picture. Please save the picture itself and upload that."
_TEXT = "This is a text file, not a picture. Please choose a picture."
_ARCHIVE = "This is an archive or an office document. Please upload the pictures from it one by one."
_AUDIO = "This is a sound file, not a picture. Please choose a picture."
_PROGRAM = "This is a program, not a picture. Please choose a picture."
_OTHER_PICTURE = "This kind of picture is not supported. Please convert it to JPEG or PNG and upload that."
_EMPTY = "This file is empty. Please choose another one, or upload it again."
_UNKNOWN = "This is not a picture that can be read here. Please upload JPEG, PNG, WebP, AVIF, HEIC, GIF, TIFF or BMP."

_ACCEPTED_STARTS: tuple[tuple[bytes, Format], ...] = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
    (b"\0\0\0\x0cjP  \r\n\x87\n", JPEG2000),
    (b"\xff\x4f\xff\x51", JPEG2000),
)

_REFUSED_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"IIRO", _RAW),  # Olympus ORF
    (b"IIRS", _RAW),
    (b"MMOR", _RAW),
    (b"IIU\0", _RAW),  # Panasonic RW2
    (b"FUJIFILMCCD-RAW", _RAW),
    (b"FOVb", _RAW),  # Sigma X3F
    (b"\0MRM", _RAW),  # Minolta MRW
    (b"II\x1a\0\0\0HEAPCCDR", _RAW),  # Canon CRW
    (b"\x1aE\xdf\xa3", _VIDEO),  # Matroska and WebM
    (b"FLV\x01", _VIDEO),
    (b"\0\0\x01\xba", _VIDEO),  # MPEG program stream
    (b"\0\0\x01\xb3", _VIDEO),
    (b"OggS", _VIDEO),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _VIDEO),  # ASF and WMV
    (b"8BPS", _LAYERED),  # Photoshop
    (b"gimp xcf", _LAYERED),
    (b"%!PS", _POSTSCRIPT),
    (b"\xc5\xd0\xd3\xc6", _POSTSCRIPT),
    (b"PK\x03\x04", _ARCHIVE),
    (b"PK\x05\x06", _ARCHIVE),
    (b"Rar!", _ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", _ARCHIVE),
    (b"\x1f\x8b", _ARCHIVE),
    (b"BZh", _ARCHIVE),
    (b"\xfd7zXZ\0", _ARCHIVE),
    (b"\x28\xb5\x2f\xfd", _ARCHIVE),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _ARCHIVE),  # the old office formats
    (b"ID3", _AUDIO),
    (b"fLaC", _AUDIO),
    (b"MZ", _PROGRAM),
    (b"\x7fELF", _PROGRAM),
    (b"\0\0\x01\0", _OTHER_PICTURE),  # ICO
    (b"\0\0\x02\0", _OTHER_PICTURE),  # CUR
    (b"\xff\x0a", _OTHER_PICTURE),  # JPEG XL
    (b"\0\0\0\x0cJXL ", _OTHER_PICTURE),
    (b"DDS ", _OTHER_PICTURE),
    (b"FTEX", _OTHER_PICTURE),
    (b"BLP1", _OTHER_PICTURE),
    (b"BLP2", _OTHER_PICTURE),
    (b"qoif", _OTHER_PICTURE),
    (b"\x76\x2f\x31\x01", _OTHER_PICTURE),  # OpenEXR
    (b"#?RADIANCE", _OTHER_PICTURE),
    (b"\x01\xda", _OTHER_PICTURE),  # SGI
    (b"\x59\xa6\x6a\x95", _OTHER_PICTURE),  # Sun raster
    (b"\xb1\x68\xde\x3a", _OTHER_PICTURE),  # DCX
    (b"DanM", _OTHER_PICTURE),
    (b"LinS", _OTHER_PICTURE),
    (b"BPG\xfb", _OTHER_PICTURE),
    (b"icns", _OTHER_PICTURE),
    *(
        (b"P" + digit + space, _OTHER_PICTURE)
        for digit in (b"1", b"2", b"3", b"4", b"5", b"6", b"7")
        for space in (b"\n", b" ")
    ),
)

_RIFF_KINDS = {b"AVI ": _VIDEO, b"WAVE": _AUDIO}

_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1"}
)
_JPEG2000_BRANDS = frozenset({b"jp2 ", b"jpx "})
_QUICKTIME_ATOMS = frozenset({b"moov", b"mdat", b"free", b"wide", b"skip", b"pnot"})
_BMP_HEADER_SIZE_END = 18
_BMP_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_TAR_MAGIC = slice(257, 262)


def identify(stream: BinaryIO) -> Format:
    """Return the format of a file positioned at its start.

    Raises UnsupportedFormat with a sentence for what is recognized but not decoded, and for what is unknown.
    RAW photos that look like TIFF are told apart by `headers`, which reads their tags.
    """
    head = stream.read(HEAD_BYTES)
    if not head:
        raise UnsupportedFormat(_EMPTY)
    for start, accepted in _ACCEPTED_STARTS:
        if head.startswith(start):
            return _unless_camera_raw(head, accepted)
    if head[:4] == b"RIFF":
        return _riff(head)
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    if head[:2] == b"BM" and _looks_like_bmp(head):
        return BMP
    raise UnsupportedFormat(_refusal(head))


def refuse_raw() -> UnsupportedFormat:
    """Return the error for a RAW photo, for those that only their tags give away."""
    return UnsupportedFormat(_RAW)


def damaged(detail: str) -> DamagedImage:
    """Return the error for a picture that cannot be read to its end; `detail` goes to the log."""
    return DamagedImage(
        "This picture is damaged or incomplete. Please try another copy of it, or save it anew and upload that.",
        detail=detail,
    )


def _unless_camera_raw(head: bytes, accepted: Format) -> Format:
    if accepted is TIFF and head[8:10] == b"CR":
        raise UnsupportedFormat(_RAW)  # Canon CR2
    return accepted


def _riff(head: bytes) -> Format:
    if head[8:12] == b"WEBP":
        return WEBP
    raise UnsupportedFormat(_RIFF_KINDS.get(head[8:12], _UNKNOWN))


def _iso_media(head: bytes) -> Format:
    end = min(struct.unpack(">I", head[:4])[0], len(head))
    major, others = head[8:12], {head[at : at + 4] for at in range(16, end - 3, 4)}
    if major == b"crx ":
        raise UnsupportedFormat(_RAW)  # Canon CR3
    if major in _JPEG2000_BRANDS:
        return JPEG2000
    if major in _AVIF_BRANDS or (major in _HEIF_BRANDS and others & _AVIF_BRANDS):
        return AVIF
    if major in _HEIF_BRANDS:
        return HEIF
    raise UnsupportedFormat(_VIDEO)


def _looks_like_bmp(head: bytes) -> bool:
    return len(head) >= _BMP_HEADER_SIZE_END and struct.unpack("<I", head[14:18])[0] in _BMP_HEADER_SIZES


def _refusal(head: bytes) -> str:
    for start, sentence in _REFUSED_STARTS:
        if head.startswith(start):
            return sentence
    if head[4:8] in _QUICKTIME_ATOMS:
        return _VIDEO
    if b"%PDF-" in head[:1024]:  # readers of PDF accept a kilobyte of anything before it
        return _PDF
    if head[_TAR_MAGIC] == b"ustar":
        return _ARCHIVE
    return _refusal_of_text(head)


def _refusal_of_text(head: bytes) -> str:
    text = head.replace(b"\0", b"").removeprefix(b"\xef\xbb\xbf").lower()  # zeros: UTF-16
    if b"<svg" in text:
        return _SVG
    if b"<html" in text or b"<!doctype html" in text or b"<body" in text or b"<script" in text:
        return _WEB_PAGE
    characters = codecs.getincrementaldecoder("utf-8")("replace").decode(head)  # forgives a character cut at the end
    is_text = all(one.isprintable() or one.isspace() for one in characters) and "\ufffd" not in characters
    return _TEXT if is_text else _UNKNOWN
