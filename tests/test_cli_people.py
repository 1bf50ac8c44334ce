"""`likeness user`, `token` and `audit`: accounts and their keys, from the shell."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command import CommandHere, Done

from pipeline.backend import Backend, open_backend
from pipeline.logins import log_in
from pipeline.sessions import identify_token
from pipeline.settings import Settings

PASSWORD = "a quiet green harbor"  # noqa: S105 - of a test
OTHER_PASSWORD = "seven loud red barns"  # noqa: S105 - of a test
TOO_SHORT = "sesame 7"
PUBLIC = "https://pictures.example.org"


@pytest.fixture
def here(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandHere:
    return CommandHere(tmp_path / "data", models, monkeypatch, capsys)


@pytest.fixture
def with_ann(here: CommandHere) -> CommandHere:
    """The command where there is one account, ann, which has no password yet."""
    assert here.run("user", "add", "ann", "--link").returncode == 0
    return here


@contextmanager
def opened(here: CommandHere) -> Iterator[Backend]:
    with open_backend(Settings(data=here.data, models=here.models)) as backend:
        yield backend


def typed(here: CommandHere, text: str, *arguments: str) -> Done:
    """Run with `text` on standard input."""
    with here.monkeypatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO(text))
        return here.run(*arguments)


def failed(done: Done, status: int = 1) -> str:
    """Return the one sentence with which a command failed, which printed nothing else."""
    assert done.returncode == status
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def logged(here: CommandHere) -> list[dict[str, str]]:
    done = here.run("audit")
    assert (done.returncode, done.stderr) == (0, "")
    return list(csv.DictReader(io.StringIO(done.stdout)))


# ---- Accounts


def test_a_password_from_standard_input_logs_in(here: CommandHere) -> None:
    done = typed(here, f"{PASSWORD}\nnot this line\n", "user", "add", "Ann", "--password-stdin")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Added ann, an administrator.\n", "")
    with opened(here) as backend:
        assert log_in(backend, "ann", PASSWORD, address="", browser="").person.name == "ann"


def test_only_the_first_account_administrates_unless_asked_for(with_ann: CommandHere) -> None:
    assert with_ann.run("user", "add", "bob", "--link").stdout.startswith("Added bob.\n")
    assert with_ann.run("user", "add", "eve", "--administrator", "--link").stdout.startswith("Added eve, an admin")
    lines = with_ann.run("user", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ann", "bob", "eve"]
    assert ["administrator" in line for line in lines] == [True, False, True]


def test_without_a_public_address_a_link_is_a_path_and_names_the_setting(here: CommandHere) -> None:
    done = here.run("user", "add", "ann", "--link")
    assert done.stdout.splitlines()[1].endswith("Open this at the address of your server:")
    path = done.stdout.splitlines()[2]
    assert path.startswith("/welcome/")
    assert len(path) > len("/welcome/") + 40
    assert "://" not in done.stdout
    assert "LIKENESS_PUBLIC_URL" in done.stderr


def test_with_a_public_address_a_link_is_whole(here: CommandHere) -> None:
    for arguments in (["add", "ann", "--link"], ["password", "ann", "--link"]):
        done = here.run("user", *arguments, LIKENESS_PUBLIC_URL=f"{PUBLIC}/")
        assert done.returncode == 0
        assert done.stdout.splitlines()[-1].startswith(f"{PUBLIC}/welcome/")
        assert done.stderr == ""


@pytest.mark.parametrize("name", ["two words", "", "x" * 65, "a\nb", "pаypal"])
def test_a_name_that_cannot_be_is_refused_before_a_password_is_read(here: CommandHere, name: str) -> None:
    said = failed(typed(here, f"{TOO_SHORT}\n", "user", "add", name, "--password-stdin"))
    assert said.startswith(("The name of an account has", "The letters of a name are"))
    assert here.run("user", "list").stdout == ""


def test_a_name_that_is_taken_is_refused_however_it_is_written(with_ann: CommandHere) -> None:
    assert failed(with_ann.run("user", "add", "ANN", "--link")) == ("The name ann is taken. Please choose another.")
    assert len(with_ann.run("user", "list").stdout.splitlines()) == 1


def test_a_password_that_is_too_short_makes_no_account_and_is_not_repeated(here: CommandHere) -> None:
    said = failed(typed(here, f"{TOO_SHORT}\n", "user", "add", "ann", "--password-stdin"))
    assert "at least 10 characters" in said
    assert TOO_SHORT not in said
    assert here.run("user", "list").stdout == ""


def test_an_address_that_is_none_makes_no_account(here: CommandHere) -> None:
    assert failed(here.run("user", "add", "ann", "--link", "--email", "nowhere")) == "This is not an e-mail address."
    assert here.run("user", "list").stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["user", "add", "ann", "--link", "--password-stdin"],
        ["user", "add", "ann"],  # nobody is there to type
        ["user", "add"],
        ["user", "administrator", "ann", "perhaps"],
        ["token", "add", "ann", "--scope", "everything"],
        ["token", "add", "ann", "--days", "0"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_sentence_with_status_2(here: CommandHere, arguments: list[str]) -> None:
    failed(typed(here, f"{PASSWORD}\n", *arguments), status=2)


@pytest.mark.parametrize(
    "arguments",
    [
        ["user", "password", "zoe", "--link"],
        ["user", "deactivate", "zoe"],
        ["user", "activate", "zoe"],
        ["user", "administrator", "zoe", "yes"],
        ["token", "add", "zoe"],
        ["token", "list", "zoe"],
    ],
    ids=" ".join,
)
def test_somebody_who_is_not_there_is_told_with_status_1(with_ann: CommandHere, arguments: list[str]) -> None:
    assert failed(with_ann.run(*arguments)) == "Nobody here is called zoe."


def test_a_new_password_ends_the_old_one_and_the_tokens(here: CommandHere) -> None:
    typed(here, PASSWORD, "user", "add", "ann", "--password-stdin")
    secret = here.run("token", "add", "ann").stdout.strip()

    done = typed(here, OTHER_PASSWORD, "user", "password", "ann", "--password-stdin")

    assert done.returncode == 0
    assert done.stdout.endswith("logged out everywhere. 1 API token was revoked.\n")
    with opened(here) as backend:
        assert log_in(backend, "ann", OTHER_PASSWORD, address="", browser="").person.name == "ann"
        assert identify_token(backend, secret, address="") is None
    shown = done.stdout + done.stderr + here.run("audit").stdout
    assert not [word for word in (PASSWORD, OTHER_PASSWORD, secret) if word in shown]


def test_the_last_administrator_stays_one_and_stays_in(with_ann: CommandHere) -> None:
    with_ann.run("user", "add", "bob", "--link")
    sentence = "ann is the last administrator. Please make somebody else one first."
    assert failed(with_ann.run("user", "administrator", "ann", "no")) == sentence
    assert failed(with_ann.run("user", "deactivate", "ann")) == sentence

    assert with_ann.run("user", "administrator", "bob", "yes").stdout == "bob administrates now.\n"
    assert with_ann.run("user", "administrator", "ann", "no").stdout == "ann does not administrate now.\n"


def test_whoever_is_deactivated_gets_no_link_until_they_are_let_in_again(with_ann: CommandHere) -> None:
    with_ann.run("user", "add", "bob", "--link")
    assert with_ann.run("user", "deactivate", "bob").stdout == "bob cannot log in any more.\n"
    assert "deactivated" in with_ann.run("user", "list").stdout.splitlines()[1]
    assert failed(with_ann.run("user", "password", "bob", "--link")).startswith("bob cannot log in, so a link")

    assert with_ann.run("user", "activate", "bob").stdout == "bob can log in again.\n"
    assert with_ann.run("user", "password", "bob", "--link").returncode == 0
    assert "deactivated" not in with_ann.run("user", "list").stdout


# ---- Tokens


def test_a_token_works_is_listed_without_its_secret_and_is_revoked(with_ann: CommandHere) -> None:
    made = with_ann.run("token", "add", "Ann", "--name", "the camera", "--scope", "upload", "--no-end")
    secret = made.stdout.removesuffix("\n")
    assert made.returncode == 0
    assert secret.startswith("lk_")
    with opened(with_ann) as backend:
        identity = identify_token(backend, secret, address="")
        assert identity is not None
        assert (identity.principal.name, identity.principal.scopes) == ("ann", {"upload"})

    (line,) = with_ann.run("token", "list", "ann").stdout.splitlines()
    token_id = line.split()[0]
    assert token_id in made.stderr
    assert "the camera  upload  without an end" in line
    assert secret not in line + made.stderr
    assert with_ann.run("token", "revoke", token_id).stdout == "The token is revoked.\n"

    with opened(with_ann) as backend:
        assert identify_token(backend, secret, address="") is None
    assert with_ann.run("token", "list", "ann").stdout == ""
    assert failed(with_ann.run("token", "revoke", token_id)).startswith("There is no such token.")


def test_a_token_reads_and_uploads_for_90_days_unless_told_otherwise(with_ann: CommandHere) -> None:
    with_ann.run("token", "add", "ann")
    with_ann.run("token", "add", "ann", "--name", "brief", "--scope", "moderate", "--days", "0.5")
    brief, usual = with_ann.run("token", "list", "ann").stdout.splitlines()
    assert "  brief  moderate read  until " in brief
    assert "  from the shell  read upload  until " in usual
    assert usual.endswith("never used")


def test_the_secret_of_a_token_given_for_its_id_is_not_repeated(with_ann: CommandHere) -> None:
    secret = with_ann.run("token", "add", "ann").stdout.strip()
    assert secret not in failed(with_ann.run("token", "revoke", secret))


# ---- The log


def test_the_log_has_who_was_added_and_given_what_and_no_secret(with_ann: CommandHere) -> None:
    secret = with_ann.run("token", "add", "ann", "--name", "=1+1").stdout.strip()
    link = with_ann.run("user", "password", "ann", "--link").stdout.split("/welcome/")[1].strip()
    entries = logged(with_ann)
    actions = [entry["action"] for entry in entries if entry["action"] != "member added"]
    assert actions == [
        "link to set a password made",
        "token made",
        "link to set a password made",
        "person added",
    ]
    assert {entry["who"] for entry in entries} == {entries[0]["who"]}
    assert entries[0]["who"].startswith("(")  # the shell of the machine is nobody's account
    written = str(entries)
    assert not [word for word in (secret, secret.removeprefix("lk_"), link) if word in written]


def test_the_log_of_a_new_place_is_its_head(here: CommandHere) -> None:
    assert logged(here) == []
    assert here.run("audit").stdout.startswith("time,who,action,")
