"""Images by their words, on both databases: found as a few lines of plain Python find them, and kept in step."""

from math import log1p

import numpy as np
import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from fakes import GridEncoder
from random_records import fill, random_features
from shelf import Shelf

from pipeline.features.picture import Keyword, Meaning
from pipeline.filters import Filter
from pipeline.images import ImageRecord, ImageState
from pipeline.stores import (
    copying,
    records_encoders,
    records_images,
    word_search,
)
from pipeline.stores.database import MIGRATIONS, Database
from pipeline.stores.records_embeddings import EncoderRow
from pipeline.stores.records_images import NewImage
from pipeline.stores.tables import image_words, images
from pipeline.words import asked_words, words_of, words_of_name

pytestmark = pytest.mark.on_both_databases

VOCABULARY = [
    "dog",
    "dogs",
    "cat",
    "beach",
    "grass",
    "grassland",
    "red",
    "Ärger",
    "北京烤鸭",
    "東京",
    "강아지",
    "ทะเล",
    "img",
]
WEIGHTS = {"caption": 1.0, "tags": 1.0, "names": 0.5, "keywords": 0.2}


@pytest.fixture
def shelf(backend) -> Shelf:
    return Shelf(backend)


@pytest.fixture
def dog(shelf) -> ImageRecord:
    """A picture with a caption and tags, among others without."""
    shelf.add("IMG 0001")
    image = shelf.add("rexAtHome 0002")
    edit(shelf, image, caption="Ein Hund am Straßenrand", new_tags=["Best dog", "北京烤鸭"])
    shelf.add("IMG 0003")
    return image


def edit(shelf: Shelf, image: ImageRecord, **changes) -> None:
    with shelf.backend.database.write() as connection:
        records_images.edit(connection, image.row, **changes)


def found(database: Database, text: str, where: Filter | None = None) -> list[int]:
    with database.read() as connection:
        return [one.row for one in word_search.rank(connection, asked_words(text), where or Filter())]


def by_hand(made: list[ImageRecord], text: str) -> list[tuple[int, float]]:
    """Return what plain Python finds of these images, with the part of the words that each has."""
    asked = asked_words(text)
    weights: dict[int, list[float]] = {}
    for image in made:
        theirs = {
            "caption": words_of(image.caption),
            "tags": [word for tag in image.tags for word in words_of(tag)],
            "names": words_of_name(image.filename),
            "keywords": [word for keyword in image.keywords for word in words_of(keyword.word)],
        }
        weights[image.row] = [
            max(
                WEIGHTS[field] * (1.0 if one.word == word else 0.5)
                if one.word == word or (one.is_beginning and word.startswith(one.typed))
                else 0.0
                for field, words in {**theirs, "": [""]}.items()
                for word in words
            )
            if any(theirs.values())
            else 0.0
            for one in asked
        ]
    having = {row: values for row, values in weights.items() if any(values)}
    counts = [sum(1 for values in having.values() if values[number]) for number in range(len(asked))]
    known = [log1p(len(having) / count) for count in counts if count]
    rarity = [log1p(len(having) / count) if count else sum(known) / len(known) for count in counts] if known else []
    shares = {
        row: sum(v * r for v, r in zip(values, rarity, strict=True)) / sum(rarity) for row, values in having.items()
    }
    return sorted(((row, round(share, 6)) for row, share in shares.items()), key=lambda one: (-one[1], -one[0]))


@pytest.mark.parametrize("seed", range(3))
def test_what_is_found_and_in_which_order_is_what_plain_python_finds(database, seed):
    rng = np.random.default_rng(seed)
    with database.write() as connection:
        made = fill(connection, rng, 80, encoder=GridEncoder.fingerprint, dimension=GridEncoder.dimension)
        for image in made:
            words = [str(word) for word in rng.choice(VOCABULARY, size=rng.integers(0, 6))]
            records_images.edit(connection, image.row, caption=" ".join(words[:4]), new_tags=words[4:])
        made = records_images.get_by_rows(connection, [image.row for image in made])
    visible = [image for image in made if image.deleted_at is None]

    for text in (
        "dog",
        "dogs on the grass ",
        "gras",
        "red dog grass",
        "ärger",
        "烤鸭",
        "東京 강아지",
        "ทะเล",
        "random",
        "unheard dog",
    ):
        with database.read() as connection:
            ranked = word_search.rank(connection, asked_words(text), Filter())
        assert [(one.row, pytest.approx(one.share, abs=2e-6)) for one in ranked] == by_hand(visible, text), text
        private = [image for image in visible if image.library == "private"]
        expected = [row for row, _ in by_hand(private, text)]
        assert found(database, text, Filter(libraries=("private",))) == expected, text


