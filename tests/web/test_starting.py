"""What an application has begun with when it answers its first visitor."""

from collections.abc import Callable
from pathlib import Path

import psutil
from starlette.testclient import TestClient

from pipeline.settings import read_settings
from tests.web.conftest import upload
from tests.web.members import LOCAL
from tests.web.photos import jpeg
from webapp.app import create_app

DatabaseOf = Callable[[Path], dict[str, str]]


def decoders_of_this_process() -> set[int]:
    children = psutil.Process().children()
    return {child.pid for child in children if "pipeline.decoder_process" in psutil.Process(child.pid).cmdline()}


def test_decoder_processes_wait_for_the_first_visitor(tmp_path: Path, models: Path, database_of: DatabaseOf) -> None:
    data, others = tmp_path / "data", decoders_of_this_process()
    settings = read_settings(data=data, models=models, decoder_processes=3, **database_of(data))

    with TestClient(create_app(settings, with_worker=False), base_url=LOCAL):
        assert len(decoders_of_this_process() - others) == 3
    assert decoders_of_this_process() <= others


def test_they_may_also_come_with_the_first_picture(tmp_path: Path, models: Path, database_of: DatabaseOf) -> None:
    data, others = tmp_path / "data", decoders_of_this_process()
    app = create_app(read_settings(data=data, models=models, **database_of(data)), with_decoders=False)

    with TestClient(app, base_url=LOCAL) as client:
        assert client.get("/").status_code == 200
        assert decoders_of_this_process() <= others
        assert upload(client, jpeg("chelsea.png")).status_code == 201
        assert decoders_of_this_process() - others
