"""The quick ranking is what a loop over all palettes gives, and its file is used only where it fits the table."""

import numpy as np
import pytest
from fakes import GridEncoder
from filled import all_images, filled_with
from random_records import fill, random_features
from sqlalchemy import update

from pipeline.features.color import lab_to_srgb, rgb_to_hex, srgb_to_lab
from pipeline.features.palette_fit import AskedColor, palette_distances
from pipeline.filters import Filter
from pipeline.stores import records_embeddings, swatch_ranking, swatches
from pipeline.stores.swatch_columns import Palettes, SwatchColumns, palettes_of
from pipeline.stores.swatch_ranking import asked_of, ranking_of, slots_with
from pipeline.stores.swatches import SwatchTable
from pipeline.stores.tables import palette as palette_table

IMAGES = 6000


@pytest.fixture(scope="module")
def palettes() -> Palettes:
    """Palettes around forty colors, so that many are near each other; one swatch in eight is background."""
    rng = np.random.default_rng(1)
    centers = rng.integers(0, 256, (40, 3))
    counts = rng.integers(1, 7, IMAGES)
    rows = np.repeat(np.arange(1, IMAGES + 1), counts)
    rgb = np.clip(centers[rng.integers(0, 40, len(rows))] + rng.normal(0, 14, (len(rows), 3)), 0, 255)
    shares = np.concatenate([np.sort(rng.dirichlet(np.ones(count)))[::-1] for count in counts])
    return palettes_of(rows, srgb_to_lab(rgb.astype(np.uint8)), shares, rng.random(len(rows)) < 0.125)


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch):
    monkeypatch.setattr(swatch_ranking, "FIRST_COMPARED", 50)


def asked_colors(palettes: Palettes, rng: np.random.Generator, count: int) -> tuple[AskedColor, ...]:
    """Colors about those of one of the palettes."""
    slot = int(rng.integers(IMAGES))
    lab = palettes.lab[:count, slot] + rng.normal(0, 3, (count, 3))
    shares = palettes.shares[:count, slot]
    return tuple(
        AskedColor(rgb_to_hex(lab_to_srgb(color)), round(float(share), 2) or None)
        for color, share in zip(lab, shares, strict=True)
    )


def by_loop(palettes: Palettes, where: Filter) -> tuple[np.ndarray, np.ndarray]:
    """Every palette compared: rows, best first and newest first among equals, and their distances."""
    shares = palettes.shares.copy()
    if where.ignore_background:
        shares[palettes.background] = 0
        left = shares.sum(axis=0)
        shares = np.where(left > 0, shares / np.where(left > 0, left, 1), 0)
    found = palette_distances(asked_of(where), palettes.lab, shares.astype(np.float32))
    order = np.lexsort((-palettes.rows, found))
    order = order[found[order] <= where.color_tolerance]
    return palettes.rows[order], found[order]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("ignore_background", [False, True])
@pytest.mark.parametrize("tolerance", [6.0, 12.0, 30.0])
def test_the_ranking_is_that_of_a_loop_over_all(palettes, count, ignore_background, tolerance):
    rng = np.random.default_rng(count)
    for _ in range(4):
        where = Filter(
            palette=asked_colors(palettes, rng, count), color_tolerance=tolerance, ignore_background=ignore_background
        )
        rows, _ = by_loop(palettes, where)
        assert ranking_of(palettes, where).all().tolist() == rows.tolist()


def test_a_page_is_the_beginning_of_the_whole_and_compares_only_a_part(palettes):
    where = Filter(palette=asked_colors(palettes, np.random.default_rng(9), 2), color_tolerance=40.0)
    whole = ranking_of(palettes, where).all()
    ranking = ranking_of(palettes, where)

    assert ranking.first(10).tolist() == whole[:10].tolist()
    assert ranking._compared < len(whole) / 2
    for number in (35, 20, 300, len(whole) + 5):
        assert ranking.first(number).tolist() == whole[:number].tolist()


def test_plain_colors_are_ranked_among_those_that_have_them(palettes):
    where = Filter(colors=tuple(color.hex for color in asked_colors(palettes, np.random.default_rng(4), 1)))
    having = palettes.rows[slots_with(palettes, where)]
    assert 0 < len(having) < IMAGES
    assert sorted(ranking_of(palettes, where).all().tolist()) == sorted(having.tolist())


