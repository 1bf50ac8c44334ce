"""Bringing models in from folders and archives, whoever packed them."""

import errno
import io
import json
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from tiny_model import NAME, announce, contents, files_in, tiny_card

from pipeline.errors import ModelUnusable
from pipeline.features.encoders.cards import as_json
from pipeline.features.encoders.catalog import CATALOG, DEFAULT
from pipeline.features.encoders.model_folder import installed_card
from pipeline.weights import faults, state
from pipeline.weights_import import install_from

WHOLE = {Path(source).name: content for source, content in contents().items()}


@pytest.fixture
def carried(tmp_path: Path) -> Path:
    """A folder with the card and the files of a model, as an export writes it."""
    folder = tmp_path / "carried" / "export"
    write(folder, WHOLE | {"card.json": as_json(tiny_card()).encode()})
    return folder


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the catalog know the tiny model."""
    monkeypatch.setitem(CATALOG, NAME, tiny_card())


@pytest.mark.usefixtures("carried")
@pytest.mark.parametrize("pack", ["folder", "zip", "tar", "gztar"])
@pytest.mark.parametrize("root", ["carried", "carried/export"], ids=["in a folder", "at the top"])
def test_a_model_comes_in_from_a_folder_or_an_archive(tmp_path, pack, root):
    path = (
        tmp_path / root if pack == "folder" else Path(shutil.make_archive(tmp_path / "packed", pack, tmp_path / root))
    )

    card = install_from(path, tmp_path / "models")

    assert card == tiny_card()
    assert files_in(tmp_path / "models" / NAME) == WHOLE
    assert installed_card(tmp_path / "models", NAME) == card
    assert faults(NAME, tmp_path / "models") == []
    assert [entry.name for entry in (tmp_path / "models").iterdir() if not entry.name.endswith(".lock")] == [NAME]


def test_a_model_can_be_given_another_name(tmp_path, carried):
    card = install_from(carried, tmp_path / "models", "mine")

    assert card.name == "mine"
    assert state("mine", tmp_path / "models") == "here"


@pytest.mark.parametrize("name", ["../mine", "Mine", ".mine", "a/b", "a" * 65])
def test_a_name_that_is_no_name_is_refused(tmp_path, carried, name):
    with pytest.raises(ModelUnusable, match=f"A model cannot be called '{name}'"):
        install_from(carried, tmp_path / "models", name)
    assert not (tmp_path / "models").exists()


def test_a_card_without_checksums_gets_those_of_the_files(tmp_path, carried):
    (carried / "card.json").write_text(as_json(tiny_card(pinned=False)), encoding="utf-8")

    assert install_from(carried, tmp_path / "models").files == tiny_card().files


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("pack", ["folder", "zip", "tar"])
@pytest.mark.parametrize("below", ["", "tiny-clip-main"])
def test_the_files_of_a_hub_repository_come_in_by_the_name_of_the_model(tmp_path, pack, below):
    root = tmp_path / "downloaded"
    write(root / below, contents() | {"README.md": b"A model"})
    path = root if pack == "folder" else Path(shutil.make_archive(tmp_path / "packed", pack, root))

    card = install_from(path, tmp_path / "models", NAME)

    assert card == tiny_card()
    assert files_in(tmp_path / "models" / NAME) == WHOLE


def test_files_without_a_card_need_a_name_that_is_known(tmp_path):
    write(tmp_path / "downloaded", contents())

    with pytest.raises(ModelUnusable, match=r"has no card\.json.*--name which of these.*clip-vit-b-32, "):
        install_from(tmp_path / "downloaded", tmp_path / "models")
    with pytest.raises(ModelUnusable, match=r"vision_model_quantized\.onnx of clip-vit-b-32 is missing"):
        install_from(tmp_path / "downloaded", tmp_path / "models", DEFAULT)


def test_a_model_that_is_here_is_replaced_only_by_a_whole_one(tmp_path, carried):
    models = tmp_path / "models"
    announce(models)
    write(models / NAME, {"old": b"old"})
    damaged = WHOLE["text.onnx"][:-1] + bytes([WHOLE["text.onnx"][-1] ^ 1])
    (carried / "text.onnx").write_bytes(damaged)

    with pytest.raises(ModelUnusable, match=r"text\.onnx of tiny has the wrong checksum, so nothing was imported"):
        install_from(carried, models)
    assert files_in(models / NAME) == {"old": b"old"}
    assert not (models / ".tiny.import").exists()

    (carried / "text.onnx").write_bytes(WHOLE["text.onnx"])
    install_from(carried, models)
    assert files_in(models / NAME) == WHOLE


@pytest.mark.parametrize("stopped", [KeyboardInterrupt(), OSError(errno.EIO, "Input/output error")])
@pytest.mark.parametrize("at", ["the old one goes", "the new one comes"])
def test_an_import_that_is_stopped_at_its_end_leaves_the_model_that_was_there(
    tmp_path, carried, monkeypatch, stopped, at
):
    models = tmp_path / "models"
    announce(models)
    write(models / NAME, {"old": b"old"})
    replace_path = Path.replace

    def stop_once(path: Path, target: Path) -> Path:
        if (path if at == "the old one goes" else target) == models / NAME and path.name != f".{NAME}.before":
            raise stopped
        return replace_path(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop_once)
        with pytest.raises((KeyboardInterrupt, ModelUnusable)):
            install_from(carried, models)

    assert files_in(models / NAME) == {"old": b"old"}
    assert installed_card(models, NAME) == tiny_card()
    install_from(carried, models)
    assert files_in(models / NAME) == WHOLE
    assert [entry.name for entry in models.iterdir() if not entry.name.endswith(".lock")] == [NAME]


@pytest.mark.parametrize(
    "wrong",
    [{"dimension": 64}, {"preprocessing": {"size": 16, "mean": [0, 0, 0], "std": [1, 1, 1]}}],
    ids=["other vectors", "other pictures"],
)
def test_networks_that_do_not_fit_their_card_do_not_come_in(tmp_path, carried, wrong):
    write(carried, {"card.json": json.dumps(json.loads(as_json(tiny_card())) | wrong).encode()})

    with pytest.raises(ModelUnusable, match="A network of the model tiny does not fit its card"):
        install_from(carried, tmp_path / "models")
    assert state(NAME, tmp_path / "models") == "missing"


@pytest.mark.parametrize("role", ["image", "text", "tokenizer"])
def test_what_is_no_network_or_no_tokenizer_does_not_come_in(tmp_path, carried, role):
    card = tiny_card(pinned=False)
    write(carried, {"card.json": as_json(card).encode(), card.file(role).path: b"something else"})

    with pytest.raises(ModelUnusable, match=r"cannot be (opened|used)"):
        install_from(carried, tmp_path / "models")
    assert state(NAME, tmp_path / "models") == "missing"


@pytest.fixture
def unpinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the catalog know the tiny model, and no checksum of it."""
    monkeypatch.setitem(CATALOG, NAME, tiny_card(pinned=False))


