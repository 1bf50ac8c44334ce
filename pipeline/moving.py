"""Moving everything from the stores of the settings to others, while the old ones go on answering.

Until the end the old place is in charge and the new one refuses changes. Everything is copied while people work; then
those who want to change something wait until what came in meanwhile has been copied and both sides have been found
equal, and in one transaction the old place gives up its charge. Whatever is interrupted is gone on with by the same
command. Nothing is removed from the old place, so moving back copies only what is new.

Vectors are not moved but made from the database by whoever is told to use it: see `reindexing`.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO

from pipeline.errors import ConfigurationError, Conflict, StoreUnavailable
from pipeline.images import original_key
from pipeline.settings import Settings
from pipeline.stores import charge, copying, copying_objects, records_moves, records_repair
from pipeline.stores.copying import Difference
from pipeline.stores.copying_objects import Copied
from pipeline.stores.database import Connection, Database, Writing, sqlite_file
from pipeline.stores.database_address import without_secrets
from pipeline.stores.inventories import Inventory, has_others
from pipeline.stores.numbering import carry_numbers
from pipeline.stores.opening import open_database, open_objects
from pipeline.stores.protocols import ObjectStore

LOCK = "move"
ROWS_AT_ONCE = 1000  # originals asked for in one statement
MOST_CONNECTIONS = 4  # to one database: the lock, the change that others wait for, what is read, and what is written
MOST_PASSES = 3  # over the tables while changes wait: one that brings the last ones, one that finds nothing

COPY_WITHIN = "pgvector://"  # the address of vectors in the database itself

NEVER_AT_REST = frozenset({"query_pictures"})
"""Tables that searches write to also while changes wait; what comes after they were copied is forgotten."""

Tell = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and how much there is."""

NOTHING_TO_DO = "Everything is at these addresses already. Please name another with --database-url or --objects-url."
NOTHING_THERE = "There is no database at the address of the settings yet, so there is nothing to move."
RUNNING = "Another `likeness move` is at work on this data. Please wait until it is done."
ARRIVING = "This database is being filled by another `likeness move`, which must be finished first."
OCCUPIED = (
    "The database {there} has data of its own, which would be lost. Please name an empty database, or the one "
    "that this data was in before."
)
OCCUPIED_OBJECTS = (
    "The store {there} holds pictures that are not of this installation. Please name an empty folder or bucket."
)
MOVED_ALREADY = "This data has moved to {there} already. Please start Likeness with that address."
DIFFERENT = "The two databases stayed different, so nothing was switched. Please run `likeness move` again."


@dataclass
class Moved:
    """What was moved, and where to; an address is None for what stays where it is.

    `missing` originals had been lost before, `damaged` ones were copied as they are, `cleaned` records had characters
    that the new database cannot keep, `in_place` images are files that nothing was done to. `copies` are the addresses
    and names of the collections and tables in which vector engines have followed the old database, and which nobody
    follows with from now on. Changes had to wait for `waiting_seconds`.
    """

    database: str | None = None
    objects: str | None = None
    rows: int = 0
    files: Copied = field(default_factory=Copied)
    missing: int = 0
    cleaned: int = 0
    in_place: int = 0
    copies: list[tuple[str, str]] = field(default_factory=list)
    waiting_seconds: float = 0.0


def move(settings: Settings, *, database_url: str = "", objects_url: str = "", tell: Tell | None = None) -> Moved:
    """Move the database, the pictures or both from where `settings` have them; return what was done.

    Raises Conflict when that cannot be done as things stand, ConfigurationError for an impossible address, and
    StoreUnavailable when a store does not answer; the same call goes on where that happened.
    """
    file = sqlite_file(settings.database_url)
    if file and not file.exists():
        raise Conflict(NOTHING_THERE)
    with ExitStack() as stack:
        source = _opened(settings, stack)
        with _naming("LIKENESS_DATABASE_URL", "--database-url"):
            to = settings.model_copy(update={"database_url": database_url})
            target = _opened(to, stack) if database_url else None
        if target and _is_same(source, target):
            target = None
        old = open_objects(settings.objects_url)
        with _naming("LIKENESS_OBJECTS_URL", "--objects-url"):
            new = open_objects(objects_url) if objects_url else None
        if new and charge.are_one(old, new):
            new = None
        if not target and not new:
            raise Conflict(NOTHING_TO_DO)
        for database in filter(None, (source, target)):
            if not stack.enter_context(database.exclusively(LOCK)):
                raise Conflict(RUNNING)
        return _Move(source, target, old, new, tell or (lambda *_: None)).run()


