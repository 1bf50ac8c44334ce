"""Accounts: the first one, links that work once, what administrators do, and what people do for themselves."""

from datetime import timedelta

import pytest
from house import ensure_library
from people_clock import let_pass
from signing_in import HERE, PASSWORD, asks, at_once, is_open, log, log_in

from pipeline import account_names, accounts, members, sessions, welcomes
from pipeline.errors import (
    Conflict,
    InvalidQuery,
    LinkNotFound,
    NotAllowed,
    NotLoggedIn,
    PersonNotFound,
    TooManyAttempts,
)
from pipeline.principals import EVERY_SCOPE, OWNER, Role
from pipeline.stores import records_audit, records_libraries, records_people

pytestmark = pytest.mark.on_both_databases

OTHER = "staple of a longer kind"


@pytest.fixture
def ada(backend):
    """The first account."""
    return accounts.add_person(backend, OWNER, "ada", password=PASSWORD)


@pytest.fixture
def bea(backend, ada):
    return accounts.add_person(backend, asks(backend, ada.name), "bea", password=PASSWORD)


# ---- The first account


def test_without_a_person_nobody_has_to_log_in_and_with_the_first_one_everybody_has(backend):
    assert not accounts.are_active(backend)
    accounts.add_person(backend, OWNER, "ada")
    assert accounts.are_active(backend)


def test_the_first_account_administrates_and_owns_every_library_that_nobody_owned(backend):
    with backend.database.write() as connection:
        for name in ("main", "imports"):
            ensure_library(connection, name)
    secret = welcomes.first_run_secret(backend)
    ada = welcomes.use_welcome(backend, secret, "Ada", PASSWORD, address=HERE)
    accounts.add_person(backend, asks(backend, "ada"), "bea")
    assert ada.administrator
    assert asks(backend, "ada").roles == {"main": Role.OWNER, "imports": Role.OWNER}
    assert not asks(backend, "bea").administrator
    assert asks(backend, "bea").roles == {}
    made = [("owner", "library made", "imports")]
    owns = [("ada", "member added", "ada")] * 2
    assert log(backend)[:5] == [*made, ("ada", "person added", "ada"), *owns, ("ada", "password changed", "ada")]


def test_the_deeds_of_the_first_run_are_those_of_the_person_and_not_of_the_machine(backend):
    person = welcomes.use_welcome(backend, welcomes.first_run_secret(backend), "ADA", PASSWORD, address=HERE)
    with backend.database.read() as connection:
        entries = records_audit.entries(connection, None, limit=9)
    assert {(entry.actor_id, entry.actor, entry.address) for entry in entries} == {(person.id, "ada", HERE)}


def test_a_link_of_the_first_run_works_once(backend):
    secret = welcomes.first_run_secret(backend)
    welcomes.use_welcome(backend, secret, "ada", PASSWORD, address=HERE)
    with pytest.raises(LinkNotFound):
        welcomes.use_welcome(backend, secret, "bea", PASSWORD, address=HERE)
    with pytest.raises(LinkNotFound):
        welcomes.read_welcome(backend, secret)
    assert welcomes.first_run_secret(backend) is None


def test_a_newer_link_of_the_first_run_ends_the_older(backend):
    older, newer = welcomes.first_run_secret(backend), welcomes.first_run_secret(backend)
    with pytest.raises(LinkNotFound):
        welcomes.use_welcome(backend, older, "ada", PASSWORD, address=HERE)
    assert welcomes.use_welcome(backend, newer, "ada", PASSWORD, address=HERE).administrator


def test_a_link_of_the_first_run_is_worth_nothing_once_the_shell_has_made_an_account(backend):
    secret = welcomes.first_run_secret(backend)
    accounts.add_person(backend, OWNER, "ada", password=PASSWORD)
    for use in (
        lambda: welcomes.read_welcome(backend, secret),
        lambda: welcomes.use_welcome(backend, secret, "eve", PASSWORD, address=HERE),
    ):
        with pytest.raises(LinkNotFound):
            use()


