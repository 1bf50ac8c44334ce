"""Searching, from the question to the page: compared with doing it by hand on random records."""

import io
from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa
from fakes import GridEncoder
from pictures import picture_bytes
from putting import putting
from random_records import fill, random_unit
from shelf import Shelf

from pipeline import curation
from pipeline.errors import ImageNotFound, InvalidQuery, QueryPictureNotFound
from pipeline.filters import Filter
from pipeline.images import ImageState
from pipeline.judging import Hit
from pipeline.principals import OWNER, Principal, Role
from pipeline.query_pictures import Region, get_query_picture, keep_query_picture
from pipeline.questions import Term
from pipeline.search import SearchQuery, SearchResult, search
from pipeline.sorting import Sort
from pipeline.stores import records_embeddings, records_images, records_queries
from pipeline.stores.records_queries import QueryPicture
from pipeline.stores.tables import frozen_results, images
from pipeline.uploads import spooled
from pipeline.worker import Worker

GUEST = Principal("guest", {"main": Role.OWNER})


def ids(result: SearchResult) -> list[str]:
    return [hit.image.id for hit in result.hits]


def drop(backend, data: bytes, region: Region | None = None) -> Term:
    """Search with a picture, as somebody who drops it on the page."""
    with spooled(io.BytesIO(data), "dropped.png", max_bytes=1 << 26) as upload:
        return Term(picture_key=keep_query_picture(backend, upload, region=region).key)


def ask_vector(backend, vector: np.ndarray, sha256: str = "") -> Term:
    """Search with a vector, as if a picture had been dropped that has it."""
    key = records_queries.new_key()
    with backend.database.write() as connection:
        kept = QueryPicture(key, sha256, GridEncoder.fingerprint, vector, b"", 1, 1)
        records_queries.keep(connection, kept)
    return Term(picture_key=key)


def find(backend, *terms: Term, principal: Principal = OWNER, **options) -> SearchResult:
    where = options.pop("where", Filter())
    return search(backend, SearchQuery(tuple(terms), where, **options), principal)


def pages(backend, *terms: Term, limit: int, **options) -> list[Hit]:
    """Return the hits of all pages."""
    hits: list[Hit] = []
    while True:
        result = find(backend, *terms, limit=limit, offset=len(hits), **options)
        hits += result.hits
        if not result.has_more:
            return hits


def hide_unnoticed(backend, rows: list[int]) -> None:
    """Hide images in a way that no index has noticed, as in the moment between a change and its being followed."""
    with backend.database.write() as connection:
        connection.execute(images.update().where(images.c.row.in_(rows)).values(state=ImageState.HELD))


@pytest.fixture
def shelf(backend) -> Shelf:
    return Shelf(backend)


@pytest.fixture
def colors(backend):
    """Three analyzed pictures, red, green and blue, by their names."""
    put = putting(backend)
    made = {
        name: put(color=color, filename=f"{name}.png")
        for name, color in (("red", "#dc1e1e"), ("green", "#1ea01e"), ("blue", "#1e1edc"))
    }
    Worker(backend).drain()
    return made


def test_a_dropped_picture_finds_its_likes_best_first(backend, colors):
    result = find(backend, drop(backend, picture_bytes(color="#d02828", size=(50, 50))))

    assert ids(result)[0] == colors["red"].id
    assert len(result.hits) == 3
    similarities = [hit.similarity for hit in result.hits]
    assert similarities == sorted(similarities, reverse=True)
    assert (result.hits[0].strength, result.verdict, result.encoder) == ("strong", "match", "grid")


def test_identical_bytes_come_first_and_say_so(backend, shelf):
    query = shelf.axis(0)
    nearer = shelf.add("nearer", query)
    same_bytes = shelf.add("same bytes", shelf.axis(5))  # as if an older version had analyzed it otherwise

    result = find(backend, ask_vector(backend, query, sha256=same_bytes.sha256))

    assert ids(result) == [same_bytes.id, nearer.id]
    assert (result.hits[0].similarity, result.hits[0].why) == (1.0, {"identical": True})
    assert result.hits[1].why != {"identical": True}


