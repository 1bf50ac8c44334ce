import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from command import CommandHere
from fakes import GridEncoder
from pictures import picture_bytes

from pipeline.decoders import DecoderPool
from pipeline.evaluation import PARTS, Report, evaluate, rgb_histogram
from pipeline.features.picture import Facts, Picture
from pipeline.labelled_folder import read_labelled_folder

T = TypeVar("T")

COLORS = {"reds": "#c02020", "greens": "#20a020", "blues": "#2020c0"}


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Three pictures in each of three classes that differ in color, and one file that is no picture."""
    for name, color in COLORS.items():
        (tmp_path / "labelled" / name).mkdir(parents=True)
        for seed in range(3):
            data = picture_bytes("disc", color=color, second="#808080", seed=seed)
            (tmp_path / "labelled" / name / f"{seed}.png").write_bytes(data)
    (tmp_path / "labelled" / "reds" / "notes.txt").write_text("no picture")
    return tmp_path / "labelled"


def quietly(items: Iterable[T], label: str, total: int) -> Iterator[T]:
    """Show nothing, but insist that what would be shown makes sense."""
    assert label
    count = 0
    for item in items:
        count += 1
        yield item
    assert count == total


def measure(folder: Path, decoders: DecoderPool, parts: tuple[str, ...] = PARTS) -> Report:
    return evaluate(read_labelled_folder(folder), GridEncoder(), decoders, parts=parts, threads=2, track=quietly)


def test_classes_of_different_colors_are_told_apart_by_both_ways(classes: Path, decoders: DecoderPool) -> None:
    report = measure(classes, decoders)
    assert report.pictures == 9
    assert report.retrieval is not None
    assert report.retrieval.mean.precision == 1.0
    assert report.retrieval.histogram_mean.precision == 1.0
    assert report.retrieval.sets["labelled"].queries == 9


def test_what_cannot_be_read_is_told_and_left_out(classes: Path, decoders: DecoderPool) -> None:
    report = measure(classes, decoders)
    assert len(report.unreadable) == 1
    assert "notes.txt" in report.unreadable[0]


def test_what_has_no_answers_is_not_measured(classes: Path, decoders: DecoderPool) -> None:
    report = measure(classes, decoders)
    assert (report.categories, report.captions, report.colors) == (None, None, None)


def test_only_what_is_asked_for_is_measured(classes: Path, decoders: DecoderPool) -> None:
    report = measure(classes, decoders, ("speed",))
    assert report.retrieval is None
    assert report.speed is not None
    assert [stage.stage for stage in report.speed] == ["decode", "embed", "palette", "category"]
    assert all(stage.mean_ms > 0 for stage in report.speed)


def test_categories_are_reported_apart_for_what_the_head_was_fitted_on(tmp_path: Path, decoders: DecoderPool) -> None:
    rows = ["path,set,label,category,group,sha256_source"]
    for number, digit in enumerate("0189"):
        (tmp_path / f"{number}.png").write_bytes(picture_bytes("noise", seed=number))
        rows.append(f"{number}.png,s,,food,,{digit}abc")
    (tmp_path / "images.csv").write_text("\n".join(rows))
    report = measure(tmp_path, decoders, ("category",))
    assert report.categories is not None
    assert {part: scores.pictures for part, scores in report.categories.items()} == {"fitted on": 2, "not fitted on": 2}


def test_captions_and_palettes_are_measured_on_their_own_pictures(tmp_path: Path, decoders: DecoderPool) -> None:
    (tmp_path / "captions").mkdir()
    (tmp_path / "colour").mkdir()
    captions, truth = [], []
    for name, color in (("red", "#dc1e1e"), ("blue", "#1e1edc")):
        (tmp_path / f"captions/{name}.png").write_bytes(picture_bytes(color=color))
        captions.append({"path": f"captions/{name}.png", "captions": [f"a {name} card"]})
        truth.append({"path": f"captions/{name}.png", "kind": "plain", "palette": [{"hex": color, "share": 1.0}]})
    (tmp_path / "captions/captions.json").write_text(json.dumps(captions))
    (tmp_path / "colour/truth.json").write_text(json.dumps(truth))
    report = measure(tmp_path, decoders)
    assert report.captions is not None
    assert report.colors is not None
    assert report.captions.recall_at_1 == 1.0
    assert set(report.colors) == {"plain", "all"}
    assert report.colors["all"].recall_5 == 1.0


def test_the_histogram_of_a_half_black_half_white_picture_has_two_equal_bins() -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[:, 2:] = 255
    histogram = rgb_histogram(Picture(pixels, None, Facts("PNG", "image/png", 4, 4)))
    assert histogram.shape == (512,)
    assert histogram[[0, 511]] == pytest.approx([0.5**0.5, 0.5**0.5])


def test_the_command_prints_tables_and_leaves_the_data_folder_alone(
    classes: Path, tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = CommandHere(tmp_path / "data", models, monkeypatch, capsys)
    done = command.run("evaluate", classes, "--json", tmp_path / "out.json", "--only", "retrieval,speed")
    assert done.returncode == 0
    assert "mean over sets" in done.stdout
    assert "RGB histogram" in done.stdout
    assert "Duplicates are not measured" in done.stdout
    assert json.loads((tmp_path / "out.json").read_text())["retrieval"]["mean"]["queries"] == 9
    assert not command.data.exists()
