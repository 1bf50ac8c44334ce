"""The desk over HTTP: what is worked through stays what was asked for, and a group that somebody settled is passed."""

from starlette.testclient import TestClient

from pipeline import settling
from pipeline.duplicate_groups import list_groups
from pipeline.principals import OWNER
from pipeline.settling import Settlement
from tests.duplicates import Findings
from tests.web.members import backend_of


def put_groups(client: TestClient, *verdicts: str) -> list[str]:
    """Put a pair of each verdict; return the ids of their groups, the oldest first."""
    findings = Findings(backend_of(client))
    for number, verdict in enumerate(verdicts):
        findings.found(findings.picture(f"a{number}"), findings.picture(f"b{number}"), verdict)
    return [group.id for group in list_groups(backend_of(client), OWNER, limit=10).groups]


def test_who_asked_for_one_kind_is_led_through_that_kind_alone(idle_client: TestClient) -> None:
    _edited, first, _other, second = put_groups(idle_client, "edited", "re-encoded", "edited", "re-encoded")

    begun = idle_client.get("/duplicates/next?verdict=re-encoded&library=main")
    assert begun.headers["location"] == f"/duplicates/{first}?verdict=re-encoded&library=main"
    desk = idle_client.get(begun.headers["location"]).text
    assert desk.count('name="verdict" value="re-encoded"') == 2  # what decides, and what skips
    assert "2 of these are left" in desk
    idle_client.post(f"/duplicates/{second}", data={"action": "skip"})
    assert idle_client.get(f"/duplicates/{second}?verdict=nonsense").status_code == 422
    assert "1 of 4" in idle_client.get(f"/duplicates/{first}").text
    asked = {"verdict": "re-encoded", "library": "main"}
    skipped = idle_client.post(f"/duplicates/{first}", data={"action": "skip", **asked})
    assert skipped.headers["location"] == f"/duplicates/{second}?verdict=re-encoded&library=main"
    decided = idle_client.post(f"/duplicates/{second}", data={"action": "variants", **asked})
    assert decided.headers["location"].startswith(f"/duplicates/{first}?done=")
    assert "1 of these is left" in idle_client.get(decided.headers["location"]).text
    decided = idle_client.post(f"/duplicates/{first}", data={"action": "variants", **asked})
    assert decided.headers["location"].startswith("/duplicates?verdict=re-encoded&library=main&done=")


def test_what_somebody_else_has_settled_leads_on_to_the_next_one(idle_client: TestClient) -> None:
    dead, following = put_groups(idle_client, "edited", "edited")
    backend = backend_of(idle_client)
    keeper, other = settling.claim(backend, dead, OWNER).images
    settling.settle(backend, dead, Settlement(keeper.id, variants=(other.id,)), OWNER)

    answer = idle_client.post(f"/duplicates/{dead}", data={"action": "keep-left"})

    assert answer.headers["location"] == f"/duplicates/{following}"
    assert "has settled this group." in idle_client.get(answer.headers["location"]).text
    assert "There is no such group" in idle_client.post(f"/duplicates/{'0' * 36}", data={"action": "variants"}).text