@pytest.mark.parametrize(
    "text",
    [
        "hund",
        "HUND",
        "strassenrand",
        "straßen",
        "best dogs",
        "烤鸭",
        "北京烤鸭",
        "rex",
        "0002",
        "home hund",
    ],
)
def test_an_image_is_found_by_caption_tag_and_file_name(shelf, dog, text):
    assert found(shelf.backend.database, text) == [dog.row]


@pytest.mark.parametrize("text", ["png", "katze", "", "?!", "家", "und", "est"])
def test_an_image_is_not_found_by_what_it_does_not_have(shelf, dog, text):
    del dog
    assert found(shelf.backend.database, text) == []


def test_a_changed_caption_and_changed_tags_are_found_and_the_old_ones_no_more(shelf, dog):
    database = shelf.backend.database
    edit(shelf, dog, caption="Eine Katze")
    assert (found(database, "katze"), found(database, "hund")) == ([dog.row], [])
    assert found(database, "best") == [dog.row]

    edit(shelf, dog, new_tags=["vogel"])
    assert (found(database, "vogel"), found(database, "best")) == ([dog.row], [])

    with database.write() as connection:
        records_images.add_tags(connection, [dog.row], ["zwei", "vogel"])
    assert found(database, "zwei") == found(database, "vogel ") == [dog.row]


def test_a_second_name_of_the_same_bytes_is_found_as_well(shelf, dog):
    new = NewImage("main", dog.sha256, 1, "image/png", 1, 1, filename="Geburtstag.jpg")
    with shelf.backend.database.write() as connection:
        records_images.add(connection, new)

    assert found(shelf.backend.database, "geburtstag") == found(shelf.backend.database, "rex") == [dog.row]


def test_a_deleted_image_is_not_found_until_it_is_restored_and_a_purged_one_leaves_nothing(shelf, dog):
    database = shelf.backend.database
    with database.write() as connection:
        records_images.delete(connection, [dog.row])
    assert found(database, "hund") == []
    edit(shelf, dog, caption="Hund und Katze")

    with database.write() as connection:
        records_images.restore(connection, [dog.row])
    assert found(database, "hund") == found(database, "katze") == [dog.row]

    with database.write() as connection:
        records_images.purge(connection, [dog.row])
    assert found(database, "hund") == []
    with database.read() as connection:
        assert dog.row not in connection.scalars(sa.select(image_words.c.image_row)).all()
        if database.is_sqlite:  # what a row that is gone would leave behind in the index, this check finds
            connection.exec_driver_sql("INSERT INTO word_index(word_index, rank) VALUES ('integrity-check', 1)")


def test_images_that_wait_are_not_found(shelf, dog):
    with shelf.backend.database.write() as connection:
        connection.execute(images.update().where(images.c.row == dog.row).values(state=ImageState.WAITING))

    assert found(shelf.backend.database, "hund") == []


def test_keywords_are_found_when_an_encoder_says_them_and_gone_when_the_next_one_says_others(shelf, dog):
    features = random_features(np.random.default_rng(0), GridEncoder.dimension)
    encoder = EncoderRow(GridEncoder.fingerprint, GridEncoder.name, GridEncoder.dimension)

    for word in ("red fox", "teapot"):
        meaning = Meaning(features.meaning.category, (Keyword(word, 0.5),))
        with shelf.backend.database.write() as connection:
            records_encoders.put_meanings(connection, encoder, {dog.row: meaning})
        assert found(shelf.backend.database, word) == [dog.row]
    assert found(shelf.backend.database, "fox") == []


