"""What a power cut must not undo: a name in a folder is on disk only when the folder itself has been synced."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Return when the names that `folder` holds now are safe on disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