def test_a_share_is_of_what_is_left_without_the_background():
    lab = srgb_to_lab(np.array([[255, 255, 255], [200, 30, 30], [30, 30, 200]], np.uint8))
    made = palettes_of(np.array([7, 7, 7]), lab, np.array([0.9, 0.06, 0.04]), np.array([True, False, False]))
    red = Filter(colors=("#c81e1e",), color_share=0.5)
    white = Filter(colors=("#ffffff",), color_share=0.5)

    assert len(slots_with(made, red)) == 0
    assert len(slots_with(made, white)) == 1
    assert len(slots_with(made, Filter(**{**vars(red), "ignore_background": True}))) == 1
    assert len(slots_with(made, Filter(**{**vars(white), "ignore_background": True}))) == 0


def test_what_a_reader_has_stays_while_columns_change(palettes):
    columns = SwatchColumns()
    columns.replace(np.empty(0, np.int64), palettes)
    before = columns.view()
    kept = before.lab.copy()
    for start in range(1, 4000, 500):
        changed = np.arange(start, start + 500)
        columns.replace(changed, Palettes.empty(0))
    assert before.counts.all()
    assert np.array_equal(before.lab, kept)
    assert columns.view().rows[columns.view().counts].tolist() == list(range(4001, IMAGES + 1))


# ---- The file


def random_images(connection):
    rng = np.random.default_rng(5)
    fill(connection, rng, 60, encoder=GridEncoder.fingerprint, dimension=GridEncoder.dimension)


sqlite_template, postgresql_template = filled_with(random_images)


@pytest.fixture
def made(monkeypatch, database):
    monkeypatch.setattr(swatches, "LEAST_FOR_FILE", 10)
    return all_images(database)


EVERYTHING = Filter(colors=("#808080",), color_tolerance=100, color_share=0)


@pytest.mark.on_both_databases
def test_a_start_reads_the_file_and_then_what_came_later(database, made, tmp_path, monkeypatch):
    SwatchTable(database, tmp_path).warm().join()
    assert (tmp_path / "palettes").is_file()
    with database.write() as connection:
        more = fill(
            connection, np.random.default_rng(6), 5, encoder=GridEncoder.fingerprint, dimension=GridEncoder.dimension
        )
    table = SwatchTable(database, tmp_path)
    monkeypatch.setattr(swatches, "CHANGES_PER_READ", 10**6)

    assert table.rows_with(EVERYTHING).tolist() == sorted({image.row for image in (*made, *more)})
    assert table._read_from_table < 60  # the rest came from the file


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "spoil", [damage, lambda path: path.write_bytes(path.read_bytes()[:-40]), lambda path: path.write_bytes(b"")]
)
def test_a_damaged_file_is_passed_over(database, made, tmp_path, spoil, caplog):
    SwatchTable(database, tmp_path).warm().join()
    spoil(tmp_path / "palettes")

    assert SwatchTable(database, tmp_path).rows_with(EVERYTHING).tolist() == [image.row for image in made]
    assert "made anew" in caplog.text


def test_a_file_of_other_data_is_passed_over(database, made, tmp_path, caplog):
    SwatchTable(database, tmp_path).warm().join()
    with database.write() as connection:  # as in a copy of the database that went another way, with the same numbers
        other = random_features(np.random.default_rng(77), GridEncoder.dimension).palette.swatches[0]
        connection.execute(
            update(palette_table)
            .where(palette_table.c.image_row == made[-1].row, palette_table.c.position == 0)
            .values(l=other.lab[0], a=other.lab[1], b=other.lab[2])
        )
    table = SwatchTable(database, tmp_path)

    assert table.rows_with(EVERYTHING).tolist() == [image.row for image in made]
    assert "belongs to other data" in caplog.text


def test_an_image_that_changed_has_its_new_palette(database, made):
    table = SwatchTable(database)
    table.rows_with(EVERYTHING)
    white = Filter(palette=(AskedColor("#ffffff", 0.9),), color_tolerance=5)
    assert made[3].row not in table.rows_with(white)
    with database.write() as connection:
        connection.execute(
            update(palette_table).where(palette_table.c.image_row == made[3].row).values(l=100.0, a=0.0, b=0.0)
        )
        records_embeddings.touch(connection, [made[3].row])

    assert made[3].row in table.rows_with(white)


def test_a_ranking_needs_colors(database):
    with pytest.raises(ValueError, match="no colors"):
        SwatchTable(database).ranking(Filter(tags=("beach",)))