def test_two_who_use_the_same_link_at_the_same_moment_make_one_account(backend):
    secret = welcomes.first_run_secret(backend)
    answers = at_once(
        lambda: welcomes.use_welcome(backend, secret, "ada", PASSWORD, address=HERE),
        lambda: welcomes.use_welcome(backend, secret, "eve", PASSWORD, address=HERE),
    )
    assert sorted(isinstance(answer, LinkNotFound) for answer in answers) == [False, True]
    assert len(accounts.list_people(backend, OWNER)) == 1


def test_two_who_set_a_password_by_the_same_link_at_the_same_moment_leave_one_password(backend, ada):
    secret = accounts.password_link(backend, asks(backend, "ada"), ada.id)
    words = ("the first password", "the second password")
    answers = at_once(
        *(lambda word=word: welcomes.use_welcome(backend, secret, "", word, address=HERE) for word in words)
    )
    assert sum(isinstance(answer, LinkNotFound) for answer in answers) == 1
    winner = words[0] if isinstance(answers[1], LinkNotFound) else words[1]
    assert log_in(backend, "ada", winner).person.id == ada.id


# ---- Links


def test_a_mistake_in_the_form_does_not_use_the_link_up(backend):
    secret = welcomes.first_run_secret(backend)
    for name, password in (("ada", "short"), ("no spaces please", PASSWORD), ("", PASSWORD)):
        with pytest.raises(InvalidQuery):
            welcomes.use_welcome(backend, secret, name, password, address=HERE)
    assert welcomes.use_welcome(backend, secret, "ada", PASSWORD, address=HERE).name == "ada"


@pytest.mark.parametrize(("kind", "time"), [("first", timedelta(hours=24)), ("password", timedelta(days=7))])
def test_a_link_whose_time_is_over_opens_nothing(backend, kind, time):
    if kind == "first":
        secret = welcomes.first_run_secret(backend)
    else:
        person = accounts.add_person(backend, OWNER, "ada")
        secret = accounts.password_link(backend, OWNER, person.id)
    let_pass(backend.database, time - timedelta(minutes=1))
    assert welcomes.read_welcome(backend, secret).name == ("" if kind == "first" else "ada")
    let_pass(backend.database, timedelta(minutes=1))
    with pytest.raises(LinkNotFound):
        welcomes.use_welcome(backend, secret, "ada", PASSWORD, address=HERE)


@pytest.mark.parametrize("secret", ["", "x", "\ud800", "x" * 5000])
def test_what_never_was_a_link_is_answered_like_a_used_one(backend, secret):
    with pytest.raises(LinkNotFound, match="used, or its time is over"):
        welcomes.use_welcome(backend, secret, "ada", PASSWORD, address=HERE)


@pytest.mark.usefixtures("ada")
def test_an_invitation_makes_no_first_account_and_sets_no_password(backend):
    with pytest.raises(LinkNotFound):
        welcomes.use_welcome(backend, invitation(backend), "eve", PASSWORD, address=HERE)


def test_a_newer_password_link_ends_the_older_and_using_it_ends_every_session(backend, ada):
    session = log_in(backend, "ada")
    older = accounts.password_link(backend, asks(backend, "ada"), ada.id)
    newer = accounts.password_link(backend, asks(backend, "ada"), ada.id)
    with pytest.raises(LinkNotFound):
        welcomes.use_welcome(backend, older, "", OTHER, address=HERE)
    welcomes.use_welcome(backend, newer, "somebody else", OTHER, address=HERE)
    assert not is_open(backend, session)
    assert log_in(backend, "ada", OTHER).person.name == "ada"


def test_a_changed_password_ends_the_link_that_was_open(backend, ada):
    secret = accounts.password_link(backend, asks(backend, "ada"), ada.id)
    accounts.change_password(backend, asks(backend, "ada"), None, PASSWORD, OTHER)
    with pytest.raises(LinkNotFound):
        welcomes.read_welcome(backend, secret)


