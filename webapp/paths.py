"""Where the templates, the static files and the languages lie, in an installed package as in a working copy."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    """Return the folder inside this package (a wheel), or else beside it (a working copy)."""
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


TEMPLATES = _folder("templates")
STATIC = _folder("static")
LANGUAGES = _PACKAGE / "languages"
