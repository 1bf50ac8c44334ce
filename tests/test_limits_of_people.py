"""How much one person may have, what others may give them, and what is told of it."""

from datetime import timedelta

import pytest
from house import House, ensure_library
from people_clock import let_pass
from signing_in import HERE, PASSWORD, asks, is_open, log, log_in

from pipeline import accounts, libraries, logins, members, sessions, throttle, welcomes
from pipeline.errors import Conflict, InvalidQuery, NotLoggedIn, TooManyAttempts
from pipeline.principals import EVERY_SCOPE, OWNER, Role
from pipeline.stores import records_libraries, records_people

pytestmark = pytest.mark.on_both_databases

OTHER = "staple of a longer kind"
ISSUER = "https://id.example "


@pytest.fixture
def house(backend) -> House:
    return House(backend)


@pytest.fixture
def ada(backend):
    return accounts.add_person(backend, OWNER, "ada", password=PASSWORD)


# ---- Libraries that others give


@pytest.fixture
def small(monkeypatch):
    """Room for four libraries of one's own and eight at all; others may fill two and four."""
    monkeypatch.setattr(libraries, "MOST_OWNED", 4)
    monkeypatch.setattr(libraries, "MOST_JOINED", 8)


def give(backend, house, person: str, role: Role) -> str:
    """Let Ann make a library and give somebody a role in it; return its id."""
    library = house.library("another", ann=Role.OWNER)
    member = members.add(backend, house.asks("ann"), library, person, Role.VIEWER)
    members.change_role(backend, house.asks("ann"), library, member.person_id, role)
    return library


@pytest.mark.usefixtures("small")
def test_others_make_nobody_owner_of_so_much_that_they_can_make_nothing_of_their_own(backend, house):
    house.add("vic")
    for _ in range(2):
        give(backend, house, "vic", Role.OWNER)

    with pytest.raises(Conflict, match="vic owns so many libraries"):
        give(backend, house, "vic", Role.OWNER)

    for name in ("one", "two"):
        libraries.make(backend, house.asks("vic"), name)
    with pytest.raises(Conflict, match="You own 4 libraries"):
        libraries.make(backend, house.asks("vic"), "three")


@pytest.mark.usefixtures("small")
def test_what_was_deleted_counts_as_it_can_be_brought_back(backend, house):
    house.add("vic")
    for _ in range(2):
        given = give(backend, house, "vic", Role.OWNER)
        libraries.delete(backend, house.asks("ann"), given)

    with pytest.raises(Conflict):
        give(backend, house, "vic", Role.OWNER)


@pytest.mark.usefixtures("small")
def test_others_put_nobody_into_libraries_without_end_and_an_invitation_is_ones_own_choice(backend, house):
    house.add("vic")
    for _ in range(4):
        give(backend, house, "vic", Role.VIEWER)
    library = house.library("fifth", ann=Role.OWNER)

    with pytest.raises(Conflict, match="vic is in so many libraries"):
        members.add(backend, house.asks("ann"), library, "vic", Role.VIEWER)
    secret = members.invite(backend, house.asks("ann"), library, Role.VIEWER)
    members.accept_invitation(backend, house.asks("vic"), secret)

    assert len(house.asks("vic").roles) == 5


@pytest.mark.usefixtures("small")
def test_nobody_joins_libraries_without_end(backend, house):
    house.add("vic")
    for _ in range(8):
        library = house.library("another", ann=Role.OWNER)
        secret = members.invite(backend, house.asks("ann"), library, Role.VIEWER)
        members.accept_invitation(backend, house.asks("vic"), secret)
    one_more = members.invite(backend, house.asks("ann"), house.library("more", ann=Role.OWNER), Role.VIEWER)

    with pytest.raises(Conflict, match="so many libraries"):
        members.accept_invitation(backend, house.asks("vic"), one_more)
    with pytest.raises(Conflict, match="You are in 8 libraries"):
        libraries.make(backend, house.asks("vic"), "own")
    assert members.read_invitation(backend, one_more).role is Role.VIEWER


def test_nobody_becomes_an_owner_who_is_not_a_member_yet(backend, house):
    library = house.library("family", ann=Role.OWNER)
    house.add("vic")

    for call in (members.add, members.grant):
        with pytest.raises(InvalidQuery, match="Only a member can be made an owner"):
            call(backend, house.asks("ann"), library, "vic", Role.OWNER)

    assert house.asks("vic").roles == {}