def test_identical_bytes_outside_the_filter_are_not_shown(backend, shelf):
    image = shelf.add("one")
    term = ask_vector(backend, shelf.axis(0), sha256=image.sha256)

    assert find(backend, term, where=Filter(min_width=10_000)).hits == ()
    assert find(backend, term, where=Filter(tags=("none",))).hits == ()


def test_identical_bytes_do_not_come_first_when_unlike_pictures_are_asked_for(backend, shelf):
    same, other = shelf.add("same", shelf.axis(0)), shelf.add("other", -shelf.axis(0))
    term = replace(ask_vector(backend, shelf.axis(0), sha256=same.sha256), weight=-1.0)

    assert ids(find(backend, term)) == [other.id, same.id]


def test_more_like_this_leaves_the_picture_itself_out(backend, colors):
    result = find(backend, Term(image_id=colors["red"].id))

    assert colors["red"].id not in ids(result)
    assert len(result.hits) == 2


def test_words_find_pictures_and_unknown_words_are_told(backend, colors):
    result = find(backend, Term(text="a blue thing"))

    assert ids(result)[0] == colors["blue"].id
    assert result.ignored == ("a", "thing")


def test_a_text_of_unknown_words_finds_nothing_and_the_reason_is_told(backend):
    result = find(backend, Term(text="qwertz"))
    assert (result.hits, result.verdict) == ((), "none")
    assert result.reason.endswith(".")


def test_a_negative_weight_moves_the_answer_away(backend, colors):
    red, blue = Term(text="red"), Term(text="blue")

    assert ids(find(backend, red, replace(blue, weight=0.5)))[-1] == colors["green"].id
    assert ids(find(backend, red, replace(blue, weight=-0.5)))[-1] == colors["blue"].id


def test_the_parts_of_a_question_are_added_with_their_weights(backend, shelf):
    angles = np.linspace(0, np.pi / 2, 31)
    shelf.add_many([shelf.axis(0, tilt=float(angle)) for angle in angles])
    first, second = ask_vector(backend, shelf.axis(0)), ask_vector(backend, shelf.axis(1))

    [best, *_] = find(backend, first, replace(second, weight=2.0)).hits

    # 1·x + 2·y points at atan(2) = 63.43 degrees; the images are 3 degrees apart.
    with backend.database.read() as connection:
        vector = records_embeddings.get_vector(connection, best.image.row, GridEncoder.fingerprint)
    assert np.degrees(np.arctan2(vector[1], vector[0])) == pytest.approx(63.0, abs=0.1)
    assert best.similarity == pytest.approx(np.cos(np.radians(0.435)), abs=2e-3)


def test_parts_that_cancel_each_other_are_no_question(backend, colors):
    del colors
    for terms in ((Term(text="red"), Term(text="red", weight=-1.0)), (Term(text="red", weight=0.0),)):
        with pytest.raises(InvalidQuery, match="cancel"):
            find(backend, *terms)


def test_an_image_that_is_not_analyzed_yet_cannot_be_searched_with(backend, put):
    with pytest.raises(InvalidQuery, match="not been analyzed yet"):
        find(backend, Term(image_id=put().id))


@pytest.mark.parametrize("image_id", ["", "no-such-id", "0198c3a2-0000-7000-8000-000000000000"])
def test_an_image_that_is_not_there_is_told(backend, image_id):
    with pytest.raises(ImageNotFound):
        find(backend, Term(image_id=image_id))


def test_a_search_whose_day_is_over_is_told(backend):
    with pytest.raises(QueryPictureNotFound, match="drop the picture again"):
        find(backend, Term(picture_key="no such key"))


def test_a_picture_is_searched_by_the_chosen_region(backend, colors):
    both = picture_bytes("split", color="#dc1e1e", second="#1e1edc", size=(200, 100))

    left = drop(backend, both, Region(0.0, 0.0, 0.45, 1.0))
    right = drop(backend, both, Region(0.55, 0.0, 0.45, 1.0))

    assert ids(find(backend, left))[0] == colors["red"].id
    assert ids(find(backend, right))[0] == colors["blue"].id


