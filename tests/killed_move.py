"""Moves that end themselves with SIGKILL, each at another step, and those that go on where they died.

    python killed_move.py DATA_FOLDER FOLDER EVENT     with EVENT one of `commit`, `rename`

How many steps there are is counted first. Every trial begins with a fresh copy of the data folder in FOLDER. `commit`
dies right after the N-th transaction was committed on either database, `rename` right before the N-th file was put
into its place. After each kill at most one of the two places is in charge, and a second move must find its way. Tells
how many kills there were.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

import sqlalchemy as sa

from pipeline.errors import StoreUnavailable
from pipeline.moving import move
from pipeline.settings import Settings, read_settings
from pipeline.stores.copying import equalize, is_empty
from pipeline.stores.database import Database

EARLY, LATE = {"commit": 3, "rename": 2}, {"commit": 5, "rename": 0}
"""So many of the first steps, which are much alike, spread evenly; and every one of so many last steps."""

MOST_STEPS = 255  # is what an exit status can tell


class Countdown:
    """Kills this process when it has been told so often that a step was taken."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def step(self, *_: object) -> None:
        self.steps -= 1
        if self.steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main(data: Path, folder: Path, event: str) -> None:
    last = _begin(data, folder / "whole", event, never=True)
    assert 2 * EARLY[event] < last < MOST_STEPS, last
    early = range(1, last - LATE[event], max(1, last // EARLY[event]))
    steps = sorted({*early, *range(last - LATE[event] + 1, last + 1)})
    for step in steps:
        _try(data, folder / str(step), event, step)
    sys.stdout.write(f"{len(steps)} kills\n")


def _try(data: Path, folder: Path, event: str, step: int) -> None:
    """Let a move die at a step, and the next one come to its end."""
    assert _begin(data, folder, event, step) == -signal.SIGKILL
    old, new = folder / "old", folder / "new"
    in_charge = [place for place in (old, new) if _is_in_charge(place)]
    assert in_charge in ([old], [], [new]), (step, in_charge)
    settings = read_settings(data=old)
    if in_charge != [new]:
        move(settings, database_url=_database(new), objects_url=_objects(new))
    _check(settings, new)


def _begin(data: Path, folder: Path, event: str, step: int = 0, *, never: bool = False) -> int:
    """Move a copy of the data in a process that dies at a step; return its status: how many steps there were if not."""
    shutil.copytree(data, folder / "old")
    child = os.fork()
    if child == 0:
        countdown = Countdown(MOST_STEPS + 1 if never else step)
        if event == "commit":
            _after_commits(countdown)
        else:
            sys.addaudithook(lambda name, _: countdown.step() if name == "os.rename" else None)
        new = folder / "new"
        move(read_settings(data=folder / "old"), database_url=_database(new), objects_url=_objects(new))
        os._exit(MOST_STEPS + 1 - countdown.steps)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _after_commits(countdown: Countdown) -> None:
    dialect = sa.dialects.sqlite.dialect
    commit = dialect.do_commit

    def commit_and_step(self: object, connection: object) -> None:
        commit(self, connection)
        countdown.step()

    dialect.do_commit = commit_and_step


def _check(settings: Settings, new: Path) -> None:
    """Make sure that all is in the new place, which alone is in charge."""
    assert _is_in_charge(new)
    assert not _is_in_charge(settings.data)
    source, target = Database(settings.database_url), Database(_database(new))
    assert all(difference.is_none for difference in equalize(source, target))
    ours, theirs = (
        {file.name for file in (place / "objects/originals").rglob("?" * 64) if file.is_file()}
        for place in (settings.data, new)
    )
    assert ours == theirs
    source.close()
    target.close()


def _is_in_charge(place: Path) -> bool:
    """Whether there are records in a place which may be changed; an empty database is nobody's place yet."""
    if not (place / "likeness.db").exists():
        return False
    database = Database(_database(place))
    try:
        if not database.is_current():
            return False
        with database.write() as connection:
            return not is_empty(connection)
    except StoreUnavailable:
        return False
    finally:
        database.close()


def _database(place: Path) -> str:
    return f"sqlite:///{place}/likeness.db"


def _objects(place: Path) -> str:
    return (place / "objects").as_uri()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
