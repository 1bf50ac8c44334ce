"""The OpenAPI document tells the truth: every call, every field, every answer."""

import re
import shlex
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from tests.web.conftest import LIBRARY, LOCAL, upload
from webapp import schemas, schemas_libraries
from webapp.forms import FILTER_FIELDS
from webapp.routes import (
    api_banks,
    api_compare,
    api_docs,
    api_duplicates,
    api_images,
    api_libraries,
    api_moderation,
    api_search,
    api_searches,
    api_status,
)

CALLS = {
    ("post", "/api/v1/images"),
    ("get", "/api/v1/images"),
    ("get", "/api/v1/images/{image_id}"),
    ("patch", "/api/v1/images/{image_id}"),
    ("delete", "/api/v1/images/{image_id}"),
    ("post", "/api/v1/images/{image_id}/restore"),
    ("get", "/api/v1/images/{image_id}/original"),
    ("get", "/api/v1/images/{image_id}/thumbnail"),
    ("post", "/api/v1/search"),
    ("get", "/api/v1/searches"),
    ("post", "/api/v1/searches"),
    ("get", "/api/v1/searches/{search_id}"),
    ("patch", "/api/v1/searches/{search_id}"),
    ("delete", "/api/v1/searches/{search_id}"),
    ("get", "/api/v1/libraries"),
    ("post", "/api/v1/libraries"),
    ("get", "/api/v1/libraries/{library}"),
    ("patch", "/api/v1/libraries/{library}"),
    ("delete", "/api/v1/libraries/{library}"),
    ("post", "/api/v1/libraries/{library}/restore"),
    ("get", "/api/v1/libraries/{library}/members"),
    ("post", "/api/v1/libraries/{library}/members"),
    ("patch", "/api/v1/libraries/{library}/members/{person_id}"),
    ("delete", "/api/v1/libraries/{library}/members/{person_id}"),
    ("get", "/api/v1/duplicates"),
    ("get", "/api/v1/duplicates/same-scene"),
    ("get", "/api/v1/duplicates/decisions"),
    ("post", "/api/v1/duplicates/decisions"),
    ("get", "/api/v1/duplicates/decisions/export"),
    ("post", "/api/v1/duplicates/undo"),
    ("get", "/api/v1/duplicates/identical"),
    ("post", "/api/v1/duplicates/identical"),
    ("get", "/api/v1/duplicates/{group_id}"),
    ("post", "/api/v1/duplicates/{group_id}/claim"),
    ("post", "/api/v1/duplicates/{group_id}/release"),
    ("post", "/api/v1/duplicates/{group_id}/settle"),
    ("post", "/api/v1/compare"),
    ("post", "/api/v1/images/{image_id}/report"),
    ("get", "/api/v1/moderation"),
    ("post", "/api/v1/moderation/approve"),
    ("post", "/api/v1/moderation/remove"),
    ("post", "/api/v1/moderation/escalate"),
    ("post", "/api/v1/moderation/hold"),
    ("post", "/api/v1/moderation/undo"),
    ("get", "/api/v1/status"),
    ("get", "/api/v1/banks"),
    ("post", "/api/v1/banks"),
    ("get", "/api/v1/banks/{bank_id}"),
    ("patch", "/api/v1/banks/{bank_id}"),
    ("delete", "/api/v1/banks/{bank_id}"),
    ("get", "/api/v1/banks/{bank_id}/entries"),
    ("post", "/api/v1/banks/{bank_id}/entries"),
    ("patch", "/api/v1/banks/{bank_id}/entries/{entry_id}"),
    ("delete", "/api/v1/banks/{bank_id}/entries/{entry_id}"),
    ("post", "/api/v1/banks/{bank_id}/pictures"),
    ("post", "/api/v1/banks/{bank_id}/hashes"),
    ("get", "/api/v1/banks/{bank_id}/hashes.csv"),
    ("get", "/api/v1/banks/{bank_id}/matches"),
    ("post", "/api/v1/banks/{bank_id}/try"),
    ("get", "/api/v1/banks/{bank_id}/hold"),
    ("post", "/api/v1/banks/{bank_id}/hold"),
}


@pytest.fixture(scope="module")
def document(library: TestClient) -> dict[str, Any]:
    return library.get("/api/v1/openapi.json").json()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def test_every_call_is_listed_and_nothing_else(document: dict[str, Any]) -> None:
    assert {(method, path) for path, methods in document["paths"].items() for method in methods} == CALLS