def test_a_library_has_so_many_open_invitations_and_no_more(backend, house, monkeypatch):
    monkeypatch.setattr(members, "MOST_INVITATIONS", 2)
    library = house.library("family", ann=Role.OWNER)
    for _ in range(2):
        members.invite(backend, house.asks("ann"), library, Role.VIEWER)

    with pytest.raises(Conflict, match="too many invitations"):
        members.invite(backend, house.asks("ann"), library, Role.VIEWER)

    (first, _) = members.list_invitations(backend, house.asks("ann"), library)
    members.revoke(backend, house.asks("ann"), library, first.link_id)
    members.invite(backend, house.asks("ann"), library, Role.VIEWER)


# ---- Sessions and tokens


@pytest.mark.usefixtures("ada")
def test_a_session_too_many_ends_the_one_that_was_not_used_for_longest(backend, monkeypatch):
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 3)
    older = [log_in(backend, "ada") for _ in range(3)]
    let_pass(backend.database, throttle.WINDOW)
    assert is_open(backend, older[0])  # which is a use
    newest = log_in(backend, "ada")

    assert [is_open(backend, each) for each in (*older, newest)].count(True) == 3
    assert is_open(backend, older[0])
    assert is_open(backend, newest)
    assert log(backend)[-1] == ("ada", "session revoked", "not used for longest; nobody has more than 3")


@pytest.mark.usefixtures("ada")
def test_a_token_too_many_is_refused(backend, monkeypatch):
    monkeypatch.setattr(sessions, "MOST_TOKENS", 2)
    made = [sessions.make_token(backend, asks(backend, "ada"), "script", EVERY_SCOPE, None)[0] for _ in range(2)]

    with pytest.raises(Conflict, match="Nobody can have more than 2 tokens"):
        sessions.make_token(backend, asks(backend, "ada"), "script", EVERY_SCOPE, None)

    sessions.revoke_token(backend, asks(backend, "ada"), made[0].id)
    sessions.make_token(backend, asks(backend, "ada"), "script", EVERY_SCOPE, None)


@pytest.mark.usefixtures("ada")
def test_changing_ones_own_password_leaves_the_tokens_and_tells_how_many(backend):
    secrets = [sessions.make_token(backend, asks(backend, "ada"), "script", EVERY_SCOPE, days)[1] for days in (1, 30)]
    let_pass(backend.database, timedelta(days=2))

    assert accounts.change_password(backend, asks(backend, "ada"), None, PASSWORD, OTHER) == 1
    assert sessions.identify_token(backend, secrets[1], address=HERE)


def test_a_password_set_anew_by_a_link_or_in_the_shell_ends_every_token(backend, ada):
    def make() -> str:
        return sessions.make_token(backend, asks(backend, "ada"), "script", EVERY_SCOPE, None)[1]

    one, two = make(), make()
    assert accounts.set_password(backend, OWNER, ada.id, OTHER) == 2
    assert log(backend)[-1] == ("owner", "token revoked", "all")
    three = make()
    welcomes.use_welcome(backend, accounts.password_link(backend, OWNER, ada.id), "", PASSWORD, address=HERE)
    assert log(backend)[-1] == ("ada", "token revoked", "all")

    assert [sessions.identify_token(backend, secret, address=HERE) for secret in (one, two, three)] == [None] * 3


# ---- Single sign-on


def by_oidc(backend, subject: str, email: str | None):
    """Log in as somebody whom a provider vouches for, at a server that makes accounts."""
    return logins.log_in_by_oidc(
        backend, ISSUER + subject, "vic", email, may_create=True, address=HERE, browser="Firefox"
    )


@pytest.mark.usefixtures("ada")
def test_whoever_was_deactivated_gets_no_second_account_by_single_sign_on(backend):
    vic = accounts.add_person(backend, OWNER, "vic", email="vic@example.org")
    accounts.deactivate(backend, OWNER, vic.id)

    with pytest.raises(NotLoggedIn):
        by_oidc(backend, "1", "Vic@example.org")

    assert [person.name for person in accounts.list_people(backend, OWNER)] == ["ada", "vic"]


