"""One filter, told in two languages: SQL conditions and a NumPy mask must choose the same images."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa
from fakes import GridEncoder
from filled import all_images, filled_with
from random_records import DAYS, FIRST_DAY, LIBRARIES, TAGS, add_image, fill, random_features, random_unit
from skimage.color import deltaE_ciede2000, rgb2lab

from pipeline.features.picture import CATEGORIES, COLOR_NAMES, SCHEMES
from pipeline.filters import Filter
from pipeline.principals import OWNER, Principal, Role
from pipeline.shapes import ORIENTATIONS, SIZES
from pipeline.stores import facets, records_images, records_libraries, records_listing
from pipeline.stores.tables import images

FILTERS = 400  # random ones on each library of images
IMAGES = 250


def some(rng: np.random.Generator, values: tuple[str, ...], most: int = 3) -> tuple[str, ...]:
    """Return none to a few of the values; none half of the time."""
    count = int(rng.integers(1, most + 1)) if rng.random() < 0.5 else 0
    return tuple(str(value) for value in rng.choice(values, count, replace=False))


def maybe(rng: np.random.Generator, value: object) -> object:
    return value if rng.random() < 0.25 else None


def random_filter(rng: np.random.Generator) -> Filter:
    """Return a filter whose bounds often are exactly values that images have."""
    day = FIRST_DAY + timedelta(days=int(rng.integers(DAYS)))
    libraries = some(rng, (*LIBRARIES, "no such"))
    return Filter(
        libraries=libraries or (() if rng.random() < 0.05 else None),
        categories=some(rng, CATEGORIES, 5),
        schemes=some(rng, SCHEMES),
        min_brightness=maybe(rng, float(np.round(rng.random(), 1))),
        max_brightness=maybe(rng, float(np.round(rng.random(), 1))),
        min_saturation=maybe(rng, float(np.round(rng.random(), 1))),
        max_saturation=maybe(rng, float(np.round(rng.random(), 1))),
        created_after=maybe(rng, day),
        created_before=maybe(rng, day + timedelta(days=int(rng.integers(20)))),
        min_width=maybe(rng, int(rng.integers(40)) * 100),
        min_height=maybe(rng, int(rng.integers(40)) * 100),
    )


def rows_of_mask(backend, where: Filter) -> list[int]:
    query = np.full(GridEncoder.dimension, GridEncoder.dimension**-0.5, np.float32)
    return sorted(neighbor.row for neighbor in backend.vectors.nearest(query, 10_000, where=where))


def rows_of_sql(backend, where: Filter) -> list[int]:
    colored = backend.swatches.rows_with(where)
    with backend.database.read() as connection:
        return records_listing.visible_rows(connection, where, colored=colored)


def random_images(connection):
    rng = np.random.default_rng(11)
    fill(connection, rng, IMAGES, encoder=GridEncoder.fingerprint, dimension=GridEncoder.dimension)


sqlite_template, postgresql_template = filled_with(random_images)


@pytest.fixture
def library(backend):
    """Random images, a tenth of them deleted."""
    return all_images(backend.database)


def test_sql_conditions_and_the_mask_choose_the_same_images(backend, library):
    seed = secrets.randbelow(1 << 32)
    rng = np.random.default_rng(seed)
    sizes = []
    for number in range(FILTERS):
        where = random_filter(rng)
        chosen = rows_of_sql(backend, where)
        assert rows_of_mask(backend, where) == chosen, f"seed {seed}, filter {number}: {where}"
        sizes.append(len(chosen))

    # The comparison means something only if filters keep some and drop some.
    visible = sum(image.deleted_at is None for image in library)
    assert sum(0 < size < visible for size in sizes) > FILTERS / 10


@pytest.mark.parametrize("offset", [-1e-9, 0.0, 1e-9])
@pytest.mark.parametrize("value", [0.1, 0.3, 0.7, 0.123456789])
def test_both_tell_numbers_apart_that_hardly_differ(backend, value, offset):
    with backend.database.write() as connection:
        features = random_features(np.random.default_rng(1), GridEncoder.dimension)
        image = add_image(connection, "one", features, encoder=GridEncoder.fingerprint, library="alone")
        connection.execute(images.update().where(images.c.row == image.row).values(brightness=value, saturation=value))

    for where, passes in (
        (Filter(min_brightness=value + offset), offset <= 0),
        (Filter(max_brightness=value + offset), offset >= 0),
        (Filter(min_saturation=value + offset), offset <= 0),
        (Filter(max_saturation=value + offset), offset >= 0),
    ):
        alone = replace(where, libraries=("alone",))
        assert rows_of_sql(backend, alone) == ([image.row] if passes else [])
        assert rows_of_mask(backend, alone) == ([image.row] if passes else [])


def test_colors_are_found_as_an_independent_ciede2000_finds_them(backend, library):
    rng = np.random.default_rng(5)
    for _ in range(20):
        rgb = rng.integers(0, 256, 3)
        tolerance, share = float(rng.uniform(4, 40)), float(rng.uniform(0.01, 0.4))
        where = Filter(
            colors=("#{:02x}{:02x}{:02x}".format(*rgb),),
            color_tolerance=tolerance,
            color_share=share,
        )
        wanted = rgb2lab(rgb[None, None] / 255)[0, 0]

        expected, too_close = [], set()
        for image in library:
            distances = np.array([deltaE_ciede2000(wanted, swatch.lab) for swatch in image.color.swatches])
            shares = np.array([swatch.share for swatch in image.color.swatches])
            # scikit-image converts sRGB with a slightly other matrix; what is within a hair of a limit is left out.
            if np.abs(distances - tolerance).min() < 0.05 or abs(shares[distances <= tolerance].sum() - share) < 1e-6:
                too_close.add(image.row)
            elif image.deleted_at is None and shares[distances <= tolerance].sum() >= share:
                expected.append(image.row)

        assert [row for row in rows_of_sql(backend, where) if row not in too_close] == expected


def test_every_color_that_is_asked_for_must_be_there(backend, library):
    first, second = library[3].color.swatches[0].hex, library[8].color.swatches[0].hex

    both = set(rows_of_sql(backend, Filter(colors=(first, second), color_share=0.0, color_tolerance=30)))

    one = set(rows_of_sql(backend, Filter(colors=(first,), color_share=0.0, color_tolerance=30)))
    other = set(rows_of_sql(backend, Filter(colors=(second,), color_share=0.0, color_tolerance=30)))
    assert both == one & other
    assert one != other


def test_tags_narrow_and_color_names_widen(backend, library):
    visible = [image for image in library if image.deleted_at is None]

    tagged = rows_of_sql(backend, Filter(tags=("beach", "family")))
    assert tagged == [image.row for image in visible if {"beach", "family"} <= set(image.tags)]

    named = rows_of_sql(backend, Filter(color_names=("red", "blue")))
    colors = [(image.row, image.color.names) for image in visible]
    assert named == [row for row, names in colors if names["red"] >= 0.10 or names["blue"] >= 0.10]


def count(backend, where: Filter, **options) -> facets.Facets:
    return backend.images.count(where, colored=backend.swatches.rows_with(where), **options)


def test_facets_count_what_choosing_them_would_keep(backend, library):
    del library
    where = Filter(
        categories=("food", "text", "animal", "other", "nature"),
        schemes=("warm", "cool"),
        orientations=("landscape", "square"),
        sizes=("small", "medium", "large"),
        without_tags=("winter",),
    )
    found = count(backend, where)

    def kept(**chosen) -> int:
        return len(rows_of_sql(backend, Filter(**{**vars(where), **chosen})))

    assert found.category == {name: n for name in CATEGORIES if (n := kept(categories=(name,)))}
    assert found.scheme == {name: n for name in SCHEMES if (n := kept(schemes=(name,)))}
    assert found.color_name == {name: n for name in COLOR_NAMES if (n := kept(color_names=(name,)))}
    assert found.library == {name: n for name in LIBRARIES if (n := kept(libraries=(name,)))}
    assert found.tag == {name: n for name in TAGS if (n := kept(tags=(name,)))}
    assert found.orientation == {name: n for name in ORIENTATIONS if (n := kept(orientations=(name,)))}
    assert found.size == {name: n for name in SIZES if (n := kept(sizes=(name,)))}
    assert found.format == {"png": kept()}
    assert found.taken_year == found.uploader == {}
    assert 0 < kept() < len(rows_of_sql(backend, Filter()))


def test_the_libraries_of_a_facet_are_those_that_may_be_seen_and_widen_each_other(backend, library):
    del library
    where, within = Filter(libraries=("main",)), Filter(libraries=("main", "attic"))
    found = backend.images.count(where, colored=None, within=within)

    def kept(name: str) -> int:
        return len(rows_of_sql(backend, Filter(libraries=(name,))))

    assert found.library == {name: kept(name) for name in ("main", "attic")}
    assert found.passing == found.ready == sum(found.category.values()) == kept("main")


def test_facets_among_some_images_count_no_others(backend, library):
    some = np.array([image.row for image in library[::3]])
    found = backend.images.count(Filter(schemes=("warm",)), colored=None, among=some)

    visible = [image for image in library[::3] if image.deleted_at is None]
    expected = {scheme: sum(image.color.scheme == scheme for image in visible) for scheme in SCHEMES}
    assert found.scheme == expected
    assert sum(found.category.values()) == expected["warm"]
    assert found.passing == len(rows_of_sql(backend, Filter(schemes=("warm",)))) > expected["warm"]
    assert found.ready == len(rows_of_sql(backend, Filter()))


def test_facets_are_counted_without_reading_the_images_again(backend, library):
    del library
    count(backend, Filter())
    statements = []
    sa.event.listen(backend.database.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    found = count(backend, Filter(categories=("food",), tags=("beach",), libraries=("main", "attic")))

    [newest_change] = [statement for statement in statements if "FROM" in statement]
    assert "counters" in newest_change
    assert sum(found.library.values()) > 0


def test_the_most_frequent_value_of_a_facet_comes_first(backend, library):
    del library
    found = count(backend, Filter())

    for counts in (found.category, found.scheme, found.library, found.tag, found.size, found.orientation):
        assert list(counts.values()) == sorted(counts.values(), reverse=True)


def test_images_are_counted_by_library_without_those_that_were_deleted(backend, library):
    with backend.database.read() as connection:
        counts = records_libraries.count_images(connection, LIBRARIES, OWNER)

    kept = [image.library for image in library if image.deleted_at is None]
    assert counts == {name: kept.count(name) for name in LIBRARIES}


def test_facets_respect_a_color_that_is_asked_for(backend, library):
    color = library[0].color.swatches[0].hex
    where = Filter(colors=(color,), color_tolerance=25)
    found = count(backend, where)

    assert sum(found.scheme.values()) == len(rows_of_sql(backend, where))
    assert 0 < sum(found.scheme.values()) < IMAGES


@pytest.mark.parametrize(
    ("asked", "seen", "result"),
    [
        (None, None, None),
        (("main",), None, ("main",)),
        (None, {"main", "attic"}, ("attic", "main")),
        (("main", "private"), {"main"}, ("main",)),
        (("private",), {"main"}, ()),
        (None, set(), ()),
    ],
)
def test_a_filter_is_narrowed_to_what_somebody_may_see(asked, seen, result):
    principal = OWNER if seen is None else Principal("somebody", dict.fromkeys(seen, Role.VIEWER))

    assert Filter(libraries=asked, tags=("x",)).seen_by(principal) == Filter(libraries=result, tags=("x",))


def test_the_empty_filter_knows_that_it_is_empty():
    assert Filter().is_empty
    assert Filter(color_tolerance=3.0).is_empty  # a tolerance without a color narrows nothing
    assert not Filter(min_width=0).is_empty
    assert not Filter(libraries=()).is_empty
    assert not Filter(created_after=datetime(2024, 1, 1, tzinfo=UTC)).is_empty


def test_a_mask_follows_what_is_edited_and_deleted(backend, library):
    keep = [image.row for image in library if image.library == "private" and image.deleted_at is None]
    assert rows_of_mask(backend, Filter(libraries=("private",))) == keep

    with backend.database.write() as connection:
        records_images.delete(connection, keep[:3])
        records_images.restore(connection, keep[:1])

    assert rows_of_mask(backend, Filter(libraries=("private",))) == [keep[0], *keep[3:]]


def test_random_directions_are_of_unit_length():
    assert np.linalg.norm(random_unit(np.random.default_rng(0), 48)) == pytest.approx(1.0, abs=1e-6)
