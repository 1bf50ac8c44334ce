"""Banks of known pictures: what happens to what looks like them, when it comes in and when it is there already."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa
from house import House
from pictures import picture_bytes
from PIL import Image, ImageOps

from pipeline import bank_entries, bank_upkeep, banks, curation
from pipeline.access import get_image, local_owner
from pipeline.backend import Backend
from pipeline.bank_files import read_hashes
from pipeline.bank_matching import HELD, REFUSED, judge
from pipeline.bank_rules import BankAction, Deed, Kind
from pipeline.banks import BankSettings
from pipeline.errors import Conflict, NotAllowed, NotFound
from pipeline.features.fingerprint import fingerprint_of
from pipeline.images import ImageRecord, ImageState
from pipeline.principals import OWNER, Principal, Role
from pipeline.reconcile import reconcile
from pipeline.stores import bank_table, records_bank_matches, records_banks
from pipeline.stores.tables import images
from pipeline.stores.tables_duplicates import bank_entries as entries_table
from pipeline.stores.tables_duplicates import bank_matches, moderation_cases
from pipeline.uploads import spooled
from pipeline.worker import Worker

pytestmark = pytest.mark.on_both_databases

SENTENCE = "Cats have their own library."


def changed(data: bytes, change: Callable[[Image.Image], Image.Image]) -> bytes:
    file = io.BytesIO()
    change(Image.open(io.BytesIO(data)).convert("RGB")).save(file, "JPEG", quality=60)
    return file.getvalue()


def bordered(data: bytes) -> bytes:
    return changed(data, lambda image: ImageOps.expand(image.resize((300, 200)), 24, "black"))


def turned(data: bytes) -> bytes:
    return changed(data, lambda image: ImageOps.mirror(image).rotate(90, expand=True))


def make(backend: Backend, name: str = "Cats", *, library: str | None = "main", **settings: object) -> str:
    """Make a bank and return its id; the library is made by the first picture in it."""
    kind = settings.pop("kind", Kind.KNOWN)
    owner = local_owner(backend)
    return banks.make(backend, owner, library, BankSettings(name, **settings), kind=kind).bank.id


def add(backend: Backend, bank: str, data: bytes, principal: Principal = OWNER) -> bank_entries.Added:
    with spooled(io.BytesIO(data), "known.jpg", max_bytes=len(data)) as upload:
        return bank_entries.add_picture(backend, principal, bank, upload)


def analyzed(backend: Backend, image: ImageRecord) -> ImageRecord:
    Worker(backend).drain()
    return get_image(backend, image.id, OWNER)


def compare(backend: Backend) -> None:
    while bank_upkeep.step(backend):
        pass


def deeds(backend: Backend, bank: str) -> list[tuple[str, str]]:
    found = bank_upkeep.list_matches(backend, OWNER, bank, limit=100)
    return sorted((one.image.filename, one.match.deed.value) for one in found)


@pytest.fixture(autouse=True)
def _library(put):
    """Make the library `main`, as the first picture does."""
    put(picture_bytes("noise", seed=99), filename="noise.png")


@pytest.mark.parametrize(
    ("action", "state", "sentence"),
    [
        (BankAction.ALLOW, ImageState.READY, None),
        (BankAction.WARN, ImageState.READY, None),
        (BankAction.HOLD, ImageState.HELD, HELD),
        (BankAction.REFUSE, ImageState.FAILED, REFUSED),
    ],
)
def test_a_bank_does_at_upload_what_it_is_set_to_and_writes_it_down(backend, put, photos, action, state, sentence):
    bank = make(backend, action=action)
    add(backend, bank, photos["chelsea"])

    copy = put(turned(bordered(photos["chelsea"])), filename="copy.jpg")
    other = put(photos["coffee"], filename="other.jpg")
    copy, other = analyzed(backend, copy), analyzed(backend, other)

    assert (copy.state, copy.error) == (state, sentence)
    assert (other.state, other.error) == (ImageState.READY, None)
    assert deeds(backend, bank) == [("copy.jpg", action.value)]


def test_what_is_held_has_a_case_that_names_the_bank_and_tells_its_sentence(backend, put, photos):
    bank = make(backend, sentence=SENTENCE)
    add(backend, bank, photos["chelsea"])

    held = analyzed(backend, put(photos["chelsea"]))

    assert held.error == SENTENCE
    with backend.database.read() as connection:
        cases = connection.execute(sa.select(moderation_cases.c.image_row, moderation_cases.c.bank)).all()
    assert cases == [(held.row, bank)]


def test_the_bank_that_does_most_decides_and_good_ones_stand_above_those_of_their_own_place(backend, put, photos):
    cat, astronaut = photos["chelsea"], photos["astronaut"]
    for data in (cat, astronaut):
        add(backend, make(backend, f"warn {len(data)}", action=BankAction.WARN), data)
        add(backend, make(backend, f"refuse {len(data)}", action=BankAction.REFUSE), data)
    add(backend, make(backend, "good", kind=Kind.GOOD), cat)

    assert analyzed(backend, put(cat)).state is ImageState.READY
    assert analyzed(backend, put(astronaut)).state is ImageState.FAILED

    # A library gets round no bank of the server with one of its own.
    add(backend, make(backend, "of the server", library=None, action=BankAction.REFUSE), cat)
    assert analyzed(backend, put(bordered(cat))).state is ImageState.FAILED
    add(backend, make(backend, "good everywhere", library=None, kind=Kind.GOOD), cat)
    assert analyzed(backend, put(turned(cat))).state is ImageState.READY


def test_a_bank_looks_at_its_own_library_until_its_time_or_that_of_the_entry_is_over(backend, put, photos):
    put(picture_bytes(), library="attic")
    bank = make(backend, action=BankAction.REFUSE)
    add(backend, bank, photos["chelsea"])
    entry = bank_entries.list_entries(backend, OWNER, bank, limit=1)[0]
    fingerprint = fingerprint_of(backend.decoders.decode(photos["chelsea"]))

    def action(in_library: str = "main") -> BankAction:
        return judge(backend, in_library, "0" * 64, fingerprint).action

    assert (action(), action("attic")) == (BankAction.REFUSE, BankAction.ALLOW)
    past, later = datetime.now(UTC) - timedelta(seconds=1), datetime.now(UTC) + timedelta(days=1)
    for expiry, expected in ((past, BankAction.ALLOW), (later, BankAction.REFUSE)):
        bank_entries.change_entry(backend, OWNER, bank, entry.id, {"expires_at": expiry})
        assert action() is expected
    for expiry, expected in ((past, BankAction.ALLOW), (None, BankAction.REFUSE)):
        banks.change(backend, OWNER, bank, {"expires_at": expiry})
        assert action() is expected
    banks.pause(backend, OWNER, bank)
    assert action() is BankAction.ALLOW
    banks.resume(backend, OWNER, bank)
    bank_entries.remove_entries(backend, OWNER, bank, [entry.id])
    assert action() is BankAction.ALLOW


def test_the_ratio_draws_once_for_the_same_bytes_and_writes_down_whom_it_spared(backend, put, photos):
    bank = make(backend, action=BankAction.REFUSE, ratio=0.0)
    add(backend, bank, photos["chelsea"])
    fingerprint = fingerprint_of(backend.decoders.decode(photos["chelsea"]))

    assert analyzed(backend, put(photos["chelsea"], filename="a.jpg")).state is ImageState.READY
    assert deeds(backend, bank) == [("a.jpg", Deed.SHADOW)]

    banks.change(backend, OWNER, bank, {"ratio": 0.25})
    names = [f"{number:064x}" for number in range(400)]
    drawn = [judge(backend, "main", sha256, fingerprint).action for sha256 in names]
    assert drawn == [judge(backend, "main", sha256, fingerprint).action for sha256 in names]
    assert 70 <= drawn.count(BankAction.REFUSE) <= 130


def test_a_plain_picture_matches_only_at_the_strict_level(backend):
    dull = Image.fromarray(np.tile(np.linspace(0, 255, 96, dtype=np.uint8), (64, 1))).convert("RGB")
    plain = changed(picture_bytes(), lambda _: dull)
    bank = make(backend, action=BankAction.REFUSE, max_distance=47)
    fingerprint = fingerprint_of(backend.decoders.decode(plain))
    assert 0 < fingerprint.quality < 50

    for flipped, matches in ((10, True), (11, False)):
        near = bytearray(fingerprint.whole)
        for bit in range(flipped):
            near[bit * 2] ^= 1
        for entry in bank_entries.list_entries(backend, OWNER, bank, limit=9):
            bank_entries.remove_entries(backend, OWNER, bank, [entry.id])
        bank_entries.add_hashes(backend, OWNER, bank, read_hashes(bytes(near).hex()), origin="list.txt")
        assert bool(judge(backend, "main", "0" * 64, fingerprint).matches) is matches


def test_a_picture_of_one_color_is_in_no_bank(backend):
    bank = make(backend, action=BankAction.REFUSE, max_distance=47)
    red, blue = (
        changed(picture_bytes(), lambda _, color=color: Image.new("RGB", (96, 64), color)) for color in ("red", "blue")
    )
    add(backend, bank, red)
    for data in (red, blue):
        fingerprint = fingerprint_of(backend.decoders.decode(data))
        assert judge(backend, "main", "0" * 64, fingerprint).matches == ()


def test_a_new_entry_is_compared_with_what_is_there_and_nothing_is_done_unasked(backend, put, photos, monkeypatch):
    monkeypatch.setattr(bank_upkeep, "IMAGES_AT_ONCE", 2)  # several steps, each of which could be the last of a process
    there = [put(bordered(photos["chelsea"]), filename="old.jpg"), put(photos["coffee"]), put(photos["rocket"])]
    elsewhere = put(photos["chelsea"], filename="elsewhere.jpg", library="attic")
    Worker(backend).drain()
    bank = make(backend)
    add(backend, bank, photos["chelsea"])

    assert bank_upkeep.step(backend)
    assert banks.get_bank(backend, OWNER, bank).comparing == 1, "others may go on from here"
    compare(backend)

    assert banks.get_bank(backend, OWNER, bank).comparing == 0
    assert deeds(backend, bank) == [("old.jpg", Deed.FOUND)]
    assert get_image(backend, there[0].id, OWNER).state is ImageState.READY
    preview = bank_upkeep.preview_hold(backend, OWNER, bank)
    assert [image.id for image in preview.examples] == [there[0].id]
    with pytest.raises(Conflict, match="1 pictures by now, not 2"):
        bank_upkeep.hold_found(backend, OWNER, bank, expected=2)
    assert bank_upkeep.hold_found(backend, OWNER, bank, expected=preview.number) == 1
    assert get_image(backend, there[0].id, OWNER).state is ImageState.HELD
    assert get_image(backend, elsewhere.id, OWNER).state is ImageState.READY
    assert deeds(backend, bank) == [("old.jpg", Deed.HOLD)]
    assert bank_upkeep.preview_hold(backend, OWNER, bank).number == 0


def test_an_entry_that_comes_while_an_image_is_analyzed_is_seen_by_it(backend, put, photos, monkeypatch):
    bank = make(backend, action=BankAction.REFUSE)
    known = backend.banks.known

    def added_behind_its_back() -> list[bank_table.Known]:
        asked = known()
        monkeypatch.setattr(backend.banks, "known", known)
        add(backend, bank, photos["chelsea"])
        return asked

    monkeypatch.setattr(backend.banks, "known", added_behind_its_back)
    image = put(photos["chelsea"])

    assert analyzed(backend, image).state is ImageState.FAILED


def test_a_bank_that_suddenly_matches_too_much_rests_and_says_so(backend, photos):
    bank = make(backend, action=BankAction.REFUSE)
    add(backend, bank, photos["chelsea"])
    cat = fingerprint_of(backend.decoders.decode(photos["chelsea"]))

    def upload(number: int) -> BankAction:
        from pipeline.bank_matching import notice

        judged = judge(backend, "main", f"{number:064x}", cat)
        notice(backend, judged)
        return judged.action

    for _ in range(30):
        upload(0)  # the same bytes again and again say nothing
    assert {upload(number) for number in range(20)} == {BankAction.REFUSE}
    upload(20)

    assert upload(21) is BankAction.ALLOW
    paused = banks.paused_of(backend, OWNER)
    assert [one.id for one in paused] == [bank]
    assert "21 of the last 21 uploads" in (paused[0].paused or "")
    assert ("Likeness", "bank paused", "Cats") in House(backend).log("main")

    banks.resume(backend, OWNER, bank)
    assert {upload(number) for number in range(100, 120)} == {BankAction.REFUSE}
    banks.change(backend, OWNER, bank, {"guarded": False})
    assert {upload(number) for number in range(120, 140)} == {BankAction.REFUSE}


def test_what_is_removed_stays_removed(backend, put, photos):
    image = analyzed(backend, put(photos["chelsea"]))
    with backend.database.write() as connection:
        assert banks.remember(connection, image, OWNER, reason="not ours")
        assert banks.remember(connection, image, OWNER), "twice is no harm"
    curation.delete(backend, [image.id], OWNER, purge=True)

    again, copy = put(photos["chelsea"]), put(turned(photos["chelsea"]))

    assert {analyzed(backend, one).state for one in (again, copy)} == {ImageState.FAILED}
    (info,) = banks.list_banks(backend, OWNER)
    assert (info.bank.kind, info.bank.library, info.entries) == (Kind.REMOVED, "main", 1)


def test_the_same_bytes_that_had_been_deleted_are_judged_again(backend, put, photos):
    image = analyzed(backend, put(photos["chelsea"]))
    curation.delete(backend, [image.id], OWNER)
    add(backend, make(backend, action=BankAction.REFUSE), photos["chelsea"])

    again = put(photos["chelsea"])

    assert again.id == image.id
    assert analyzed(backend, again).state is ImageState.FAILED


def test_a_refused_picture_is_forgotten_with_its_file_when_the_time_of_the_trash_is_over(backend, put, photos):
    add(backend, make(backend, action=BankAction.REFUSE), photos["chelsea"])
    refused = analyzed(backend, put(photos["chelsea"]))

    reconcile(backend)
    assert backend.objects.exists(refused.object_key)
    with backend.database.write() as connection:
        long_ago = datetime.now(UTC) - timedelta(days=backend.settings.trash_days + 1)
        connection.execute(bank_matches.update().values(matched_at=long_ago))
    reconcile(backend)

    assert not backend.objects.exists(refused.object_key)
    with backend.database.read() as connection:
        assert connection.scalar(sa.select(images.c.row).where(images.c.id == refused.id)) is None


def test_hashes_are_read_from_a_file_and_written_back(backend):
    bank = make(backend)
    text = f"hash,quality,notes\n{'ab' * 32},90,=one\n{'AB' * 32},,again\n{'cd' * 32},,\nxyz,,\n"

    added = bank_entries.add_hashes(backend, OWNER, bank, read_hashes(text), origin="list.csv")

    assert (added.added, added.known, added.refused_count) == (2, 1, 1)
    assert [(line.number, "3 characters" in line.reason) for line in added.refused] == [(5, True)]
    written = "".join(bank_entries.export_lines(backend, OWNER, bank))
    assert written.splitlines() == ["hash,quality,notes", f"{'cd' * 32},,", f"{'ab' * 32},90,'=one"]
    other = make(backend, "copy")
    assert bank_entries.add_hashes(backend, OWNER, other, read_hashes(written), origin="b").added == 2
    assert {entry.notes for entry in bank_entries.list_entries(backend, OWNER, other, limit=9)} == {"", "=one"}


def test_trying_out_tells_how_near_a_picture_is_and_keeps_nothing(backend, photos):
    bank = make(backend, action=BankAction.WARN, sentence=SENTENCE)
    add(backend, bank, photos["chelsea"])
    data = turned(photos["chelsea"])

    with spooled(io.BytesIO(data), "a.jpg", max_bytes=len(data)) as upload:
        tried = bank_entries.try_out(backend, OWNER, bank, upload)

    assert (tried.judgement.action, tried.judgement.sentence) == (BankAction.WARN, SENTENCE)
    assert tried.nearest[0].distance <= tried.nearest[0].reach == 31
    assert deeds(backend, bank) == []


def test_moderators_fill_a_bank_owners_set_it_and_it_exists_for_nobody_else(backend, photos):
    house = House(backend)
    library = house.library("family", ann=Role.OWNER, max=Role.MODERATOR, una=Role.UPLOADER, vic=Role.VIEWER)
    house.add("ada", administrator=True)
    who = {name: house.asks(name) for name in ("ann", "max", "una", "vic", "ada")}
    bank = banks.make(backend, who["ann"], library, BankSettings("Cats")).bank.id
    server = banks.make(backend, who["ada"], None, BankSettings("Everywhere")).bank.id

    assert add(backend, bank, photos["chelsea"], who["max"]).added == 1
    banks.pause(backend, who["max"], bank)
    for principal, names in (("ann", ["Cats"]), ("max", ["Cats"]), ("ada", ["Everywhere"])):
        assert [info.bank.name for info in banks.list_banks(backend, who[principal])] == names
    for refused in (
        lambda: banks.change(backend, who["max"], bank, {"ratio": 0.5}),
        lambda: banks.delete(backend, who["max"], bank),
        lambda: banks.make(backend, who["max"], library, BankSettings("more")),
        lambda: banks.make(backend, who["ann"], None, BankSettings("more")),
        lambda: banks.list_banks(backend, who["una"]),
    ):
        with pytest.raises(NotAllowed):
            refused()
    for principal, hidden in (("una", bank), ("vic", bank), ("ada", bank), ("ann", server), ("max", server)):
        with pytest.raises(NotFound):
            banks.get_bank(backend, who[principal], hidden)
    banks.delete(backend, who["ann"], bank)
    done = [action for _, action, _ in house.log(library)]
    assert done[-4:] == ["bank made", "entries of a bank added", "bank paused", "bank deleted"]


def test_a_bank_goes_with_its_library_and_a_bank_keeps_no_thumbnails_unless_it_is_to(backend, photos):
    bank = make(backend)
    add(backend, bank, photos["chelsea"])
    (entry,) = bank_entries.list_entries(backend, OWNER, bank, limit=9)
    thumbnail = Image.open(io.BytesIO(bank_entries.get_thumbnail(backend, OWNER, bank, entry.id)))
    assert max(thumbnail.size) == 160

    banks.change(backend, OWNER, bank, {"keeps_thumbnails": False})
    add(backend, bank, photos["coffee"])

    with backend.database.read() as connection:
        assert connection.scalars(sa.select(entries_table.c.thumbnail)).all() == [None, None]
        assert records_bank_matches.count_pending(connection, bank) == 2
    with backend.database.write() as connection:
        records_banks.remove(connection, bank)
        assert connection.scalar(sa.select(sa.func.count()).select_from(entries_table)) == 0
