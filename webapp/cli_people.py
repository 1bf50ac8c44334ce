"""`likeness user`, `likeness token` and `likeness audit`: accounts and their keys, from the machine itself."""

import sys
from typing import TYPE_CHECKING

import click

from webapp.cli_session import opened

if TYPE_CHECKING:
    from pipeline.backend import Backend
    from pipeline.principals import Principal

SCOPES = ("read", "upload", "moderate", "manage")  # as pipeline.principals.Scope has them, which --help need not load
DEFAULT_DAYS = 90.0
DOES = {"yes": "administrates", "no": "does not administrate"}
NAME = click.argument("name")

# This command need not run where the server does, and does not know at which host and port that listens.
AT_YOUR_SERVER = " Open this at the address of your server:"
WHOLE_ADDRESS = "With LIKENESS_PUBLIC_URL set to that address, the whole link is printed."


@click.group("user")
def user() -> None:
    """Make and change accounts. With the first one, everybody has to log in."""


@user.command("add")
@NAME
@click.option("--administrator", is_flag=True, help="May look after people and the server; the first one always may.")
@click.option("--email", help="Recognizes them at single sign-on.")
@click.option("--link", is_flag=True, help="Print a link with which they choose a password themselves.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def add_user(name: str, email: str | None, *, administrator: bool, link: bool, password_stdin: bool) -> None:
    """Make an account; asks for its password unless told otherwise."""
    if link and password_stdin:
        raise click.UsageError("Either --link or --password-stdin: the password is chosen by them or by you.")
    with opened() as backend:
        from pipeline import account_names, accounts
        from pipeline.access import local_owner

        owner = local_owner(backend)
        account_names.checked_name(name)  # before anybody types a password for nothing
        password = None if link else _password(from_stdin=password_stdin)
        person = accounts.add_person(backend, owner, name, administrator=administrator, password=password, email=email)
        click.echo(f"Added {person.name}{', an administrator' if person.administrator else ''}.")
        if link:
            _print_link(backend, owner, person.id)


@user.command("list")
def list_users() -> None:
    """List the accounts."""
    with opened() as backend:
        from pipeline import accounts
        from pipeline.access import local_owner

        for info in accounts.describe_people(backend, local_owner(backend)):
            marks = [
                *(["administrator"] if info.person.administrator else []),
                *(["deactivated"] if info.person.deactivated_at else []),
                f"{info.libraries} {'library' if info.libraries == 1 else 'libraries'}",
            ]
            click.echo(f"{info.person.name:<32}  {', '.join(marks)}")


@user.command("password")
@NAME
@click.option("--link", is_flag=True, help="Print a link with which they choose it themselves.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def change_user_password(name: str, *, link: bool, password_stdin: bool) -> None:
    """Set another password, log the person out everywhere, and revoke their API tokens."""
    with opened() as backend:
        from pipeline import accounts
        from pipeline.access import local_owner

        owner = local_owner(backend)
        person = accounts.find_person(backend, owner, name)
        if link:
            _print_link(backend, owner, person.id)
            return
        revoked = accounts.set_password(backend, owner, person.id, _password(from_stdin=password_stdin))
        tokens = f" {revoked} API {'token was' if revoked == 1 else 'tokens were'} revoked." if revoked else ""
        click.echo(f"The password of {person.name} is changed, and they are logged out everywhere.{tokens}")


@user.command("deactivate")
@NAME
def deactivate_user(name: str) -> None:
    """Let somebody in no more; what they have added stays."""
    with opened() as backend:
        from pipeline import accounts
        from pipeline.access import local_owner

        owner = local_owner(backend)
        person = accounts.deactivate(backend, owner, accounts.find_person(backend, owner, name).id)
        click.echo(f"{person.name} cannot log in any more.")


@user.command("activate")
@NAME
def activate_user(name: str) -> None:
    """Let somebody in again."""
    with opened() as backend:
        from pipeline import accounts
        from pipeline.access import local_owner

        owner = local_owner(backend)
        person = accounts.activate(backend, owner, accounts.find_person(backend, owner, name).id)
        click.echo(f"{person.name} can log in again.")


@user.command("administrator")
@NAME
@click.argument("state", type=click.Choice(["yes", "no"]))
def set_administrator(name: str, state: str) -> None:
    """Let somebody look after people and the server, or no more."""
    with opened() as backend:
        from pipeline import accounts
        from pipeline.access import local_owner

        owner = local_owner(backend)
        found = accounts.find_person(backend, owner, name)
        person = accounts.set_administrator(backend, owner, found.id, administrator=state == "yes")
        click.echo(f"{person.name} {DOES[state]} now.")


@click.group("token")
def token() -> None:
    """Make and revoke the API tokens of people."""


@token.command("add")
@click.argument("person")
@click.option("--name", default="from the shell", show_default=True, help="What the token is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help="What it may be used for; may be repeated. Without it: read and upload. Moderate and manage bring read.",
)
@click.option(
    "--days",
    default=DEFAULT_DAYS,
    show_default=True,
    type=click.FloatRange(0, 3650, min_open=True),
    help="How long it works.",
)
@click.option("--no-end", is_flag=True, help="It works until it is revoked.")
def add_token(person: str, name: str, scopes: tuple[str, ...], days: float, *, no_end: bool) -> None:
    """Print a new token of PERSON. It is printed this once; only its hash is kept."""
    with opened() as backend:
        from pipeline import accounts, sessions
        from pipeline.access import local_owner
        from pipeline.principals import Scope

        owner = local_owner(backend)
        found = accounts.find_person(backend, owner, person)
        wanted = frozenset(Scope(scope) for scope in scopes or ("read", "upload"))
        made, secret = sessions.make_token(backend, owner, name, wanted, None if no_end else days, person=found)
        click.echo(secret)
        click.echo(f"Its id is {made.id}; `likeness token revoke` ends it.", err=True)


@token.command("list")
@click.argument("person")
def list_tokens(person: str) -> None:
    """List the tokens of PERSON."""
    with opened() as backend:
        from pipeline import accounts, sessions
        from pipeline.access import local_owner

        found = accounts.find_person(backend, local_owner(backend), person)
        for each in sessions.list_tokens(backend, found.id):
            until = f"until {each.expires_at:%Y-%m-%d}" if each.expires_at else "without an end"
            used = f"last used {each.last_used_at:%Y-%m-%d %H:%M}" if each.last_used_at else "never used"
            state = "expired" if sessions.has_expired(each) else until
            click.echo(f"{each.id}  {each.name}  {' '.join(sorted(each.scopes))}  {state}  {used}")


@token.command("revoke")
@click.argument("token_id")
def revoke_token(token_id: str) -> None:
    """End a token at once."""
    with opened() as backend:
        from pipeline import sessions
        from pipeline.access import local_owner

        sessions.revoke_token(backend, local_owner(backend), token_id)
        click.echo("The token is revoked.")


@click.command("audit")
def audit_command() -> None:
    """Print the audit log as CSV, newest first."""
    with opened() as backend:
        from pipeline import audit
        from pipeline.access import local_owner

        for line in audit.csv_lines(backend, local_owner(backend)):
            click.echo(line, nl=False)


def _password(*, from_stdin: bool) -> str:
    """Return the password that was typed, or the first line of standard input, and check it."""
    from pipeline.passwords import checked_password

    if from_stdin:
        return checked_password(sys.stdin.readline().rstrip("\r\n"))
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody is there to type a password. Use --password-stdin, or --link.")
    return checked_password(str(click.prompt("Password", hide_input=True, confirmation_prompt="The same again")))


def _print_link(backend: "Backend", owner: "Principal", person_id: str) -> None:
    from pipeline import accounts

    secret = accounts.password_link(backend, owner, person_id)
    base = backend.settings.public_url
    click.echo(f"This link works once, for {accounts.PASSWORD_LINK_DAYS} days.{'' if base else AT_YOUR_SERVER}")
    click.echo(f"{base}/welcome/{secret}")
    if not base:
        click.echo(WHOLE_ADDRESS, err=True)
