"""Saved searches: kept by whoever saved them, and compared once with everything that comes in."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from fakes import GridEncoder
from house import House
from pictures import picture_bytes
from putting import putting
from queue_clock import let_waiting_end
from saved import analyze, compare, count_matches, found, save

from pipeline import curation, matching, saved_searches
from pipeline.accounts import add_person
from pipeline.errors import Conflict, InvalidQuery, LikenessError, NotAllowed, NotFound, QueryPictureNotFound
from pipeline.features.encoders.protocol import SimilarityBands
from pipeline.filters import Filter
from pipeline.ingest import accept
from pipeline.principals import NOBODY, OWNER, Principal, Role, Scope
from pipeline.query_pictures import keep_query_picture, read_query_picture
from pipeline.questions import Term
from pipeline.reconcile import reconcile
from pipeline.search import SearchQuery
from pipeline.stored_queries import OUTDATED, from_json, to_json
from pipeline.stores import records_libraries, records_queries, records_repair, records_searches
from pipeline.stores.tables import embeddings, encoders, images, query_pictures
from pipeline.stores.tables_searches import arrivals, saved_matches
from pipeline.stores.tables_searches import saved_searches as table
from pipeline.uploads import spooled
from pipeline.worker import Worker

pytestmark = pytest.mark.on_both_databases

RED, GREEN, BLUE = "#dc1e1e", "#1ea01e", "#1e1edc"
WORD = Term(text="red")


def keep_picture(backend, data: bytes):
    with spooled(io.BytesIO(data), "asked.png", max_bytes=len(data)) as upload:
        return keep_query_picture(backend, upload)


# ---- Saving


def test_a_search_finds_what_comes_in_after_it_was_saved_and_nothing_older(backend, put):
    put(color=RED, filename="old.png", seed=1)
    Worker(backend).drain()
    search = save(backend, WORD)
    put(color=RED, filename="new.png", seed=2)
    put(color=BLUE, filename="other.png", seed=3)

    analyze(backend)

    assert found(backend, search) == ["new.png"]


def test_what_was_waiting_when_it_was_saved_is_new(backend, put):
    put(color=RED, filename="waiting.png")
    search = save(backend, WORD)

    analyze(backend)

    assert found(backend, search) == ["waiting.png"]


def test_a_search_that_cannot_be_run_is_not_saved(backend):
    for terms, where in [((Term(text="unheard of", weight=-1.0),), Filter()), ((Term(picture_key="gone"),), Filter())]:
        with pytest.raises(LikenessError):
            saved_searches.save(backend, OWNER, "mine", {}, SearchQuery(terms, where))

    assert saved_searches.list_saved(backend, OWNER) == []


def test_a_search_by_a_picture_that_is_not_kept_is_not_saved(backend):
    data = picture_bytes("disc")
    with spooled(io.BytesIO(data), "a.png", max_bytes=len(data)) as upload:
        picture = read_query_picture(backend, upload)

    with pytest.raises(InvalidQuery, match="kept"):
        save(backend, Term(picture=picture))


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
def test_a_search_has_a_name_that_can_be_shown(backend, name):
    with pytest.raises(InvalidQuery, match="name of a search"):
        save(backend, WORD, name=name)


def test_nobody_keeps_more_searches_than_can_be_compared(backend, monkeypatch):
    monkeypatch.setattr(saved_searches, "MOST_SEARCHES", 2)
    save(backend, name="one")
    save(backend, name="two")

    with pytest.raises(Conflict):
        save(backend, name="three")


def test_searches_are_renamed_paused_and_deleted(backend, put):
    search = save(backend, WORD, name="mine")
    saved_searches.rename(backend, OWNER, search.id, " wine red ")
    saved_searches.pause(backend, OWNER, search.id, paused=True)
    put(color=RED, filename="meanwhile.png", seed=1)
    analyze(backend)

    assert [one.name for one in saved_searches.list_saved(backend, OWNER)] == ["wine red"]
    assert found(backend, search) == []

    saved_searches.pause(backend, OWNER, search.id, paused=False)
    put(color=RED, filename="later.png", seed=2)
    analyze(backend)
    assert found(backend, search) == ["later.png"]

    saved_searches.delete(backend, OWNER, search.id)
    assert (saved_searches.list_saved(backend, OWNER), count_matches(backend)) == ([], 0)


def test_a_query_is_read_as_it_was_kept():
    query = SearchQuery(
        (Term(text="red"), Term(image_id="a", weight=-0.5), Term(picture_key="k")),
        Filter(
            libraries=("main",),
            colors=("#ff0000",),
            color_tolerance=5.5,
            tags=("a", "b"),
            min_width=100,
            created_after=datetime(2026, 11, 1, 12, tzinfo=UTC),
        ),
    )

    kept = to_json(query)

    assert from_json(kept) == query
    assert to_json(SearchQuery()) == {"terms": [], "where": {}}


@pytest.mark.parametrize(
    "kept",
    [
        {"terms": [], "where": {"no_longer_known": 1}},
        {"terms": [{"smell": "roses"}], "where": {}},
        {"terms": [], "where": {"min_width": "wide"}},
    ],
)
def test_a_query_of_another_version_is_refused_and_not_widened(kept):
    with pytest.raises(InvalidQuery) as caught:
        from_json(kept)

    assert caught.value.user_message == OUTDATED


# ---- Matching


def test_filters_alone_find_everything_that_passes(backend, put):
    search = save(backend, where=Filter(color_names=("blue",)))
    for name, color in (("red.png", RED), ("blue.png", BLUE)):
        put(color=color, filename=name)

    analyze(backend)

    assert found(backend, search) == ["blue.png"]


def test_colors_and_tags_are_filters_too(backend):
    by_color = save(backend, name="color", where=Filter(colors=(GREEN,)))
    by_tag = save(backend, WORD, name="tag", where=Filter(tags=("keep",)))
    for name, color, tags in (("a.png", RED, ["keep"]), ("b.png", GREEN, ["keep"]), ("c.png", RED, [])):
        data = picture_bytes(color=color, seed=len(tags))
        with spooled(io.BytesIO(data), name, max_bytes=len(data)) as upload:
            accept(backend, upload, OWNER, library="main", tags=tags)

    analyze(backend)

    assert found(backend, by_color) == ["b.png"]
    assert found(backend, by_tag) == ["a.png"]


def test_a_search_by_picture_finds_its_likes(backend, put):
    asked = keep_picture(backend, picture_bytes("disc", seed=5))
    search = save(backend, Term(picture_key=asked.key))
    put(picture_bytes("disc", seed=5), filename="the very same.png")
    put(color=BLUE, filename="other.png")

    analyze(backend)

    assert found(backend, search) == ["the very same.png"]


def test_a_search_like_an_image_finds_its_likes_and_rests_when_that_is_gone(backend, put):
    image = put(color=RED, filename="first.png", seed=1)
    Worker(backend).drain()
    search = save(backend, Term(image_id=image.id))
    put(color=RED, filename="second.png", seed=2)
    analyze(backend)
    assert found(backend, search) == ["second.png"]

    curation.delete(backend, [image.id], OWNER)
    put(color=RED, filename="third.png", seed=3)
    analyze(backend)

    assert found(backend, search) == ["second.png"]
    assert saved_searches.get_saved(backend, OWNER, search.id).problem == matching.LIKE_GONE

    curation.restore(backend, [image.id], OWNER)
    put(color=RED, filename="fourth.png", seed=4)
    analyze(backend)
    assert found(backend, search) == ["second.png", "fourth.png"]
    assert saved_searches.get_saved(backend, OWNER, search.id).problem == ""


def test_an_image_comes_in_once_however_often_it_is_analyzed_and_restored(backend, put):
    search = save(backend, WORD)
    image = put(color=RED, filename="a.png")
    analyze(backend)
    saved_searches.pause(backend, OWNER, search.id, paused=False)
    again = save(backend, WORD, name="saved later")

    curation.delete(backend, [image.id], OWNER)
    curation.restore(backend, [image.id], OWNER)
    compare(backend)
    with backend.database.write() as connection:  # as if its embedding had been lost
        connection.execute(embeddings.delete())
        assert records_repair.requeue(connection, [image.row], backend.encoder.fingerprint) == 1
    let_waiting_end(backend.database)
    analyze(backend)

    with backend.database.read() as connection:
        assert connection.scalar(sa.select(images.c.state)) == "ready"
    assert found(backend, search) == ["a.png"]
    assert found(backend, again) == []
    assert count_matches(backend) == 1


def test_the_same_file_uploaded_again_is_not_new(backend, put):
    search = save(backend, WORD)
    data = picture_bytes(color=RED)
    put(data, filename="first.png")
    analyze(backend)
    put(data, filename="second.png")
    analyze(backend)

    assert found(backend, search) == ["first.png"]


def test_images_from_before_the_update_are_never_new(backend, put):
    image = put(color=RED, filename="old.png")
    Worker(backend).drain()
    with backend.database.write() as connection:
        connection.execute(arrivals.update().values(number=0))  # as the migration writes it
    search = save(backend, WORD)
    with backend.database.write() as connection:
        connection.execute(images.update().where(images.c.row == image.row).values(state="waiting"))
    analyze(backend)

    assert found(backend, search) == []


def test_a_process_that_dies_before_it_has_written_changes_nothing(backend, put, monkeypatch):
    search = save(backend, WORD)
    put(color=RED, filename="a.png")
    Worker(backend).drain()

    class Died(BaseException):
        pass

    def die(*_):
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(matching.records_matches, "add", die)
        with pytest.raises(Died):
            matching.step(backend)
    assert (found(backend, search), matching.is_behind(backend.database)) == ([], True)

    compare(backend)
    compare(backend)
    assert found(backend, search) == ["a.png"]
    assert not matching.is_behind(backend.database)


def test_two_processes_that_compare_the_same_write_it_once(backend, put, monkeypatch):
    search = save(backend, WORD)
    put(color=RED, filename="a.png")
    Worker(backend).drain()
    real = records_searches.advance

    def overtaken(connection, searches, until):
        """Come to write when another process has just written the same."""
        monkeypatch.undo()
        assert real(connection, searches, until) == {search.id}
        return real(connection, searches, until)

    monkeypatch.setattr(records_searches, "advance", overtaken)
    matching.step(backend)

    assert count_matches(backend) == 0  # the other one, of whom only the cursor was played here, writes the matches


def test_many_batches_lose_nothing(backend, put, monkeypatch):
    monkeypatch.setattr(matching, "BATCH", 2)
    first = save(backend, name="all")
    names = [f"{number}.png" for number in range(5)]
    for number, name in enumerate(names):
        put(color=RED, filename=name, seed=number)
    Worker(backend).drain()
    second = save(backend, name="later")
    put(color=RED, filename="last.png", seed=9)
    analyze(backend)

    assert sorted(found(backend, first)) == sorted([*names, "last.png"])
    assert found(backend, second) == ["last.png"]


def test_an_image_that_is_purged_before_it_is_compared_is_passed_over(backend, put):
    search = save(backend, WORD)
    gone = put(color=RED, filename="gone.png", seed=1)
    put(color=RED, filename="here.png", seed=2)
    Worker(backend).drain()
    curation.delete(backend, [gone.id], OWNER, purge=True)
    compare(backend)

    assert found(backend, search) == ["here.png"]
    assert not matching.is_behind(backend.database)


def test_a_search_that_cannot_be_read_holds_no_other_up(backend, put):
    bad, good = save(backend, WORD, name="bad"), save(backend, WORD, name="good")
    with backend.database.write() as connection:
        records_searches.change(connection, bad.id, query={"terms": [], "where": {"unknown": 1}})
    put(color=RED, filename="a.png")
    analyze(backend)

    assert (found(backend, bad), found(backend, good)) == ([], ["a.png"])
    assert saved_searches.get_saved(backend, OWNER, bad.id).problem == OUTDATED


class Turned(GridEncoder):
    """Another encoder: the same numbers in another order."""

    name = "turned"
    fingerprint = "f" * 64
    bands = SimilarityBands(picture_strong=0.98, picture_possible=0.9, text_strong=0.95, text_possible=0.8)

    def embed_pictures(self, pictures):
        return super().embed_pictures(pictures)[:, ::-1]

    def embed_text(self, text):
        known = super().embed_text(text)
        return replace(known, vector=known.vector[::-1].copy())


def test_a_question_is_embedded_anew_by_another_encoder(backend, put, monkeypatch):
    asked = keep_picture(backend, picture_bytes(color=RED, seed=1))
    by_word, by_picture = save(backend, WORD, name="word"), save(backend, Term(picture_key=asked.key), name="picture")
    put(color=RED, filename="before.png", seed=2)
    put(color=BLUE, filename="not asked for.png", seed=3)
    analyze(backend)

    turned = Turned()
    monkeypatch.setattr(backend.extractor, "encoder", turned)
    with backend.database.write() as connection:
        connection.execute(encoders.update().values(state="old"))
        connection.execute(
            encoders.insert().values(
                fingerprint=turned.fingerprint,
                name=turned.name,
                dimension=turned.dimension,
                state="active",
                created_at=datetime.now(UTC),
            )
        )
        for row, vector in connection.execute(sa.select(embeddings.c.image_row, embeddings.c.vector)).all():
            connection.execute(
                embeddings.insert().values(
                    image_row=row, encoder=turned.fingerprint, change=10_000 + row, vector=vector[::-1]
                )
            )
        connection.execute(sa.text("UPDATE counters SET value = 20000 WHERE name = 'change'"))
    compare(backend)
    put(color=RED, filename="after.png", seed=4)
    put(color=GREEN, filename="neither.png", seed=5)
    analyze(backend)

    for search in (by_word, by_picture):
        assert found(backend, search) == ["before.png", "after.png"]
        kept = saved_searches.get_saved(backend, OWNER, search.id)
        assert kept.encoder == turned.fingerprint


def test_a_process_that_has_not_gone_over_to_the_encoder_in_use_compares_nothing(backend, put, monkeypatch):
    search = save(backend, WORD)
    put(color=RED, filename="a.png")
    Worker(backend).drain()

    with monkeypatch.context() as patch:
        patch.setattr(backend.extractor, "encoder", Turned())
        assert matching.step(backend) is False
    assert found(backend, search) == []

    compare(backend)
    assert found(backend, search) == ["a.png"]


# ---- The picture of a search


def test_the_picture_of_a_saved_search_is_kept_for_as_long_as_the_search(backend):
    saved, other = (keep_picture(backend, picture_bytes("disc", seed=seed)) for seed in (1, 2))
    search = save(backend, Term(picture_key=saved.key))
    with backend.database.write() as connection:
        connection.execute(query_pictures.update().values(created_at=datetime.now(UTC) - timedelta(days=3)))
    reconcile(backend)

    with backend.database.read() as connection:
        assert records_queries.get(connection, saved.key) is not None
        assert records_queries.get(connection, other.key) is None

    saved_searches.delete(backend, OWNER, search.id)
    reconcile(backend)
    with backend.database.read() as connection:
        assert records_queries.get(connection, saved.key) is None


def test_a_picture_that_is_forgotten_meanwhile_is_told(backend, monkeypatch):
    kept = keep_picture(backend, picture_bytes("disc"))
    monkeypatch.setattr(saved_searches.records_searches, "has_picture", lambda *_: False)

    with pytest.raises(QueryPictureNotFound):
        save(backend, Term(picture_key=kept.key))


def test_old_matches_are_forgotten(backend, put, monkeypatch):
    monkeypatch.setattr("pipeline.reconcile.MATCHES_KEPT", 2)
    search = save(backend)
    for number in range(4):
        put(color=RED, filename=f"{number}.png", seed=number)
        analyze(backend)

    reconcile(backend)

    assert found(backend, search) == ["2.png", "3.png"]


# ---- Whose it is


@pytest.fixture
def house(backend) -> House:
    return House(backend)


@pytest.fixture
def family(house) -> str:
    house.library("zoo", zoe=Role.OWNER)
    return house.library("family", ann=Role.OWNER, vic=Role.VIEWER)


@pytest.mark.usefixtures("family")
def test_what_somebody_keeps_exists_for_nobody_else(backend, house):
    search = save(backend, WORD, who=house.asks("ann"))
    zoe = house.asks("zoe")

    assert saved_searches.list_saved(backend, zoe) == []
    for call in (
        lambda: saved_searches.get_saved(backend, zoe, search.id),
        lambda: saved_searches.rename(backend, zoe, search.id, "mine"),
        lambda: saved_searches.pause(backend, zoe, search.id, paused=True),
        lambda: saved_searches.delete(backend, zoe, search.id),
    ):
        with pytest.raises(NotFound) as caught:
            call()
        assert caught.value.user_message == saved_searches.UNKNOWN
    assert len(saved_searches.list_saved(backend, house.asks("ann"))) == 1


@pytest.mark.usefixtures("family")
def test_a_token_that_may_not_manage_sets_nothing_that_outlives_it(backend, house):
    search = save(backend, WORD, who=house.asks("ann"))
    reading = house.asks("ann", frozenset({Scope.READ}))

    assert [one.id for one in saved_searches.list_saved(backend, reading)] == [search.id]
    with pytest.raises(NotAllowed):
        save(backend, WORD, who=reading)
    with pytest.raises(NotAllowed):
        saved_searches.delete(backend, reading, search.id)
    with pytest.raises(NotAllowed):
        saved_searches.list_saved(backend, house.asks("ann", frozenset({Scope.UPLOAD})))
    with pytest.raises(NotAllowed):
        save(backend, WORD, who=NOBODY)


def test_a_search_finds_only_what_its_owner_may_see(backend, house, family):
    searches = {name: save(backend, WORD, who=house.asks(name)) for name in ("ann", "vic", "zoe")}
    putting(backend)(color=RED, filename="ours.png", library=family)

    analyze(backend)

    assert {name: found(backend, search) for name, search in searches.items()} == {
        "ann": ["ours.png"],
        "vic": ["ours.png"],
        "zoe": [],
    }


def test_whoever_was_removed_finds_nothing_and_sees_nothing_of_before(backend, house, family):
    search = save(backend, WORD, who=house.asks("vic"))
    put = putting(backend)
    put(color=RED, filename="before.png", library=family, seed=1)
    analyze(backend)
    vic = house.asks("vic")
    with backend.database.write() as connection:
        records_libraries.remove_member(connection, family, vic.person_id)
    put(color=RED, filename="after.png", library=family, seed=2)
    analyze(backend)

    assert count_matches(backend) == 1
    assert found(backend, search, house.asks("vic")) == []


def test_a_picture_of_a_library_that_was_left_is_compared_with_no_more(backend, house, family):
    put = putting(backend)
    image = put(color=RED, filename="theirs.png", library=family, seed=1)
    Worker(backend).drain()
    house.library("own", vic=Role.OWNER)
    search = save(backend, Term(image_id=image.id), who=house.asks("vic"))
    vic = house.asks("vic")
    with backend.database.write() as connection:
        records_libraries.remove_member(connection, family, vic.person_id)
    own = next(iter(house.asks("vic").roles))
    put(color=RED, filename="own.png", library=own, seed=2)
    analyze(backend)

    assert found(backend, search, house.asks("vic")) == []
    assert saved_searches.get_saved(backend, house.asks("vic"), search.id).problem == matching.LIKE_GONE


def test_a_deactivated_account_finds_nothing(backend, house, family):
    search = save(backend, WORD, who=house.asks("ann"))
    house.change("ann", deactivated_at=datetime.now(UTC))
    putting(backend)(color=RED, filename="a.png", library=family)
    analyze(backend)

    with backend.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(saved_matches)) == 0
    assert not matching.is_behind(backend.database)
    assert search.owner is not None


def test_the_first_account_takes_over_what_was_saved_before(backend, put):
    search = save(backend, WORD)
    person = add_person(backend, OWNER, "ann", password="correct horse battery")  # noqa: S106 - of nobody
    put(color=RED, filename="a.png")
    analyze(backend)

    with backend.database.read() as connection:
        roles = records_libraries.roles_of(connection, person.id)
        assert connection.scalar(sa.select(table.c.owner)) == person.id
    ann = Principal("ann", roles, person.id)
    assert [one.id for one in saved_searches.list_saved(backend, ann)] == [search.id]
    assert found(backend, search, ann) == ["a.png"]


@pytest.mark.usefixtures("family")
def test_what_is_nobodys_finds_nothing_once_there_are_accounts(backend, put):
    put(color=RED, filename="a.png")
    with backend.database.write() as connection:
        records_searches.add(connection, _nobodys())
    analyze(backend)

    assert count_matches(backend) == 0


def _nobodys():
    return records_searches.SavedSearch(
        id="a" * 36,
        owner=None,
        name="nobody's",
        fields={},
        query=to_json(SearchQuery()),
        picture_key=None,
        vector=None,
        encoder=None,
        by_picture=False,
        seen=0,
        paused=False,
        problem="",
        feed_made_at=None,
        created_at=datetime.now(UTC),
    )
