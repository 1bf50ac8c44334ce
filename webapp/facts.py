"""The table of facts beside an image."""

from collections.abc import Sequence

from pipeline.access import Origin
from pipeline.images import ImageRecord
from webapp.language import gettext as _
from webapp.language import ngettext, translated
from webapp.pages import Fact
from webapp.wording import as_date, as_moment, as_percent, as_size, dimensions, listed

MOST_SOURCES = 5


def facts_of(image: ImageRecord, origins: Sequence[Origin], *, with_exif: bool) -> tuple[Fact, ...]:
    """Return what is known of an image's file, camera and origin, in words; camera and place only `with_exif`."""
    facts = [
        Fact(_("Dimensions"), dimensions(image)),
        Fact(_("Size"), as_size(image.bytes)),
        Fact(_("Format"), image.media_type.removeprefix("image/").upper()),
    ]
    if image.taken_at:
        facts.append(Fact(_("Taken"), as_moment(image.taken_at)))
    facts.append(Fact(_("Added"), as_date(image.created_at)))
    if image.color:
        facts.append(Fact(_("Mood"), translated(image.color.scheme, "scheme")))
        facts.append(Fact(_("Brightness"), as_percent(image.color.brightness)))
        facts.append(Fact(_("Saturation"), as_percent(image.color.saturation)))
    if with_exif:
        facts += [
            Fact(translated(name.replace("_", " ").capitalize(), "camera"), value) for name, value in image.exif.items()
        ]
    facts.append(Fact(_("Library"), image.library_name))
    people = dict.fromkeys(origin.person for origin in origins if origin.person)
    if people:
        facts.append(Fact(_("Added by"), listed(people)))
    facts += [
        Fact(_("Found as"), place) for place in dict.fromkeys(origin.found_as for origin in origins[:MOST_SOURCES])
    ]
    if len(origins) > MOST_SOURCES:
        facts.append(
            Fact(_("Found as"), ngettext("and %(number)s more", "and %(number)s more", len(origins) - MOST_SOURCES))
        )
    return tuple(facts)
