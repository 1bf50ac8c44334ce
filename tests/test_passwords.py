"""Passwords and secrets: what is kept of them, and which are the same."""

import pytest
from argon2 import PasswordHasher

from pipeline.errors import InvalidQuery
from pipeline.passwords import checked_password, hash_password, hash_secret, is_outdated, is_password, new_secret

pytestmark = pytest.mark.usefixtures("real_passwords")

SENTENCE = "correct horse battery"


@pytest.mark.parametrize("password", ["x" * 10, "x" * 200, " " * 10, "🐎" * 10, "👩‍👩‍👧‍👦 family 🏡"])
def test_a_password_of_10_to_200_characters_of_any_kind_is_one(password):
    assert checked_password(password) == password
    assert is_password(hash_password(password), password)


@pytest.mark.parametrize(
    ("password", "said"), [("x" * 9, "at least 10"), ("", "at least 10"), ("x" * 201, "at most 200")]
)
def test_one_that_is_too_short_or_too_long_is_refused_with_the_number(password, said):
    with pytest.raises(InvalidQuery, match=said):
        checked_password(password)


def test_spaces_at_the_ends_belong_to_a_password():
    kept = hash_password(f"  {SENTENCE} ")
    assert is_password(kept, f"  {SENTENCE} ")
    assert not is_password(kept, SENTENCE)


def test_a_letter_is_the_same_however_the_keyboard_composes_it():
    assert is_password(hash_password("cafe\u0301 cre\u0300me"), "caf\u00e9 cr\u00e8me")


def test_case_and_every_last_character_count():
    kept = hash_password("x" * 199 + "y")
    assert is_password(kept, "x" * 199 + "y")
    assert not is_password(kept, "x" * 200)
    assert not is_password(kept, "X" * 199 + "y")


def test_what_is_too_long_is_never_the_password_not_even_by_its_beginning():
    assert not is_password(hash_password("x" * 200), "x" * 201)
    assert not is_password(hash_password(""), "x" * 201)


def test_nothing_that_a_broken_client_sends_is_more_than_a_wrong_password():
    kept = hash_password(SENTENCE)
    for password in ("", "\0", f"{SENTENCE}\0", "\ud800", "x" * 100_000):
        assert not is_password(kept, password)


def test_what_is_kept_is_argon2id_with_the_parameters_of_rfc_9106_and_never_twice_the_same():
    first, second = hash_password(SENTENCE), hash_password(SENTENCE)
    assert first.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert first != second
    assert not is_outdated(first)


def test_a_hash_of_weaker_parameters_still_opens_and_is_outdated():
    weaker = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(SENTENCE)
    assert is_password(weaker, SENTENCE)
    assert is_outdated(weaker)


@pytest.mark.parametrize("kept", [None, "", "no hash"])
def test_where_no_password_is_kept_none_is_the_right_one(kept):
    assert not is_password(kept, SENTENCE)
    assert not is_password(kept, "")


def test_the_same_work_is_done_whether_a_password_is_kept_or_not(monkeypatch):
    verified = []
    verify = PasswordHasher.verify
    monkeypatch.setattr(
        PasswordHasher,
        "verify",
        lambda self, kept, password: verified.append(kept[:30]) or verify(self, kept, password),
    )
    kept = hash_password(SENTENCE)
    is_password(None, "before the first need")
    verified.clear()
    for asked in (
        lambda: is_password(kept, "wrong"),
        lambda: is_password(None, "wrong"),
        lambda: is_password(kept, "x" * 201),
    ):
        verified.clear()
        assert not asked()
        assert verified == ["$argon2id$v=19$m=65536,t=3,p=4"]


def test_a_secret_has_256_bits_and_can_stand_in_an_address():
    first, second = new_secret(), new_secret()
    assert first != second
    assert len(first) == 43  # 256 bits at 6 a letter
    assert first.replace("-", "").replace("_", "").isalnum()


def test_of_a_secret_its_sha_256_is_kept():
    # FIPS 180-2, appendix B.1
    assert hash_secret("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