@pytest.mark.usefixtures("ada")
def test_whoever_is_known_under_another_subject_gets_no_second_account(backend):
    assert by_oidc(backend, "1", "vic@example.org").person.name == "vic"

    with pytest.raises(NotLoggedIn):
        by_oidc(backend, "2", "vic@example.org")

    assert by_oidc(backend, "3", "bob@example.org").person.name == "vic-2"
    assert by_oidc(backend, "4", None).person.name == "vic-3"


@pytest.mark.usefixtures("ada")
def test_an_account_that_is_linked_to_single_sign_on_is_in_the_log_once(backend):
    accounts.add_person(backend, OWNER, "vic", email="vic@example.org")
    for _ in range(2):
        by_oidc(backend, "1", "vic@example.org")

    assert log(backend).count(("vic", "account linked to single sign-on", "vic")) == 1


# ---- Guesses


def wait_for(backend, name: str, address: str) -> None:
    with pytest.raises(TooManyAttempts):
        log_in(backend, name, PASSWORD, address)


def fail_from_everywhere(backend, person) -> None:
    for number in range(throttle.FREE_TRIES_OF_NAME):
        throttle.count_try(backend, person.name, f"198.51.100.{number}", person)


def test_a_name_that_many_places_guess_waits_nowhere_where_the_person_is_logged_in(backend, ada):
    log_in(backend, "ada", address="2001:db8:0:1::5")
    session = log_in(backend, "ada", address="192.0.2.7")
    fail_from_everywhere(backend, ada)

    wait_for(backend, "ada", "203.0.113.1")
    assert is_open(backend, log_in(backend, "ada", address="2001:db8:0:1::77"))  # of the same network
    assert is_open(backend, log_in(backend, "ada", address="192.0.2.7"))
    sessions.end_other_sessions(backend, asks(backend, "ada"), None)
    assert not is_open(backend, session)
    wait_for(backend, "ada", "192.0.2.7")


@pytest.mark.usefixtures("ada")
def test_where_the_person_is_logged_in_five_guesses_are_too_many_all_the_same(backend):
    log_in(backend, "ada")
    for _ in range(throttle.FREE_TRIES):
        with pytest.raises(NotLoggedIn):
            log_in(backend, "ada", "a wrong password")
    wait_for(backend, "ada", HERE)


@pytest.mark.usefixtures("ada")
def test_having_to_wait_is_in_the_log_once_for_a_name_and_place(backend):
    slowed = ("nobody", "login slowed down")
    for name in ("ada", "my secret password"):
        for _ in range(throttle.FREE_TRIES):
            with pytest.raises(NotLoggedIn):
                log_in(backend, name, "a wrong password")
        for _ in range(3):
            wait_for(backend, name, HERE)

    told = [entry for entry in log(backend) if entry[:2] == slowed]
    assert told == [(*slowed, "ada"), (*slowed, "a name that nobody has")]


@pytest.mark.usefixtures("ada")
def test_a_wrong_present_password_is_in_the_log(backend):
    with pytest.raises(InvalidQuery):
        accounts.change_password(backend, asks(backend, "ada", address=HERE), None, "a wrong password", OTHER)
    assert log(backend)[-1] == ("ada", "wrong current password", "ada")


# ---- Who owns what came before


def test_what_administrators_and_the_first_account_are_given_is_in_the_log(backend, house):
    accounts.add_person(backend, OWNER, "ada")
    accounts.add_person(backend, OWNER, "bea", administrator=True)
    with backend.database.write() as connection:
        ensure_library(connection, "attic")

    assert house.log("main") == [("owner", "member added", "ada")]
    assert house.log("attic") == [
        ("owner", "library made", "attic"),
        ("owner", "member added", "ada"),
        ("owner", "member added", "bea"),
    ]


def test_a_name_that_was_good_before_names_had_one_alphabet_is_found_all_the_same(backend, ada):
    with backend.database.write() as connection:
        records_people.change(connection, ada.id, name="ad\u0430")
        assert records_libraries.role_in(connection, "main", ada.id) is Role.OWNER
    assert accounts.find_person(backend, OWNER, "ad\u0430").id == ada.id
    assert log_in(backend, "AD\u0410").person.id == ada.id
