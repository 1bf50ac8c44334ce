"""Values for the pages about people and libraries, and what members without rights see of the others."""

from dataclasses import replace

from tests.web.samples import (
    HOSTILE,
    RIGHT_TO_LEFT,
    SHELL,
    image,
    image_page,
    search_page,
    status_page,
    trash_page,
    upload_page,
)
from webapp import pages, pages_accounts, pages_libraries

LONG_NAME = "w" * 64
TOKEN = "likeness_" + "Zk3v9QxW" * 5 + "abc"
LINK = "https://pictures.example.org/invitations/" + "Zk3v9QxW" * 5 + "abc"

MEMBER = replace(SHELL, active="", csrf_token="csrf-1", person="ada", has_accounts=True)  # noqa: S106 - no secret
KEEPER = replace(MEMBER, person=LONG_NAME, may_administrate=True, may_read_audit=True)
LOOKER = replace(MEMBER, may_upload=False)
STRANGER = replace(SHELL, active="", has_accounts=True, bare=True)

UPLOADS = (("018f", "family"), ("018e", LONG_NAME), ("018d", HOSTILE))

FAMILY = pages_libraries.LibraryCard(
    "family", "owner", "1,204 pictures", "3 members", "/?library=018f", "/libraries/018f"
)
MEMBERS = (
    pages_libraries.MemberLine("p1", "ada", "owner", "Owner", "1 Nov 2026", is_me=True, may_change=False),
    pages_libraries.MemberLine("p2", LONG_NAME, "uploader", "Uploader", "23 Nov 2026"),
    pages_libraries.MemberLine("p3", HOSTILE, "viewer", "Viewer", "5 Nov 2026"),
)


def login_pages() -> dict[str, pages_accounts.LoginPage]:
    return {
        "plain": pages_accounts.LoginPage(STRANGER),
        "wrong": pages_accounts.LoginPage(
            STRANGER,
            name=HOSTILE,
            problem="This name and password do not belong together. Please try again.",
            next_url="/images/1?a=b&c",
            oidc_name=LONG_NAME,
            oidc_url="/oidc/start?next=%2F",
        ),
    }


def welcome_pages() -> dict[str, pages_accounts.WelcomePage]:
    return {
        "first": pages_accounts.WelcomePage(STRANGER, "first", "/welcome/abc"),
        "password": pages_accounts.WelcomePage(
            STRANGER,
            "password",
            "/welcome/abc",
            name=LONG_NAME,
            name_is_fixed=True,
            problem="The two passwords are not the same. Please type them again.",
        ),
    }


def account_page() -> pages_accounts.AccountPage:
    lines = (
        ("s1", "Firefox on Linux", "192.168.1.20", True),
        ("s2", HOSTILE, "2001:db8:85a3::8a2e:370:7334", False),
        ("s3", LONG_NAME, "10.0.0.7", False),
    )
    sessions = tuple(
        pages_accounts.SessionLine(id_, browser, address, "11 Nov 2026, 12:00", "21 Nov 2026, 22:42", this_one)
        for id_, browser, address, this_one in lines
    )
    tokens = (
        pages_accounts.TokenLine("t1", "backup", "read, upload", "1 Nov 2026", "30 Jan 2027", "never"),
        pages_accounts.TokenLine(
            "t2", LONG_NAME, "read", "1 May 2026", "1 Jun 2026", "2 May 2026, 12:00", expired=True
        ),
    )
    libraries = tuple(
        pages_accounts.LibraryLine(name, "/?library=018f", "owner") for name in ("family", LONG_NAME, HOSTILE)
    )
    return pages_accounts.AccountPage(replace(MEMBER, active="account"), "ada", sessions, tokens, libraries)


