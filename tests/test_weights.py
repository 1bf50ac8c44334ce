"""Pulling models from a hub: whole, after interruptions, onto full disks, past wrong bytes, and beside each other."""

import json
import resource
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from command import CommandLine, wait_until
from hub_server import COMMIT, Hub, etag, serving
from tiny_model import IMAGE_BYTES, NAME, REPOSITORY, announce, contents, files_in, serving_the_model, tiny_card

from pipeline.errors import ModelHubUnavailable, ModelUnusable
from pipeline.features.encoders.model_folder import installed_card
from pipeline.model_hub import ModelHub
from pipeline.weights import faults, pull, remove, state

WHOLE = {Path(source).name: content for source, content in contents().items()}
SIGNATURE = "hf_of_somebody"  # what people set HF_TOKEN to
ALL_BYTES = sum(map(len, WHOLE.values()))


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving_the_model() as served:
        yield served


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """A models folder that knows the tiny model and has none of its files."""
    announce(tmp_path / "models")
    return tmp_path / "models"


def test_a_model_is_downloaded_and_its_card_says_what_came(hub, models_dir):
    seen = []

    card = pull(NAME, models_dir, ModelHub(hub.address), lambda done, total: seen.append((done, total)))

    assert files_in(models_dir / NAME) == WHOLE
    assert card == installed_card(models_dir, NAME)
    assert card.revision == COMMIT
    assert card.is_pinned
    assert seen[-1] == (ALL_BYTES, ALL_BYTES)
    assert seen == sorted(seen)
    assert hub.bytes_sent == ALL_BYTES


def test_what_is_here_is_not_asked_for_again(hub, models_dir):
    pull(NAME, models_dir, ModelHub(hub.address))
    hub.asked.clear()

    pull(NAME, models_dir, ModelHub(hub.address))

    assert hub.asked == []


def test_a_model_that_nobody_verified_gets_its_pins_from_what_came(hub, tmp_path):
    announce(tmp_path, tiny_card(pinned=False))

    card = pull(NAME, tmp_path, ModelHub(hub.address))

    assert card.files == tiny_card().files
    assert card.revision == COMMIT
    assert installed_card(tmp_path, NAME).files == tiny_card().files
    assert etag(WHOLE["image.onnx"]) == card.files[0].sha256  # told by the hub, and compared
    assert [line for line in hub.asked if COMMIT in line], "all files are of the revision that was found first"


def test_a_cut_connection_is_taken_up_where_it_broke(hub, models_dir):
    hub.cut_after = 700_000

    pull(NAME, models_dir, ModelHub(hub.address))

    assert files_in(models_dir / NAME) == WHOLE
    assert hub.sent[f"{REPOSITORY}/onnx/image.onnx"] == IMAGE_BYTES


def test_a_second_pull_fetches_only_what_the_first_lacked(hub, models_dir):
    hub.cut_after, hub.leaves = 700_000, True
    with pytest.raises(ModelHubUnavailable, match="the connection broke"):
        pull(NAME, models_dir, ModelHub(hub.address))
    assert state(NAME, models_dir) == "partly"
    assert hub.bytes_sent == 700_000
    hub.down = False

    pull(NAME, models_dir, ModelHub(hub.address))

    assert files_in(models_dir / NAME) == WHOLE
    assert hub.bytes_sent == ALL_BYTES


@pytest.mark.parametrize("pinned", [True, False])
def test_a_pull_that_stopped_between_two_files_does_not_fetch_the_first_again(hub, tmp_path, pinned):
    announce(tmp_path, tiny_card(pinned=pinned))
    hub.before_answer = lambda: setattr(hub, "down", hub.asked[-1].startswith("GET") and "text" in hub.asked[-1])
    with pytest.raises(ModelHubUnavailable, match="the connection broke"):
        pull(NAME, tmp_path, ModelHub(hub.address))
    assert "image.onnx" in files_in(tmp_path / NAME)
    hub.before_answer, hub.down, before = (lambda: None), False, hub.bytes_sent
    seen = []

    pull(NAME, tmp_path, ModelHub(hub.address), lambda done, total: seen.append((done, total)))

    assert files_in(tmp_path / NAME) == WHOLE
    assert hub.bytes_sent - before == ALL_BYTES - IMAGE_BYTES
    assert seen[0][0] > IMAGE_BYTES
    assert seen[-1] == (ALL_BYTES, ALL_BYTES)


