"""The table of facts beside an image."""

from collections.abc import Sequence

from pipeline.access import Origin
from pipeline.images import ImageRecord
from webapp.pages import Fact
from webapp.wording import as_date, as_size, dimensions

MOST_SOURCES = 5


def facts_of(image: ImageRecord, origins: Sequence[Origin], *, with_exif: bool) -> tuple[Fact, ...]:
    """Return what is known of an image's file, camera and origin, in words; camera and place only `with_exif`."""
    facts = [
        Fact("Dimensions", dimensions(image)),
        Fact("Size", as_size(image.bytes)),
        Fact("Format", image.media_type.removeprefix("image/").upper()),
    ]
    if image.taken_at:
        facts.append(Fact("Taken", f"{as_date(image.taken_at)}, {image.taken_at:%H:%M}"))
    facts.append(Fact("Added", as_date(image.created_at)))
    if image.color:
        facts.append(Fact("Mood", image.color.scheme))
        facts.append(Fact("Brightness", f"{image.color.brightness:.0%}".replace("%", " %")))
        facts.append(Fact("Saturation", f"{image.color.saturation:.0%}".replace("%", " %")))
    if with_exif:
        facts += [Fact(name.replace("_", " ").capitalize(), value) for name, value in image.exif.items()]
    facts.append(Fact("Library", image.library_name))
    people = dict.fromkeys(origin.person for origin in origins if origin.person)
    if people:
        facts.append(Fact("Added by", ", ".join(people)))
    facts += [Fact("Found as", place) for place in dict.fromkeys(origin.found_as for origin in origins[:MOST_SOURCES])]
    if len(origins) > MOST_SOURCES:
        facts.append(Fact("Found as", f"and {len(origins) - MOST_SOURCES} more"))
    return tuple(facts)
