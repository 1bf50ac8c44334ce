"""Who is in a library: added, given other roles, removed, leaving, and invited with a link that works once."""

from datetime import UTC, datetime, timedelta

import pytest
from house import House

from pipeline import libraries, members
from pipeline.errors import Conflict, LibraryNotFound, LikenessError, LinkNotFound, NotAllowed, PersonNotFound
from pipeline.passwords import hash_secret
from pipeline.principals import NOBODY, OWNER, Role, Scope
from pipeline.stores import records_people
from pipeline.stores.records_people import LinkKind
from pipeline.stores.tables_people import links

pytestmark = pytest.mark.on_both_databases

WITHOUT_MANAGE = frozenset(Scope) - {Scope.MANAGE}


@pytest.fixture
def house(backend) -> House:
    return House(backend)


@pytest.fixture
def family(house) -> str:
    """A library of Ann with a member in every role; Zoe has one of her own and knows nothing of it."""
    house.library("zoo", zoe=Role.OWNER)
    return house.library("family", ann=Role.OWNER, mia=Role.MODERATOR, uli=Role.UPLOADER, vic=Role.VIEWER)


@pytest.fixture
def ids(backend, family) -> dict[str, str]:
    """The id of every person by name."""
    assert family
    with backend.database.read() as connection:
        return {person.name: person.id for person in records_people.list_all(connection)}


def listed(backend, principal, library: str) -> list[tuple[str, Role]]:
    return [(member.name, member.role) for member in members.list_members(backend, principal, library)]


EVERY_CALL = [
    pytest.param(lambda *who: members.add(*who, "zoe", Role.VIEWER), id="add"),
    pytest.param(lambda *who: members.grant(*who, "zoe", Role.VIEWER), id="grant"),
    pytest.param(lambda *who: members.change_role(*who, "somebody", Role.VIEWER), id="change role"),
    pytest.param(lambda *who: members.remove(*who, "somebody"), id="remove"),
    pytest.param(lambda *who: members.remove_by_name(*who, "ann"), id="remove by name"),
    pytest.param(lambda *who: members.invite(*who, Role.VIEWER), id="invite"),
    pytest.param(members.list_invitations, id="list invitations"),
    pytest.param(lambda *who: members.revoke(*who, "some link"), id="revoke"),
]


@pytest.mark.parametrize("call", [*EVERY_CALL, members.list_members, members.leave])
def test_the_members_of_others_are_answered_as_those_of_no_library(backend, house, family, call):
    def answer(name: str) -> tuple[type, str]:
        with pytest.raises(LikenessError) as caught:
            call(backend, house.asks("zoe"), name)
        return type(caught.value), str(caught.value)

    assert answer(family) == answer("family") == answer("nothing-here")
    assert answer(family)[0] is LibraryNotFound


@pytest.mark.parametrize("call", EVERY_CALL)
@pytest.mark.parametrize("name", ["mia", "uli", "vic"])
def test_only_owners_look_after_members(backend, house, family, name, call):
    with pytest.raises(NotAllowed, match="Only the owners of “family” may do this"):
        call(backend, house.asks(name), family)


@pytest.mark.parametrize("call", [*EVERY_CALL, members.leave])
def test_a_token_looks_after_members_only_with_its_scope(backend, house, family, call):
    with pytest.raises(NotAllowed, match="It would need the scope “manage”"):
        call(backend, house.asks("ann", WITHOUT_MANAGE), family)


# ---- Listed


def test_owners_and_moderators_see_all_members_and_the_others_the_owners_and_themselves(backend, house, family):
    everybody = [("ann", Role.OWNER), ("mia", Role.MODERATOR), ("uli", Role.UPLOADER), ("vic", Role.VIEWER)]

    assert listed(backend, house.asks("ann"), family) == everybody
    assert listed(backend, house.asks("mia"), family) == everybody
    assert listed(backend, OWNER, family) == everybody
    assert listed(backend, house.asks("uli"), family) == [everybody[0], everybody[2]]
    assert listed(backend, house.asks("vic"), family) == [everybody[0], everybody[3]]


# ---- Added, changed and removed