def test_a_deleted_image_is_never_found(backend, colors):
    gone = colors["red"]
    term = drop(backend, picture_bytes(color="#dc1e1e"))
    assert ids(find(backend, term))[0] == gone.id
    curation.delete(backend, [gone.id], OWNER)

    assert gone.id not in ids(find(backend, term))
    assert gone.id not in ids(find(backend, Term(text="red")))
    assert gone.id not in ids(find(backend))
    with pytest.raises(ImageNotFound):
        find(backend, Term(image_id=gone.id))

    curation.restore(backend, [gone.id], OWNER)
    assert ids(find(backend, term))[0] == gone.id


def test_an_image_deleted_while_somebody_pages_is_left_out_of_the_next_page(backend, shelf):
    made = shelf.add_many([shelf.axis(0, tilt=0.01 * number) for number in range(20)])
    term = ask_vector(backend, shelf.axis(0))
    find(backend, term, limit=5)
    curation.delete(backend, [made[6].id], OWNER)

    assert ids(find(backend, term, limit=5, offset=5)) == [made[place].id for place in (5, 7, 8, 9, 10)]


def test_a_late_page_reads_the_records_of_its_own_images_alone(backend, shelf):
    shelf.add_many([shelf.axis(0, tilt=0.004 * number) for number in range(300)])
    term = ask_vector(backend, shelf.axis(0))
    whole = [hit.image.id for hit in pages(backend, term, limit=100)]
    read = []

    def note(_connection, _cursor, statement, parameters, *_) -> None:
        if "FROM palette" in statement:
            read.append(len(parameters))

    sa.event.listen(backend.database.engine, "before_cursor_execute", note)
    late = find(backend, term, limit=10, offset=250)

    assert ids(late) == whole[250:260]
    assert read == [10]


def test_another_library_is_never_found_by_who_may_not_see_it(backend, shelf):
    secret = shelf.add("secret", shelf.axis(0), library="private")
    public = shelf.add("public", shelf.axis(3))
    term = ask_vector(backend, shelf.axis(0), sha256=secret.sha256)

    for where in (Filter(), Filter(libraries=("private",)), Filter(libraries=("private", "main"))):
        for terms in ((), (term,), (Term(text="red"),), (Term(image_id=public.id),)):
            assert secret.id not in ids(find(backend, *terms, principal=GUEST, where=where))
    with pytest.raises(ImageNotFound):
        find(backend, Term(image_id=secret.id), principal=GUEST)
    assert ids(find(backend, term, principal=GUEST)) == [public.id]
    assert ids(find(backend, term)) == [secret.id, public.id]


def test_who_may_see_nothing_finds_nothing(backend, shelf):
    shelf.add("any")

    assert find(backend, principal=Principal("nobody", {})).hits == ()


def test_results_frozen_for_one_person_are_not_shown_to_another(backend, shelf):
    for number in range(6):
        shelf.add(f"{number}", shelf.axis(0, tilt=0.1 * number), library="private" if number % 2 else "main")
    term = ask_vector(backend, shelf.axis(0))
    find(backend, term, limit=2)

    found = find(backend, term, limit=2, offset=2, principal=GUEST)

    assert {hit.image.library for hit in found.hits} == {"main"}


def test_pages_of_a_picture_search_do_not_shift_while_pictures_come_in(backend, shelf):
    made = shelf.add_many([shelf.axis(0, tilt=0.01 * number) for number in range(30)])
    term = ask_vector(backend, shelf.axis(0))
    first = find(backend, term, limit=10)
    for number in range(5):
        shelf.add(f"newer {number}", shelf.axis(0))

    second = find(backend, term, limit=10, offset=10)

    assert ids(first) + ids(second) == [image.id for image in made[:20]]
    anew = find(backend, term, limit=10)
    assert any("newer" in hit.image.filename for hit in anew.hits)


@pytest.mark.parametrize("sort", [Sort.BEST, Sort.NEWEST])
def test_what_fits_one_page_is_not_frozen(backend, shelf, sort):
    shelf.add_many([shelf.axis(0, tilt=0.01 * number) for number in range(10)])
    term = ask_vector(backend, shelf.axis(0))

    def frozen() -> int:
        with backend.database.read() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(frozen_results))

    assert not find(backend, term, limit=10, sort=sort).has_more
    assert frozen() == 0
    assert find(backend, term, limit=9, sort=sort).has_more
    assert frozen() == 1