def test_a_hub_that_cannot_begin_in_the_middle_begins_anew(hub, models_dir):
    hub.cut_after, hub.whole_only = 700_000, True

    pull(NAME, models_dir, ModelHub(hub.address))

    assert files_in(models_dir / NAME) == WHOLE
    assert hub.sent[f"{REPOSITORY}/onnx/image.onnx"] == IMAGE_BYTES + 700_000


@pytest.mark.parametrize("pinned", [True, False])
def test_wrong_bytes_are_thrown_away(hub, tmp_path, pinned):
    announce(tmp_path, tiny_card(pinned=pinned))
    hub.wrong = True

    with pytest.raises(ModelUnusable, match=r"image\.onnx of tiny has the wrong checksum and was thrown away"):
        pull(NAME, tmp_path, ModelHub(hub.address))

    assert files_in(tmp_path / NAME) == {}
    hub.wrong = False
    pull(NAME, tmp_path, ModelHub(hub.address))
    assert files_in(tmp_path / NAME) == WHOLE


def test_small_files_are_compared_with_the_checksum_that_git_gives_them(hub, tmp_path):
    announce(tmp_path, tiny_card(pinned=False))
    hub.before_answer = lambda: setattr(hub, "wrong", hub.asked[-1].startswith("GET") and "text" in hub.asked[-1])

    with pytest.raises(ModelUnusable, match=r"text\.onnx of tiny has the wrong checksum"):
        pull(NAME, tmp_path, ModelHub(hub.address))


def test_a_file_that_changed_on_the_hub_is_refused_before_it_is_fetched(hub, models_dir):
    hub.put(REPOSITORY, {"onnx/image.onnx": bytes(IMAGE_BYTES)})

    with pytest.raises(ModelUnusable, match=r"another image\.onnx of tiny"):
        pull(NAME, models_dir, ModelHub(hub.address))
    assert hub.bytes_sent == 0


def test_a_hub_that_tells_no_checksum_is_refused(hub, tmp_path):
    announce(tmp_path, tiny_card(pinned=False))
    hub.nameless = True

    with pytest.raises(ModelHubUnavailable, match=r"does not tell the size and checksum of image\.onnx"):
        pull(NAME, tmp_path, ModelHub(hub.address))


def test_a_model_that_is_not_on_the_hub_is_said_with_the_status(hub, models_dir):
    hub.files.clear()

    with pytest.raises(ModelHubUnavailable, match=r"refuses someone/tiny-clip/onnx/image\.onnx with status 404"):
        pull(NAME, models_dir, ModelHub(hub.address))


def test_without_a_network_it_is_said_what_can_be_done(models_dir):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # and does not listen
        closed = f"http://127.0.0.1:{reserved.getsockname()[1]}"

        with pytest.raises(ModelHubUnavailable, match=r"LIKENESS_HUB to a mirror or HTTPS_PROXY.*models import"):
            pull(NAME, models_dir, ModelHub(closed))


@pytest.mark.parametrize(
    "setting",
    [
        {"HTTP_PROXY": "socks5://127.0.0.1:1"},
        {"HTTP_PROXY": "garbage://me:secret@x"},
        {"HF_TOKEN": "ä"},
        {"SSL_CERT_FILE": "/nonexistent"},
    ],
    ids=lambda setting: " ".join(setting.values()),
)
def test_settings_of_the_network_that_cannot_be_used_are_named(tmp_path, setting):
    command = CommandLine(tmp_path / "data", tmp_path / "models")

    done = command.run("models", "pull", "clip-vit-b-32", LIKENESS_HUB="http://127.0.0.1:1", **setting)

    assert done.returncode == 1
    assert done.stderr.startswith("The model hub http://127.0.0.1:1 cannot be asked, because a setting cannot be used")
    assert all(name in done.stderr for name in ("HTTP_PROXY", "SSL_CERT_FILE", "HF_TOKEN", "likeness models import"))
    assert "secret" not in done.stderr


def test_a_silent_hub_is_given_up(models_dir):
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(ModelHubUnavailable, match="cannot be reached"),
    ):
        pull(NAME, models_dir, ModelHub(f"http://127.0.0.1:{silent.getsockname()[1]}", seconds=0.2))


