"""Groups of duplicates: around one picture each, right after every change, and with nothing of others in them."""

import pytest
from duplicates import Findings

pytestmark = pytest.mark.on_both_databases


@pytest.fixture
def findings(backend) -> Findings:
    return Findings(backend)


def test_every_member_is_tied_to_the_keeper_and_nobody_through_a_neighbor(findings):
    a, b, c, d = (findings.picture(name) for name in "abcd")

    findings.found(a, b, "re-encoded")
    findings.found(b, c)
    findings.found(c, d)

    assert findings.groups() == [["b", "a", "c"]]
    findings.found(a, c, "identical")
    assert findings.groups() == [["c", "a", "b", "d"]]