def test_a_picture_search_is_paged_to_the_last_image_however_few_were_frozen_at_first(backend, shelf, monkeypatch):
    monkeypatch.setattr("pipeline.search.FROZEN_RESULTS", 20)
    made = shelf.add_many([shelf.axis(0, tilt=0.01 * number) for number in range(90)])

    found = pages(backend, ask_vector(backend, shelf.axis(0)), limit=7)

    assert [hit.image.id for hit in found] == [image.id for image in made]


def test_pages_do_not_shift_when_the_frozen_list_is_prolonged(backend, shelf, monkeypatch):
    monkeypatch.setattr("pipeline.search.FROZEN_RESULTS", 20)
    made = shelf.add_many([shelf.axis(0, tilt=0.01 * number) for number in range(90)])
    term = ask_vector(backend, shelf.axis(0))
    first = find(backend, term, limit=10)
    newer = shelf.add("newer", shelf.axis(0))

    seen = ids(first)
    while (result := find(backend, term, limit=10, offset=len(seen))).has_more:
        seen += ids(result)
    seen += ids(result)

    assert sorted(seen) == sorted([image.id for image in made] + [newer.id])
    assert [found for found in seen if found != newer.id] == [image.id for image in made]
    again = [ids(find(backend, term, limit=10, offset=offset)) for offset in range(10, 91, 10)]
    assert [found for page in again for found in page] == seen[10:]


@pytest.mark.parametrize("limit", [1, 7, 20, 100])
def test_pages_hold_everything_once_and_in_order(backend, shelf, limit):
    shelf.add_many([random_unit(shelf.rng, shelf.dimension) for _ in range(60)])
    query = shelf.axis(0)

    by_picture = pages(backend, ask_vector(backend, query), limit=limit)
    listed = pages(backend, limit=limit)

    assert len({hit.image.id for hit in by_picture}) == len(by_picture) == 60
    similarities = [hit.similarity for hit in by_picture]
    assert similarities == sorted(similarities, reverse=True)
    rows = [hit.image.row for hit in listed]
    assert rows == sorted(rows, reverse=True)
    assert len(rows) == 60


def test_a_page_is_filled_although_the_nearest_are_hidden(backend, shelf):
    made = shelf.add_many([shelf.axis(0, tilt=0.001 * number) for number in range(300)])
    backend.vectors.catch_up()
    hide_unnoticed(backend, [image.row for image in made[:250]])

    result = find(backend, Term(text="red"), ask_vector(backend, shelf.axis(0)), limit=20)

    assert len(result.hits) == 20
    assert result.has_more
    assert {hit.image.row for hit in result.hits} <= {image.row for image in made[250:]}


def test_a_search_ends_when_everything_is_hidden(backend, shelf):
    made = shelf.add_many([shelf.axis(0, tilt=0.001 * number) for number in range(100)])
    backend.vectors.catch_up()
    hide_unnoticed(backend, [image.row for image in made])

    result = find(backend, Term(text="red"), limit=20)

    assert (result.hits, result.has_more, result.verdict) == ((), False, "none")


def test_an_empty_library_answers_every_question_with_nothing(backend):
    for terms in ((), (Term(text="red"),), (drop(backend, picture_bytes()),)):
        result = find(backend, *terms)
        assert (result.hits, result.has_more, result.verdict) == ((), False, "none")


def test_the_verdict_is_that_of_the_search_whatever_the_page(backend, shelf):
    shelf.add_many([shelf.axis(0), *(shelf.axis(20 + number) for number in range(5))])
    good, bad = ask_vector(backend, shelf.axis(0)), ask_vector(backend, shelf.axis(10))

    for offset in (0, 1, 3, 6, 60):
        assert find(backend, good, limit=1, offset=offset).verdict == "match"
        assert find(backend, bad, limit=1, offset=offset).verdict == "none"
        assert find(backend, limit=1, offset=offset).verdict == "match"
        assert find(backend, limit=1, offset=offset, where=Filter(min_width=10_000)).verdict == "none"
    assert find(backend, good, limit=1, offset=1).hits[0].strength == "weak"