@pytest.mark.usefixtures("unpinned")
@pytest.mark.parametrize(
    "changed",
    [
        {"architecture": "Another"},
        {"repository": "nobody/else"},
        {"repository": None},
        {"files": [asdict(file) | {"path": f"other-{file.path}"} for file in tiny_card().files]},
    ],
    ids=["architecture", "repository", "no repository", "places"],
)
def test_another_model_does_not_come_in_under_a_name_of_the_list_that_has_no_checksums(tmp_path, carried, changed):
    card = json.loads(as_json(tiny_card())) | changed
    write(carried, {"card.json": json.dumps(card).encode()})

    with pytest.raises(ModelUnusable, match="not the model that Likeness knows as tiny"):
        install_from(carried, tmp_path / "models")
    card = install_from(carried if "files" not in changed else moved(carried), tmp_path / "models", "mine")
    assert (card.name, card.architecture) == ("mine", changed.get("architecture", "tiny"))


def moved(folder: Path) -> Path:
    for file in tiny_card().files:
        (folder / file.path).rename(folder / f"other-{file.path}")
    return folder


@pytest.mark.parametrize("pins", ["known", "unpinned"])
def test_what_a_card_says_of_a_model_of_the_list_is_what_the_list_says(tmp_path, carried, request, pins):
    request.getfixturevalue(pins)
    lies = {"licence": "none", "commercial_use": False, "quality": "the best", "description": "Mine"}
    lies["preprocessing"] = asdict(tiny_card().preprocessing) | {"resize": "squash"}
    write(carried, {"card.json": json.dumps(json.loads(as_json(tiny_card())) | lies).encode()})

    card = install_from(carried, tmp_path / "models")

    assert card == replace(CATALOG[NAME], files=tiny_card().files)
    assert installed_card(tmp_path / "models", NAME) == card


@pytest.mark.parametrize("name", ["lite", DEFAULT])
def test_other_files_do_not_take_a_name_that_people_trust(tmp_path, carried, name):
    with pytest.raises(ModelUnusable, match=f"not the model that Likeness knows as {name}"):
        install_from(carried, tmp_path / "models", name)


def test_a_missing_file_is_named(tmp_path, carried):
    (carried / "tokenizer.json").unlink()

    with pytest.raises(ModelUnusable, match=r"tokenizer\.json of tiny is missing, so nothing was imported"):
        install_from(carried, tmp_path / "models")


@pytest.mark.parametrize("content", [None, b"", b"no archive", b"PK\x03\x04 cut off", b"\x1f\x8b\x08\x00 cut off"])
def test_what_is_no_archive_is_said(tmp_path, content):
    path = tmp_path / "model.zip"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ModelUnusable, match=r"There is no file or folder|no ZIP or TAR archive"):
        install_from(path, tmp_path / "models")


Member = tuple[str, bytes]
Whole = [("card.json", as_json(tiny_card()).encode()), *WHOLE.items()]


def zip_of(path: Path, members: list[Member], *, link: str = "") -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members:
            member = zipfile.ZipInfo(name)
            member.external_attr = (stat.S_IFLNK if name == link else stat.S_IFREG) << 16
            packed.writestr(member, content)