def _opened(settings: Settings, stack: ExitStack) -> Database:
    connections = max(settings.database_connections, MOST_CONNECTIONS)
    database = open_database(settings.model_copy(update={"database_connections": connections}))
    stack.callback(database.close)
    database.migrate()
    return database


def _is_same(one: Database, other: Database) -> bool:
    if one.is_sqlite and other.is_sqlite:
        files = [sqlite_file(str(database.url)) for database in (one, other)]
        return files[0] is not None and files[1] is not None and files[0].resolve() == files[1].resolve()
    return one.url == other.url


def _shown(database: Database) -> str:
    return without_secrets(database.url)


@contextmanager
def _naming(setting: str, option: str) -> Iterator[None]:
    """Let what is wrong with an address be said of the option that it was given with."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(error.user_message.replace(setting, option), detail=error.detail) from error


@dataclass
class _Move:
    """One run: `target` or `new` is None for what stays."""

    source: Database
    target: Database | None
    old: ObjectStore
    new: ObjectStore | None
    tell: Tell
    held: Inventory = field(default_factory=Inventory)
    """What the new store has; empty when the pictures stay."""
    new_id: str = ""

    def run(self) -> Moved:
        moved = Moved(_shown(self.target) if self.target else None, self.new.address if self.new else None)
        if self._was_left_at_the_end():
            self._release()
            return moved
        with self.source.write() as connection:
            installation = records_moves.name_installation(connection)
        if self.target:
            _admit(self.target, installation)
        if self.new:
            self._copy_objects(self.new, installation, moved)
        if self.target:
            self._copy_tables(self.target, "Copying the database")
            self._copy_tables(self.target, "Catching up")
        if self.new:
            self._copy_originals(self.new, moved)
        self._switch(moved)
        self._release()
        return moved

    def _was_left_at_the_end(self) -> bool:
        """Whether all was moved to this very place and only the last step is missing.

        Raises Conflict when something was moved elsewhere.
        """
        with self.source.read() as connection:
            database = records_moves.target_of(connection, "database")
            at = records_moves.store_in_charge(connection)
            installation = records_moves.installation(connection)
            if records_moves.target_of(connection, "arrival"):
                raise Conflict(ARRIVING)
        if database and self.target and database == _shown(self.target):
            with self.target.read() as connection:
                if records_moves.target_of(connection, "arrival") == installation:
                    return True
        objects = at[1] if at and at[0] != charge.read_id(self.old) else None
        if database or objects:
            raise Conflict(MOVED_ALREADY.format(there=database or objects))
        return False

    # ---- While people work

    def _copy_objects(self, new: ObjectStore, installation: str, moved: Moved) -> None:
        """Copy what is there now, once it is sure that the new store is nobody else's."""
        new.check()
        mark = f"{charge.MARKS}/{installation}"
        self.held = Inventory(new)
        if not new.exists(mark) and has_others(self.held, self.old):
            raise Conflict(OCCUPIED_OBJECTS.format(there=new.address))
        for store in (self.old, new):  # the old one is known when everything moves back
            store.put(mark, BytesIO(b""))
        self.new_id = charge.give_id(new, unlike=charge.read_id(self.old))
        tell = _Counting(self.tell, "Copying pictures", sum(1 for _ in self.old.list("")))
        keys = copying_objects.wanted(self.old, self.held, tell)
        try:
            _add(moved.files, copying_objects.copy_objects(self.old, new, keys, self.held, tell))
        finally:
            self.held.write_down()

    def _copy_originals(self, new: ObjectStore, moved: Moved) -> None:
        """Copy the originals that records name and that were not seen in the new store."""
        missing = [0]

        def lacking() -> Iterator[str]:
            for key in self._originals():
                if not self.held.is_verified(key):
                    missing[0] += 1
                    yield key

        copied = copying_objects.copy_objects(self.old, new, lacking(), self.held, lambda _: None)
        _add(moved.files, copied)
        moved.missing = missing[0] - copied.objects - copied.found

    def _originals(self) -> Iterator[str]:
        """Yield the keys of the originals that are in the store, by the records."""
        last = 0
        while True:
            with self.source.read() as connection:
                found = records_repair.originals_behind(connection, last, ROWS_AT_ONCE)
            yield from (original_key(*owner) for _, owner in found)
            if len(found) < ROWS_AT_ONCE:
                return
            last = found[-1][0]

    def _copy_tables(self, target: Database, label: str) -> list[Difference]:
        with self.source.read() as connection:
            total = copying.count_rows(connection)
        return copying.equalize(self.source, target, tell=_Counting(self.tell, label, total))

    # ---- While changes wait

    def _switch(self, moved: Moved) -> None:
        """Copy what came in last, find both sides equal, and let the new place be in charge."""
        with self.source.write(Writing.ALONE) as connection:
            began = time.monotonic()
            if self.target:
                differences = self._copy_tables(self.target, "Comparing")
                _prove_equal(self.source, self.target, differences)
                carry_numbers(self.source, self.target, copying.copied_tables())
                moved.rows = sum(difference.rows for difference in differences)
                moved.cleaned = sum(difference.cleaned for difference in differences)
            if self.new:
                self._copy_originals(self.new, moved)
            moved.in_place = records_moves.count_in_place(connection)
            moved.copies = _left_behind(connection) if self.target else []
            self._record(connection)
            moved.waiting_seconds = time.monotonic() - began

    def _record(self, connection: Connection) -> None:
        """Write down what is where; with the commit of `connection` the old place has given up its charge."""
        store = (self.new_id, self.new.address) if self.new else records_moves.store_in_charge(connection)
        if self.target:
            # The new database first: until it is released nobody uses it.
            with self.target.write(Writing.PASSING) as there:
                records_moves.put_in_charge(there, store)
            records_moves.record(connection, "database", _shown(self.source), _shown(self.target))
        else:
            records_moves.put_in_charge(connection, store)

    def _release(self) -> None:
        """Let the new database take changes."""
        if self.target:
            with self.target.write(Writing.PASSING) as connection:
                records_moves.forget(connection, "database")
                records_moves.forget(connection, "arrival")
        self.held.forget()