def test_a_single_relative_among_strangers_is_a_match(backend, shelf):
    lonely = shelf.add("lonely", shelf.axis(0, tilt=0.05))
    shelf.add_many([shelf.axis(2 + number % 10) for number in range(300)])

    result = find(backend, ask_vector(backend, shelf.axis(0)), limit=3)

    assert result.verdict == "match"
    assert [hit.strength for hit in result.hits] == ["strong", "weak", "weak"]
    assert result.hits[0].image.id == lonely.id


def test_every_hit_is_weak_where_nothing_is_alike(backend, shelf):
    shelf.add_many([shelf.axis(2 + number % 10) for number in range(30)])

    result = find(backend, ask_vector(backend, shelf.axis(0)), limit=30)

    assert result.verdict == "none"
    assert [hit.strength for hit in result.hits] == ["weak"] * 30


def test_without_a_question_the_newest_come_first_with_no_similarity(backend, shelf):
    made = [shelf.add(f"{number}") for number in range(5)]

    result = find(backend)

    assert ids(result) == [image.id for image in reversed(made)]
    assert {hit.similarity for hit in result.hits} == {None}
    assert result.verdict == "match"


def test_images_that_wait_or_failed_are_not_found(backend, put, shelf):
    ready = shelf.add("ready")
    put()

    assert ids(find(backend)) == [ready.id]


@pytest.mark.parametrize("seed", range(3))
def test_a_filtered_search_finds_what_comparing_by_hand_finds(backend, seed):
    rng = np.random.default_rng(seed)
    with backend.database.write() as connection:
        made = fill(connection, rng, 120, encoder=GridEncoder.fingerprint, dimension=GridEncoder.dimension)
    query = random_unit(rng, GridEncoder.dimension)
    with backend.database.read() as connection:
        vectors = {
            image.row: records_embeddings.get_vector(connection, image.row, GridEncoder.fingerprint) for image in made
        }

    filters = {
        "nothing": (Filter(), lambda image: image is not None),
        "library": (Filter(libraries=("private",)), lambda image: image.library == "private"),
        "category": (Filter(categories=("food", "text")), lambda image: image.category.name in {"food", "text"}),
        "tag": (Filter(tags=("beach", "winter")), lambda image: {"beach", "winter"} <= set(image.tags)),
        "dark": (Filter(max_brightness=0.4), lambda image: image.color.brightness <= 0.4),
        "color name": (Filter(color_names=("red",)), lambda image: image.color.names["red"] >= 0.10),
        "two at once": (
            Filter(schemes=("warm",), min_width=1500),
            lambda image: image.color.scheme == "warm" and image.width >= 1500,
        ),
    }
    for name, (where, passes) in filters.items():
        expected = [image for image in made if image.deleted_at is None and passes(image)]
        expected.sort(key=lambda image: -float(vectors[image.row] @ query))
        found = pages(backend, ask_vector(backend, query), limit=13, where=where)
        assert [hit.image.id for hit in found] == [image.id for image in expected], f"{name}, seed {seed}"


def test_what_was_searched_with_can_be_looked_at_again(backend):
    term = drop(backend, picture_bytes("disc", size=(300, 200)))

    kept = get_query_picture(backend, term.picture_key)

    assert (kept.width, kept.height) == (300, 200)
    assert kept.thumbnail[:4] == b"RIFF"  # WebP
    assert np.linalg.norm(kept.embedding) == pytest.approx(1.0, abs=1e-5)
    assert len(term.picture_key) == 43  # 256 random bits in base 64


def test_real_photographs_find_themselves_cropped_and_recolored(backend, photos):
    put = putting(backend)
    made = {name: put(data, filename=f"{name}.jpg") for name, data in photos.items()}
    Worker(backend).drain()

    for name, data in photos.items():
        term = drop(backend, data, Region(0.03, 0.03, 0.94, 0.94))
        assert ids(find(backend, term))[0] == made[name].id


def test_records_keep_their_order_when_many_are_fetched(backend, shelf):
    made = shelf.add_many([shelf.axis(0)] * 600)  # more than are asked for in one query
    wanted = [image.row for image in reversed(made)]

    with backend.database.read() as connection:
        assert [image.row for image in records_images.get_by_rows(connection, wanted)] == wanted