def test_large_files_come_from_where_the_hub_sends_us_and_the_token_stays_at_home(hub, tmp_path, models_dir):
    announce(models_dir, tiny_card(pinned=False, name="unpinned"))
    with serving(Hub()) as storage:
        storage.put(REPOSITORY, contents())
        storage.cut_after = 700_000
        hub.storage = storage.address.replace("127.0.0.1", "localhost")
        command = CommandLine(tmp_path / "data", models_dir)

        done = command.run("models", "pull", "unpinned", LIKENESS_HUB=hub.address, HF_TOKEN=SIGNATURE)

        assert done.returncode == 0, done.stderr
        assert files_in(models_dir / "unpinned") == WHOLE
        assert set(storage.sent.items()) == {(f"{REPOSITORY}/onnx/image.onnx", IMAGE_BYTES)}
        assert hub.bytes_sent == ALL_BYTES - IMAGE_BYTES
        assert set(hub.authorizations) == {f"Bearer {SIGNATURE}"}
        assert set(storage.authorizations) == {None}


def test_a_mirror_that_tells_little_will_do_for_a_pinned_model(hub, models_dir):
    hub.nameless = True

    assert pull(NAME, models_dir, ModelHub(hub.address)).is_pinned


def test_a_password_in_the_address_of_a_mirror_is_not_told(models_dir):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # and does not listen
        address = f"http://me:secret@127.0.0.1:{reserved.getsockname()[1]}"

        with pytest.raises(ModelHubUnavailable, match=r"http://127\.0\.0\.1:\d+ cannot") as told:
            pull(NAME, models_dir, ModelHub(address))
    assert "secret" not in told.value.user_message


def test_where_hubs_are_off_none_is_asked(models_dir):
    with pytest.raises(ModelHubUnavailable, match="LIKENESS_HUB is off"):
        pull(NAME, models_dir, ModelHub("off"))


@pytest.mark.parametrize("name", ["lite", "home-made", "../escape"])
def test_what_no_hub_has_is_not_pulled(tmp_path, name):
    with pytest.raises(ModelUnusable, match=r"comes with the program|no encoder named"):
        pull(name, tmp_path, ModelHub("off"))