def test_somebody_with_an_account_is_added_by_name_and_is_in_with_the_next_request(backend, house, family):
    added = members.add(backend, house.asks("ann"), family, " Zoe ", Role.UPLOADER)

    assert (added.name, added.role) == ("zoe", Role.UPLOADER)
    assert house.asks("zoe").role_in(family) == Role.UPLOADER
    assert house.log(family) == [("ann", "member added", "zoe")]


def test_nobody_can_be_added_who_has_no_account_or_is_deactivated(backend, house, family):
    house.change("zoe", deactivated_at=datetime.now(UTC))

    for name in ("nobody", "zoe"):
        with pytest.raises(PersonNotFound, match=f"Nobody here is called “{name}”. An invitation link works"):
            members.add(backend, house.asks("ann"), family, name, Role.VIEWER)
    assert house.log() == []


def test_who_is_a_member_is_not_added_again(backend, house, family):
    with pytest.raises(Conflict, match="vic is a member of “family” already"):
        members.add(backend, house.asks("ann"), family, "vic", Role.MODERATOR)

    assert house.asks("vic").role_in(family) == Role.VIEWER


def test_a_role_counts_from_the_moment_it_is_given(backend, house, family, ids):
    changed = members.change_role(backend, house.asks("ann"), family, ids["vic"], Role.MODERATOR)

    assert changed.role == house.asks("vic").role_in(family) == Role.MODERATOR
    assert house.log(family) == [("ann", "role changed", "vic")]


def test_giving_the_same_role_again_changes_and_records_nothing(backend, house, family, ids):
    assert members.change_role(backend, house.asks("ann"), family, ids["ann"], Role.OWNER).role == Role.OWNER
    assert house.log() == []


def test_a_removed_member_sees_nothing_of_the_library_any_more(backend, house, family, ids):
    members.remove(backend, house.asks("ann"), family, ids["vic"])

    with pytest.raises(LibraryNotFound):
        libraries.describe_library(backend, house.asks("vic"), family)
    assert house.log(family) == [("ann", "member removed", "vic")]


def test_who_is_no_member_can_be_neither_changed_nor_removed(backend, house, family, ids):
    for person_id in (ids["zoe"], "nobody"):
        with pytest.raises(PersonNotFound):
            members.remove(backend, house.asks("ann"), family, person_id)
        with pytest.raises(PersonNotFound):
            members.change_role(backend, house.asks("ann"), family, person_id, Role.OWNER)
    with pytest.raises(PersonNotFound):
        members.remove_by_name(backend, house.asks("ann"), family, "zoe")


def test_the_shell_gives_any_role_to_anybody(backend, house, family):
    assert members.grant(backend, OWNER, "family", "zoe", Role.VIEWER).role == Role.VIEWER
    assert members.grant(backend, OWNER, "family", "zoe", Role.OWNER).role == Role.OWNER
    assert members.remove_by_name(backend, OWNER, "family", "Zoe").name == "zoe"
    assert house.asks("zoe").role_in(family) is None
    assert [action for _, action, _ in house.log(family)] == ["member added", "role changed", "member removed"]


@pytest.mark.parametrize("name", ["mia", "uli", "vic"])
def test_everybody_may_leave(backend, house, family, name):
    members.leave(backend, house.asks(name), "family")

    assert house.asks(name).roles == {}
    assert house.log(family) == [(name, "member left", name)]


# ---- The last owner


LAST_OWNER_CALLS = [
    pytest.param(members.leave, id="leave"),
    pytest.param(lambda backend, ann, library: members.remove(backend, ann, library, ann.person_id), id="remove"),
    pytest.param(
        lambda backend, ann, library: members.change_role(backend, ann, library, ann.person_id, Role.MODERATOR),
        id="become less",
    ),
]


@pytest.mark.parametrize("call", LAST_OWNER_CALLS)
def test_the_last_owner_stays_one(backend, house, family, call):
    with pytest.raises(Conflict, match="“family” needs an owner, and ann is the last one"):
        call(backend, house.asks("ann"), family)

    assert house.asks("ann").role_in(family) == Role.OWNER
    assert house.log() == []


@pytest.mark.parametrize("call", LAST_OWNER_CALLS)
def test_a_deactivated_owner_does_not_count(backend, house, family, ids, call):
    members.change_role(backend, house.asks("ann"), family, ids["mia"], Role.OWNER)
    house.change("mia", deactivated_at=datetime.now(UTC))

    with pytest.raises(Conflict, match="ann is the last one"):
        call(backend, house.asks("ann"), family)
    members.remove(backend, house.asks("ann"), family, ids["mia"])