def tar_of(path: Path, members: list[Member], *, link: str = "", kind: bytes = tarfile.SYMTYPE) -> None:
    with tarfile.open(path, "w") as packed:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if name == link:
                member.type, member.linkname = kind, content.decode()
            else:
                member.size = len(content)
            packed.addfile(member, io.BytesIO(content))


HOSTILE = [
    ("a file beside the folder", "../evil", b"evil"),
    ("a file further down and out again", "a/../../evil", b"evil"),
    ("an absolute path", "/evil", b"evil"),
    ("a path of Windows", "..\\evil", b"evil"),
    ("a drive of Windows", "C:evil", b"evil"),
]


@pytest.mark.parametrize("pack", [zip_of, tar_of])
@pytest.mark.parametrize(("name", "content"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_an_archive_with_paths_that_lead_out_is_refused(tmp_path, pack: Callable[..., None], name, content):
    pack(tmp_path / "packed", [*Whole, (name, content)])

    with pytest.raises(ModelUnusable, match=r"leads out of it\. Nothing was imported"):
        install_from(tmp_path / "packed", tmp_path / "models")
    assert not list(tmp_path.rglob("evil"))
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    "pack",
    [
        lambda path, members: zip_of(path, members, link="text.onnx"),
        lambda path, members: tar_of(path, members, link="text.onnx"),
        lambda path, members: tar_of(path, members, link="text.onnx", kind=tarfile.LNKTYPE),
        lambda path, members: tar_of(path, members, link="text.onnx", kind=tarfile.FIFOTYPE),
        lambda path, members: tar_of(path, members, link="text.onnx", kind=tarfile.CHRTYPE),
    ],
    ids=["symlink in zip", "symlink in tar", "hard link", "pipe", "device"],
)
def test_an_archive_with_links_or_devices_is_refused(tmp_path, pack):
    pack(
        tmp_path / "packed",
        [("text.onnx", b"/etc/passwd") if name == "text.onnx" else (name, content) for name, content in Whole],
    )

    with pytest.raises(ModelUnusable, match=r"'text\.onnx', which is a link or no file"):
        install_from(tmp_path / "packed", tmp_path / "models")


@pytest.mark.parametrize("path", ["../evil", "/evil", "a\\..\\..\\evil", "C:evil", ""])
def test_a_card_whose_files_lead_out_is_refused(tmp_path, carried, path):
    card = json.loads(as_json(tiny_card()))
    card["files"][1]["path"] = path
    (carried / "card.json").write_text(json.dumps(card), encoding="utf-8")

    with pytest.raises(ModelUnusable, match="cannot be used"):
        install_from(carried, tmp_path / "models")


@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_a_file_that_is_larger_than_its_card_says_is_not_unpacked(tmp_path, pack):
    pack(
        tmp_path / "packed", [(name, bytes(50_000_000) if name == "text.onnx" else content) for name, content in Whole]
    )

    with pytest.raises(ModelUnusable, match=r"text\.onnx of tiny is larger than its card says"):
        install_from(tmp_path / "packed", tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_zip_that_lies_about_its_sizes_is_refused(tmp_path):
    zip_of(
        tmp_path / "packed", [(name, bytes(5_000_000) if name == "text.onnx" else content) for name, content in Whole]
    )
    right = len(WHOLE["text.onnx"]).to_bytes(4, "little")
    lying = (tmp_path / "packed").read_bytes().replace((5_000_000).to_bytes(4, "little"), right)
    (tmp_path / "packed").write_bytes(lying)

    with pytest.raises(ModelUnusable, match=r"no ZIP or TAR archive that can be read|wrong checksum"):
        install_from(tmp_path / "packed", tmp_path / "models")
    assert not (tmp_path / "models" / NAME).exists()


@pytest.mark.parametrize("pack", ["zip", "tar", "gztar", "xztar"])
@pytest.mark.parametrize("what", ["cut", "flipped"])
@pytest.mark.usefixtures("carried")
def test_a_damaged_archive_is_refused_with_a_sentence(tmp_path, pack, what):
    path = Path(shutil.make_archive(tmp_path / "packed", pack, tmp_path / "carried"))
    content = bytearray(path.read_bytes())
    if what == "cut":
        del content[len(content) // 2 :]
    else:
        content[len(content) // 2] ^= 255
    path.write_bytes(content)

    with pytest.raises(ModelUnusable, match=r"can be read|wrong checksum|is missing"):
        install_from(path, tmp_path / "models")
    assert not (tmp_path / "models" / NAME).exists()


def test_an_archive_of_very_many_files_is_no_model(tmp_path):
    tar_of(tmp_path / "packed", [*Whole, *((f"{number}", b"") for number in range(10_100))])

    with pytest.raises(ModelUnusable, match="more than 10,000 files"):
        install_from(tmp_path / "packed", tmp_path / "models")


def test_a_card_of_many_megabytes_is_no_card(tmp_path, carried):
    huge = as_json(replace(tiny_card(), extra={"report": "x" * 2_000_000}))
    (carried / "card.json").write_text(huge, encoding="utf-8")

    with pytest.raises(ModelUnusable, match="damaged"):
        install_from(carried, tmp_path / "models")
