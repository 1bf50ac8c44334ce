"""Picture files with a secret in every place where a format lets something be written beside the pixels."""

import struct
import zlib
from io import BytesIO

from features.drawn import photo, saved
from PIL import ExifTags, Image, ImageCms, ImageDraw

SECRET = b"Rosa's house, second floor"


def exif(orientation=6):
    """EXIF with the secret in three directories, a place, and an orientation."""
    told = Image.Exif()
    told[ExifTags.Base.Orientation] = orientation
    told[ExifTags.Base.ImageDescription] = SECRET.decode()
    told.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"ASCII\0\0\0" + SECRET
    told.get_ifd(ExifTags.IFD.GPSInfo).update(
        {
            ExifTags.GPS.GPSLatitudeRef: "N",
            ExifTags.GPS.GPSLatitude: (52.0, 31.0, 12.0),
            ExifTags.GPS.GPSAreaInformation: SECRET,
        }
    )
    return told


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:creator>' + SECRET + b"</dc:creator></x:xmpmeta>"


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
"""Made once: it holds the second in which it was made."""


def profile(tags=(), tail=b"", shift=0):
    """A color profile with these tags more, its declared length off by `shift`, and a tail that it does not declare."""
    (count,) = struct.unpack_from(">I", PROFILE, 128)
    old = [struct.unpack_from(">4sII", PROFILE, 132 + 12 * number) for number in range(count)]
    added = 12 * len(tags)
    table = [(name, offset + added, length) for name, offset, length in old]
    body = PROFILE[132 + 12 * count :]
    for name, data in tags:
        table.append((name, 132 + 12 * (count + len(tags)) + len(body), len(data)))
        body += data + bytes(-len(data) % 4)
    packed = struct.pack(">I", len(table)) + b"".join(struct.pack(">4sII", *tag) for tag in table)
    size = 128 + len(packed) + len(body)
    return struct.pack(">I", size + shift) + PROFILE[4:128] + packed + body + tail


def segment(marker, data):
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg(orientation=6, **options):
    """A JPEG with EXIF, XMP, IPTC, previews, comments, a second picture, and a film after its end."""
    plain = saved(photo(160, 120), "JPEG", exif=exif(orientation), icc_profile=PROFILE, **options)
    assert plain[2:4] == b"\xff\xe0"
    jfif_end = 4 + struct.unpack(">H", plain[4:6])[0]
    preview = b"JFIF\0\x01\x01\0\0\1\0\1" + b"\x03\x03" + SECRET + b"\0"  # three by three pixels
    beside = (
        segment(0xE0, b"JFXX\0\x10" + SECRET)
        + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)
        + segment(0xE2, b"FPXR\0" + SECRET)
        + segment(0xE3, SECRET)
        + segment(0xED, b"Photoshop 3.0\x008BIM" + SECRET)
        + segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01" + SECRET)
        + segment(0xEF, SECRET)
        + segment(0xFE, SECRET)
    )
    film = b"\0\0\0\x18ftypmp42" + SECRET
    return plain[:2] + segment(0xE0, preview) + beside + plain[jfif_end:] + plain + film


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(image=None, orientation=6, **options):
    """A PNG with texts of all three kinds, EXIF, a time, chunks nobody knows, one that is too long, and a tail."""
    plain = saved(image or photo(160, 120), "PNG", exif=exif(orientation), icc_profile=PROFILE, dpi=(72, 72), **options)
    early = (
        chunk(b"tEXt", b"Author\0" + SECRET)
        + chunk(b"zTXt", b"Comment\0\0" + zlib.compress(SECRET, 0))
        + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)
        + chunk(b"tIME", struct.pack(">HBBBBB", 2024, 6, 1, 18, 30, 5))
        + chunk(b"prVt", SECRET)
        + chunk(b"gAMA", struct.pack(">I", 45455) + SECRET)
    )
    late = chunk(b"tEXt", b"Title\0" + SECRET)
    return plain[:33] + early + plain[33:-12] + late + plain[-12:] + SECRET


def jpeg_without_pixels():
    """What stands in front of the pixels of a JPEG, by which a file is accepted, and then nothing that can be read."""
    data = jpeg()
    return data[: data.index(b"\xff\xda") + 2] + SECRET * 100


def webp(orientation=6, **options):
    """A WebP with EXIF, XMP, a chunk nobody knows, and a tail."""
    plain = saved(photo(160, 120), "WEBP", exif=exif(orientation), xmp=XMP, icc_profile=PROFILE, **options)
    unknown = b"SCRT" + struct.pack("<I", len(SECRET)) + SECRET
    body = plain[8:] + unknown
    return b"RIFF" + struct.pack("<I", len(body)) + body + SECRET


def animated_webp():
    """An animated WebP, with a chunk nobody knows inside its last frame too."""
    plain = saved(
        photo(80, 60), "WEBP", save_all=True, append_images=moving(), duration=100, loop=2, exif=exif(1), xmp=XMP
    )
    at = plain.rindex(b"ANMF")
    (length,) = struct.unpack("<I", plain[at + 4 : at + 8])
    unknown = b"SCRT" + struct.pack("<I", len(SECRET)) + SECRET
    end = at + 8 + length
    frame = b"ANMF" + struct.pack("<I", length + len(unknown)) + plain[at + 8 : end] + unknown
    body = plain[8:at] + frame + plain[end:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def moving():
    frames = [photo(80, 60) for _ in range(3)]
    for number, frame in enumerate(frames):
        ImageDraw.Draw(frame).rectangle((number * 20, 10, number * 20 + 15, 40), fill="red")
    return frames


def blocks(data):
    return b"".join(bytes([len(data[at : at + 255])]) + data[at : at + 255] for at in range(0, len(data), 255)) + b"\0"


def gif():
    """An animated GIF with comments, XMP, a text, data of an unknown application, and a tail."""
    plain = saved(photo(80, 60), "GIF", save_all=True, append_images=moving(), duration=100, loop=2, comment=SECRET)
    first = plain.index(b"!")
    beside = (
        b"!\xfe" + blocks(SECRET)
        + b"!\xff\x0bXMP DataXMP" + blocks(XMP)
        + b"!\xff\x0bSECRETAP1.0" + blocks(SECRET)
        + b"!\x01" + blocks(SECRET)
    )  # fmt: skip
    return plain[:first] + beside + plain[first:] + SECRET


def bmp(image=None):
    """A BMP with something after its pixels."""
    return saved(image or photo(81, 60), "BMP") + SECRET


def frames(data):
    """Return mode, pixels and duration of every frame, as stored; the first four rounds of an animation included."""
    with Image.open(BytesIO(data)) as image:
        found = [image.info.get("loop")]
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            found.append((image.size, image.convert("RGBA").tobytes(), image.info.get("duration")))
        return found
