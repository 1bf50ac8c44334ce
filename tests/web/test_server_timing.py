"""Answers say in which parts their time went."""

import pytest
from starlette.testclient import TestClient


@pytest.mark.parametrize("path", ["/?text=cat", "/api/v1/images"])
def test_answers_say_in_which_parts_their_time_went(library: TestClient, path: str) -> None:
    told = dict(part.split(";dur=") for part in library.get(path).headers["Server-Timing"].split(", "))
    assert {"database", "total"} <= told.keys()
    if "text" in path:
        assert {"embedding", "index", "rendering"} <= told.keys()
    assert sum(float(value) for name, value in told.items() if name != "total") <= float(told["total"]) + 1
