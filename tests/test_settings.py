"""Settings: what the environment says, what it may not say, and that all of it is documented."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from pipeline.errors import ConfigurationError
from pipeline.settings import SECRET_FIELDS, Settings, doubtful_variables, read_settings
from pipeline.stores.database import Database

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
ROW = re.compile(r"^\| `LIKENESS_(\w+)`\*? \| (.*?) \| (.*?) \|", re.MULTILINE)


def test_the_page_of_settings_lists_every_one_with_its_meaning():
    listed = {name.lower(): meaning for name, _, meaning in ROW.findall(PAGE.read_text(encoding="utf-8"))}

    assert listed == {name: field.description for name, field in Settings.model_fields.items()}


def test_the_page_of_settings_tells_the_defaults():
    listed = {name.lower(): default for name, default, _ in ROW.findall(PAGE.read_text(encoding="utf-8"))}

    fixed = {name: field.default for name, field in Settings.model_fields.items() if field.default not in {"", None}}
    assert {name: listed[name] for name in fixed} == {name: f"`{default}`" for name, default in fixed.items()}


def test_the_page_of_settings_marks_those_that_can_come_from_files():
    marked = re.findall(r"^\| `LIKENESS_(\w+)`\* ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert [name.lower() for name in marked] == list(SECRET_FIELDS)


def test_without_any_setting_everything_lies_in_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    settings = read_settings()

    assert settings.data == tmp_path / "data"
    assert settings.database_url == f"sqlite:///{tmp_path}/data/likeness.db"
    assert settings.objects_url == f"file://{tmp_path}/data/objects"
    assert settings.models == tmp_path / "data" / "models"
    assert settings.vectors_url == "faiss://"


def test_the_environment_is_read(monkeypatch, tmp_path):
    monkeypatch.setenv("LIKENESS_DATA", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("LIKENESS_BATCH_SIZE", "3")
    monkeypatch.setenv("LIKENESS_DATABASE_URL", "sqlite:////other/place.db")

    settings = read_settings()

    assert settings.data == tmp_path / "elsewhere"
    assert settings.batch_size == 3
    assert settings.database_url == "sqlite:////other/place.db"


@pytest.mark.parametrize("name", ["DATA", "MODELS", "DATABASE_URL", "BATCH_SIZE", "LOG_LEVEL"])
def test_an_empty_variable_is_one_that_is_not_set(monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    unset = read_settings()
    monkeypatch.setenv(f"LIKENESS_{name}", "")

    assert read_settings() == unset


def test_a_home_folder_may_be_written_with_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LIKENESS_DATA", "~/pictures")

    assert read_settings().data == tmp_path / "pictures"


@pytest.mark.parametrize("field", SECRET_FIELDS)
def test_a_secret_can_come_from_a_file(monkeypatch, tmp_path, field):
    secret = tmp_path / "secret"
    secret.write_text("sqlite:////with/a/secret/in/a/file.db\n")
    monkeypatch.setenv(f"LIKENESS_{field.upper()}_FILE", str(secret))

    assert getattr(read_settings(data=tmp_path), field) == "sqlite:////with/a/secret/in/a/file.db"


def test_a_secret_file_that_is_missing_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("LIKENESS_DATABASE_URL_FILE", str(tmp_path / "missing"))

    with pytest.raises(ConfigurationError) as caught:
        read_settings()

    assert caught.value.user_message == (
        f"LIKENESS_DATABASE_URL_FILE names {tmp_path}/missing, which cannot be read: no such file or directory. "
        "Please mend that."
    )


def test_variables_without_effect_are_told():
    told = doubtful_variables(
        {
            "LIKENESS_DATABSE_URL": "postgresql://host/name",
            "LIKENESS_QUEUE_URL": "redis://host",
            "LIKENESS_QUEUE_URL_FILE": "/run/secrets/queue",
            "LIKENESS_SECRET_KEY_FILE": "/run/secrets/key",
            "LIKENESS_ENCODER": "lite",
            "LIKENESS_LOG_LEVEL_FILE": "",  # as empty as not set
            "LIKENESS_SERVICE_HOST": "10.0.0.1",  # Kubernetes tells these of its own accord
            "LIKENESS_WEB_PORT_8000_TCP_ADDR": "10.0.0.1",
            "DATABASE_URL": "of somebody else",
        }
    )

    assert told == [
        "LIKENESS_DATABSE_URL is not known and has no effect. docs/settings.md lists the variables there are.",
        "LIKENESS_QUEUE_URL and LIKENESS_QUEUE_URL_FILE are both set; the file is not read. Please unset one of them.",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BATCH_SIZE", "many"),
        ("BATCH_SIZE", "0"),
        ("BATCH_SIZE", "2.5"),
        ("LEASE_SECONDS", "-1"),
        ("LEASE_SECONDS", "nan"),
        ("MAX_UPLOAD_BYTES", "64 MB"),
        ("DECODER_PROCESSES", "0"),
        ("LOG_LEVEL", "loud"),
        ("TRASH_DAYS", "a month"),
        ("DATA", "/pictures/which?"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_with_the_name_of_its_variable(monkeypatch, name, value):
    monkeypatch.setenv(f"LIKENESS_{name}", value)

    with pytest.raises(ConfigurationError) as caught:
        read_settings()

    sentence = caught.value.user_message
    assert sentence.startswith(f"LIKENESS_{name} cannot be used: ")
    assert sentence.endswith("docs/settings.md says what it means.")


def test_settings_of_others_are_none_of_our_business(monkeypatch):
    monkeypatch.setenv("LIKENESS_NO_SUCH_SETTING", "1")
    monkeypatch.setenv("DATA", "/elsewhere")

    assert read_settings() == read_settings(data=Path("data"))


@pytest.mark.parametrize("name", ["plain", "with space", "100%", "a#b", "ü", "a;b&c=d", "it's"])
def test_a_data_folder_may_have_any_name_that_addresses_can_carry(tmp_path, name):
    settings = read_settings(data=tmp_path / name)

    database = Database(settings.database_url)
    database.migrate()
    database.close()

    assert (tmp_path / name / "likeness.db").is_file()
    assert Path(unquote(urlsplit(settings.objects_url).path)) == tmp_path / name / "objects"