# ---- Names


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Ada ", "ada"),
        ("\uff21\uff44\uff41", "ada"),
        ("ﬁona", "fiona"),
        ("x" * 64, "x" * 64),
        ("a.b_c-d@e+f", "a.b_c-d@e+f"),
    ],
)
def test_a_name_is_kept_in_lower_case_and_in_its_plain_form(typed, kept):
    assert account_names.checked_name(typed) == kept
    assert account_names.checked_name(kept) == kept


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "x" * 65,
        "two words",
        "<script>alert(1)</script>",
        "a\u202eb",
        "a\u200bb",
        "a/b",
        "a\\b",
        "a\0b",
        "a\nb",
        "\ud800",
        "a\u0301\u0301",
    ],
)
def test_what_could_hide_or_break_something_is_no_name(backend, name):
    with pytest.raises(InvalidQuery):
        accounts.add_person(backend, OWNER, name)
    assert accounts.list_people(backend, OWNER) == []


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("typed", ["ada", "ADA", " Ada", "\uff41\uff44\uff41"])
def test_a_name_that_is_the_same_in_its_plain_form_is_taken(backend, typed):
    with pytest.raises(Conflict, match="ada is taken"):
        accounts.add_person(backend, asks(backend, "ada"), typed)


@pytest.mark.parametrize("name", ["\u0430da", "ad\u03b1", "paypa\u04cf", "ad\u0561", "ada\u0660x", "\ua4d0da", "ひ김"])
def test_a_name_that_mixes_alphabets_to_look_like_another_is_refused(name):
    with pytest.raises(InvalidQuery, match="one alphabet"):
        account_names.checked_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "анна",
        "σοφία",
        "太郎",
        "佐々木ひろし",
        "コーヒー",
        "김金",
        "李ㄇㄧㄥ",
        "अनिता",
        "הנרי",
        "فاطمه۱۲",
        "josé-maría.2",
        "anna1990",
    ],
)
def test_names_of_every_script_are_names(name):
    assert account_names.checked_name(name) == name


# ---- What administrators do


def test_nobody_but_an_administrator_looks_after_accounts(backend, ada, bea):
    who = asks(backend, "bea")
    for call in (
        lambda: accounts.add_person(backend, who, "eve"),
        lambda: accounts.list_people(backend, who),
        lambda: accounts.describe_people(backend, who),
        lambda: accounts.find_person(backend, who, "ada"),
        lambda: accounts.get_person(backend, who, ada.id),
        lambda: accounts.password_link(backend, who, ada.id),
        lambda: accounts.deactivate(backend, who, ada.id),
        lambda: accounts.activate(backend, who, ada.id),
        lambda: accounts.set_administrator(backend, who, bea.id, administrator=True),
        lambda: accounts.set_password(backend, who, bea.id, OTHER),
    ):
        before = log(backend)
        with pytest.raises(NotAllowed):
            call()
        assert log(backend) == before


@pytest.mark.usefixtures("ada")
def test_an_administrator_sets_no_password_for_another_person(backend, bea):
    with pytest.raises(NotAllowed, match="a link"):
        accounts.set_password(backend, asks(backend, "ada"), bea.id, OTHER)
    assert log_in(backend, "bea").person.id == bea.id


def test_the_last_administrator_can_neither_be_deactivated_nor_demoted(backend, ada, bea):
    for call in (
        lambda: accounts.deactivate(backend, asks(backend, "ada"), ada.id),
        lambda: accounts.set_administrator(backend, asks(backend, "ada"), ada.id, administrator=False),
        lambda: accounts.deactivate(backend, OWNER, ada.id),
    ):
        with pytest.raises(Conflict, match="last administrator"):
            call()
    accounts.set_administrator(backend, asks(backend, "ada"), bea.id, administrator=True)
    accounts.set_administrator(backend, asks(backend, "bea"), ada.id, administrator=False)
    with pytest.raises(Conflict):
        accounts.deactivate(backend, asks(backend, "bea"), bea.id)


def test_a_deactivated_administrator_does_not_count_as_one_that_is_left(backend, ada, bea):
    accounts.set_administrator(backend, asks(backend, "ada"), bea.id, administrator=True)
    accounts.deactivate(backend, asks(backend, "bea"), ada.id)
    with pytest.raises(Conflict):
        accounts.deactivate(backend, asks(backend, "bea"), bea.id)