@pytest.mark.parametrize("call", LAST_OWNER_CALLS)
def test_one_of_two_owners_may_go(backend, house, family, ids, call):
    members.change_role(backend, house.asks("ann"), family, ids["mia"], Role.OWNER)

    call(backend, house.asks("ann"), family)

    assert house.asks("ann").role_in(family) != Role.OWNER
    assert house.asks("mia").role_in(family) == Role.OWNER


def test_of_two_owners_who_remove_each_other_one_stays(backend, house, family, ids):
    members.change_role(backend, house.asks("ann"), family, ids["mia"], Role.OWNER)
    ann, mia = house.asks("ann"), house.asks("mia")  # both read before either acts

    members.remove(backend, ann, family, ids["mia"])
    with pytest.raises(LibraryNotFound):
        members.remove(backend, mia, family, ids["ann"])


# ---- Invited


def test_an_invitation_makes_a_member_once(backend, house, family):
    house.add("bob")
    secret = members.invite(backend, house.asks("ann"), family, Role.UPLOADER)

    offered = members.read_invitation(backend, secret)
    assert (offered.library_name, offered.role, offered.inviter) == ("family", Role.UPLOADER, "ann")
    assert not offered.may_make_account
    members.accept_invitation(backend, house.asks("zoe"), secret)

    assert house.asks("zoe").role_in(family) == Role.UPLOADER
    for again in ("zoe", "bob"):
        with pytest.raises(LinkNotFound):
            members.accept_invitation(backend, house.asks(again), secret)
    with pytest.raises(LinkNotFound):
        members.read_invitation(backend, secret)
    assert house.asks("bob").roles == {}
    assert house.log(family) == [("ann", "invitation made", "uploader"), ("zoe", "member added", "zoe")]


def test_the_secret_of_an_invitation_is_kept_as_a_hash_alone(backend, house, family):
    secret = members.invite(backend, house.asks("ann"), family, Role.VIEWER)

    with backend.database.read() as connection:
        (kept,) = connection.execute(links.select()).mappings()
    assert len(secret) >= 43
    assert kept["secret_hash"] == hash_secret(secret)
    assert secret not in map(str, kept.values())
    until = kept["expires_at"] - kept["created_at"]
    assert timedelta(days=6, hours=23) < until <= timedelta(days=7)


def test_an_unknown_secret_and_a_link_of_another_kind_invite_to_nothing(backend, house, ids):
    soon = datetime.now(UTC) + timedelta(hours=1)
    with backend.database.write() as connection:
        records_people.add_link(
            connection, hash_secret("for a password"), LinkKind.PASSWORD, soon, person_id=ids["vic"]
        )

    for secret in ("nothing", "for a password", ""):
        with pytest.raises(LinkNotFound):
            members.read_invitation(backend, secret)
        with pytest.raises(LinkNotFound):
            members.accept_invitation(backend, house.asks("zoe"), secret)
    with backend.database.read() as connection:
        assert records_people.find_link(connection, hash_secret("for a password"))


def refused(backend, house, secret: str) -> None:
    """Check that Zoe gets nowhere with a link."""
    with pytest.raises(LinkNotFound, match="was used already, has expired, or never was one"):
        members.read_invitation(backend, secret)
    with pytest.raises(LinkNotFound, match="was used already, has expired, or never was one"):
        members.accept_invitation(backend, house.asks("zoe"), secret)
    assert list(house.asks("zoe").roles.values()) == [Role.OWNER]  # of her own


def test_an_expired_invitation_is_worth_nothing(backend, house, family):
    secret = members.invite(backend, house.asks("ann"), family, Role.OWNER)
    with backend.database.write() as connection:
        connection.execute(links.update().values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))

    refused(backend, house, secret)
    assert members.list_invitations(backend, house.asks("ann"), family) == []


def test_a_revoked_invitation_is_worth_nothing(backend, house, family):
    secret = members.invite(backend, house.asks("ann"), family, Role.OWNER)
    (invitation,) = members.list_invitations(backend, house.asks("ann"), family)

    members.revoke(backend, house.asks("ann"), family, invitation.link_id)

    refused(backend, house, secret)
    with pytest.raises(LinkNotFound):
        members.revoke(backend, house.asks("ann"), family, invitation.link_id)
    assert house.log(family)[-1] == ("ann", "invitation revoked", "owner")