def test_every_route_below_api_v1_is_in_the_document() -> None:
    modules = (
        api_banks,
        api_compare,
        api_duplicates,
        api_images,
        api_libraries,
        api_moderation,
        api_search,
        api_searches,
        api_status,
    )
    routes = [route for module in modules for route in module.router.routes if isinstance(route, APIRoute)]
    assert {(method.lower(), route.path) for route in routes for method in route.methods} == CALLS
    assert all(route.include_in_schema for route in routes)


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    for reference in references(document):
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from [value["$ref"]] if "$ref" in value else []
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def test_every_call_has_a_summary_and_an_id_of_its_own(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    assert all(operation["summary"] and operation["description"] for _, operation in operations(document))


def test_errors_are_described_in_the_shape_they_have(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                schema = answer["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Error"}, (name, status)
        assert {"403", "422", "503"} & set(operation["responses"]), name


def test_files_are_described_as_files(document: dict[str, Any]) -> None:
    for kind in ("original", "thumbnail"):
        answer = document["paths"][f"/api/v1/images/{{image_id}}/{kind}"]["get"]["responses"]["200"]
        assert all(media_type.startswith("image/") for media_type in answer["content"])


def test_the_list_and_the_search_describe_every_filter(document: dict[str, Any]) -> None:
    listing = document["paths"]["/api/v1/images"]["get"]["parameters"]
    assert set(FILTER_FIELDS) | {"state", "limit", "cursor"} == {parameter["name"] for parameter in listing}
    for body in document["paths"]["/api/v1/search"]["post"]["requestBody"]["content"].values():
        assert set(FILTER_FIELDS) <= set(body["schema"]["properties"])


def test_answers_are_what_the_document_says(library: TestClient) -> None:
    images = library.get("/api/v1/images").json()
    for model, body in [
        (schemas.ImageList, images),
        (schemas.Image, library.get(f"/api/v1/images/{images['images'][0]['id']}").json()),
        (schemas.SearchAnswer, library.post("/api/v1/search", json={"text": "cat"}).json()),
        (schemas.SearchAnswer, library.post("/api/v1/search", json={}).json()),
        (schemas.Status, library.get("/api/v1/status").json()),
        (schemas_libraries.LibraryList, library.get("/api/v1/libraries").json()),
        (schemas.Error, library.get("/api/v1/nothing").json()),
    ]:
        read = model.model_validate(body, strict=True)
        assert read.model_dump(exclude_unset=True) == body


def test_a_library_is_made_once(client: TestClient) -> None:
    for _ in range(2):
        answer = client.post("/api/v1/libraries", json={"name": "holiday"})
        assert (answer.status_code, answer.json()) == (
            201,
            {"id": "holiday", "name": "holiday", "role": "owner", "images": 0},
        )
    upload(client, LIBRARY["cat.jpg"], library="holiday")
    assert client.get("/api/v1/libraries").json()["libraries"] == [
        {"id": "holiday", "name": "holiday", "role": "owner", "images": 1},
        {"id": "main", "name": "main", "role": "owner", "images": 0},
    ]


def test_the_status_counts_what_is_there(library: TestClient) -> None:
    status = library.get("/api/v1/status").json()
    assert status["states"] == {"waiting": 0, "ready": len(LIBRARY), "failed": 0, "held": 0}
    assert status["queue_depth"] == 0
    assert status["encoder"]["name"] == "lite"
    assert all(store["healthy"] for store in status["stores"])


def test_the_page_of_the_api_shows_every_call_without_a_script(library: TestClient, document: dict[str, Any]) -> None:
    page = library.get("/api/v1/docs").text
    for _, operation in operations(document):
        assert f'id="{operation["operationId"]}"' in page
    assert "<script>" not in page


@pytest.mark.parametrize("call", api_docs.EXAMPLES)
def test_the_examples_of_the_page_work(client: TestClient, tmp_path: Path, call: tuple[str, str]) -> None:
    """Run each `curl` line of the page as curl would."""
    (tmp_path / "photo.jpg").write_bytes(LIBRARY["cat.jpg"])
    words = shlex.split(api_docs.EXAMPLES[call].format(base=LOCAL))
    assert words[0] == "curl"
    fields = [words[place + 1].split("=", 1) for place, word in enumerate(words) if word == "-F"]
    files = {name: (tmp_path / value[1:]).read_bytes() for name, value in fields if value.startswith("@")}
    data = {name: value for name, value in fields if not value.startswith("@")}
    method, path = call
    assert words[-1].startswith(f"{LOCAL}{path}")
    answer = client.request(
        method, words[-1], files={name: ("photo.jpg", sent) for name, sent in files.items()}, data=data
    )
    assert answer.status_code in {200, 201}, answer.text


def test_figures_for_monitoring_are_in_the_format_of_prometheus(library: TestClient) -> None:
    answer = library.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    line = re.compile(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[0-9.e+]+')
    lines = unescape(answer.text).splitlines()
    assert all(line.fullmatch(each) or each.startswith(("# HELP ", "# TYPE ")) for each in lines)
    assert f'likeness_images{{state="ready"}} {len(LIBRARY)}' in lines
    assert f"likeness_vectors {len(LIBRARY)}" in lines


def test_orchestrators_get_their_answers(library: TestClient) -> None:
    assert library.get("/livez").json() == {"status": "alive"}
    assert library.get("/readyz").json()["status"] == "ready"