def test_two_administrators_who_demote_each_other_at_the_same_moment_leave_one(backend, ada, bea):
    accounts.set_administrator(backend, asks(backend, "ada"), bea.id, administrator=True)
    one, two = asks(backend, "ada"), asks(backend, "bea")
    answers = at_once(
        lambda: accounts.set_administrator(backend, one, bea.id, administrator=False),
        lambda: accounts.set_administrator(backend, two, ada.id, administrator=False),
    )
    assert sum(isinstance(answer, NotAllowed) for answer in answers) == 1
    assert sum(person.administrator for person in accounts.list_people(backend, OWNER)) == 1


@pytest.mark.usefixtures("ada")
def test_who_is_deactivated_is_out_at_once_with_sessions_tokens_and_links(backend, bea):
    session = log_in(backend, "bea")
    _, token = sessions.make_token(backend, asks(backend, "bea"), "script", EVERY_SCOPE, None)
    link = accounts.password_link(backend, asks(backend, "ada"), bea.id)
    assert is_open(backend, session)
    accounts.deactivate(backend, asks(backend, "ada"), bea.id)
    assert not is_open(backend, session)
    assert sessions.identify_token(backend, token, address=HERE) is None
    with pytest.raises(NotLoggedIn):
        log_in(backend, "bea")
    with pytest.raises(LinkNotFound):
        welcomes.read_welcome(backend, link)
    with pytest.raises(Conflict, match="let them in again"):
        accounts.password_link(backend, asks(backend, "ada"), bea.id)


@pytest.mark.usefixtures("ada")
def test_who_is_let_in_again_logs_in_anew_and_has_tokens_as_before(backend, bea):
    session = log_in(backend, "bea")
    _, token = sessions.make_token(backend, asks(backend, "bea"), "script", EVERY_SCOPE, None)
    accounts.deactivate(backend, asks(backend, "ada"), bea.id)
    accounts.activate(backend, asks(backend, "ada"), bea.id)
    assert not is_open(backend, session)
    assert sessions.identify_token(backend, token, address=HERE).principal.person_id == bea.id
    assert is_open(backend, log_in(backend, "bea"))


@pytest.mark.usefixtures("ada")
def test_a_login_that_was_under_way_when_the_account_changed_begins_no_session(backend, bea):
    accounts.deactivate(backend, asks(backend, "ada"), bea.id)
    with pytest.raises(NotLoggedIn):
        sessions.begin(backend, bea, address=HERE, browser="", how="by password")
    accounts.activate(backend, asks(backend, "ada"), bea.id)
    accounts.set_password(backend, OWNER, bea.id, OTHER)
    with pytest.raises(NotLoggedIn):
        sessions.begin(backend, bea, address=HERE, browser="", how="by password")
    assert sessions.list_sessions(backend, asks(backend, "bea")) == []


@pytest.mark.usefixtures("ada")
def test_what_is_not_there_is_not_found(backend):
    for call in (
        lambda: accounts.find_person(backend, OWNER, "eve"),
        lambda: accounts.get_person(backend, OWNER, "no id"),
        lambda: accounts.deactivate(backend, OWNER, "no id"),
    ):
        with pytest.raises(PersonNotFound):
            call()


@pytest.mark.parametrize("email", ["", "nobody", "a@" + "b" * 300, "a@b\n.example", "a@\u202eb"])
def test_an_address_that_is_none_is_refused(backend, email):
    with pytest.raises(InvalidQuery, match="e-mail"):
        accounts.add_person(backend, OWNER, "ada", email=email)


def test_an_address_is_kept_as_single_sign_on_looks_for_it(backend):
    assert accounts.add_person(backend, OWNER, "ada", email=" Ada@Example.ORG ").email == "ada@example.org"


# ---- What people do for themselves