def _admit(target: Database, installation: str) -> None:
    """Let nobody change `target` from now on. Raises Conflict when there is anything in it but older data of ours."""
    with target.write(Writing.MOVING) as connection:
        arriving = records_moves.target_of(connection, "arrival")
        is_empty = copying.is_empty(connection)
        was_ours = (
            records_moves.target_of(connection, "database") is not None
            and records_moves.installation(connection) == installation
        )
        if arriving != installation and (arriving or not (is_empty or was_ours)):
            raise Conflict(OCCUPIED.format(there=_shown(target)))
        if is_empty:
            records_moves.forget_copies(connection)
        records_moves.record(connection, "arrival", _shown(target), installation)


def _left_behind(connection: Connection) -> list[tuple[str, str]]:
    """Return what is in engines of their own; a copy within the old database goes away together with that."""
    copies = records_moves.copies_left(connection)
    return [(address.partition(" ")[0], place) for address, place in copies if address != COPY_WITHIN]


def _prove_equal(source: Database, target: Database, differences: list[Difference]) -> None:
    """Return when nothing is different any more. Raises StoreUnavailable when that does not come."""
    for _ in range(MOST_PASSES):
        different = (difference.table for difference in differences if not difference.is_none)
        changed = [table for table in different if table not in NEVER_AT_REST]
        if not changed:
            return
        differences = copying.equalize(source, target, only=changed)
    raise StoreUnavailable(DIFFERENT)


def _add(total: Copied, copied: Copied) -> None:
    total.objects += copied.objects
    total.bytes += copied.bytes
    total.damaged += copied.damaged


@dataclass
class _Counting:
    """Adds up what is done and tells it."""

    tell: Tell
    label: str
    total: int
    done: int = 0

    def __call__(self, number: int) -> None:
        self.done += number
        self.tell(self.label, self.done, max(self.done, self.total))
