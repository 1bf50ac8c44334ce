"""Logging in: who gets in, what whoever guesses is told, and how long they wait."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from people_clock import let_pass
from signing_in import HERE, PASSWORD, asks, is_open, log, log_in

from pipeline import accounts, sessions, throttle, welcomes
from pipeline.errors import LikenessError, NotLoggedIn, TooManyAttempts
from pipeline.principals import EVERY_SCOPE, OWNER
from pipeline.reconcile import reconcile
from pipeline.stores import records_people, tables_people
from pipeline.stores.tables import metadata
from pipeline.stores.tables_people import login_failures

pytestmark = pytest.mark.on_both_databases

WRONG = "a wrong password"
JUST_LONG_ENOUGH = timedelta(minutes=15, seconds=1)


@pytest.fixture
def ada(backend):
    return accounts.add_person(backend, OWNER, "ada", password=PASSWORD)


def guess(backend, name="ada", address=HERE, password=WRONG):
    """Try to log in; return the error."""
    with pytest.raises(LikenessError) as caught:
        log_in(backend, name, password, address)
    return caught.value


def fail(backend, times, name="ada", address=HERE):
    for _ in range(times):
        assert type(guess(backend, name, address)) is NotLoggedIn


# ---- Who gets in


def test_whoever_knows_the_password_gets_a_session_and_an_entry_in_the_log(backend, ada):
    session = log_in(backend, " \uff21da ")
    assert session.person.id == ada.id
    assert is_open(backend, session)
    assert log(backend)[-1] == ("ada", "logged in", "by password")


def test_every_login_begins_a_session_of_its_own(backend, ada):
    first, second = log_in(backend, ada.name), log_in(backend, ada.name)
    assert first.session_id != second.session_id
    assert first.secret != second.secret


@pytest.mark.usefixtures("real_passwords")
def test_a_weaker_hash_is_made_anew_at_the_next_login(backend, ada):
    weaker = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    with backend.database.write() as connection:
        records_people.change(connection, ada.id, password_hash=weaker)
    assert is_open(backend, log_in(backend, "ada"))
    with backend.database.read() as connection:
        assert records_people.get(connection, ada.id).password_hash.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert is_open(backend, log_in(backend, "ada"))


# ---- What whoever guesses is told


@pytest.fixture
def somebody_of_every_kind(backend, ada):
    """One who can log in, one without a password, and one who was deactivated."""
    accounts.add_person(backend, asks(backend, ada.name), "without")
    gone = accounts.add_person(backend, asks(backend, ada.name), "gone", password=PASSWORD)
    accounts.deactivate(backend, asks(backend, ada.name), gone.id)


EVERY_NAME = [
    "ada",
    "without",
    "gone",
    "nobody-at-all",
    "",
    "no name at all",
    "<script>",
    "\0",
    "\ud800",
    "x" * 500_000,
]


@pytest.mark.usefixtures("somebody_of_every_kind")
@pytest.mark.parametrize("name", EVERY_NAME)
def test_whoever_guesses_is_told_the_same_whatever_the_name(backend, monkeypatch, name):
    guess(backend, "before the first need")
    verified = []
    verify = PasswordHasher.verify
    monkeypatch.setattr(
        PasswordHasher, "verify", lambda self, *kept: verified.append(len(kept[0])) or verify(self, *kept)
    )
    error = guess(backend, name)
    assert (type(error), str(error)) == (NotLoggedIn, "The name or the password is wrong. Please try again.")
    assert len(verified) == 1
    assert verified[0] > 90  # a whole hash, and no shortcut


@pytest.mark.usefixtures("somebody_of_every_kind")
def test_whoever_was_deactivated_does_not_get_in_with_the_right_password(backend):
    assert type(guess(backend, "gone", password=PASSWORD)) is NotLoggedIn


@pytest.mark.usefixtures("ada")
def test_a_failure_is_in_the_log_without_what_was_typed(backend):
    guess(backend, "ada")
    guess(backend, "my secret password")
    assert log(backend)[-2:] == [
        ("nobody", "login failed", "ada"),
        ("nobody", "login failed", "a name that nobody has"),
    ]


# ---- How long they wait


@pytest.mark.usefixtures("ada")
def test_after_five_failures_the_next_try_waits_even_with_the_right_password(backend):
    fail(backend, 5)
    error = guess(backend, password=PASSWORD)
    assert type(error) is TooManyAttempts
    assert 0 < error.retry_seconds <= 5


@pytest.mark.usefixtures("ada")
def test_each_further_failure_doubles_the_wait_up_to_the_window(backend):
    fail(backend, 5)
    waits = []
    for _ in range(9):
        waits.append(guess(backend).retry_seconds)
        move_failures(backend, waits[-1] + 1)
        fail(backend, 1)
    rounded = [(wait - 1, wait, wait + 1) for wait in (5, 10, 20, 40, 80, 160, 320, 640, 900)]
    assert all(wait in near for wait, near in zip(waits, rounded, strict=True)), waits


def move_failures(backend, seconds):
    """Let `seconds` pass since the last failure; the older ones stay within the window."""
    with backend.database.write() as connection:
        for row in connection.execute(login_failures.select()).mappings().all():
            earlier = row["at"] - timedelta(seconds=seconds)
            connection.execute(login_failures.update().where(login_failures.c.id == row["id"]).values(at=earlier))
        newest = max(row["at"] for row in connection.execute(login_failures.select()).mappings())
        connection.execute(login_failures.update().values(at=newest))


@pytest.mark.usefixtures("ada")
def test_failures_are_forgotten_after_a_quarter_of_an_hour(backend):
    fail(backend, 5)
    let_pass(backend.database, JUST_LONG_ENOUGH)
    fail(backend, 5)
    assert type(guess(backend)) is TooManyAttempts


@pytest.mark.usefixtures("ada")
def test_getting_in_clears_the_failures_of_that_name_at_that_place(backend):
    fail(backend, 4)
    log_in(backend, "ada")
    fail(backend, 5)
    assert type(guess(backend)) is TooManyAttempts


@pytest.mark.usefixtures("ada")
def test_getting_in_at_one_place_clears_nothing_at_another(backend):
    fail(backend, 5, address="198.51.100.1")
    log_in(backend, "ada")
    assert type(guess(backend, address="198.51.100.1")) is TooManyAttempts


@pytest.mark.usefixtures("ada")
def test_guesses_side_by_side_do_not_slip_through(backend):
    together = Barrier(16)

    def run(_):
        together.wait()
        return type(guess(backend))

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(run, range(16)))
    assert answers.count(NotLoggedIn) == throttle.FREE_TRIES
    assert answers.count(TooManyAttempts) == 16 - throttle.FREE_TRIES


def test_a_name_that_nobody_has_is_slowed_down_just_the_same(backend, ada):
    for name in (ada.name, "nobody-at-all"):
        fail(backend, 5, name)
        assert guess(backend, name).retry_seconds in {4, 5}


@pytest.mark.usefixtures("ada")
def test_the_same_name_typed_otherwise_is_the_same_name(backend):
    for name in ("ada", "ADA", " ada ", "\uff41da", "Ada"):
        fail(backend, 1, name)
    assert type(guess(backend, "aDa")) is TooManyAttempts


@pytest.mark.usefixtures("ada")
def test_an_ipv6_network_of_64_bits_is_one_place_and_its_neighbor_another(backend):
    for last in range(5):
        fail(backend, 1, address=f"2001:db8:0:1:{last}::{last}")
    assert type(guess(backend, address="2001:db8:0:1:ffff::1")) is TooManyAttempts
    assert type(guess(backend, address="2001:db8:0:2::1")) is NotLoggedIn


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::"),
        ("", ""),
        ("testclient", "testclient"),
        ("x" * 500, "x" * 45),
    ],
)
def test_what_counts_as_one_place(address, place):
    assert throttle.network_of(address) == place


def test_a_place_that_tries_many_names_waits_for_every_name(backend):
    count(backend, ((f"name-{number}", HERE) for number in range(30)))
    assert type(guess(backend, "one more")) is TooManyAttempts
    assert type(guess(backend, "one more", address="192.0.2.8")) is NotLoggedIn


@pytest.mark.usefixtures("ada")
def test_a_name_that_many_places_try_waits_at_every_place(backend):
    count(backend, (("ada", f"198.51.100.{number}") for number in range(100)))
    assert type(guess(backend, address="203.0.113.1", password=PASSWORD)) is TooManyAttempts
    assert type(guess(backend, "bea", address="203.0.113.1")) is NotLoggedIn


def count(backend, tries):
    for name, address in tries:
        throttle.count_try(backend, name, address, None)


def test_failures_and_ended_sessions_are_forgotten_in_the_end(backend, ada):
    fail(backend, 3)
    log_in(backend, ada.name, address="192.0.2.8")
    let_pass(backend.database, timedelta(minutes=10))
    fail(backend, 1)
    let_pass(backend.database, timedelta(minutes=10))
    reconcile(backend)
    with backend.database.read() as connection:
        assert len(connection.execute(login_failures.select()).all()) == 1
    let_pass(backend.database, timedelta(days=31))
    reconcile(backend)
    with backend.database.read() as connection:
        assert connection.execute(tables_people.sessions.select()).all() == []


# ---- What is kept


def everything_kept(backend) -> bytes:
    if backend.database.is_sqlite:
        return b"".join(file.read_bytes() for file in backend.settings.data.glob("likeness.db*"))
    with backend.database.read() as connection:
        return repr([connection.execute(sa.select(table)).all() for table in metadata.sorted_tables]).encode()


def test_no_secret_is_in_the_database_or_in_the_log_as_it_is(backend, caplog):
    caplog.set_level(logging.DEBUG)
    first = welcomes.first_run_secret(backend)
    ada = welcomes.use_welcome(backend, first, "ada", PASSWORD, address=HERE)
    link = accounts.password_link(backend, asks(backend, "ada"), ada.id)
    session = log_in(backend, "ada")
    let_pass(backend.database, timedelta(hours=2))
    rotated = sessions.identify_session(backend, session.session_id, session.secret, address=HERE).new_secret
    _, token = sessions.make_token(backend, asks(backend, "ada"), "script", EVERY_SCOPE, None)
    sessions.identify_token(backend, token, address=HERE)
    accounts.change_password(backend, asks(backend, "ada"), session.session_id, PASSWORD, "quite another one")
    guess(backend, "typed in the wrong field")
    guess(backend, "ada", password="nearly the right one")  # noqa: S106 - of nobody
    kept = everything_kept(backend)
    assert b"$argon2id$" in kept
    secrets = [first, link, session.secret, rotated, token, PASSWORD, "quite another one"]
    for secret in [*secrets, "typed in the wrong field", "nearly the right one"]:
        assert secret.encode() not in kept
        assert secret not in caplog.text