def account_pages() -> dict[str, pages_accounts.AccountPage]:
    full = account_page()
    new = pages_accounts.Secret(
        f"The token “{HOSTILE}”", TOKEN, "Keep it like a password. It works for 90 days.", "/account"
    )
    return {
        "full": full,
        "new-token": replace(full, new_token=new),
        "problems": replace(
            full,
            password_problem="The current password is not right. Please type it again.",  # noqa: S106 - a sentence
            token_problem="Please choose at least one thing that the token may do.",  # noqa: S106 - a sentence
            token_name=HOSTILE,
        ),
        "empty": replace(full, name=LONG_NAME, sessions=full.sessions[:1], tokens=(), libraries=(), has_password=False),
    }


def people_pages() -> dict[str, pages_accounts.PeoplePage]:
    ada = pages_accounts.PersonLine(
        "p1",
        "ada",
        "ada@example.org",
        administrator=True,
        active=True,
        made="21 Nov 2026",
        last_seen="21 Nov 2026, 22:42",
        libraries="3 libraries",
        is_me=True,
    )
    others = (
        replace(ada, id="p2", name=LONG_NAME, email="e" * 60 + "@example.org", is_me=False),
        replace(ada, id="p3", name=HOSTILE, email="", administrator=False, is_me=False, last_seen="never"),
        replace(ada, id="p4", name=RIGHT_TO_LEFT, email="", administrator=False, is_me=False, active=False),
    )
    full = pages_accounts.PeoplePage(replace(KEEPER, active="people"), (ada, *others), asks_email=True)
    link = pages_accounts.Secret(
        f"The link for {LONG_NAME}", LINK, "Give it to them; it works once, for 7 days.", "/people"
    )
    return {
        "full": full,
        "new-link": replace(full, people=(ada,), new_link=link, asks_email=False),
        "problem": replace(full, problem="Somebody is called “ada” already. Please choose another name.", name="ada"),
    }


def libraries_pages() -> dict[str, pages_libraries.LibrariesPage]:
    cards = (
        FAMILY,
        replace(FAMILY, name=LONG_NAME, role="viewer", members="", manage_words="Details"),
        replace(FAMILY, name=HOSTILE, role="moderator", pictures="1 picture", manage_words="Details"),
    )
    deleted = tuple(
        pages_libraries.DeletedLibrary("018e", name, "12 pictures", "5 December 2026") for name in ("old", LONG_NAME)
    )
    shell = replace(MEMBER, active="libraries")
    alone = replace(SHELL, active="libraries")
    main = pages_libraries.LibraryCard("main", "", "12,345 pictures", "", "/?library=main", "/libraries/main")
    return {
        "full": pages_libraries.LibrariesPage(shell, cards, deleted),
        "none": pages_libraries.LibrariesPage(replace(shell, may_upload=False), ()),
        "alone": pages_libraries.LibrariesPage(alone, (main,)),
        "problem": pages_libraries.LibrariesPage(
            shell, cards[:1], problem="A name has no comma and no slash. Please choose another.", typed_name=HOSTILE
        ),
    }


def library_pages() -> dict[str, pages_libraries.LibraryPage]:
    invitations = (
        pages_libraries.InvitationLine("i1", "viewer", "12 November 2026", "ada"),
        pages_libraries.InvitationLine("i2", "moderator", "13 November 2026", HOSTILE),
    )
    owned = pages_libraries.LibraryPage(
        replace(MEMBER, active="libraries"),
        id="018f",
        name="family",
        role="owner",
        pictures="1,204 pictures",
        open_url="/?library=018f",
        period="30 days",
        members=MEMBERS,
        invitations=invitations,
        may_manage=True,
        may_leave=True,
    )
    looked_at = replace(
        owned,
        name=LONG_NAME,
        role="viewer",
        members=(replace(MEMBERS[0], is_me=False), replace(MEMBERS[2], name="vic", is_me=True)),
        members_note="Only owners and moderators see all members.",
        invitations=(),
        may_manage=False,
    )
    link = pages_accounts.Secret("An invitation as a viewer", LINK, "It works once, for 7 days.", "/libraries/018f")
    return {
        "owner": owned,
        "new-link": replace(owned, name=HOSTILE, new_link=link),
        "problem": replace(owned, problem=f"Nobody here is called “{LONG_NAME}”; a link works for anybody."),
        "viewer": looked_at,
        "alone": replace(
            owned, shell=replace(SHELL, active="libraries"), role="", members=(), has_members=False, may_leave=False
        ),
    }