@pytest.mark.usefixtures("ada")
def test_a_new_password_ends_every_session_but_the_one_in_which_it_was_set(backend):
    this, other = log_in(backend, "ada"), log_in(backend, "ada")
    accounts.change_password(backend, asks(backend, "ada"), this.session_id, PASSWORD, OTHER)
    assert is_open(backend, this)
    assert not is_open(backend, other)
    with pytest.raises(NotLoggedIn):
        log_in(backend, "ada")
    assert is_open(backend, log_in(backend, "ada", OTHER))
    assert ("ada", "password changed", "ada") in log(backend)


@pytest.mark.usefixtures("ada")
def test_the_present_password_must_be_right_and_the_new_one_possible(backend):
    session = log_in(backend, "ada")
    for present, wanted in (("wrong", OTHER), ("", OTHER), (PASSWORD, "short"), (PASSWORD, "x" * 201)):
        with pytest.raises(InvalidQuery):
            accounts.change_password(backend, asks(backend, "ada"), session.session_id, present, wanted)
    assert is_open(backend, log_in(backend, "ada"))


@pytest.mark.usefixtures("ada")
def test_a_browser_that_was_left_alone_is_no_place_to_guess_the_password(backend):
    who = asks(backend, "ada", address=HERE)
    for _ in range(5):
        with pytest.raises(InvalidQuery):
            accounts.change_password(backend, who, None, "a wrong password", OTHER)
    with pytest.raises(TooManyAttempts):
        accounts.change_password(backend, who, None, PASSWORD, OTHER)
    let_pass(backend.database, timedelta(minutes=16))
    accounts.change_password(backend, who, None, PASSWORD, OTHER)


def test_whoever_has_no_password_cannot_change_one(backend):
    accounts.add_person(backend, OWNER, "ada")
    assert not accounts.has_password(backend, asks(backend, "ada"))
    with pytest.raises(InvalidQuery):
        accounts.change_password(backend, asks(backend, "ada"), None, "", OTHER)


# ---- Invited people


def invitation(backend, inviter="ada"):
    """Return the secret of an invitation into a library of the inviter."""
    with backend.database.write() as connection:
        library = records_libraries.make(connection, "family")
        person = records_people.by_name(connection, inviter)
        records_libraries.set_role(connection, library.id, person.id, Role.OWNER)
    return members.invite(backend, asks(backend, inviter), library.id, Role.VIEWER)


@pytest.mark.usefixtures("ada")
def test_whoever_an_administrator_invited_makes_an_account_that_administrates_nothing(backend):
    eve = welcomes.join_with_new_account(backend, invitation(backend), "Eve", PASSWORD, address=HERE)
    assert not eve.administrator
    assert list(asks(backend, "eve").roles.values()) == [Role.VIEWER]
    assert is_open(backend, log_in(backend, "eve"))


@pytest.mark.usefixtures("ada", "bea")
def test_an_invitation_of_anybody_else_makes_no_account(backend):
    with pytest.raises(NotAllowed):
        welcomes.join_with_new_account(backend, invitation(backend, "bea"), "eve", PASSWORD, address=HERE)
    assert [person.name for person in accounts.list_people(backend, OWNER)] == ["ada", "bea"]


@pytest.mark.usefixtures("ada")
def test_the_invitation_of_somebody_deactivated_is_worth_nothing(backend, bea):
    accounts.set_administrator(backend, OWNER, bea.id, administrator=True)
    secret = invitation(backend, "bea")
    accounts.deactivate(backend, asks(backend, "ada"), bea.id)
    with pytest.raises(LinkNotFound):
        welcomes.join_with_new_account(backend, secret, "eve", PASSWORD, address=HERE)


@pytest.mark.usefixtures("ada")
def test_a_name_that_is_taken_leaves_the_invitation_as_it_was(backend):
    secret = invitation(backend)
    with pytest.raises(Conflict):
        welcomes.join_with_new_account(backend, secret, "ada", PASSWORD, address=HERE)
    assert welcomes.join_with_new_account(backend, secret, "eve", PASSWORD, address=HERE).name == "eve"
    with pytest.raises(LinkNotFound):
        welcomes.join_with_new_account(backend, secret, "mallory", PASSWORD, address=HERE)
