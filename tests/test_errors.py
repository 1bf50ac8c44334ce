"""The tree of errors: drawn as it is, with a sentence in every leaf, and nothing foreign on its way out."""

import inspect
import re

import pytest
import sqlalchemy as sa

from pipeline import errors
from pipeline.errors import LikenessError, StoreUnavailable, TooManyAttempts

KINDS = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, LikenessError)}


def drawn_parents() -> dict[str, str | None]:
    """Read the tree in the docstring: each name, and the nearest name above it that stands further left."""
    parents: dict[str, str | None] = {}
    path: list[tuple[int, str]] = []
    for line in errors.__doc__.splitlines():
        found = re.match(r"^([│├└─ ]*)([A-Z]\w+)\b", line)
        if not found or (not found[1] and found[2] != "LikenessError"):
            continue
        depth = len(found[1])
        path = [step for step in path if step[0] < depth]
        parents[found[2]] = path[-1][1] if path else None
        path.append((depth, found[2]))
    return parents


def test_the_tree_that_is_drawn_is_the_tree_there_is():
    real = {name: kind.__base__.__name__ for name, kind in KINDS.items()}

    assert drawn_parents() == real | {"LikenessError": None}


def test_every_kind_has_a_code_of_its_own():
    codes = [kind.code for kind in KINDS.values()]

    assert len(set(codes)) == len(codes)
    for name, kind in KINDS.items():
        assert kind.code == re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower().removeprefix("likeness_")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_an_error_tells_the_person_one_thing_and_the_log_more(kind):
    more = {"retry_seconds": 30} if kind is TooManyAttempts else {}
    error = kind("The disk is full. Please remove something.", detail="ENOSPC at /data", **more)

    assert error.user_message == "The disk is full. Please remove something."
    assert str(error) == "The disk is full. Please remove something. [ENOSPC at /data]"
    assert str(kind("Alone.", **more)) == "Alone."


@pytest.mark.parametrize(
    "foreign",
    [
        sa.exc.OperationalError("SELECT 1", {}, Exception("database is locked")),
        sa.exc.InterfaceError("SELECT 1", {}, Exception("connection reset")),
        sa.exc.DatabaseError("SELECT 1", {}, Exception("file is not a database")),
        sa.exc.TimeoutError("QueuePool limit reached"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_a_database_that_is_down_raises_becomes_ours_with_its_cause(database, foreign):
    def ask() -> None:
        with database.read():
            raise foreign

    with pytest.raises(StoreUnavailable) as caught:
        ask()

    assert caught.value.__cause__ is foreign
    assert "SELECT" not in caught.value.user_message
