import json
from pathlib import Path

import pytest

from pipeline.errors import InvalidQuery
from pipeline.labelled_folder import read_labelled_folder

HEADER = "path,set,label,category,group,w,h,dhash,sha256_source\n"


def write_table(folder: Path, *rows: str) -> None:
    (folder / "images.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")


def test_rows_of_the_table_become_pictures_and_the_digit_tells_their_side(tmp_path: Path) -> None:
    write_table(
        tmp_path,
        "a/1.jpg,pacs,dog,animal,,9,9,ff,7abc",
        "a/2.jpg,pacs,dog,animal,,9,9,ff,8abc",
        "b.jpg,coco,,,,9,9,ff,0a",
    )
    first, second, third = read_labelled_folder(tmp_path).pictures
    assert (first.path, first.set, first.label, first.category) == (tmp_path / "a/1.jpg", "pacs", "dog", "animal")
    assert (first.fitted, second.fitted) == (True, False)
    assert (third.label, third.category) == ("", "")


def test_a_group_stays_on_the_side_of_its_first_picture(tmp_path: Path) -> None:
    write_table(tmp_path, "1.jpg,s,x,food,soup,9,9,f,9", "2.jpg,s,x,food,soup,9,9,f,0", "3.jpg,s,x,food,,9,9,f,0")
    assert [picture.fitted for picture in read_labelled_folder(tmp_path).pictures] == [False, False, True]


def test_a_table_without_sources_does_not_tell_sides(tmp_path: Path) -> None:
    (tmp_path / "images.csv").write_text("path,set,label,category\n1.jpg,s,x,food\n")
    assert read_labelled_folder(tmp_path).pictures[0].fitted is None


def test_a_folder_for_each_class_is_read_with_everything_below(tmp_path: Path) -> None:
    for name in ("animal/cats/1.jpg", "animal/2.jpg", "cutlery/3.jpg", ".git/4.jpg", "loose.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    pictures = read_labelled_folder(tmp_path).pictures
    assert sorted((picture.label, picture.category, picture.path.name) for picture in pictures) == [
        ("animal", "animal", "1.jpg"),
        ("animal", "animal", "2.jpg"),
        ("cutlery", "", "3.jpg"),
    ]


def test_captions_and_colors_lie_beside_the_table(tmp_path: Path) -> None:
    (tmp_path / "captions").mkdir()
    (tmp_path / "captions/captions.json").write_text(json.dumps([{"path": "captions/a.jpg", "captions": ["a", "b"]}]))
    (tmp_path / "colour").mkdir()
    flag = {"path": "colour/fr.png", "kind": "flag", "palette": [{"hex": "#0000ff", "share": 0.33, "name": "blue"}]}
    (tmp_path / "colour/truth.json").write_text(json.dumps([flag]))
    found = read_labelled_folder(tmp_path)
    assert found.captioned[0].captions == ("a", "b")
    assert found.colored[0].palette == (("#0000ff", 0.33),)
    assert found.pictures == ()


def test_an_empty_folder_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidQuery, match="nothing to measure"):
        read_labelled_folder(tmp_path)


@pytest.mark.parametrize("table", ["name\nx.jpg\n", "path,set,label,category\nx.jpg,s,l,unicorn\n"])
def test_a_table_of_another_kind_is_refused_with_a_sentence(tmp_path: Path, table: str) -> None:
    (tmp_path / "images.csv").write_text(table)
    with pytest.raises(InvalidQuery, match="cannot be used"):
        read_labelled_folder(tmp_path)


@pytest.mark.parametrize("captions", ["{", '[{"path": "a.jpg"}]', "[1]"])
def test_captions_of_another_kind_are_refused_with_a_sentence(tmp_path: Path, captions: str) -> None:
    (tmp_path / "captions").mkdir()
    (tmp_path / "captions/captions.json").write_text(captions)
    with pytest.raises(InvalidQuery, match="cannot be used"):
        read_labelled_folder(tmp_path)