@contextmanager
def largest_file(limit: int) -> Iterator[None]:
    """Let no file of this process grow beyond `limit` bytes, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_cannot_be_written_for_want_of_space_is_said_and_goes_on_later(hub, models_dir):
    with largest_file(1_000_000), pytest.raises(ModelUnusable, match="not enough space"):
        pull(NAME, models_dir, ModelHub(hub.address))

    before = hub.bytes_sent
    pull(NAME, models_dir, ModelHub(hub.address))

    assert files_in(models_dir / NAME) == WHOLE
    assert hub.sent[f"{REPOSITORY}/onnx/text.onnx"] == len(WHOLE["text.onnx"])
    assert hub.bytes_sent - before < ALL_BYTES


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MB, on machines that let us make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", disk], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("No file system can be made here.")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_disk_that_is_too_small_is_noticed_before_anything_is_fetched(hub, small_disk):
    announce(small_disk)
    (small_disk / "pictures").write_bytes(bytes(12_000_000))

    with pytest.raises(ModelUnusable, match=r"tiny needs 2 MB more in .*disk, where \d+ MB are free"):
        pull(NAME, small_disk, ModelHub(hub.address))
    assert hub.bytes_sent == 0


def test_a_disk_that_fills_meanwhile_leaves_what_came(hub, small_disk):
    announce(small_disk)
    pictures = small_disk / "pictures"

    def fill_up(_done: int, _total: int) -> None:
        with suppress(OSError), pictures.open("ab", buffering=0) as file:
            while file.write(bytes(100_000)):
                pass

    with pytest.raises(ModelUnusable, match="not enough space"):
        pull(NAME, small_disk, ModelHub(hub.address), fill_up)
    pictures.unlink()
    pull(NAME, small_disk, ModelHub(hub.address))

    assert files_in(small_disk / NAME) == WHOLE


def test_a_folder_that_cannot_be_written_is_said(hub, tmp_path):
    (tmp_path / "models").write_text("a file, not a folder")

    with pytest.raises(ModelUnusable, match=r"clip-vit-b-32 cannot be written into .*models"):
        pull("clip-vit-b-32", tmp_path / "models", ModelHub(hub.address))


def test_two_processes_that_pull_at_once_fetch_everything_once(hub, models_dir, tmp_path):
    command = CommandLine(tmp_path / "data", models_dir)
    both = [command.start("models", "pull", NAME, LIKENESS_HUB=hub.address) for _ in range(2)]

    said = [process.communicate(timeout=60) for process in both]

    assert [process.returncode for process in both] == [0, 0], said
    assert files_in(models_dir / NAME) == WHOLE
    assert hub.bytes_sent == ALL_BYTES


def test_a_pull_that_is_killed_is_finished_by_the_next(hub, models_dir, tmp_path):
    going_on = threading.Event()
    hub.before_piece = lambda: going_on.wait(30) if hub.bytes_sent > 500_000 else None
    command = CommandLine(tmp_path / "data", models_dir)
    killed = command.start("models", "pull", NAME, LIKENESS_HUB=hub.address)
    part = models_dir / NAME / ".parts" / f"{tiny_card().files[0].sha256}.part"
    wait_until(lambda: part.exists() and part.stat().st_size > 400_000)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    kept = part.stat().st_size
    going_on.set()
    hub.before_piece, before = (lambda: None), hub.sent.copy()

    done = command.run("models", "pull", NAME, LIKENESS_HUB=hub.address)

    assert done.returncode == 0, done.stderr
    assert files_in(models_dir / NAME) == WHOLE
    assert kept > 400_000
    assert (f"{REPOSITORY}/onnx/image.onnx", kept) in hub.begun
    assert (hub.sent - before)[f"{REPOSITORY}/onnx/text.onnx"] == len(WHOLE["text.onnx"])


def test_a_proxy_is_used(hub, models_dir, tmp_path):
    command = CommandLine(tmp_path / "data", models_dir)

    done = command.run(
        "models", "pull", NAME, LIKENESS_HUB="http://hub.invalid", HTTP_PROXY=hub.address, http_proxy=hub.address
    )

    assert done.returncode == 0, done.stderr
    assert files_in(models_dir / NAME) == WHOLE
    assert all(" http://hub.invalid/someone/" in line for line in hub.asked)


def test_nobody_else_is_asked_anything(hub, models_dir, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    command = CommandLine(tmp_path / "data", models_dir)

    done = command.run("models", "pull", NAME, LIKENESS_HUB="http://hub.invalid", HOME=home, ALL_PROXY=hub.address)

    assert done.returncode == 0, done.stderr
    assert {line.split("/resolve/")[0] for line in hub.asked} == {
        f"{method} http://hub.invalid/{REPOSITORY}" for method in ("HEAD", "GET")
    }
    assert list(home.rglob("*")) == []


def test_a_flipped_bit_is_found_by_comparing_checksums(hub, models_dir):
    pull(NAME, models_dir, ModelHub(hub.address))
    assert faults(NAME, models_dir) == []
    damaged = bytearray(WHOLE["text.onnx"])
    damaged[1000] ^= 1
    (models_dir / NAME / "text.onnx").write_bytes(damaged)

    assert state(NAME, models_dir) == "here"
    (fault,) = faults(NAME, models_dir)
    assert fault.startswith("The file text.onnx of the model tiny is damaged.")


def test_a_file_that_is_damaged_is_fetched_alone(hub, models_dir):
    pull(NAME, models_dir, ModelHub(hub.address))
    (models_dir / NAME / "text.onnx").write_bytes(bytes(len(WHOLE["text.onnx"])))
    before = hub.bytes_sent

    pull(NAME, models_dir, ModelHub(hub.address))

    assert files_in(models_dir / NAME) == WHOLE
    assert hub.bytes_sent - before == len(WHOLE["text.onnx"])


def test_a_file_that_is_lost_is_fetched_alone(hub, models_dir):
    pull(NAME, models_dir, ModelHub(hub.address))
    (models_dir / NAME / "text.onnx").unlink()
    before = hub.bytes_sent

    pull(NAME, models_dir, ModelHub(hub.address))

    assert files_in(models_dir / NAME) == WHOLE
    assert hub.bytes_sent - before == len(WHOLE["text.onnx"])


def test_a_model_can_be_removed_and_is_then_gone(hub, models_dir):
    pull(NAME, models_dir, ModelHub(hub.address))

    remove(NAME, models_dir)

    assert not (models_dir / NAME).exists()
    assert state(NAME, models_dir) == "missing"
    with pytest.raises(ModelUnusable, match="no encoder named tiny"):
        remove(NAME, models_dir)
    with pytest.raises(ModelUnusable, match="is not here, so nothing was removed"):
        remove("clip-vit-b-32", models_dir)
    with pytest.raises(ModelUnusable, match="cannot be removed"):
        remove("lite", models_dir)


def test_the_card_is_text_that_people_can_read(hub, models_dir):
    pull(NAME, models_dir, ModelHub(hub.address))

    said = json.loads((models_dir / NAME / "card.json").read_text(encoding="utf-8"))

    assert said["revision"] == COMMIT
    assert [file["bytes"] for file in said["files"]] == [len(content) for content in WHOLE.values()]
