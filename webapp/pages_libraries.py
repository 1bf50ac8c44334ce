"""What the pages about libraries show: all of one's own, one with its members, and an invitation to one.

One frozen dataclass a page, as in `webapp.pages`; roles are sent as `viewer`, `uploader`, `moderator` and `owner`. The
addresses to which the forms are posted, with their fields, are listed at each page; each form has the hidden field
`csrf_token` as well.
"""

from dataclasses import dataclass

from webapp.language import marked
from webapp.pages import Shell
from webapp.pages_accounts import Choices, Secret

ROLE_CHOICES: Choices = (
    ("viewer", "Viewer"),
    ("uploader", "Uploader"),
    ("moderator", "Moderator"),
    ("owner", "Owner"),
)

SOMEBODY = marked("Whoever looks after this server")
"""Who invites, where the invitation was made at the machine itself."""


@dataclass(frozen=True)
class LibraryCard:
    """A library among those that somebody sees.

    `pictures` and `members` are in words: "1,204 pictures", "3 members"; "" is not shown. `manage_url` leads to the
    page about it, and `manage_words` says what for: owners manage there, the others read.
    """

    name: str
    role: str
    pictures: str
    members: str
    open_url: str
    manage_url: str
    manage_words: str = "Manage"


@dataclass(frozen=True)
class DeletedLibrary:
    """A library that its owner can still restore. `until` is a day in words. Posted to `/libraries/{id}/restore`."""

    id: str
    name: str
    pictures: str
    until: str


@dataclass(frozen=True)
class LibrariesPage:
    """`/libraries`. A new one is posted there: `name`; `typed_name` and `problem` are of one that was refused."""

    shell: Shell
    libraries: tuple[LibraryCard, ...]
    deleted: tuple[DeletedLibrary, ...] = ()
    may_make: bool = True
    problem: str = ""
    typed_name: str = ""


@dataclass(frozen=True)
class MemberLine:
    """Somebody who is in a library. `role` is the value that is sent, `role_words` what is read.

    `may_change` is false where nothing can be changed, as for the last owner.
    """

    person_id: str
    name: str
    role: str
    role_words: str
    since: str
    is_me: bool = False
    may_change: bool = True


@dataclass(frozen=True)
class InvitationLine:
    """A link that was made and not used yet: as what, until when, and by whom."""

    id: str
    role: str
    until: str
    by: str


@dataclass(frozen=True)
class LibraryPage:
    """`/libraries/{id}`.

    Posted below it: `rename` (`name`), `delete` (`confirmed` = 1), `leave`, `members` (`person`, `role`),
    `members/{person_id}/role` (`role`), `members/{person_id}/remove`, `invitations` (`role`) and
    `invitations/{invitation id}/revoke`. `new_link` is shown once, on the answer to making it. `has_members` is false
    where there are no accounts; then nothing about members is shown. `members_note` says who is not listed, if so.
    `period` is how long a deleted library can be restored, in words: "30 days". `member_problem` and `rename_problem`
    are shown at their forms, with the `typed_…` values that were refused.
    """

    shell: Shell
    id: str
    name: str
    role: str
    pictures: str
    open_url: str
    period: str
    members: tuple[MemberLine, ...] = ()
    members_note: str = ""
    invitations: tuple[InvitationLine, ...] = ()
    has_members: bool = True
    may_manage: bool = False
    may_leave: bool = False
    new_link: Secret | None = None
    problem: str = ""
    member_problem: str = ""
    typed_person: str = ""
    typed_role: str = ""
    rename_problem: str = ""
    typed_name: str = ""
    roles: Choices = ROLE_CHOICES
    roles_unasked: Choices = ROLE_CHOICES[:-1]
    """Nobody is made an owner who is not in the library yet."""


@dataclass(frozen=True)
class InvitationPage:
    """`/invitations/{secret}`, where joining is posted; an account is made by a post to `account_url`.

    `name`, `password` and `again` are its fields; "" where one cannot be made. `login_url` is "" for who is logged in,
    and `already` is their role if they are a member.
    """

    shell: Shell
    library: str
    role: str
    inviter: str
    action_url: str
    login_url: str = ""
    account_url: str = ""
    already: str = ""
    problem: str = ""
    name: str = ""
