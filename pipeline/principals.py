"""Who asks, and what they may do. Every workflow takes a Principal.

A role belongs to a person in one library; each includes those before it. A scope narrows an API token: it can do what
its person may do, as far as its scopes reach. What an action needs of both is said once, in `Action`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum


class Role(StrEnum):
    """What a person is in a library, from the least to the most."""

    VIEWER = "viewer"
    UPLOADER = "uploader"
    MODERATOR = "moderator"
    OWNER = "owner"

    def includes(self, other: "Role") -> bool:
        """Whether this role may do all that `other` may."""
        order = tuple(Role)
        return order.index(self) >= order.index(other)


class Scope(StrEnum):
    """What an API token may be used for."""

    READ = "read"
    UPLOAD = "upload"
    MODERATE = "moderate"
    MANAGE = "manage"


class Action(Enum):
    """What can be done in a library: its name, the least role, and the scope of a token, that it needs."""

    SEE = ("see", Role.VIEWER, Scope.READ)
    UPLOAD = ("upload", Role.UPLOADER, Scope.UPLOAD)
    CHANGE_OWN = ("change own", Role.UPLOADER, Scope.UPLOAD)
    """Edit, delete and restore what nobody but oneself has uploaded."""
    CHANGE = ("change", Role.MODERATOR, Scope.MODERATE)
    """Edit, delete, restore and analyze again whatever is there."""
    PURGE = ("purge", Role.OWNER, Scope.MANAGE)
    """Destroy for good, before the time in the trash is over."""
    MANAGE = ("manage", Role.OWNER, Scope.MANAGE)
    """Members, invitations, the library itself, and its audit log."""

    @property
    def role(self) -> Role:
        """The least role that may do it."""
        return self.value[1]

    @property
    def scope(self) -> Scope:
        """The scope that a token needs for it."""
        return self.value[2]


EVERY_SCOPE = frozenset(Scope)


@dataclass(frozen=True)
class Principal:
    """A person or program.

    `roles` maps the ids of the libraries that exist for them to their role; None stands for the owner of everything,
    for whom only the `hidden` libraries, which are deleted, do not exist. `person_id` is None for whoever works at
    the machine itself. An `administrator` looks after people and the server, which gives no right to any picture.
    `scopes` are those of the API token they came with. `address` is where from, for the audit log. `session_id` and
    `token_id` are what they proved with who they are, which may have ended since.
    """

    name: str
    roles: Mapping[str, Role] | None = None
    person_id: str | None = None
    administrator: bool = False
    hidden: frozenset[str] = frozenset()
    scopes: frozenset[Scope] = EVERY_SCOPE
    address: str = ""
    session_id: str | None = None
    token_id: str | None = None

    @property
    def owns_everything(self) -> bool:
        """Whether this is the person at the machine, to whom all libraries belong."""
        return self.roles is None

    def role_in(self, library: str) -> Role | None:
        """Return the role in a library, or None when it does not exist for this principal."""
        if self.roles is not None:
            return self.roles.get(library)
        return None if library in self.hidden else Role.OWNER

    def may(self, action: Action, library: str) -> bool:
        """Whether `action` is allowed in the library whose id is `library`."""
        role = self.role_in(library)
        return role is not None and role.includes(action.role) and action.scope in self.scopes

    def may_see(self, library: str) -> bool:
        """Whether pictures of `library` exist for this principal."""
        return self.may(Action.SEE, library)

    def may_administrate(self) -> bool:
        """Whether this principal may look after people and the server."""
        return (self.administrator or self.owns_everything) and Scope.MANAGE in self.scopes

    def may_observe(self) -> bool:
        """Whether this principal may read figures of the whole server, which tell of all libraries together."""
        return (self.administrator or self.owns_everything) and Scope.READ in self.scopes

    def libraries(self, action: Action = Action.SEE) -> frozenset[str] | None:
        """Return the ids of the libraries in which `action` is allowed; None for all but the `hidden` ones."""
        if self.roles is None:
            return None if action.scope in self.scopes else frozenset()
        return frozenset(library for library in self.roles if self.may(action, library))


OWNER = Principal("owner")
"""The person at the machine: on loopback without accounts they own everything."""

NOBODY = Principal("nobody", roles={}, scopes=frozenset())
"""Whoever has not said who they are, where that is asked for."""
