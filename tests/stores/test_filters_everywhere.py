"""Filters and orders on every engine and database, beside a plain loop over all records: in number and in order.

The loop knows nothing of SQL, masks or expressions: it reads what the API reports of each image, one by one.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from fakes import GridEncoder
from filled import all_images, filled_with
from random_records import DAYS, FIRST_DAY, LIBRARIES, TAGS, add_image, fill, random_features, random_unit
from skimage.color import deltaE_ciede2000, rgb2lab

from pipeline import access
from pipeline.features.encoders.protocol import SimilarityBands
from pipeline.features.picture import CATEGORIES, COLOR_NAMES, SCHEMES
from pipeline.filters import Filter
from pipeline.images import ImageRecord
from pipeline.principals import OWNER
from pipeline.questions import Term
from pipeline.relevance import JUDGED_HITS, graded, judge
from pipeline.search import MOST_MATCHES, SearchQuery, search
from pipeline.sorting import Sort
from pipeline.stores import records_embeddings, records_images, records_people, records_queries
from pipeline.stores.records_queries import QueryPicture
from pipeline.stores.tables import image_sources, images

pytestmark = pytest.mark.on_both_databases

IMAGES = 220
LISTED = 200  # random filters of lists, on each database
SEARCHED = 100  # and of searches, on each engine beside each database
PAGE = 40  # fewer than most filters keep, so that pages are joined
PEOPLE = ("ann", "bo", "cy")
MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "image/heif")
LIBRARY_SEED = secrets.randbelow(1 << 32)
UNITS = (0.0, 0.005, 0.01, 0.0101, 0.1)  # of saturation, some of them at the bound of black and white


def random_library(connection) -> None:
    """Write random images with everything that can be asked, some of it at the bounds, a tenth of them deleted."""
    rng = np.random.default_rng(LIBRARY_SEED)
    people = [records_people.add(connection, name, administrator=False) for name in PEOPLE]
    made = fill(connection, rng, IMAGES, encoder=GridEncoder.fingerprint, dimension=GridEncoder.dimension)
    for image in made:
        side = int(rng.integers(1, 40)) * 100
        sizes = [(image.width, image.height), (side, side), (2100, 2000), (2101, 2000), (1000, 500), (4000, 2000)]
        width, height = sizes[int(rng.integers(len(sizes)))]
        taken = datetime(2019, 12, 31) + timedelta(hours=12 * int(rng.integers(4, 900)))  # noqa: DTZ001
        values = {
            "width": width,
            "height": height,
            "bytes": int(rng.integers(1, 9)) * 1000,
            "media_type": str(rng.choice(MEDIA_TYPES)),
            "taken_at": taken if rng.random() < 0.7 else None,
        }
        if rng.random() < 0.3:
            values["saturation"] = float(rng.choice(UNITS))
        connection.execute(images.update().where(images.c.row == image.row).values(**values))
        for person in people:
            if rng.random() < 0.4:
                source = {"image_row": image.row, "filename": person.name, "uploader": person.id}
                connection.execute(image_sources.insert().values(created_at=datetime.now(UTC), **source))


sqlite_template, postgresql_template = filled_with(random_library)


@pytest.fixture
def seed() -> int:
    return secrets.randbelow(1 << 32)


@pytest.fixture
def rng(seed) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def engine_backend(backend, vectors):
    """The backend with one engine after the other; half of what is random is like any question."""
    return replace(backend, vectors=vectors, measured_bands=SimilarityBands(0.2, 0.0, 0.2, 0.0))


@pytest.fixture
def library(backend) -> list[ImageRecord]:
    return all_images(backend.database)


@pytest.fixture
def brought(backend, library) -> dict[int, set[str]]:
    """Who brought each image, by the names that pages tell."""
    return {
        image.row: {origin.person for origin in access.origins_of(backend, image, OWNER) if origin.person}
        for image in library
    }


def random_filter(rng: np.random.Generator) -> Filter:
    """Return a filter of a few conditions among all that there are; its numbers often are ones that images have."""

    def some(values: tuple[str, ...], most: int = 3) -> tuple[str, ...]:
        return tuple(str(value) for value in rng.choice(values, int(rng.integers(1, most + 1)), replace=False))

    def tenth() -> float:
        return float(np.round(rng.random(), 1))

    def hundreds() -> int:
        return int(rng.integers(40)) * 100

    day = FIRST_DAY + timedelta(days=int(rng.integers(DAYS)))
    taken = datetime(2020, 1, 1) + timedelta(days=int(rng.integers(450)))  # noqa: DTZ001
    conditions = {
        "libraries": some((*LIBRARIES, "no such")),
        "categories": some(CATEGORIES, 5),
        "schemes": some(SCHEMES, 2),
        "colors": tuple("#{:02x}{:02x}{:02x}".format(*rng.integers(0, 256, 3)) for _ in range(int(rng.integers(1, 3)))),
        "color_names": some(COLOR_NAMES, 4),
        "tags": some(TAGS, 2),
        "without_tags": some(TAGS, 2),
        "uploaders": some((*PEOPLE, "nobody"), 2),
        "orientations": some(("landscape", "portrait", "square"), 2),
        "sizes": some(("small", "medium", "large", "huge"), 3),
        "formats": some(("jpeg", "png", "webp", "heif", "gif"), 3),
        "taken_years": tuple(int(year) for year in some(("2019", "2020", "2021"), 2)),
        "monochrome": True,
        "min_brightness": tenth(),
        "max_brightness": tenth(),
        "min_saturation": tenth(),
        "max_saturation": tenth(),
        "created_after": day,
        "created_before": day + timedelta(days=int(rng.integers(20))),
        "taken_after": taken,
        "taken_before": taken + timedelta(days=int(rng.integers(400))),
        "min_width": hundreds(),
        "max_width": hundreds(),
        "min_height": hundreds(),
        "max_height": hundreds(),
        "min_bytes": int(rng.integers(9)) * 1000,
        "max_bytes": int(rng.integers(9)) * 1000,
    }
    chosen = rng.choice(list(conditions), int(rng.integers(1, 5)), replace=False)
    return Filter(color_tolerance=35.0, color_share=0.02, **{str(name): conditions[name] for name in chosen})


def passes(image: ImageRecord, where: Filter, people: set[str], shares: list[float]) -> bool:
    """Say whether an image passes, from what is reported of it and what of it is near each color that is asked for."""
    longer, shorter = max(image.width, image.height), min(image.width, image.height)
    shape = "square" if longer / shorter <= 1.05 else ("landscape" if image.width > image.height else "portrait")
    megapixels = image.width * image.height / 1e6
    size = "small" if megapixels < 0.5 else "medium" if megapixels < 2 else "large" if megapixels < 8 else "huge"
    year = image.taken_at.year if image.taken_at else None

    def within(value, minimum, maximum) -> bool:
        if minimum is None and maximum is None:
            return True
        return value is not None and (minimum is None or value >= minimum) and (maximum is None or value <= maximum)

    return all(
        (
            image.deleted_at is None,
            where.libraries is None or image.library in where.libraries,
            not where.categories or image.category.name in where.categories,
            not where.schemes or image.color.scheme in where.schemes,
            all(share >= where.color_share for share in shares),
            not where.color_names or any(image.color.names[name] >= 0.10 for name in where.color_names),
            set(where.tags) <= set(image.tags),
            not set(where.without_tags) & set(image.tags),
            not where.uploaders or bool(set(where.uploaders) & people),
            not where.orientations or shape in where.orientations,
            not where.sizes or size in where.sizes,
            not where.formats or image.media_type.split("/")[1] in where.formats,
            not where.taken_years or year in where.taken_years,
            not where.monochrome or image.color.saturation <= 0.01,
            within(image.color.brightness, where.min_brightness, where.max_brightness),
            within(image.color.saturation, where.min_saturation, where.max_saturation),
            within(image.created_at, where.created_after, where.created_before),
            within(image.taken_at, where.taken_after, where.taken_before),
            within(image.width, where.min_width, where.max_width),
            within(image.height, where.min_height, where.max_height),
            within(image.bytes, where.min_bytes, where.max_bytes),
        )
    )


class Nearness:
    """The share of a color in each picture, by another CIEDE2000, for all pictures at once."""

    def __init__(self, library: list[ImageRecord]) -> None:
        swatches = [(image.row, swatch) for image in library for swatch in image.color.swatches]
        self._rows = np.array([row for row, _ in swatches])
        self._labs = np.array([swatch.lab for _, swatch in swatches])
        self._shares = np.array([swatch.share for _, swatch in swatches])

    def shares(self, color: str, tolerances: Sequence[float]) -> list[np.ndarray]:
        """Return for each tolerance the shares by row number."""
        rgb = np.array([int(color[place : place + 2], 16) for place in (1, 3, 5)]) / 255
        wanted = rgb2lab(rgb[None, None])[0, 0]
        distances = deltaE_ciede2000(np.broadcast_to(wanted, self._labs.shape), self._labs)
        return [np.bincount(self._rows, self._shares * (distances <= tolerance)) for tolerance in tolerances]


def chosen_by_hand(
    library: list[ImageRecord], where: Filter, brought: dict[int, set[str]], nearness: Nearness
) -> tuple[list[ImageRecord], set[int]]:
    """Return what passes, and the rows about whose color the other CIEDE2000, a hair off in sRGB, could be wrong."""
    off = (0.0, -0.1, 0.1)
    near = [nearness.shares(color, [where.color_tolerance + by for by in off]) for color in where.colors]
    expected = [
        image
        for image in library
        if passes(image, where, brought[image.row], [float(shares[image.row]) for shares, _, _ in near])
    ]
    edge = {
        image.row
        for image in library
        for _, low, high in near
        if (low[image.row] >= where.color_share) != (high[image.row] >= where.color_share)
    }
    return expected, edge


def in_order(found: list[ImageRecord], sort: Sort, similarities: dict[int, float]) -> list[ImageRecord]:
    """Sort records by what is reported of them; by row where that is equal."""
    newest_first = sorted(found, key=lambda image: -image.row)
    oldest_first = sorted(found, key=lambda image: image.row)
    if sort is Sort.BEST:
        return sorted(oldest_first, key=lambda image: -similarities[image.row])
    if sort is Sort.OLDEST:
        return oldest_first
    if sort is Sort.LARGEST:
        return sorted(newest_first, key=lambda image: -image.width * image.height)
    if sort is Sort.TAKEN_NEWEST:
        with_time = [image for image in newest_first if image.taken_at]
        without_time = [image for image in newest_first if not image.taken_at]
        return sorted(with_time, key=lambda image: image.taken_at, reverse=True) + without_time
    if sort is Sort.TAKEN_OLDEST:
        with_time = [image for image in oldest_first if image.taken_at]
        without_time = [image for image in oldest_first if not image.taken_at]
        return sorted(with_time, key=lambda image: image.taken_at) + without_time
    return newest_first


def matching(backend, images: list[ImageRecord], similarities: dict[int, float]) -> set[int]:
    """Return the rows of what is strong or possible in a search of these images by a picture."""
    nearest = sorted(images, key=lambda image: -similarities[image.row])
    first = [similarities[image.row] for image in nearest[:JUDGED_HITS]]
    verdict = judge(first, backend.bands, len(images), by_picture=True)
    return {
        image.row
        for place, image in enumerate(nearest)
        if graded(similarities[image.row], backend.bands, verdict, is_first=place == 0, by_picture=True) != "weak"
    }


def all_pages(backend, query: SearchQuery) -> list[int]:
    """Return the rows of the hits of every page, one after the other."""
    rows: list[int] = []
    while True:
        result = search(backend, replace(query, limit=PAGE, offset=len(rows)), OWNER)
        rows += [hit.image.row for hit in result.hits]
        if not result.has_more:
            return rows


def random_filters(number: int, rng: np.random.Generator) -> Iterator[tuple[Filter, Sort]]:
    for place in range(number):
        yield random_filter(rng), list(Sort)[place % len(Sort)]


def narrow_and_keep(sizes: list[int], library: list[ImageRecord]) -> bool:
    """Whether filters have kept some and dropped some: only then a comparison means something."""
    visible = sum(image.deleted_at is None for image in library)
    return sum(0 < size < visible for size in sizes) > len(sizes) / 4


def test_a_list_with_every_filter_in_every_order_is_what_a_plain_loop_over_all_records_finds(
    backend, library, brought, seed, rng
):
    nearness, sizes = Nearness(library), []
    for where, sort in random_filters(LISTED, rng):
        expected, edge = chosen_by_hand(library, where, brought, nearness)
        found = all_pages(backend, SearchQuery((), where, sort=sort))
        if sort is Sort.BEST and where.colors:
            found.sort(reverse=True)  # by how well they fit, which tests of the palettes compare
        by = Sort.NEWEST if sort is Sort.BEST else sort
        rows = [image.row for image in in_order(expected, by, {})]
        told = f"seeds {LIBRARY_SEED} and {seed}, {sort}, {where}"
        assert [row for row in found if row not in edge] == [row for row in rows if row not in edge], told
        sizes.append(len(expected))

    assert narrow_and_keep(sizes, library)


def test_a_search_with_every_filter_in_every_order_is_what_a_plain_loop_over_all_records_finds(
    engine_backend, library, brought, seed, rng
):
    backend, nearness, sizes = engine_backend, Nearness(library), []
    vector = random_unit(rng, GridEncoder.dimension)
    key = records_queries.new_key()
    with backend.database.write() as connection:
        records_queries.keep(connection, QueryPicture(key, "", GridEncoder.fingerprint, vector, b"", 1, 1))
        held = {
            image.row: records_embeddings.get_vector(connection, image.row, backend.encoder.fingerprint)
            for image in library
        }
    similarities = {row: float(np.float32(embedding.astype(np.float64) @ vector)) for row, embedding in held.items()}
    number_of_matches = 0

    for where, sort in random_filters(SEARCHED, rng):
        expected, edge = chosen_by_hand(library, where, brought, nearness)
        assert len(expected) <= MOST_MATCHES
        strong_enough = matching(backend, expected, similarities)
        number_of_matches += len(strong_enough)
        sizes.append(len(expected))
        if edge and sort is not Sort.BEST:
            continue  # what is on the edge may decide whether there is a match at all
        matches = expected if sort is Sort.BEST else [image for image in expected if image.row in strong_enough]
        found = all_pages(backend, SearchQuery((Term(picture_key=key),), where, sort=sort))
        rows = [image.row for image in in_order(matches, sort, similarities)]
        told = f"seeds {LIBRARY_SEED} and {seed}, {sort}, {where}"
        assert [row for row in found if row not in edge] == [row for row in rows if row not in edge], told

    assert narrow_and_keep(sizes, library)
    assert 0 < number_of_matches < len(library) * SEARCHED


def test_rows_that_have_been_tagged_or_sent_again_are_followed(backend, library):
    image = next(image for image in library if image.deleted_at is None and "beach" not in image.tags)
    where = Filter(tags=("beach",), uploaders=("ann",))

    def found() -> bool:
        return image.row in backend.images.rows(where, colored=None).tolist()

    found()  # so that everything has been read once
    with backend.database.write() as connection:
        records_images.add_tags(connection, [image.row], ["beach"])
        ann = records_people.by_name(connection, "ann")
        new = records_images.NewImage(
            image.library, image.sha256, image.bytes, image.media_type, 1, 1, "again.png", uploader=ann.id
        )
        records_images.add(connection, new)
    assert found()
    assert not backend.images.rows(replace(where, without_tags=("beach",)), colored=None).tolist()

    with backend.database.write() as connection:
        records_images.edit(connection, image.row, new_tags=["other"])
    assert not found()
    with backend.database.write() as connection:
        records_images.purge(connection, [image.row])
    assert image.row not in backend.images.rows(Filter(), colored=None).tolist()


def test_what_is_new_to_a_table_that_was_read_before_is_as_if_read_at_once(backend, library):
    first = backend.images.rows(Filter(), colored=None)
    rng = np.random.default_rng(5)
    with backend.database.write() as connection:
        more = [
            add_image(
                connection,
                f"more {number}",
                random_features(rng, GridEncoder.dimension),
                encoder=GridEncoder.fingerprint,
            )
            for number in range(5)
        ]
        records_images.restore(connection, [image.row for image in library if image.deleted_at])
    after = backend.images.rows(Filter(), colored=None)

    expected = sorted([image.row for image in library] + [image.row for image in more if image.deleted_at is None])
    assert after.tolist() == expected
    assert len(first) < len(library)
