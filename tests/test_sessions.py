"""Sessions whose secret changes every hour, and API tokens: what opens, what ends, and what is noticed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from house import ensure_library
from people_clock import let_pass
from signing_in import HERE, PASSWORD, asks, is_open, log, log_in

from pipeline import accounts, sessions
from pipeline.errors import InvalidQuery, NotAllowed, NotFound
from pipeline.principals import EVERY_SCOPE, OWNER, Action, Role, Scope
from pipeline.stores import records_libraries, records_sessions

pytestmark = pytest.mark.on_both_databases

AN_HOUR = timedelta(hours=1, seconds=1)
OVERLAP = timedelta(minutes=10, seconds=1)
REVOKED = ("ada", "session revoked", "an old secret of the session was used again; somebody may have copied it")


@pytest.fixture(autouse=True)
def ada(backend):
    return accounts.add_person(backend, OWNER, "ada", password=PASSWORD)


@pytest.fixture
def session(backend):
    return log_in(backend, "ada")


def identify(backend, session, secret):
    return sessions.identify_session(backend, session.session_id, secret, address=HERE)


def renewed(backend, session, secret=None):
    """Let an hour pass; return the new secret that the next request gets."""
    let_pass(backend.database, AN_HOUR)
    found = identify(backend, session, secret or session.secret)
    assert found.new_secret
    return found.new_secret


# ---- The secret that changes


def test_within_the_hour_the_secret_stays(backend, session):
    let_pass(backend.database, timedelta(minutes=59))
    assert identify(backend, session, session.secret).new_secret is None


def test_after_an_hour_the_secret_is_another_and_the_session_the_same(backend, session):
    secret = renewed(backend, session)
    assert secret != session.secret
    found = identify(backend, session, secret)
    assert (found.session_id, found.new_secret) == (session.session_id, None)


def test_the_previous_secret_works_for_requests_under_way(backend, session):
    secret = renewed(backend, session)
    assert identify(backend, session, secret)
    let_pass(backend.database, timedelta(minutes=9))
    assert identify(backend, session, session.secret).new_secret is None
    assert identify(backend, session, secret)


def test_the_previous_secret_after_that_ends_the_session_and_is_in_the_log(backend, session):
    secret = renewed(backend, session)
    identify(backend, session, secret)
    let_pass(backend.database, OVERLAP)
    assert identify(backend, session, session.secret) is None
    assert identify(backend, session, secret) is None
    assert log(backend)[-1] == REVOKED


def test_a_secret_from_long_before_ends_the_session_as_well(backend, session):
    second = renewed(backend, session)
    identify(backend, session, second)
    third = renewed(backend, session, second)
    identify(backend, session, third)
    assert identify(backend, session, session.secret) is None
    assert identify(backend, session, third) is None
    assert log(backend).count(REVOKED) == 1


def test_a_thief_who_renews_a_copied_secret_first_is_found_out_by_the_owner(backend, session):
    of_the_owner = renewed(backend, session)
    let_pass(backend.database, OVERLAP)
    of_the_thief = identify(backend, session, session.secret).new_secret
    assert identify(backend, session, of_the_thief)
    assert identify(backend, session, of_the_owner) is None
    assert identify(backend, session, of_the_thief) is None
    assert log(backend)[-1] == REVOKED


def test_an_answer_that_was_lost_logs_nobody_out(backend, session):
    renewed(backend, session)
    assert identify(backend, session, session.secret).new_secret is None  # it may be under way
    let_pass(backend.database, timedelta(days=3))
    again = identify(backend, session, session.secret).new_secret
    assert again
    assert identify(backend, session, again).session_id == session.session_id
    let_pass(backend.database, timedelta(days=3))
    assert identify(backend, session, again).new_secret


def test_requests_at_the_moment_of_renewal_all_succeed_and_one_gets_the_new_secret(backend, session):
    let_pass(backend.database, AN_HOUR)
    found = at_once(12, lambda: identify(backend, session, session.secret))
    assert all(each and each.session_id == session.session_id for each in found)
    (secret,) = [each.new_secret for each in found if each.new_secret]
    found = at_once(12, lambda: identify(backend, session, secret))
    assert all(each and each.new_secret is None for each in found)
    assert REVOKED not in log(backend)


def at_once(number, call):
    together = Barrier(number)

    def run(_):
        together.wait()
        return call()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


def test_a_session_that_is_shorter_than_an_hour_is_renewed_before_it_ends(settings, open_grid_backend):
    backend = open_grid_backend(settings.model_copy(update={"session_days": 0.01, "data": settings.data}))
    session = log_in(backend, "ada")
    secret = session.secret
    for _ in range(4):
        let_pass(backend.database, timedelta(minutes=8))
        found = identify(backend, session, secret)
        secret = found.new_secret or secret
    assert secret != session.secret


# ---- What ends a session


def test_a_session_that_is_not_used_ends_and_one_that_is_used_does_not(backend, session):
    idle = log_in(backend, "ada")
    secret = session.secret
    for _ in range(4):
        let_pass(backend.database, timedelta(days=10))
        found = identify(backend, session, secret)
        secret = found.new_secret or secret
    assert not is_open(backend, idle)
    assert len(sessions.list_sessions(backend, asks(backend, "ada"))) == 1


@pytest.mark.parametrize(("number", "secret"), [("", ""), ("no id", "x"), ("\0", "\ud800")])
def test_what_never_was_a_session_is_nobody(backend, number, secret):
    assert sessions.identify_session(backend, number, secret, address=HERE) is None


def test_logging_out_ends_the_session_at_once_and_no_other(backend, session):
    other = log_in(backend, "ada")
    sessions.log_out(backend, asks(backend, "ada"), session.session_id)
    assert not is_open(backend, session)
    assert is_open(backend, other)
    assert log(backend)[-1][:2] == ("ada", "logged out")
    with pytest.raises(NotFound):
        sessions.log_out(backend, asks(backend, "ada"), session.session_id)


def test_nobody_ends_the_session_of_another(backend, session):
    accounts.add_person(backend, asks(backend, "ada"), "bea", password=PASSWORD)
    with pytest.raises(NotFound):
        sessions.revoke_session(backend, asks(backend, "bea"), session.session_id)
    assert sessions.end_other_sessions(backend, asks(backend, "bea"), None) == 0
    assert is_open(backend, session)


def test_all_others_end_but_the_one_in_which_it_is_asked(backend, session):
    others = [log_in(backend, "ada") for _ in range(2)]
    assert sessions.end_other_sessions(backend, asks(backend, "ada"), session.session_id) == 2
    assert is_open(backend, session)
    assert not any(is_open(backend, other) for other in others)


def test_a_session_gives_the_roles_of_this_moment(backend, session):
    with backend.database.write() as connection:
        ensure_library(connection, "attic")
    assert identify(backend, session, session.secret).principal.roles["attic"] is Role.OWNER
    with backend.database.write() as connection:
        records_libraries.remove_member(connection, "attic", asks(backend, "ada").person_id)
    assert identify(backend, session, session.secret).principal.roles.keys() == {"main"}


def test_without_accounts_there_are_no_sessions_to_speak_of(backend):
    for call in (sessions.list_sessions, lambda *who: sessions.revoke_session(*who, "x")):
        with pytest.raises(NotFound):
            call(backend, OWNER)


# ---- API tokens


def make(backend, *scopes, days=None, name="script"):
    return sessions.make_token(backend, asks(backend, "ada"), name, frozenset(scopes) or EVERY_SCOPE, days)


def acts_for(backend, secret):
    found = sessions.identify_token(backend, secret, address=HERE)
    return found.principal if found else None


def test_a_token_acts_for_its_person_as_far_as_its_scopes_reach(backend):
    with backend.database.write() as connection:
        ensure_library(connection, "attic")
    _, secret = make(backend, Scope.READ, Scope.UPLOAD)
    who = acts_for(backend, secret)
    assert (who.name, who.address) == ("ada", HERE)
    assert who.may(Action.SEE, "attic")
    assert who.may(Action.UPLOAD, "attic")
    assert not who.may(Action.CHANGE, "attic")
    assert not who.may_administrate()


def test_a_token_has_an_end_and_then_opens_nothing(backend):
    token, secret = make(backend, days=30)
    let_pass(backend.database, timedelta(days=29))
    assert acts_for(backend, secret)
    let_pass(backend.database, timedelta(days=1))
    assert acts_for(backend, secret) is None
    (listed,) = sessions.list_tokens(backend, asks(backend, "ada").person_id)
    assert listed.id == token.id
    assert sessions.has_expired(listed)


def test_a_token_without_an_end_works_for_ten_years(backend):
    _, secret = make(backend)
    let_pass(backend.database, timedelta(days=3650))
    assert acts_for(backend, secret)


@pytest.mark.parametrize("days", [0, -1, 3651, float("nan"), float("inf")])
def test_an_end_that_makes_no_sense_is_refused(backend, days):
    with pytest.raises(InvalidQuery):
        make(backend, days=days)


def test_a_token_needs_a_name_and_something_it_is_for(backend):
    for name, scopes in (("", EVERY_SCOPE), ("x" * 101, EVERY_SCOPE), ("script", frozenset())):
        with pytest.raises(InvalidQuery):
            sessions.make_token(backend, asks(backend, "ada"), name, scopes, None)


def test_the_last_use_of_a_token_is_written_down(backend):
    _, secret = make(backend)
    assert sessions.list_tokens(backend, asks(backend, "ada").person_id)[0].last_used_at is None
    acts_for(backend, secret)
    first = sessions.list_tokens(backend, asks(backend, "ada").person_id)[0].last_used_at
    let_pass(backend.database, timedelta(minutes=3))
    acts_for(backend, secret)
    assert sessions.list_tokens(backend, asks(backend, "ada").person_id)[0].last_used_at >= first


def test_a_revoked_token_opens_nothing_from_then_on(backend):
    token, secret = make(backend)
    assert acts_for(backend, secret)
    sessions.revoke_token(backend, asks(backend, "ada"), token.id)
    assert acts_for(backend, secret) is None
    with pytest.raises(NotFound):
        sessions.revoke_token(backend, asks(backend, "ada"), token.id)


def test_nobody_revokes_the_token_of_another_not_even_an_administrator(backend):
    accounts.add_person(backend, asks(backend, "ada"), "bea", administrator=True)
    token, secret = make(backend)
    with pytest.raises(NotFound):
        sessions.revoke_token(backend, asks(backend, "bea"), token.id)
    assert acts_for(backend, secret)


def test_nobody_makes_a_token_for_another_but_whoever_works_at_the_machine(backend, ada):
    accounts.add_person(backend, asks(backend, "ada"), "bea", administrator=True)
    with pytest.raises(NotAllowed, match="another person"):
        sessions.make_token(backend, asks(backend, "bea"), "script", EVERY_SCOPE, None, person=ada)
    _, secret = sessions.make_token(backend, OWNER, "script", EVERY_SCOPE, None, person=ada)
    assert acts_for(backend, secret).person_id == ada.id


def test_a_token_makes_no_other_token(backend):
    _, secret = make(backend, Scope.READ)
    with pytest.raises(InvalidQuery):
        sessions.make_token(backend, acts_for(backend, secret), "more", EVERY_SCOPE, None)


@pytest.mark.parametrize("secret", ["", "lk_", "lk_x", "\ud800", "lk_\ud800"])
def test_what_never_was_a_token_is_nobody(backend, secret):
    assert acts_for(backend, secret) is None


def test_the_secret_of_a_session_is_no_token_and_the_other_way_round(backend, session):
    token, secret = make(backend)
    assert acts_for(backend, session.secret) is None
    assert sessions.identify_session(backend, token.id, secret, address=HERE) is None


def test_ended_sessions_are_gone_from_the_tables(backend, session):
    sessions.revoke_session(backend, asks(backend, "ada"), session.session_id)
    with backend.database.read() as connection:
        assert records_sessions.sessions_of(connection, asks(backend, "ada").person_id) == []