def test_other_libraries_are_not_looked_into_and_do_not_change_the_order(shelf):
    database = shelf.backend.database
    both = shelf.add("one"), shelf.add("two")
    edit(shelf, both[0], caption="dog")
    edit(shelf, both[1], caption="cat")
    mine = Filter(libraries=("main",))
    before = found(database, "dog cat ", mine)
    for number in range(20):
        edit(shelf, shelf.add(f"secret {number}", library="private"), caption="dog")

    assert found(database, "dog cat ", mine) == before == [both[1].row, both[0].row]
    assert found(database, "dog cat ", Filter(without_libraries=("private",))) == before
    assert found(database, "secret", mine) == found(database, "dog", Filter(libraries=())) == []
    assert len(found(database, "secret")) == 20


def test_other_filters_hold_too(shelf, dog):
    database = shelf.backend.database
    assert found(database, "hund", Filter(tags=("Best dog",))) == [dog.row]
    assert found(database, "hund", Filter(tags=("best dog",))) == []  # a tag as a filter is compared letter by letter
    assert found(database, "hund", Filter(tags=("🙂",))) == []
    assert found(database, "hund", Filter(min_width=10_000)) == []


def test_of_words_that_very_many_have_those_that_have_all_are_found_however_old(shelf):
    made = [shelf.add(f"{number}") for number in range(40)]
    for number, image in enumerate(made):
        edit(shelf, image, caption="black dog" if number == 0 else ("dog", "black", "dog rare")[number % 3])
    edit(shelf, made[1], caption="dog zebra")
    with shelf.backend.database.read() as connection:
        asked = [asked_words(text) for text in ("black dog ", "dog zebra ")]
        ranked = [word_search.rank(connection, words, Filter(), look_through=5) for words in asked]

    assert [rows[0].row for rows in ranked] == [made[0].row, made[1].row]
    assert [rows[0].share for rows in ranked] == [1.0, 1.0]
    assert len(ranked[0]) < 40


@pytest.mark.parametrize(
    "text",
    [
        'NEAR("hund" rand) AND * OR NOT ^x',
        "hund' & !x | (y):* <-> \\",
        '"hund" {caption} : x -y +z',
        "hund\0\x01\ud800 %s %(a)s :b ? $1",
        "hund " * 100,
        "hund " + "x" * 500,
        "'; DROP TABLE images; -- hund",
    ],
)
def test_signs_that_mean_something_to_a_database_mean_nothing(shelf, dog, text):
    assert found(shelf.backend.database, text) == [dog.row]


def test_hostile_captions_tags_and_names_are_kept_and_found(shelf):
    image = shelf.add('\'; DROP \0 "x" :y* (z).jpg')
    edit(shelf, image, caption="it's \\ 'quoted' \":*&|!\" \0" + "w" * 1900, new_tags=["a'b\\c", ":1A", "'' ''"])

    for text in ("quoted", "drop", "w" * 100, "b c ", "1A"):
        assert found(shelf.backend.database, text) == [image.row], text


def test_what_was_copied_to_another_database_is_found_there(shelf, dog, postgresql, tmp_path):
    here = shelf.backend.database
    there = Database(postgresql.new_database() if here.is_sqlite else f"sqlite:///{tmp_path}/copy.db")
    there.migrate()
    copying.equalize(here, there)
    assert found(there, "hund") == found(there, "烤鸭") == [dog.row]

    edit(shelf, dog, caption="Katze")
    differences = copying.equalize(here, there)
    assert {one.table for one in differences if not one.is_none} >= {"image_words", "images"}
    assert (found(there, "hund"), found(there, "katze")) == ([], [dog.row])
    there.close()


def test_a_migration_makes_the_words_of_what_is_there(shelf, dog):
    database = shelf.backend.database
    with database.write() as connection:
        for table in ("image_words", *(["word_index"] if database.is_sqlite else [])):
            connection.exec_driver_sql(f"DROP TABLE {table}")
    script = ScriptDirectory(str(MIGRATIONS)).get_revision("0006")
    with database.engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        script.module.upgrade()

    assert found(database, "hund") == found(database, "rex") == found(database, "烤鸭") == [dog.row]
    edit(shelf, dog, caption="Katze")
    assert (found(database, "hund"), found(database, "katze")) == ([], [dog.row])
