"""What each filter means, in a sentence: for the document of the API and for `--help`, which say the same."""

REPEATED = {
    "library": "Only pictures of the library with this name or id.",
    "category": "Only pictures of this category, such as animal.",
    "scheme": "warm, cool or neutral.",
    "color": "Only pictures with this color, such as #ff0000, or with its share, such as #ff0000:0.4.",
    "color_name": "Only pictures with one of the eleven basic colors, such as blue.",
    "tag": "Only pictures with this tag; several must all be there.",
    "without_tag": "Only pictures without this tag.",
    "uploader": "Only pictures that this person has added, by the name of their account.",
    "orientation": "landscape, portrait or square, which is up to 5 % longer than wide.",
    "size": "By width times height: small, medium (from 0.5 megapixels), large (from 2) or huge (from 8).",
    "format": "By the media type: jpeg, png, webp, gif, heif, avif, tiff, bmp or jp2.",
    "taken_year": "Only pictures taken in this year, by the camera's clock.",
}
"""Filters that can be given several times; any of the values will do, except that all tags and colors are needed."""

SINGLE = {
    "color_tolerance": "How far a color may be off, as CIEDE2000.",
    "color_share": "The part of the picture that a color must have, 0 to 1.",
    "palette_of": "Only pictures with the colors of the image with this id.",
    "min_brightness": "0 to 1.",
    "max_brightness": "0 to 1.",
    "min_saturation": "0 to 1.",
    "max_saturation": "0 to 1.",
    "created_after": "Only pictures that came in later, such as 2026-11-20.",
    "created_before": "Only pictures that came in earlier.",
    "taken_after": "Only pictures taken later, by the camera's clock.",
    "taken_before": "Only pictures taken earlier, by the camera's clock.",
    "min_width": "In pixels.",
    "max_width": "In pixels.",
    "min_height": "In pixels.",
    "max_height": "In pixels.",
    "min_bytes": "Of the file, such as 500000 or 2.5 MB.",
    "max_bytes": "Of the file, such as 500000 or 2.5 MB.",
}

FLAGS = {
    "monochrome": "Only pictures in black and white.",
    "ignore_background": "Leave out colors that surround what a picture shows.",
}

VIEW = {
    "sort": "best, newest, oldest, largest (by pixels), taken_newest or taken_oldest. Where something is asked to "
    "compare with, only what is strong or possible among the 1,000 nearest is put into another order than best.",
    "state": "Where nothing is asked to compare with: ready, waiting, failed or held. Only ready pictures otherwise.",
}
"""How the answer to a search is listed."""
