"""What the page of uploads shows; see `pages`."""

from dataclasses import dataclass
from typing import Literal

from pipeline.images import ImageRecord
from webapp.pages import Shell, Tile


@dataclass(frozen=True)
class CopyLine:
    """A picture that was found beside the one of a card. `verdict` says what they are to each other, `details` how.

    `compare_url` shows them side by side. `decided` is what somebody has said of the two, "" where nothing. `may_use`
    offers to use it in place of the new one, `may_decide` to keep both.
    """

    tile: Tile
    verdict: str
    details: str
    compare_url: str
    decided: str = ""
    may_use: bool = False
    may_decide: bool = False


@dataclass(frozen=True)
class UploadCard:
    """One file of an upload. `outcome` chooses what the card looks like; `sentence` says it in words.

    `number` orders the cards of a batch. `copies` were found beside it, in the check for duplicates; where there are
    none, `kin` are pictures that look like it. `warnings` are what banks say of it. `may_restore` is for one in the
    trash, `problem` for a choice that was refused.
    """

    id: str
    number: int
    filename: str
    size: str
    outcome: Literal["waiting", "added", "existing", "held", "deleted", "failed", "refused"]
    sentence: str
    image: ImageRecord | None
    tile: Tile | None
    kin: tuple[Tile, ...] = ()
    copies: tuple[CopyLine, ...] = ()
    warnings: tuple[str, ...] = ()
    may_restore: bool = False
    problem: str = ""


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
