import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from pipeline.errors import ModelUnusable
from pipeline.features.encoders import registry
from pipeline.features.encoders.model_cache import load_or_build
from pipeline.features.encoders.onnx_runtime import open_session
from pipeline.features.encoders.protocol import Encoder


def refuse() -> bytes:
    pytest.fail("the network was built although it was kept")


def test_a_network_is_built_once_and_then_kept(tmp_path: Path):
    folder = tmp_path / "models" / "deep"
    assert load_or_build(folder, "net", lambda: b"layers") == b"layers"
    assert load_or_build(folder, "net", refuse) == b"layers"
    assert [path.suffix for path in folder.iterdir()] == [".onnx"]


def test_a_damaged_network_is_built_again(tmp_path: Path):
    load_or_build(tmp_path, "net", lambda: b"layers")
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(b"layerz")
    assert load_or_build(tmp_path, "net", lambda: b"layers") == b"layers"
    assert load_or_build(tmp_path, "net", refuse) == b"layers"


def test_networks_of_different_names_do_not_meet(tmp_path: Path):
    load_or_build(tmp_path, "one", lambda: b"1")
    assert load_or_build(tmp_path, "two", lambda: b"2") == b"2"
    assert load_or_build(tmp_path, "one", refuse) == b"1"


def test_a_folder_that_cannot_be_written_only_costs_the_building(tmp_path: Path):
    blocked = tmp_path / "a file where the folder should be"
    blocked.touch()
    assert load_or_build(blocked, "net", lambda: b"layers") == b"layers"


def test_many_builders_at_once_leave_one_whole_file(tmp_path: Path):
    content, start = bytes(range(256)) * 4096, Barrier(8)

    def build() -> bytes:
        start.wait()
        return content

    with ThreadPoolExecutor(8) as pool:
        built = list(pool.map(lambda _: load_or_build(tmp_path, "net", build), range(8)))
    assert built == [content] * 8
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [content]


def test_what_is_no_network_is_an_error_with_a_sentence():
    with pytest.raises(ModelUnusable, match="network of the encoder lite cannot be opened"):
        open_session(b"not a network", "lite")


def test_an_unknown_encoder_is_refused_with_the_names_there_are(tmp_path: Path):
    with pytest.raises(ModelUnusable, match=r"no encoder named resnet.*lite"):
        registry.open_encoder("resnet", tmp_path)


def test_each_encoder_says_what_it_is_and_under_what_terms():
    assert registry.names()[0] == "lite"
    model = registry.find("lite")
    assert (model.dimension, model.licence) == (512, "Apache-2.0")


def test_lite_is_opened_once_for_all_who_have_it_open_and_kept_no_longer(models: Path, tmp_path: Path, lite: Encoder):
    assert registry.open_encoder("lite", models) is lite
    elsewhere = registry.open_encoder("lite", tmp_path)
    assert elsewhere is not lite

    is_there = weakref.ref(elsewhere)
    del elsewhere
    gc.collect()
    assert is_there() is None
