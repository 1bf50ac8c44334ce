"""What `auto` means for an empty database: with a hub, without one, with a slow one, and with one that is silent."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import Hub
from huggingface_hub.utils import close_session
from tiny_model import REPOSITORY, announce, contents, files_in, serving_the_model, tiny_card

from pipeline import encoder_choice
from pipeline.encoder_choice import choose
from pipeline.features.encoders.catalog import CATALOG, DEFAULT
from pipeline.model_hub import ModelHub
from pipeline.settings import Settings, read_settings
from pipeline.weights import pull, state

WHOLE = {Path(source).name: content for source, content in contents().items()}


@pytest.fixture(autouse=True)
def _small_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the default of the catalog have small files."""
    monkeypatch.setitem(CATALOG, DEFAULT, tiny_card(name=DEFAULT))


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving_the_model() as served:
        yield served


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    return tmp_path / "models"


def asking(models_dir: Path, hub: str) -> Settings:
    return read_settings(data=models_dir.parent / "data", models=models_dir, hub=hub)


def test_where_a_hub_answers_the_default_is_pulled(hub, models_dir):
    seen = []

    name = choose(asking(models_dir, hub.address), lambda done, total: seen.append((done, total)))

    assert name == "clip-vit-b-32"
    assert files_in(models_dir / name) == WHOLE
    assert seen[-1] == (sum(map(len, WHOLE.values())),) * 2


def test_where_the_default_is_here_no_hub_is_asked(hub, models_dir):
    pull(DEFAULT, models_dir, ModelHub(hub.address))
    hub.asked.clear()

    assert choose(asking(models_dir, hub.address)) == "clip-vit-b-32"
    assert choose(asking(models_dir, "off")) == "clip-vit-b-32"
    assert hub.asked == []


def test_where_hubs_are_off_it_is_lite_without_a_word(models_dir, caplog):
    with caplog.at_level(logging.WARNING):
        assert choose(asking(models_dir, "off")) == "lite"
    assert caplog.messages == []


def test_without_a_network_it_is_lite_at_once_and_said_how_to_get_clip(models_dir, caplog):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # and does not listen
        begun = time.monotonic()

        name = choose(asking(models_dir, f"http://127.0.0.1:{reserved.getsockname()[1]}"))

    assert name == "lite"
    assert time.monotonic() - begun < 2.5
    assert "cannot be reached" in caplog.text
    assert "The encoder is therefore lite" in caplog.text
    assert "`likeness models pull clip-vit-b-32`" in caplog.text


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_settings_of_the_network_that_cannot_be_used_are_said_at_once(models_dir, monkeypatch, caplog):
    close_session()  # it is kept with the settings of whoever asked first
    monkeypatch.setenv("HTTP_PROXY", "garbage://x")
    monkeypatch.setenv("http_proxy", "garbage://x")
    begun = time.monotonic()

    name = choose(asking(models_dir, "http://hub.invalid"))

    close_session()
    assert name == "lite"
    assert time.monotonic() - begun < 2.5
    assert "http://hub.invalid cannot be asked, because a setting cannot be used" in caplog.text
    assert "The encoder is therefore lite" in caplog.text


def test_an_error_that_nobody_foresaw_is_not_lost_in_its_thread(models_dir, monkeypatch):
    """The system's resolver fails in a way that nobody has seen."""
    close_session()

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    with pytest.raises(ZeroDivisionError):
        choose(asking(models_dir, "http://hub.invalid"))


def test_a_hub_that_never_answers_costs_three_seconds(models_dir, caplog):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()

        name = choose(asking(models_dir, f"http://127.0.0.1:{silent.getsockname()[1]}"))

    assert name == "lite"
    assert time.monotonic() - begun < 4.0
    assert "does not answer within 3 seconds" in caplog.text or "cannot be reached" in caplog.text


def test_a_name_that_takes_forever_to_look_up_costs_three_seconds(models_dir, monkeypatch, caplog):
    """The system's resolver cannot be told how long to look, so it is held up here."""
    found = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found.wait(30) and [])
    begun = time.monotonic()

    name = choose(asking(models_dir, "http://hub.invalid"))

    assert name == "lite"
    assert 2.9 < time.monotonic() - begun < 4.0
    assert "http://hub.invalid does not answer within 3 seconds" in caplog.text
    found.set()


def test_a_download_that_would_take_too_long_is_left_for_later(hub, models_dir, monkeypatch, caplog):
    monkeypatch.setattr(encoder_choice, "LONGEST_DOWNLOAD_SECONDS", 0.6)
    monkeypatch.setattr(encoder_choice, "MEASURED_SECONDS", 0.2)
    hub.seconds_a_piece = 0.1  # 65 kB each: 1.7 MB take 2.6 s

    name = choose(asking(models_dir, hub.address))

    assert name == "lite"
    assert "would take longer than" in caplog.text
    assert state(DEFAULT, models_dir) == "partly"
    kept = sum(map(len, files_in(models_dir / DEFAULT).values()))
    hub.seconds_a_piece = 0.0
    hub.begun.clear()
    pull(DEFAULT, models_dir, ModelHub(hub.address))
    assert kept > 0
    assert hub.begun[0] == (f"{REPOSITORY}/onnx/image.onnx", kept)
    assert choose(asking(models_dir, hub.address)) == "clip-vit-b-32"


def test_a_slow_download_that_ends_in_time_is_waited_for(hub, models_dir, monkeypatch):
    monkeypatch.setattr(encoder_choice, "MEASURED_SECONDS", 0.1)
    hub.seconds_a_piece = 0.02

    assert choose(asking(models_dir, hub.address)) == "clip-vit-b-32"


def test_wrong_bytes_and_full_disks_mean_lite_too(hub, models_dir, caplog):
    hub.wrong = True
    assert choose(asking(models_dir, hub.address)) == "lite"
    assert "wrong checksum" in caplog.text

    hub.wrong = False
    models_dir.rename(models_dir.with_name("elsewhere"))
    models_dir.write_text("a file, not a folder")
    assert choose(asking(models_dir, hub.address)) == "lite"
    assert "cannot be written" in caplog.text


def test_a_damaged_card_means_that_the_model_is_pulled_again(hub, models_dir):
    announce(models_dir, tiny_card(name=DEFAULT))
    (models_dir / DEFAULT / "card.json").write_text("{")

    assert choose(asking(models_dir, hub.address)) == "clip-vit-b-32"
    assert state(DEFAULT, models_dir) == "here"