def test_an_invitation_into_another_library_cannot_be_revoked(backend, house, family):
    members.invite(backend, house.asks("ann"), family, Role.VIEWER)
    (invitation,) = members.list_invitations(backend, house.asks("ann"), family)

    with pytest.raises(LinkNotFound):
        members.revoke(backend, house.asks("zoe"), "zoo", invitation.link_id)
    assert members.list_invitations(backend, house.asks("ann"), family) == [invitation]


@pytest.mark.parametrize("role", [Role.MODERATOR, None])
def test_an_invitation_ends_with_the_ownership_of_whoever_made_it(backend, house, family, ids, role):
    members.change_role(backend, house.asks("ann"), family, ids["mia"], Role.OWNER)
    secret = members.invite(backend, house.asks("mia"), family, Role.VIEWER)
    if role:
        members.change_role(backend, house.asks("ann"), family, ids["mia"], role)
    else:
        members.remove(backend, house.asks("ann"), family, ids["mia"])

    refused(backend, house, secret)
    assert members.list_invitations(backend, house.asks("ann"), family) == []


def test_an_invitation_ends_when_whoever_made_it_is_deactivated(backend, house, family):
    secret = members.invite(backend, house.asks("ann"), family, Role.VIEWER)
    house.change("ann", deactivated_at=datetime.now(UTC))

    refused(backend, house, secret)


def test_an_invitation_into_a_deleted_library_works_again_when_it_is_restored(backend, house, family):
    secret = members.invite(backend, house.asks("ann"), family, Role.VIEWER)
    libraries.delete(backend, house.asks("ann"), family)
    refused(backend, house, secret)

    libraries.restore(backend, house.asks("ann"), family)

    members.accept_invitation(backend, house.asks("zoe"), secret)
    assert house.asks("zoe").role_in(family) == Role.VIEWER


def test_a_member_keeps_the_higher_role_and_the_link_stays_for_another(backend, house, family):
    secret = members.invite(backend, house.asks("ann"), family, Role.UPLOADER)

    members.accept_invitation(backend, house.asks("mia"), secret)
    assert house.asks("mia").role_in(family) == Role.MODERATOR
    members.accept_invitation(backend, house.asks("vic"), secret)
    assert house.asks("vic").role_in(family) == Role.UPLOADER
    with pytest.raises(LinkNotFound):
        members.accept_invitation(backend, house.asks("zoe"), secret)
    assert house.log(family)[1:] == [("vic", "role changed", "vic")]


@pytest.mark.parametrize("principal", [OWNER, NOBODY])
def test_only_somebody_with_an_account_accepts(backend, house, family, principal):
    secret = members.invite(backend, house.asks("ann"), family, Role.UPLOADER)

    with pytest.raises(NotAllowed):
        members.accept_invitation(backend, principal, secret)
    with pytest.raises(NotAllowed):
        members.accept_invitation(backend, house.asks("zoe", WITHOUT_MANAGE), secret)
    assert members.read_invitation(backend, secret).role == Role.UPLOADER


def test_the_invitation_of_an_administrator_or_of_the_machine_lets_an_account_be_made(backend, house, family):
    house.change("ann", administrator=True)

    by_ann = members.invite(backend, house.asks("ann"), family, Role.VIEWER)
    by_machine = members.invite(backend, OWNER, family, Role.VIEWER)

    assert members.read_invitation(backend, by_ann).may_make_account
    assert members.read_invitation(backend, by_machine).may_make_account
    assert members.read_invitation(backend, by_machine).inviter == ""
    house.change("ann", administrator=False)
    assert not members.read_invitation(backend, by_ann).may_make_account


def test_open_invitations_are_listed_newest_first_with_who_made_them(backend, house, family):
    for principal, role in ((house.asks("ann"), Role.VIEWER), (OWNER, Role.OWNER)):
        members.invite(backend, principal, family, role)

    found = members.list_invitations(backend, house.asks("ann"), family)

    assert [(invitation.role, invitation.inviter) for invitation in found] == [(Role.OWNER, ""), (Role.VIEWER, "ann")]
