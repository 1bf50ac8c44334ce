"""How roles, long names and moments are written for people."""

from datetime import UTC, datetime

import pytest

from webapp.wording import as_short_date, as_short_moment, shortened, with_article


@pytest.mark.parametrize(
    ("role", "words"),
    [("viewer", "a viewer"), ("uploader", "an uploader"), ("moderator", "a moderator"), ("owner", "an owner")],
)
def test_a_role_has_its_article(role: str, words: str) -> None:
    assert with_article(role) == words


def test_a_long_name_is_cut_in_a_sentence_and_others_are_whole() -> None:
    assert shortened("w" * 32) == "w" * 32
    assert shortened("w" * 33) == "w" * 31 + "…"
    assert shortened("Pictures of our long garden and its trees") == "Pictures of our long garden and…"


def test_tables_have_short_dates() -> None:
    moment = datetime(2026, 11, 5, 9, 7, 59, tzinfo=UTC)
    assert (as_short_date(moment), as_short_moment(moment)) == ("5 Nov 2026", "5 Nov 2026, 09:07")
