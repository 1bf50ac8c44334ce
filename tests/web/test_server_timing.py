"""Answers say in which parts their time went."""

from starlette.testclient import TestClient


def test_answers_say_in_which_parts_their_time_went(library: TestClient) -> None:
    told = dict(part.split(";dur=") for part in library.get("/?text=cat").headers["Server-Timing"].split(", "))
    assert {"database", "embedding", "index", "rendering", "total"} <= told.keys()
    assert sum(float(value) for name, value in told.items() if name != "total") <= float(told["total"]) + 1


def test_what_is_no_search_says_nothing_of_its_time(library: TestClient) -> None:
    for path in ("/api/v1/images", "/images/nothing", "/?like=nothing"):
        assert "Server-Timing" not in library.get(path).headers
