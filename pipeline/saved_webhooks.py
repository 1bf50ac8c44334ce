"""The webhooks of saved searches: to which address new matches are sent, and with which secret they are signed."""

from datetime import UTC, datetime

from pipeline.backend import Backend
from pipeline.errors import Conflict, NotAllowed
from pipeline.passwords import new_secret
from pipeline.principals import Principal
from pipeline.saved_searches import check_changing, find
from pipeline.stores import records_audit, records_principals, records_webhooks
from pipeline.stores.records_audit import Event
from pipeline.webhook_sending import Allowed, check, host_of

Webhook = records_webhooks.Webhook

SECRET_PREFIX = "whsec_"  # noqa: S105 - tells people and scanners of leaked secrets what they have before them

OFF = "Webhooks are switched off on this server. A feed tells the same."
NONE = "This search has no webhook."


def set_webhook(backend: Backend, principal: Principal, search_id: str, address: str) -> str:
    """Send what a search finds from now on to `address`; return the secret that signs it, which is shown once.

    Set anew, also to the same address, it gets another secret, and what has not been taken yet is sent with that.
    Raises NotFound, NotAllowed, or InvalidQuery for an address that nothing may be sent to.
    """
    check_changing(principal)
    with backend.database.read() as connection:
        find(connection, principal, search_id)  # before a name is looked up for somebody
    checked = check_address(backend, address)
    secret = SECRET_PREFIX + new_secret()
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        found = find(connection, principal, search_id)
        records_webhooks.put(connection, found.id, checked, secret, datetime.now(UTC))
        records_audit.add(connection, principal, Event.WEBHOOK_SET, host_of(checked))
    return secret


def check_address(backend: Backend, address: str) -> str:
    """Return an address as it is kept. Raises InvalidQuery when nothing may be sent there, NotAllowed when nowhere."""
    if not backend.settings.webhooks:
        raise NotAllowed(OFF)
    return check(address, Allowed(backend.settings.webhook_allow))


def remove_webhook(backend: Backend, principal: Principal, search_id: str) -> None:
    """Send nothing any more. Raises NotFound or NotAllowed."""
    check_changing(principal)
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        found = find(connection, principal, search_id)
        webhook = records_webhooks.get(connection, found.id)
        if webhook is not None:
            records_webhooks.remove(connection, found.id)
            records_audit.add(connection, principal, Event.WEBHOOK_REMOVED, host_of(webhook.address))


def try_again(backend: Backend, principal: Principal, search_id: str) -> None:
    """Send now what was given up or waits for its next try. Raises NotFound, NotAllowed, or Conflict without one."""
    check_changing(principal)
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        found = find(connection, principal, search_id)
        if not records_webhooks.try_again(connection, found.id, datetime.now(UTC)):
            raise Conflict(NONE)


def webhook_of(backend: Backend, principal: Principal, search_id: str) -> Webhook | None:
    """Return the webhook of one of this person's searches, or None. Raises NotFound."""
    with backend.database.read() as connection:
        return records_webhooks.get(connection, find(connection, principal, search_id).id)
