"""What is read from EXIF, and what is made of nonsense there."""

from datetime import datetime

import pytest
from drawn import photo, saved
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from pipeline.features.decode import Limits, decode

LIMITS = Limits()


def facts_of(base=None, details=None, place=None, plugin="JPEG"):
    exif = Image.Exif()
    exif.update(base or {})
    exif.get_ifd(ExifTags.IFD.Exif).update(details or {})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(place or {})
    return decode(saved(photo(60, 40), plugin, exif=exif), LIMITS).facts


@pytest.mark.parametrize("plugin", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_camera_exposure_and_place_become_short_texts(plugin):
    facts = facts_of(
        {ExifTags.Base.Make: "Canon", ExifTags.Base.Model: "Canon EOS 5D"},
        {
            ExifTags.Base.LensModel: "EF24-70mm f/2.8L II USM",
            ExifTags.Base.ExposureTime: IFDRational(1, 250),
            ExifTags.Base.FNumber: IFDRational(28, 10),
            ExifTags.Base.ISOSpeedRatings: 400,
            ExifTags.Base.FocalLength: IFDRational(35, 1),
        },
        {
            ExifTags.GPS.GPSLatitudeRef: "S",
            ExifTags.GPS.GPSLatitude: (33.0, 51.0, 31.0),
            ExifTags.GPS.GPSLongitudeRef: "E",
            ExifTags.GPS.GPSLongitude: (151.0, 12.0, 51.0),
        },
        plugin,
    )
    assert facts.exif == {
        "camera": "Canon EOS 5D",
        "lens": "EF24-70mm f/2.8L II USM",
        "exposure": "1/250 s",
        "aperture": "f/2.8",
        "iso": "400",
        "focal_length": "35 mm",
        "place": "-33.858611, 151.214167",
    }


def test_the_maker_stands_before_a_model_that_does_not_name_it():
    assert facts_of({ExifTags.Base.Make: "SONY", ExifTags.Base.Model: "DSC-RX100"}).exif["camera"] == "SONY DSC-RX100"


def test_long_exposures_are_given_in_seconds():
    assert facts_of(details={ExifTags.Base.ExposureTime: IFDRational(25, 10)}).exif["exposure"] == "2.5 s"


@pytest.mark.parametrize(
    ("written", "offset", "expected"),
    [
        ("2024:06:01 18:30:05", "+02:00", "2024-06-01T18:30:05"),
        ("2024:06:01 18:30:05", "-11:00", "2024-06-01T18:30:05"),
        ("2024:06:01 18:30:05", None, "2024-06-01T18:30:05"),
        ("2024:06:01 18:30:05", "nonsense", "2024-06-01T18:30:05"),
        ("0000:00:00 00:00:00", None, None),
        ("2024:13:41 99:00:00", None, None),
        ("yesterday", None, None),
    ],
)
def test_the_time_of_taking_is_that_of_the_cameras_clock_whatever_its_zone(written, offset, expected):
    details = {ExifTags.Base.DateTimeOriginal: written}
    if offset:
        details[ExifTags.Base.OffsetTimeOriginal] = offset
    taken_at = facts_of(details=details).taken_at
    assert taken_at == (expected and datetime.fromisoformat(expected))


def test_texts_are_shortened_and_stripped_of_control_characters():
    exif = facts_of({ExifTags.Base.Model: "X\x1b[31m\r\nSet-Cookie: a\x00\u202e" + "y" * 500}).exif
    assert exif["camera"].isprintable()
    assert len(exif["camera"]) <= 200
    assert exif["camera"].startswith("X [31m Set-Cookie: a")


@pytest.mark.parametrize(
    "place",
    [
        {ExifTags.GPS.GPSLatitude: (91.0, 0.0, 0.0), ExifTags.GPS.GPSLongitude: (0.0, 0.0, 0.0)},
        {ExifTags.GPS.GPSLatitude: (IFDRational(1, 0), 0.0, 0.0), ExifTags.GPS.GPSLongitude: (0.0, 0.0, 0.0)},
        {ExifTags.GPS.GPSLatitude: (10.0, 0.0, 0.0)},
    ],
)
def test_a_place_that_makes_no_sense_is_no_place(place):
    assert "place" not in facts_of(place=place).exif


def test_numbers_that_make_no_sense_are_left_out():
    details = {ExifTags.Base.ExposureTime: IFDRational(1, 0), ExifTags.Base.FNumber: IFDRational(0, 1)}
    assert facts_of(details=details).exif == {}


def test_a_picture_without_metadata_has_none():
    facts = decode(saved(photo(60, 40), "JPEG"), LIMITS).facts
    assert facts.exif == {}
    assert facts.taken_at is None