def invitation_pages() -> dict[str, pages_libraries.InvitationPage]:
    here = pages_libraries.InvitationPage(MEMBER, HOSTILE, "viewer", LONG_NAME, "/invitations/abc")
    stranger = replace(here, shell=STRANGER, library=LONG_NAME, login_url="/login?next=/invitations/abc")
    return {
        "member": replace(here, already="moderator"),
        "stranger": stranger,
        "stranger-account": replace(
            stranger,
            account_url="/invitations/abc/account",
            problem="Somebody is called “ada” already. Please choose another name.",
            name="ada",
        ),
    }


def audit_pages() -> dict[str, pages_accounts.AuditPage]:
    line = pages_accounts.AuditLine(
        "15 Nov 2026, 12:00", "2026-11-05T12:00:31+00:00", "ada", "logged in", "", "", "192.168.1.20"
    )
    lines = (
        line,
        replace(line, who=HOSTILE, action="role changed", subject="bob", library="family", detail="viewer → owner"),
        replace(line, who=LONG_NAME, action="pictures deleted", subject="3 pictures", library=LONG_NAME),
        replace(line, action="library made", subject=HOSTILE, library=HOSTILE, address="2001:db8:85a3::8a2e:370:7334"),
    )
    full = pages_accounts.AuditPage(
        replace(KEEPER, active="audit"),
        "What was done in the libraries that you own, newest first.",
        lines * 5,
        "/audit?before=1",
        "/audit.csv",
    )
    return {"full": full, "empty": replace(full, lines=(), older_url=None)}


def status_of_a_looker() -> pages.StatusPage:
    busy = status_page()
    stores = tuple(replace(store, address="") for store in busy.stores)
    return replace(busy, shell=LOOKER, stores=stores, may_retry=False)


def changed_pages() -> dict[str, tuple[str, object]]:
    """Return the other pages as members see them, with and without the right to change."""
    library_is_empty = {"library_is_empty": True}
    captioned = image(0, caption=HOSTILE, tags=("harbor",))
    return {
        "search-member": ("search.html", search_page(24, shell=replace(KEEPER, active="search"))),
        "search-looker": ("search.html", search_page(12, shell=replace(LOOKER, active="search"), may_change=False)),
        "search-member-empty": (
            "search.html",
            search_page(0, shell=MEMBER, libraries=UPLOADS, library="018e", **library_is_empty),
        ),
        "search-looker-empty": ("search.html", search_page(0, shell=LOOKER, **library_is_empty)),
        "image-looker": ("image.html", image_page(0, captioned, shell=LOOKER, may_change=False)),
        "upload-choice": ("upload.html", upload_page(0, shell=MEMBER, libraries=UPLOADS, library="018e")),
        "upload-choice-seven": ("upload.html", upload_page(7, shell=MEMBER, libraries=UPLOADS, library="018f")),
        "upload-looker": ("upload.html", upload_page(0, shell=replace(LOOKER, active="upload"))),
        "status-looker": ("status.html", status_of_a_looker()),
        "trash-member": ("trash.html", trash_page(shell=MEMBER, may_purge=False)),
        "error-stranger": ("error.html", pages.ErrorPage(STRANGER, "This link is used up", "Ask for a new one.", 404)),
    }


def member_pages() -> dict[str, tuple[str, object]]:
    found = changed_pages()
    for template, values in (
        ("login", login_pages()),
        ("welcome", welcome_pages()),
        ("account", account_pages()),
        ("people", people_pages()),
        ("libraries", libraries_pages()),
        ("library", library_pages()),
        ("invitation", invitation_pages()),
        ("audit", audit_pages()),
    ):
        found |= {f"{template}-{name}": (f"{template}.html", value) for name, value in values.items()}
    return found
