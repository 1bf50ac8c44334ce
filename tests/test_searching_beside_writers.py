"""Whoever searches or looks waits for nobody who writes: what they leave on the side can wait, or is left out."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread

import pytest
from people_clock import let_pass
from pictures import picture_bytes
from shelf import Shelf
from signing_in import HERE, PASSWORD, log_in

from pipeline import accounts, sessions
from pipeline.filters import Filter
from pipeline.principals import OWNER, Scope
from pipeline.query_pictures import keep_query_picture
from pipeline.questions import Term
from pipeline.search import SearchQuery, search
from pipeline.stores import records_sessions
from pipeline.stores.database import Database, Writing
from pipeline.uploads import spooled
from pipeline.worker import Worker

pytestmark = pytest.mark.on_both_databases

A_WHILE = 30.0  # for threads, which in truth need milliseconds


@pytest.fixture
def backend(settings, open_grid_backend, database_kind):
    """Stores whose vectors, where there is a server, have to be brought on by whoever searches."""
    elsewhere = {"vectors_url": "pgvector://"} if database_kind == "postgresql" else {}
    return open_grid_backend(settings.model_copy(update=elsewhere))


@pytest.fixture
def writing_alone(settings) -> Iterator[Callable]:
    """Another process, which writes alone for as long as a block lasts."""
    other = Database(settings.database_url)

    @contextmanager
    def during() -> Iterator[None]:
        with other.write():
            yield

    yield during
    other.close()


def keep(backend):
    data = picture_bytes(kind="noise", seed=5)
    with spooled(io.BytesIO(data), "q.png", max_bytes=len(data)) as upload:
        return keep_query_picture(backend, upload)


def found(backend, limit=20, offset=0, **asked):
    result = search(backend, SearchQuery((Term(**asked),), limit=limit, offset=offset), OWNER)
    return [hit.image.id for hit in result.hits]


def test_every_search_is_answered_while_somebody_writes_alone(backend, put, writing_alone):
    image = put(kind="noise", seed=1)
    Worker(backend).drain()
    backend.vectors.catch_up()
    kept, shelf = keep(backend), Shelf(backend)
    newest = shelf.add("not in the index yet", shelf.axis(0))

    with writing_alone():
        if not backend.database.is_sqlite:
            kept = keep(backend)
        assert newest.id in found(backend, image_id=image.id)
        assert set(found(backend, text="red")) == {image.id, newest.id}
        first, second = (found(backend, limit=1, offset=offset, picture_key=kept.key) for offset in (0, 1))

    assert {*first, *second} == {image.id, newest.id}


def test_sessions_and_tokens_are_good_while_somebody_writes_alone_and_renewed_afterwards(backend, writing_alone):
    ada = accounts.add_person(backend, OWNER, "ada", password=PASSWORD)
    session = log_in(backend, "ada")
    _, secret = sessions.make_token(backend, OWNER, "t", frozenset({Scope.READ}), None, person=ada)
    let_pass(backend.database, timedelta(hours=2))

    def identify() -> sessions.Identity:
        return sessions.identify_session(backend, session.session_id, session.secret, address=HERE)

    with writing_alone():
        during, token = identify(), sessions.identify_token(backend, secret, address=HERE)
    afterwards = identify()

    assert (during.principal.person_id, during.new_secret) == (ada.id, None)
    assert token.principal.person_id == ada.id
    assert afterwards.new_secret


def test_a_session_that_gets_another_secret_meanwhile_is_not_ended_for_its_old_one(backend):
    """By its row, whoever may write beside whom."""
    ada = accounts.add_person(backend, OWNER, "ada", password=PASSWORD)
    begun = log_in(backend, "ada")
    database, ended = backend.database, []
    with database.read() as connection:
        (session,) = records_sessions.sessions_of(connection, ada.id)
    changed, trying = Event(), Event()

    def change() -> None:
        with database.write(Writing.PASSING) as connection:
            assert records_sessions.change_session(connection, session, secret_hash="other")  # noqa: S106 - of nobody
            changed.set()
            assert trying.wait(A_WHILE)

    def end() -> None:
        with database.write() as connection:
            ended.append(records_sessions.end_session(connection, session.id, secret_hash=session.secret_hash))

    threads = [Thread(target=change), Thread(target=end)]
    threads[0].start()
    assert changed.wait(A_WHILE)
    threads[1].start()
    trying.set()
    for thread in threads:
        thread.join(A_WHILE)

    assert ended == [False]
    with database.read() as connection:
        assert records_sessions.get_session(connection, begun.session_id)


def test_a_session_that_was_ended_meanwhile_gets_no_secret(backend):
    ada = accounts.add_person(backend, OWNER, "ada", password=PASSWORD)
    log_in(backend, "ada")
    database, renewed = backend.database, []
    with database.read() as connection:
        (session,) = records_sessions.sessions_of(connection, ada.id)

    def renew() -> None:
        with database.write(Writing.PASSING) as connection:
            renewed.append(records_sessions.change_session(connection, session, secret_hash="other"))  # noqa: S106

    renewing = Thread(target=renew)
    with database.write() as connection:
        assert records_sessions.end_session(connection, session.id)
        renewing.start()
    renewing.join(A_WHILE)

    assert renewed == [False]


def test_a_shared_index_that_cannot_be_told_how_far_it_is_has_brought_on_all_the_same(
    settings, open_grid_backend, writing_alone, postgresql
):
    """A file as database and an index on a server: whoever searches writes into both."""
    backend = open_grid_backend(settings.model_copy(update={"vectors_url": postgresql.url()}))
    shelf = Shelf(backend)
    shelf.add("first", shelf.axis(0))
    backend.vectors.catch_up()
    newest = shelf.add("second", shelf.axis(1))

    def rows() -> set[int]:
        return {neighbor.row for neighbor in backend.vectors.nearest(shelf.axis(1), 5, where=Filter())}

    with writing_alone():
        assert newest.row in rows()
    assert newest.row in rows()
    assert backend.vectors.catch_up() == 0
