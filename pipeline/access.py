"""The door: whoever wants a picture comes through here, and gets what they may have.

What is in a library that somebody cannot see does not exist for them: it is told with the same words, after the same
statements, as what there is not. What they see but may not change is NotAllowed, with a sentence.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pipeline.backend import Backend
from pipeline.errors import ImageNotFound, InvalidQuery, NotAllowed
from pipeline.features.palette_fit import AskedColor
from pipeline.filters import Filter
from pipeline.images import MAIN_LIBRARY, ImageRecord
from pipeline.labels import check_library_name
from pipeline.principals import OWNER, Action, Principal, Scope
from pipeline.stores import records_cases, records_images, records_libraries, records_people
from pipeline.stores.database import Connection

GONE = "There is no such picture. It may have been deleted."
SCOPE_MISSING = "This token may not be used for that. It would need the scope “{scope}”."
NOWHERE = "There is no library that you may add pictures to. Please make one first, or ask for a role."
NO_LIBRARY = "There is no such library."
DELETED_LIBRARY = "The library “{name}” has been deleted. Please restore it, or choose another name."
NOT_MODERATING = (
    "You may look at these pictures but not settle duplicates. The owners of their libraries can make you a moderator."
)
ANOTHER_ROLE = "Its owners can give you another role."
FOR_OWNERS = "This was left to the owners of its library, who alone decide about it now."
SOME_FOR_OWNERS = (
    "Some of these pictures were left to the owners of their library, who alone decide about them now, so nothing was "
    "done. Please leave those out."
)
DEEDS = {
    Action.CHANGE: "change them",
    Action.CHANGE_OWN: "change them",
    Action.PURGE: "delete them for good",
    Action.MANAGE: "manage them",
    Action.UPLOAD: "add any",
}


# ---- Pictures


def get_image(
    backend: Backend,
    image_id: str,
    principal: Principal,
    action: Action = Action.SEE,
    *,
    deleted_too: bool = False,
    own_held_too: bool = False,
) -> ImageRecord:
    """Return an image with which `principal` may do `action`; a deleted one, if asked, to those who may restore it.

    A held one is returned to its moderators, and if asked to those who have sent it.

    Raises ImageNotFound for what does not exist for them, and NotAllowed for what they may only look at.
    """
    images = get_images(backend, [image_id], principal, action, deleted_too=deleted_too, own_held_too=own_held_too)
    if not images:
        raise ImageNotFound(GONE)
    return images[0]


def get_images(
    backend: Backend,
    image_ids: Sequence[str],
    principal: Principal,
    action: Action = Action.SEE,
    *,
    deleted_too: bool = False,
    own_held_too: bool = False,
) -> list[ImageRecord]:
    """Return those of the images that exist for `principal`, each once, in the order asked; others are left out.

    Raises NotAllowed when they may not do `action` with every one of these.
    """
    check_reading(principal)
    with backend.database.read() as connection:
        wanted = list(dict.fromkeys(image_ids))
        images = records_images.get_present(
            connection, wanted, principal, deleted_too=deleted_too, own_held_too=own_held_too
        )
    check_action(images, principal, action)
    return images


def check_reading(principal: Principal) -> None:
    """Raise NotAllowed when `principal` came with a token that is not for looking at anything."""
    if Scope.READ not in principal.scopes:
        raise NotAllowed("This token may not be used to look at pictures. It would need the scope “read”.")


def check_action(images: Sequence[ImageRecord], principal: Principal, action: Action) -> None:
    """Raise NotAllowed unless `principal`, for whom the images exist, may do `action` with every one of them."""
    refused = [image for image in images if not may(principal, action, image)]
    if not refused:
        return
    if len(images) == 1 or action.scope not in principal.scopes:
        raise NotAllowed(_refusal(principal, action, refused[0].library, refused[0].library_name))
    raise NotAllowed(
        f"You may look at {len(refused):,} of these {len(images):,} pictures but not {DEEDS[action]}, so nothing was "
        "done. Please leave those out, or ask the owners of their library for another role."
    )


def check_deciding(connection: Connection, images: Sequence[ImageRecord], principal: Principal, action: Action) -> None:
    """Raise as `check_action`, and NotAllowed where one of them was left to the owners of its library, for others."""
    check_action(images, principal, action)
    if owners_alone(connection, images, principal):
        raise NotAllowed(FOR_OWNERS if len(images) == 1 else SOME_FOR_OWNERS)


def owners_alone(connection: Connection, images: Sequence[ImageRecord], principal: Principal) -> set[int]:
    """Return the rows of those of a few images that were left to the owners of their libraries, who are others."""
    others = [image.row for image in images if not principal.may(Action.MANAGE, image.library)]
    return records_cases.left_to_owners(connection, others) if others else set()


def may(principal: Principal, action: Action, image: ImageRecord) -> bool:
    """Whether `principal` may do `action` with an image; what nobody else has uploaded is theirs to change."""
    if principal.may(action, image.library):
        return True
    own = principal.person_id is not None and image.uploader == principal.person_id
    return action is Action.CHANGE and own and principal.may(Action.CHANGE_OWN, image.library)


def may_look(principal: Principal, image: ImageRecord) -> bool:
    """Whether more may be told of an image that `principal` has sent than that it is there, held or refused."""
    return not image.is_kept_back or principal.may(Action.CHANGE, image.library)


def may_change_any(principal: Principal) -> bool:
    """Whether there is a library in which `principal` may change pictures, or at least their own."""
    return principal.libraries(Action.CHANGE) != frozenset() or principal.libraries(Action.CHANGE_OWN) != frozenset()


def _refusal(principal: Principal, action: Action, library: str, name: str) -> str:
    """Return why `principal` may not do `action` in a library that they see."""
    role = principal.role_in(library)
    if role is not None and role.includes(action.role):
        return SCOPE_MISSING.format(scope=action.scope)
    return f"You may look at the pictures of “{name}” but not {DEEDS[action]}. {ANOTHER_ROLE}"


@dataclass(frozen=True)
class Origin:
    """Where an image came from: the name of its file, or where that lay, and the name of who brought it, if known."""

    found_as: str
    person: str | None
    created_at: datetime


def origins_of(backend: Backend, image: ImageRecord, principal: Principal) -> list[Origin]:
    """Return where an image that came through the door came from, first place first.

    Where files lie on the server is told to those who look after it.
    """
    with backend.database.read() as connection:
        sources = records_images.sources(connection, image.row)
        ids = {source.uploader for source in sources if source.uploader}
        people = {person_id: records_people.get(connection, person_id) for person_id in ids}
    names = {person_id: person.name for person_id, person in people.items() if person}
    with_paths = principal.may_administrate()
    return [
        Origin(
            found_as=(source.path if with_paths else None) or source.filename,
            person=names.get(source.uploader or ""),
            created_at=source.created_at,
        )
        for source in sources
    ]


# ---- Libraries


def visible(backend: Backend, where: Filter, principal: Principal, action: Action = Action.SEE) -> Filter:
    """Return `where` within the libraries in which `principal` may do `action`; its libraries may be names or ids.

    Names that say nothing to them match nothing. The image whose colors are asked for has become its colors. Doing it
    twice is no harm. Raises NotAllowed when they come with a token that is not for looking, ImageNotFound when there is
    no such image for them, and InvalidQuery when it has no colors.
    """
    check_reading(principal)
    if where.palette_of is not None:
        where = replace(where, palette=_palette_of(backend, where, principal), palette_of=None)
    if where.libraries is not None:
        known = _libraries_called(backend, where.libraries, principal)
        found = (library for asked in where.libraries for library in _those_meant(asked, known))
        where = replace(where, libraries=tuple(dict.fromkeys(found)))
    return where.seen_by(principal, action)


def _palette_of(backend: Backend, where: Filter, principal: Principal) -> tuple[AskedColor, ...]:
    """Return the colors of an image with their shares, without its background where that is to be ignored."""
    image = get_image(backend, where.palette_of or "", principal)
    swatches = image.color.swatches if image.color else ()
    counted = [swatch for swatch in swatches if not (where.ignore_background and swatch.is_background)]
    total = sum(swatch.share for swatch in counted)
    if not total:
        raise InvalidQuery("The colors of this picture are not known yet. Please try again when it has been analyzed.")
    return tuple(AskedColor(swatch.hex, swatch.share / total) for swatch in counted)


def library_ids(backend: Backend, asked: Sequence[str], principal: Principal) -> tuple[str, ...]:
    """Return the ids of the libraries that are meant by names or ids; what means nothing to `principal` stays as is."""
    known = _libraries_called(backend, asked, principal)
    found = (library for name in asked for library in _those_meant(name, known) or [name])
    return tuple(dict.fromkeys(found))


def library_labels(backend: Backend, principal: Principal) -> dict[str, str]:
    """Return id -> what a page calls it for every library that exists for `principal`, no two of them alike."""
    names = _all_libraries(backend, principal)
    alike = Counter(name.casefold() for name in names.values())
    return {library: f"{name} ({library})" if alike[name.casefold()] > 1 else name for library, name in names.items()}


def upload_library(backend: Backend, asked: str | None, principal: Principal) -> str:
    """Return the id of the library that pictures go into when `asked`, a name or an id, or nothing, is wanted.

    Without a wish it is `main`, or else the only one there is. For the owner of everything a library that is not
    there yet will be made. Raises InvalidQuery when it is not clear which, or there is none, and NotAllowed when
    `principal` may only look at it.
    """
    if asked is None:
        return _usual_library(backend, principal)
    known = _libraries_called(backend, (asked,), principal)
    meant = _those_meant(asked, known)
    if principal.owns_everything and meant != [asked]:
        # A name given at the machine is not that of somebody's private library, whatever they call it.
        with backend.database.read() as connection:
            meant = [library for library in meant if records_libraries.is_of_the_house(connection, library)]
    allowed = [library for library in meant if principal.may(Action.UPLOAD, library)]
    if len(allowed) == 1:
        return allowed[0]
    if allowed:
        raise InvalidQuery(
            f"There are several libraries called “{asked}”. Please give the id of the one you mean: {_either(allowed)}."
        )
    if meant:
        raise NotAllowed(_refusal(principal, Action.UPLOAD, meant[0], known[meant[0]]))
    if not principal.owns_everything:
        raise InvalidQuery(NO_LIBRARY)
    return _new_library(asked, principal)


def check_uploading_somewhere(principal: Principal) -> None:
    """Raise NotAllowed when there is no library at all that `principal` may add pictures to."""
    if Action.UPLOAD.scope not in principal.scopes:
        raise NotAllowed(SCOPE_MISSING.format(scope=Action.UPLOAD.scope))
    if principal.libraries(Action.UPLOAD) == frozenset():
        raise NotAllowed(NOWHERE)


def check_uploading(library: str, principal: Principal) -> None:
    """Raise InvalidQuery or NotAllowed unless `principal` may add pictures to the library with this id."""
    check_library_name(library)
    if not principal.may(Action.UPLOAD, library):
        raise NotAllowed("You may not add pictures to this library. Its owners can give you another role.")


def upload_libraries(backend: Backend, principal: Principal) -> dict[str, str]:
    """Return id -> what a page calls it for every library that `principal` may add pictures to."""
    labels = library_labels(backend, principal)
    return {library: label for library, label in labels.items() if principal.may(Action.UPLOAD, library)}


def local_owner(backend: Backend) -> Principal:
    """Return the owner of everything as they are now: without the libraries that have been deleted."""
    with backend.database.read() as connection:
        return replace(OWNER, hidden=records_libraries.deleted_ids(connection))


def _usual_library(backend: Backend, principal: Principal) -> str:
    if principal.may(Action.UPLOAD, MAIN_LIBRARY) or principal.owns_everything:
        return _new_library(MAIN_LIBRARY, principal)
    names = _all_libraries(backend, principal)
    allowed = [library for library in names if principal.may(Action.UPLOAD, library)]
    if len(allowed) == 1:
        return allowed[0]
    if not allowed:
        raise NotAllowed(NOWHERE)
    labels = sorted(f"“{names[library]}”" for library in allowed)
    raise InvalidQuery(f"Please say which library the pictures go into: {_either(labels)}.")


def _new_library(name: str, principal: Principal) -> str:
    """Return the id of a library that is made when it is not there, unless it has been deleted."""
    check_library_name(name)
    if name in principal.hidden:
        raise InvalidQuery(DELETED_LIBRARY.format(name=name))
    if not principal.may(Action.UPLOAD, name):
        raise NotAllowed(_refusal(principal, Action.UPLOAD, name, name))
    return name


def _libraries_called(backend: Backend, asked: Sequence[str], principal: Principal) -> Mapping[str, str]:
    """Return id -> name of libraries that exist for `principal`, all those that go by one of these names among them."""
    if not principal.owns_everything:
        return _all_libraries(backend, principal)
    with backend.database.read() as connection:
        found = records_libraries.find(connection, asked)
    return {library.id: library.name for library in found if library.id not in principal.hidden}


def _all_libraries(backend: Backend, principal: Principal) -> dict[str, str]:
    """Return id -> name of every library that exists for `principal`, by name. No statement looks at another."""
    with backend.database.read() as connection:
        if principal.roles is not None:
            names = records_libraries.names_of(connection, principal.roles)
        else:
            found = records_libraries.list_all(connection)
            names = {library.id: library.name for library in found if library.id not in principal.hidden}
    return dict(sorted(names.items(), key=lambda item: (item[1].casefold(), item[0])))


def _those_meant(asked: str, known: Mapping[str, str]) -> list[str]:
    """Return the ids of the libraries that are meant: the one with this id, or else all with this name."""
    return [asked] if asked in known else [library for library, name in known.items() if name == asked]


def _either(choices: Sequence[str]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"
