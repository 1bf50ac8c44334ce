import csv
import json
import zipfile
from pathlib import Path

import pytest
import sqlalchemy as sa
from pictures import picture_bytes
from putting import Put

from pipeline.backend import Backend
from pipeline.curation import delete, edit
from pipeline.description import describe
from pipeline.errors import ConfigurationError
from pipeline.export import Exported, FolderTarget, check_free, export, list_rows, zip_file
from pipeline.filters import Filter
from pipeline.principals import OWNER, Principal, Role
from pipeline.worker import Worker


def export_to(backend: Backend, folder: Path, where: Filter | None = None) -> list[Exported]:
    rows = list_rows(backend, where or Filter(), OWNER)
    return list(export(backend, rows, FolderTarget(folder)))


def read_csv(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def read_json(folder: Path) -> list[dict[str, object]]:
    return json.loads((folder / "metadata.json").read_text(encoding="utf-8"))["images"]


def test_originals_come_out_byte_for_byte_under_names_of_their_own(backend: Backend, put: Put, tmp_path: Path) -> None:
    put(picture_bytes(seed=1), filename="a.png")
    put(picture_bytes(seed=2), filename="a.png")
    export_to(backend, tmp_path / "out")
    assert (tmp_path / "out/originals/a.png").read_bytes() == picture_bytes(seed=1)
    assert (tmp_path / "out/originals/a (2).png").read_bytes() == picture_bytes(seed=2)


def test_the_json_is_what_the_api_says_and_where_the_file_is(backend: Backend, put: Put, tmp_path: Path) -> None:
    image = put(filename="a.png")
    Worker(backend).drain()
    done = export_to(backend, tmp_path)
    (told,) = read_json(tmp_path)
    assert told["file"] == "originals/a.png"
    assert {name: told[name] for name in describe(image)} == describe(done[0].image)
    assert told["state"] == "ready"


def test_every_place_that_a_picture_came_from_is_told_by_a_few_questions(
    backend: Backend, put: Put, tmp_path: Path
) -> None:
    for number in range(20):
        put(seed=number, filename=f"{number}.png")
    put(seed=7, filename="again.png")
    rows = list_rows(backend, Filter(), OWNER)
    asked: list[str] = []
    sa.event.listen(backend.database.engine, "before_cursor_execute", lambda *event: asked.append(event[2]))

    list(export(backend, rows, FolderTarget(tmp_path)))

    told = [[source["filename"] for source in image["sources"]] for image in read_json(tmp_path)]
    assert told == [[f"{number}.png"] if number != 7 else ["7.png", "again.png"] for number in range(20)]
    assert len([statement for statement in asked if "image_sources" in statement]) < len(rows)


def test_the_csv_has_a_row_for_each_image_with_its_colors(backend: Backend, put: Put, tmp_path: Path) -> None:
    image = put(filename="red.png", color="#ff0000")
    edit(backend, image.id, OWNER, caption="a red, plain “card”", tags=["card", "two words"])
    Worker(backend).drain()
    export_to(backend, tmp_path)
    (row,) = read_csv(tmp_path)
    assert row["caption"] == "a red, plain “card”"
    assert row["tags"] == "card; two words"
    assert float(row["share_red"]) > 0.99
    assert row["palette"].startswith("#f")


def test_a_caption_that_a_spreadsheet_would_run_is_disarmed(backend: Backend, put: Put, tmp_path: Path) -> None:
    image = put()
    edit(backend, image.id, OWNER, caption='=HYPERLINK("http://example.org")')
    export_to(backend, tmp_path)
    assert read_csv(tmp_path)[0]["caption"] == '\'=HYPERLINK("http://example.org")'
    assert read_json(tmp_path)[0]["caption"] == '=HYPERLINK("http://example.org")'


def test_filters_narrow_what_comes_out(backend: Backend, put: Put, tmp_path: Path) -> None:
    put(filename="small.png", size=(50, 50))
    put(filename="large.png", size=(200, 50))
    done = export_to(backend, tmp_path, Filter(min_width=100))
    assert [item.file for item in done] == ["originals/large.png"]


def test_deleted_pictures_and_those_of_others_stay_inside(backend: Backend, put: Put) -> None:
    gone, secret = put(seed=1), put(seed=2, library="secret")
    delete(backend, [gone.id], OWNER)
    assert list_rows(backend, Filter(), OWNER) == [secret.row]
    assert list_rows(backend, Filter(), Principal("guest", {"main": Role.OWNER})) == []


def test_an_original_that_is_gone_is_told_and_its_metadata_kept(backend: Backend, put: Put, tmp_path: Path) -> None:
    image = put()
    backend.objects.delete(image.object_key)
    (done,) = export_to(backend, tmp_path)
    assert done.file is None
    assert done.problem
    assert read_json(tmp_path)[0]["file"] is None


def test_a_zip_has_the_same_and_stores_it_uncompressed(backend: Backend, put: Put, tmp_path: Path) -> None:
    put(picture_bytes(seed=1), filename="a.png")
    file = tmp_path / "out.zip"
    with zip_file(file) as target:
        list(export(backend, list_rows(backend, Filter(), OWNER), target))
    with zipfile.ZipFile(file) as archive:
        assert sorted(archive.namelist()) == ["metadata.csv", "metadata.json", "originals/a.png"]
        assert archive.read("originals/a.png") == picture_bytes(seed=1)
        assert archive.getinfo("originals/a.png").compress_type == zipfile.ZIP_STORED


def test_a_zip_that_breaks_off_leaves_the_old_one(backend: Backend, put: Put, tmp_path: Path) -> None:
    put()
    file = tmp_path / "out.zip"
    file.write_bytes(b"old")

    def export_and_stop() -> None:
        with zip_file(file) as target:
            for _ in export(backend, list_rows(backend, Filter(), OWNER), target):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_and_stop()
    assert file.read_bytes() == b"old"
    assert list(tmp_path.glob(".*")) == []


def test_nothing_is_written_over_without_being_asked(tmp_path: Path) -> None:
    check_free(tmp_path / "new")
    check_free(tmp_path)
    (tmp_path / "kept.txt").touch()
    for place in (tmp_path, tmp_path / "kept.txt"):
        with pytest.raises(ConfigurationError, match="--force"):
            check_free(place)
