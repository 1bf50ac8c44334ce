"""What somebody may not do is not offered to them, and who is not logged in is shown nothing but the door."""

import pytest

from tests.web.every_page import every_page
from tests.web.markup import Markup
from tests.web.samples_people import LINK, TOKEN
from tests.web.test_templates import html_of

BARE = [name for name, (_, value) in every_page().items() if value.shell.bare]  # type: ignore[attr-defined]


def markup_of(name: str) -> Markup:
    return Markup(html_of(name))


def actions(markup: Markup) -> set[str]:
    return {e.attributes["action"] for e in markup.all("form") if e.attributes.get("method") == "post"}


def links(markup: Markup) -> set[str]:
    return {e.attributes["href"] for e in markup.all("a")}


@pytest.mark.parametrize("name", BARE)
def test_the_door_offers_nothing_that_only_members_can_use(name: str) -> None:
    markup = markup_of(name)
    assert markup.all("nav", "footer", "dialog") == []
    assert {"/search", "/upload", "/selection", "/logout"} & actions(markup) == set()
    assert {"/upload", "/status", "/trash", "/libraries"} & links(markup) == set()


def test_the_menu_leads_to_what_the_person_may_do() -> None:
    keeper, member = markup_of("people-full"), markup_of("account-full")
    assert {"/libraries", "/account", "/people", "/audit"} <= links(keeper)
    assert {"/people", "/audit"} & links(member) == set()
    assert "/logout" in actions(keeper) & actions(member)


def test_without_accounts_there_is_nobody_to_log_out() -> None:
    markup = markup_of("search-all")
    assert "/logout" not in actions(markup)
    assert "/libraries" in links(markup)


def test_who_may_only_look_is_offered_no_change() -> None:
    assert actions(markup_of("image-looker")) == {"/search", "/logout", "/language"}
    assert actions(markup_of("status-looker")) == {"/search", "/logout", "/language"}
    offered = {e.attributes["value"] for e in markup_of("search-looker").all("button") if "value" in e.attributes}
    assert {"delete", "tag"} & offered == set()
    assert "zip" in offered


def test_who_may_add_nothing_is_told_so_in_the_place_of_the_drop_zone() -> None:
    for name in ("upload-looker", "search-looker-empty"):
        markup = markup_of(name)
        assert "/upload" not in actions(markup)
        assert "You may look at pictures, but not add any" in [e.text for e in markup.all("h2")]
        assert [e for e in markup.elements if e.attributes.get("data-drop") == "upload"] == []


def test_captions_and_tags_are_read_by_who_may_not_edit_them() -> None:
    markup = markup_of("image-looker")
    assert "harbor" in [e.text for e in markup.all("a")]
    assert markup.all("textarea") == []


def test_the_library_to_add_to_is_chosen_where_there_are_several() -> None:
    chosen = [e.text for e in markup_of("upload-choice").all("option") if "selected" in e.attributes]
    assert chosen == ["w" * 64]
    assert [e for e in markup_of("upload-seven").all("select") if e.attributes.get("name") == "library"] == []


def test_only_owners_are_offered_to_purge() -> None:
    offered = {e.attributes.get("value") for e in markup_of("trash-member").all("button")}
    assert "restore" in offered
    assert "purge" not in offered
    assert "purge" in {e.attributes.get("value") for e in markup_of("trash").all("button")}


def test_who_manages_nothing_sees_members_but_no_form() -> None:
    assert {a for a in actions(markup_of("library-viewer")) if a.startswith("/libraries")} == {"/libraries/018f/leave"}


def test_the_last_owner_can_neither_be_demoted_nor_removed() -> None:
    mine = {a for a in actions(markup_of("library-owner")) if "/members/p1/" in a}
    assert mine == set()


def test_deleting_a_library_needs_a_yes_of_its_own() -> None:
    markup = markup_of("library-owner")
    form = next(e for e in markup.all("form") if e.attributes["action"].endswith("/delete"))
    boxes = [e for e in markup.all("input") if form in e.inside and e.attributes.get("type") == "checkbox"]
    assert [("required" in e.attributes, e.attributes["name"]) for e in boxes] == [(True, "confirmed")]


def test_without_accounts_a_library_has_no_members_to_show() -> None:
    markup = markup_of("library-alone")
    assert {a for a in actions(markup) if a.startswith("/libraries")} == {
        "/libraries/018f/rename",
        "/libraries/018f/delete",
    }


@pytest.mark.parametrize(
    ("name", "secret"), [("account-new-token", TOKEN), ("people-new-link", LINK), ("library-new-link", LINK)]
)
def test_what_is_shown_once_can_be_read_and_copied_but_is_in_no_address(name: str, secret: str) -> None:
    markup = markup_of(name)
    assert secret in [e.text for e in markup.all("code")]
    assert secret in [e.attributes.get("data-copy") for e in markup.all("button")]
    addresses = [e.attributes.get(where, "") for e in markup.elements for where in ("href", "action", "src")]
    assert [address for address in addresses if secret in address] == []


def test_a_fixed_name_is_sent_but_cannot_be_changed() -> None:
    names = [e.attributes for e in markup_of("welcome-password").all("input") if e.attributes.get("name") == "name"]
    assert [("readonly" in e, e["value"]) for e in names] == [(True, "w" * 64)]


def test_passwords_are_told_apart_for_those_who_keep_them() -> None:
    kinds = {
        e.attributes["name"]: e.attributes["autocomplete"]
        for e in markup_of("account-full").all("input")
        if e.attributes.get("type") == "password"
    }
    assert kinds == {"current": "current-password", "password": "new-password", "again": "new-password"}


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("login-wrong", "login-password"),
        ("account-problems", "current-password"),
        ("people-problem", "person-name"),
        ("libraries-problem", "library-name"),
    ],
)
def test_a_form_that_was_refused_is_gone_to_at_once(name: str, field: str) -> None:
    focused = [e.attributes["id"] for e in markup_of(name).all("input") if "autofocus" in e.attributes]
    assert focused[0] == field


def test_who_has_no_password_is_not_asked_for_it() -> None:
    names = [e.attributes.get("name") for e in markup_of("account-empty").all("input")]
    assert "current" not in names
    assert "again" in names


def test_who_sets_their_first_password_is_not_warned_of_a_change() -> None:
    sentence = "Changing it logs out all other browsers."
    assert [sentence in html_of(name) for name in ("account-full", "account-empty")] == [True, False]


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("welcome-first", "welcome-name"),
        ("invitation-stranger-account", "account-name"),
        ("people-full", "person-name"),
        ("people-problem", "person-name"),
        ("library-owner", "member-name"),
    ],
)
def test_what_a_name_may_have_is_said_at_its_field(name: str, field: str) -> None:
    markup = markup_of(name)
    (described,) = [e.attributes["aria-describedby"] for e in markup.all("input") if e.attributes.get("id") == field]
    hints = {e.attributes["id"]: e.text for e in markup.all("p") if "id" in e.attributes}
    assert "Letters, digits and . _ - @ +" in hints[described.split()[-1]]


def test_a_name_that_cannot_be_chosen_has_no_hint() -> None:
    assert "shown in small letters" not in html_of("welcome-password")


def test_an_invitation_says_as_what() -> None:
    html = html_of("invitation-member")
    assert "to this library as <strong>a viewer</strong>." in html
    assert "You are already in it, as a moderator." in html


def test_only_owners_are_promised_to_manage() -> None:
    links = [e for e in markup_of("libraries-full").all("a") if e.attributes["href"] == "/libraries/018f"]
    assert [e.text for e in links][:2] == ["Manage", "Details"]
