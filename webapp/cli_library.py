"""`likeness library`: libraries and who is in them, from the machine itself, to whose owner all of them belong."""

import click

from webapp.cli_session import opened

ROLES = ("viewer", "uploader", "moderator", "owner")  # as pipeline.principals.Role, which --help need not load
LIBRARY = click.argument("library")
PERSON = click.argument("person")


@click.group("library")
def library() -> None:
    """Make, share, delete and restore libraries. LIBRARY is an id, or a name that only one has."""


@library.command("list")
def list_libraries() -> None:
    """List the libraries, and the deleted ones that can be restored."""
    with opened() as backend:
        from pipeline import libraries
        from pipeline.access import local_owner

        owner = local_owner(backend)
        for info in libraries.list_libraries(backend, owner):
            shared = "" if info.members is None else f"  {_counted(info.members, 'member')}"
            click.echo(f"{info.id:<20}  {info.name}  {_counted(info.images, 'picture')}{shared}")
        for deleted in libraries.list_deleted(backend, owner):
            until = f"deleted, can be restored until {deleted.purged_at:%Y-%m-%d}"
            click.echo(f"{deleted.id:<20}  {deleted.name}  {_counted(deleted.images, 'picture')}  {until}")


@library.command("add")
@click.argument("name")
def add_library(name: str) -> None:
    """Make a library. If there are accounts, all administrators own it."""
    with opened() as backend:
        from pipeline import libraries
        from pipeline.access import local_owner

        made = libraries.make(backend, local_owner(backend), name)
        click.echo(f"The library {made.name} is there; its id is {made.id}.")


@library.command("rename")
@LIBRARY
@click.argument("name")
def rename_library(library: str, name: str) -> None:
    """Call a library by another name; its id stays."""
    with opened() as backend:
        from pipeline import libraries
        from pipeline.access import local_owner

        renamed = libraries.rename(backend, local_owner(backend), library, name)
        click.echo(f"It is called {renamed.name} now; its id is {renamed.id}.")


@library.command("members")
@LIBRARY
def list_members(library: str) -> None:
    """List who is in a library, and as what."""
    with opened() as backend:
        from pipeline import members
        from pipeline.access import local_owner

        for member in members.list_members(backend, local_owner(backend), library):
            click.echo(f"{member.name:<32}  {member.role}{'' if member.is_active else ', deactivated'}")


@library.command("grant")
@LIBRARY
@PERSON
@click.argument("role", type=click.Choice(ROLES))
def grant(library: str, person: str, role: str) -> None:
    """Make PERSON a member, or give them another role."""
    with opened() as backend:
        from pipeline import members
        from pipeline.access import local_owner
        from pipeline.principals import Role

        member = members.grant(backend, local_owner(backend), library, person, Role(role))
        click.echo(f"{member.name} is {member.role} of {library} now.")


@library.command("remove")
@LIBRARY
@PERSON
def remove(library: str, person: str) -> None:
    """Take PERSON out of a library; what they added stays."""
    with opened() as backend:
        from pipeline import members
        from pipeline.access import local_owner

        member = members.remove_by_name(backend, local_owner(backend), library, person)
        click.echo(f"{member.name} is in {library} no more.")


@library.command("delete")
@LIBRARY
def delete_library(library: str) -> None:
    """Hide a library with all its pictures; it can be restored for a while."""
    with opened() as backend:
        from pipeline import libraries
        from pipeline.access import local_owner

        deleted = libraries.delete(backend, local_owner(backend), library)
        days = backend.settings.trash_days
        click.echo(f"{deleted.name} is deleted. `likeness library restore {deleted.id}` helps for {days:g} days.")


@library.command("restore")
@LIBRARY
def restore_library(library: str) -> None:
    """Bring back a deleted library with its pictures and members."""
    with opened() as backend:
        from pipeline import libraries
        from pipeline.access import local_owner

        restored = libraries.restore(backend, local_owner(backend), library)
        click.echo(f"{restored.name} is back, with {_counted(restored.images, 'picture')}.")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
