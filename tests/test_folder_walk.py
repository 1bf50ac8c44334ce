import os
from pathlib import Path

import pytest

from pipeline.folder_walk import list_files


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names_below(folder: Path, **options: tuple[str, ...] | list[str]) -> list[str]:
    return [os.path.relpath(path, folder) for path in list_files([str(folder)], **options).files]


def test_files_come_by_name_and_those_of_a_folder_before_its_subfolders(tmp_path: Path) -> None:
    make(tmp_path, "b/2.jpg", "b/1.jpg", "a/1.jpg", "z.jpg", "b/c/1.jpg")
    assert names_below(tmp_path) == ["z.jpg", "a/1.jpg", "b/1.jpg", "b/2.jpg", "b/c/1.jpg"]


def test_hidden_files_and_what_systems_leave_behind_are_passed_over(tmp_path: Path) -> None:
    make(tmp_path, ".DS_Store", ".hidden/1.jpg", "Thumbs.db", "@eaDir/1.jpg/thumb.jpg", "lost+found/1", "kept.jpg")
    assert names_below(tmp_path) == ["kept.jpg"]


def test_a_link_that_leads_back_is_followed_once_and_not_for_ever(tmp_path: Path) -> None:
    make(tmp_path, "album/1.jpg")
    (tmp_path / "album" / "again").symlink_to(tmp_path)
    assert names_below(tmp_path) == ["album/1.jpg"]


def test_a_linked_folder_elsewhere_is_entered(tmp_path: Path) -> None:
    make(tmp_path / "disk", "1.jpg")
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "more").symlink_to(tmp_path / "disk")
    assert names_below(photos) == ["more/1.jpg"]


def test_excluded_globs_match_names_and_paths(tmp_path: Path) -> None:
    make(tmp_path, "1.jpg", "1.xmp", "raw/1.jpg", "2026/raw/1.jpg", "2026/1.jpg")
    assert names_below(tmp_path, exclude=("*.xmp", "2026/raw")) == ["1.jpg", "2026/1.jpg", "raw/1.jpg"]


def test_the_folder_of_our_own_copies_is_never_entered(tmp_path: Path) -> None:
    make(tmp_path, "1.jpg", "data/objects/1.jpg")
    assert names_below(tmp_path, never_enter=[str(tmp_path / "data")]) == ["1.jpg"]


def test_pipes_are_passed_over_because_reading_one_would_wait_for_ever(tmp_path: Path) -> None:
    make(tmp_path, "1.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert names_below(tmp_path) == ["1.jpg"]


def test_a_place_that_is_a_file_is_that_file(tmp_path: Path) -> None:
    make(tmp_path, "1.jpg")
    assert list_files([str(tmp_path / "1.jpg")]).files == [str(tmp_path / "1.jpg")]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    make(tmp_path, "1.jpg", "closed/2.jpg")
    (tmp_path / "closed").chmod(0)
    listing = list_files([str(tmp_path)])
    (tmp_path / "closed").chmod(0o700)
    assert [found.reason for found in listing.unreadable] == ["There is no permission to look into this folder."]
