"""Whose a bank is: for whom it exists, and what they may do with it.

A bank of a library exists for its moderators; those of the whole server are the administrators' alone.
"""

from collections.abc import Collection

from pipeline.access import check_reading
from pipeline.errors import NotAllowed, NotFound
from pipeline.principals import Action, Principal, Role, Scope
from pipeline.stores import records_banks, records_principals
from pipeline.stores.database import Connection
from pipeline.stores.records_banks import Bank

UNKNOWN = "There is no such bank."
OWNERS_ONLY = "Only the owners of its library may do this. They can make you one."
SCOPE_MISSING = "This token may not be used for that. It would need the scope “{scope}”."


def is_for(principal: Principal) -> bool:
    """Whether there can be banks for `principal`: they moderate a library, or look after the server."""
    return bool(_moderated(principal)) or principal.owns_everything or principal.administrator


def find(connection: Connection, principal: Principal, bank_id: str, action: Action = Action.SEE) -> Bank:
    """Return a bank with which `principal` may do `action`: see it, change what is in it, or manage it.

    Raises NotFound when none exists for them, and NotAllowed.
    """
    bank = records_banks.get(connection, bank_id)
    if bank is None or not exists(principal, bank):
        check_reading(principal)
        raise NotFound(UNKNOWN)
    check(principal, bank, action)
    return bank


def find_now(connection: Connection, principal: Principal, bank_id: str, action: Action) -> tuple[Principal, Bank]:
    """Return the principal as they are now, and the bank as `find` finds it, in a transaction that writes."""
    principal = records_principals.current(connection, principal)
    return principal, find(connection, principal, bank_id, action)


def check(principal: Principal, bank: Bank, action: Action) -> None:
    """Raise NotAllowed unless `principal`, for whom the bank exists, may do `action` with it."""
    check_reading(principal)
    check_in(principal, bank.library, action)


def may(principal: Principal, bank: Bank, action: Action) -> bool:
    """Whether `principal` may do `action` with a bank."""
    if bank.library is not None:
        return principal.may(action, bank.library) and exists(principal, bank)
    return principal.may_observe() if action is Action.SEE else principal.may_administrate()


def exists(principal: Principal, bank: Bank) -> bool:
    """Whether there is such a bank for `principal`: they moderate its library, or look after the server."""
    if bank.library is None:
        return principal.owns_everything or principal.administrator
    role = principal.role_in(bank.library)
    return role is not None and role.includes(Role.MODERATOR)


def check_in(principal: Principal, library: str | None, action: Action) -> None:
    """Raise NotAllowed unless `principal` may do `action` with banks of a library, or of the server with None."""
    scope = Scope.MANAGE if library is None and action is not Action.SEE else action.scope
    if scope not in principal.scopes:
        raise NotAllowed(SCOPE_MISSING.format(scope=scope))
    allowed = principal.may_administrate() if library is None else principal.may(action, library)
    if action is not Action.SEE and not allowed:
        raise NotAllowed(OWNERS_ONLY)


def _moderated(principal: Principal) -> Collection[str]:
    roles = principal.roles or {}
    return [library for library, role in roles.items() if role.includes(Role.MODERATOR)]
