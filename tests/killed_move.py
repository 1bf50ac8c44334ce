"""Moves that end themselves with SIGKILL, each one step later than the one before, until one comes to its end.

    python killed_move.py DATA_FOLDER FOLDER EVENT     with EVENT one of `commit`, `rename`

Every trial begins with a fresh copy of the data folder in FOLDER. `commit` dies right after the N-th transaction was
committed on either database, `rename` right before the N-th file was put into its place. After each kill at most one
of the two places is in charge, and a second move must find its way. Tells how many kills there were.
"""

import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path

import sqlalchemy as sa

from pipeline.errors import StoreUnavailable
from pipeline.moving import move
from pipeline.settings import Settings, read_settings
from pipeline.stores.copying import equalize, is_empty
from pipeline.stores.database import Database

STRIDE = {"commit": 1, "rename": 7}
"""Every commit may be the one that matters; files are all alike."""


class Countdown:
    """Kills this process when it has been told so often that a step was taken."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def step(self, *_: object) -> None:
        self.steps -= 1
        if self.steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main(data: Path, folder: Path, event: str) -> None:
    kills = 0
    for steps in count(1, STRIDE[event]):
        old = folder / str(steps) / "old"
        new = folder / str(steps) / "new"
        shutil.copytree(data, old)
        settings = read_settings(data=old)
        if not _dies(settings, new, event, steps):
            break
        kills += 1
        in_charge = [place for place in (old, new) if _is_in_charge(place)]
        assert in_charge in ([old], [], [new]), (steps, in_charge)
        if in_charge != [new]:
            move(settings, database_url=_database(new), objects_url=_objects(new))
        _check(settings, new)
        shutil.rmtree(folder / str(steps))
    sys.stdout.write(f"{kills} kills\n")


def _dies(settings: Settings, new: Path, event: str, steps: int) -> bool:
    """Move in a process that dies at a step; return whether it died."""
    child = os.fork()
    if child == 0:
        countdown = Countdown(steps)
        if event == "commit":
            _after_commits(countdown)
        else:
            sys.addaudithook(lambda name, _: countdown.step() if name == "os.rename" else None)
        move(settings, database_url=_database(new), objects_url=_objects(new))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return os.WIFSIGNALED(status)


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
