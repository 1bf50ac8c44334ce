"""Where pictures can be added, as the pages offer it: into the library that is looked at, or one restored first."""

from collections.abc import Mapping
from urllib.parse import urlencode

from pipeline import access, libraries
from pipeline.backend import Backend
from pipeline.images import MAIN_LIBRARY
from pipeline.principals import Principal
from webapp.forms import Fields


def upload_url(fields: Fields, addable: Mapping[str, str]) -> str:
    """Return where to upload into the one library of a search, or into any; "" for whoever may not."""
    looked_at = fields.get("library", ())
    if len(looked_at) == 1:
        return f"/upload?{urlencode({'library': looked_at[0]})}" if looked_at[0] in addable else ""
    return "/upload" if addable else ""


def deleted_library(backend: Backend, principal: Principal) -> tuple[str, str] | None:
    """Return id and name of the library that is to be restored before the owner of everything can add a picture.

    None where there is a library, where one will be made, and for people with accounts, who make their own.
    """
    if not principal.owns_everything or MAIN_LIBRARY not in principal.hidden:
        return None
    if access.upload_libraries(backend, principal):
        return None
    deleted = {library.id: library.name for library in libraries.list_deleted(backend, principal)}
    return (MAIN_LIBRARY, deleted[MAIN_LIBRARY]) if MAIN_LIBRARY in deleted else None
