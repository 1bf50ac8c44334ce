"""The shapes of the HTTP API for libraries and their members."""

from typing import Literal

from pydantic import BaseModel

RoleName = Literal["viewer", "uploader", "moderator", "owner"]


class Library(BaseModel):
    """A library. `id` never changes; `name` need not be the only one; `role` is what one is in it."""

    id: str
    name: str
    role: RoleName
    images: int


class DeletedLibrary(BaseModel):
    """A library that can be restored until `purged_at`."""

    id: str
    name: str
    images: int
    deleted_at: str
    purged_at: str


class LibraryList(BaseModel):
    """The libraries one is in, by name, and the deleted ones that one can restore."""

    libraries: list[Library]
    deleted: list[DeletedLibrary]


class NewLibrary(BaseModel):
    name: str


class LibraryPatch(BaseModel):
    """What can be changed of a library."""

    name: str


class Member(BaseModel):
    """Somebody who is in a library; `active` is false while they cannot log in."""

    person_id: str
    person: str
    role: RoleName
    since: str
    active: bool


class MemberList(BaseModel):
    members: list[Member]


class NewMember(BaseModel):
    """`person` is the name of an account."""

    person: str
    role: RoleName


class MemberPatch(BaseModel):
    role: RoleName
