"""The files of an installed model, looked at before they are used."""

import hashlib
from pathlib import Path

from pipeline.errors import ModelUnusable
from pipeline.features.encoders.cards import ModelCard, ModelFile


def checked_path(folder: Path, card: ModelCard, file: ModelFile) -> Path:
    """Return where `file` lies in `folder`, after its size and SHA-256 have been found to be those of the card.

    Raises ModelUnusable when it is missing or another.
    """
    path = folder / file.path
    try:
        found_bytes = path.stat().st_size
        found = sha256_of(path) if found_bytes == file.bytes else f"{found_bytes} bytes"
    except OSError as error:
        raise ModelUnusable(
            f"The file {file.path} of the model {card.name} cannot be read. Please pull, import or export it again.",
            detail=str(error),
        ) from error
    if found != file.sha256:
        raise ModelUnusable(
            f"The file {file.path} of the model {card.name} is damaged. Please pull, import or export it again.",
            detail=f"{found} instead of {file.sha256} and {file.bytes} bytes",
        )
    return path


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, without holding it in memory. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
