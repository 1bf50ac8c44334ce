"""Files of PDQ hashes as other tools write them."""

import pytest

from pipeline.bank_files import ReadHash, RefusedLine, csv_lines, read_hashes, text_of

BRIDGE = "d8f8f0cec0f4a84f0637022a278f67f0b36e2ed596621e1d33e6339c4e9c9b22"
OTHER = "0f" * 32


def hashes(text: str) -> list[tuple[str, int | None, str]]:
    return [(one.hash.hex(), one.quality, one.notes) for one in read_hashes(text) if isinstance(one, ReadHash)]


def refused(text: str) -> list[tuple[int, str]]:
    return [(one.number, one.reason) for one in read_hashes(text) if isinstance(one, RefusedLine)]


@pytest.mark.parametrize(
    ("text", "quality", "notes"),
    [
        (f"hash,quality\n{BRIDGE},100\n", 100, ""),
        (f"PDQ Hash;Quality;Notes\r\n{BRIDGE.upper()};90;a bridge\r\n", 90, "a bridge"),
        (f'"signal_value","signal_type","description"\n"{BRIDGE}","pdq","x, y"\n', None, "x, y"),
        (f"indicator\ttype\n0x{BRIDGE}\tHASH_PDQ\n", None, ""),
        (f"{BRIDGE},100,aaa-orig.jpg\n", 100, ""),  # as pdq-photo-hasher writes it
        (f"pdq {BRIDGE}\n", None, ""),  # as the command of ThreatExchange does
        (f"\n# made by hand\n\n  {BRIDGE}  \n", None, ""),
        (f"\ufeffid,pdq\n7,{BRIDGE}\n", None, ""),
    ],
)
def test_the_ways_in_which_tools_write_a_hash(text, quality, notes):
    assert hashes(text_of(text.encode())) == [(BRIDGE, quality, notes)]
    assert refused(text) == []


def test_files_in_utf_16_and_in_latin_letters_are_read():
    text = f"hash,notes\n{BRIDGE},Brücke\n"

    for encoding in ("utf-16", "latin-1", "utf-8"):
        assert hashes(text_of(text.encode(encoding))) == [(BRIDGE, None, "Brücke")]


def test_what_cannot_be_used_is_told_with_its_line_and_stops_nothing():
    md5 = "d41d8cd98f00b204e9800998ecf8427e"
    text = (
        f"hash,type,quality\n{BRIDGE},pdq,50\n{md5},md5,\n{md5},,\n{'g' * 64},,\n{OTHER},,101\n{OTHER},,x\n,,\n"
        f"{'a' * 6000},,\n{OTHER},pdq,\n"
    )

    assert hashes(text) == [(BRIDGE, 50, ""), (OTHER, None, "")]
    assert refused(text) == [
        (3, "It is a hash of the kind “md5”; only PDQ can be compared."),
        (4, "Its hash has 32 characters, where a PDQ hash has 64 hexadecimal digits."),
        (5, "Its hash has signs that are no hexadecimal digits."),
        (6, "Its quality “101” is no whole number from 0 to 100."),
        (7, "Its quality “x” is no whole number from 0 to 100."),
        (8, "There is no PDQ hash of 64 hexadecimal digits in it."),
        (9, "It is longer than 5,000 characters."),
    ]
    assert refused("a,b\nnothing,here\n") == [
        (1, "There is no PDQ hash of 64 hexadecimal digits in it."),
        (2, "There is no PDQ hash of 64 hexadecimal digits in it."),
    ]
    assert list(read_hashes("")) == list(read_hashes("\n# nothing\n")) == []


def test_what_is_written_is_read_again_and_runs_in_no_spreadsheet():
    known = [ReadHash(bytes.fromhex(BRIDGE), 100, "=cmd"), ReadHash(bytes.fromhex(OTHER), None, 'a "b", c')]
    written = "".join(csv_lines(known))

    assert "'=cmd" in written
    assert list(read_hashes(written)) == known
