import pytest

from pipeline.file_names import SafeNames


def test_names_that_are_safe_already_are_kept() -> None:
    assert SafeNames().give("Ferien 2026.jpg") == "Ferien 2026.jpg"


def test_equal_names_are_numbered_whatever_their_case() -> None:
    names = SafeNames()
    assert [names.give(name) for name in ("a.jpg", "A.jpg", "a.jpg", "a (2).jpg")] == [
        "a.jpg",
        "A (2).jpg",
        "a (3).jpg",
        "a (2) (2).jpg",
    ]


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\photos\\a.jpg", "C__photos_a.jpg"),
        ("what?.jpg", "what_.jpg"),
        ("line\nbreak.jpg", "line_break.jpg"),
        ("CON.jpg", "_CON.jpg"),
        ("con.tar.gz", "_con.tar.gz"),
        ("-rf.jpg", "_-rf.jpg"),
        ("...", "unnamed"),
        ("", "unnamed"),
    ],
)
def test_names_that_a_file_system_or_shell_would_misread_are_changed(given: str, safe: str) -> None:
    assert SafeNames().give(given) == safe


@pytest.mark.parametrize("given", ["x" * 400 + ".jpeg", "猫" * 200 + ".jpeg", "x" * 255])
def test_long_names_are_cut_so_that_a_number_still_fits(given: str) -> None:
    names = SafeNames()
    first, second = names.give(given), names.give(given)
    assert first != second
    assert len(second.encode()) <= 255
    assert first.endswith(".jpeg") == given.endswith(".jpeg")
