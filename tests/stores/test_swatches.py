"""The colors of all images in memory: they follow the database and choose what a plain loop would choose."""

import numpy as np
import pytest
from fakes import GridEncoder
from filled import all_images, filled_with
from random_records import fill
from skimage.color import deltaE_ciede2000, rgb2lab

from pipeline.filters import Filter
from pipeline.principals import OWNER
from pipeline.stores import records_images, records_listing, swatches
from pipeline.stores.swatches import SwatchTable

pytestmark = pytest.mark.on_both_databases

IMAGES = 80


def random_images(connection):
    rng = np.random.default_rng(5)
    fill(connection, rng, IMAGES, encoder=GridEncoder.fingerprint, dimension=GridEncoder.dimension)


sqlite_template, postgresql_template = filled_with(random_images)


@pytest.fixture
def made(monkeypatch, database):
    """Random images; the table reads seven changes at once."""
    monkeypatch.setattr(swatches, "CHANGES_PER_READ", 7)
    return all_images(database)


def by_hand(images, where: Filter) -> list[int]:
    """Which images have the first color of the first image, by scikit-image's CIELAB and CIEDE2000."""
    code = images[0].color.swatches[0].hex
    wanted = rgb2lab(np.array([int(code[place : place + 2], 16) for place in (1, 3, 5)], np.uint8))
    return [
        image.row
        for image in images
        if sum(
            swatch.share
            for swatch in image.color.swatches
            if deltaE_ciede2000(np.array(swatch.lab), wanted) <= where.color_tolerance
        )
        >= where.color_share
    ]


@pytest.mark.parametrize("tolerance", [2.0, 12.0, 40.0])
@pytest.mark.parametrize("share", [0.01, 0.2, 0.6])
def test_it_chooses_what_a_loop_over_all_swatches_chooses(database, made, tolerance, share):
    where = Filter(colors=(made[0].color.swatches[0].hex,), color_tolerance=tolerance, color_share=share)
    found = SwatchTable(database).rows_with(where)

    # Single precision and another's matrices may move a distance by a little.
    surely = by_hand(made, Filter(color_tolerance=tolerance - 0.05, color_share=share))
    perhaps = by_hand(made, Filter(color_tolerance=tolerance + 0.05, color_share=share))
    assert set(surely) <= set(found) <= set(perhaps)


def test_every_color_that_is_asked_for_is_needed(database, made):
    table = SwatchTable(database)
    one, two = (swatch.hex for swatch in made[0].color.swatches[:2])
    both = table.rows_with(Filter(colors=(one, two), color_tolerance=20))

    assert set(both) == set(table.rows_with(Filter(colors=(one,), color_tolerance=20))) & set(
        table.rows_with(Filter(colors=(two,), color_tolerance=20))
    )


def test_it_follows_what_is_added_and_purged(database, made):
    table = SwatchTable(database)
    anything = Filter(colors=("#808080",), color_tolerance=100, color_share=0)
    assert list(table.rows_with(anything)) == [image.row for image in made]

    with database.write() as connection:
        records_images.purge(connection, [image.row for image in made[:10]])
        more = fill(
            connection, np.random.default_rng(6), 5, encoder=GridEncoder.fingerprint, dimension=GridEncoder.dimension
        )

    assert list(table.rows_with(anything)) == [image.row for image in (*made[10:], *more)]


def test_no_color_no_choice(database, made):
    del made
    assert SwatchTable(database).rows_with(Filter(tags=("beach",))) is None


def test_a_listing_by_color_needs_the_rows_that_have_it(database, made):
    where = Filter(colors=(made[0].color.swatches[0].hex,))
    with database.read() as connection, pytest.raises(ValueError, match="colors"):
        records_listing.list_rows(connection, where, OWNER, limit=5)
