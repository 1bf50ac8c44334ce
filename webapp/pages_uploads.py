"""What the page of uploads shows; see `pages`."""

from dataclasses import dataclass
from typing import Literal

from pipeline.images import ImageRecord
from webapp.pages import Shell, Tile


@dataclass(frozen=True)
class UploadCard:
    """One file of an upload. `outcome` chooses what the card looks like; `sentence` says it in words.

    `number` orders the cards of a batch. `kin` are pictures that look like it, found once it is analysed.
    """

    id: str
    number: int
    filename: str
    size: str
    outcome: Literal["waiting", "added", "existing", "failed", "refused"]
    sentence: str
    image: ImageRecord | None
    tile: Tile | None
    kin: tuple[Tile, ...] = ()


@dataclass(frozen=True)
class UploadPage:
    """`/upload`. `batch` names this list of files in its address; `poll_url` is None when nothing waits.

    `libraries` are those that files can be added to (id, label), and `library` the id of the one that is chosen.
    `deleted_library` is (id, name) of the one to be restored before anything can be added; None where it can.
    """

    shell: Shell
    batch: str
    cards: tuple[UploadCard, ...]
    totals: str
    poll_url: str | None
    libraries: tuple[tuple[str, str], ...] = ()
    library: str = ""
    deleted_library: tuple[str, str] | None = None
