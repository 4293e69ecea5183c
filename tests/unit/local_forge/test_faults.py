"""Plans of faults, as they are sent."""

import pytest

from countersign.local.forge.faults import Fault, Faults, parse_plan
from countersign.local.forge.state.service import Switches


def test_a_rule_alone_is_a_plan() -> None:
    plan = parse_plan(b'{"path": "*/pulls", "status": 502, "duplicates": "allow"}')

    assert plan.rules == [Fault(path="*/pulls", status=502)]
    assert plan.duplicates == "allow"


def test_an_empty_plan_ends_all_faults() -> None:
    switches = Switches()
    faults = Faults(switches)
    faults.set(parse_plan(b'{"status": 500, "duplicates": "allow"}'))

    faults.set(parse_plan(b""))

    assert faults.match("GET", "/", b"") is None
    assert switches.allow_duplicates is False


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"status": 900}', b'{"latency_ms": -1}', b'{"unknown": 1}']
)
def test_a_wrong_plan_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_plan(body)


@pytest.mark.parametrize(
    ("rule", "hit"),
    [
        (Fault(), True),
        (Fault(method="POST"), True),
        (Fault(method="GET"), False),
        (Fault(path="/api/*"), True),
        (Fault(path="/api"), False),
        (Fault(contains="createRef"), True),
        (Fault(contains="deleteRef"), False),
    ],
)
def test_a_rule_applies_by_method_path_and_body(rule: Fault, hit: bool) -> None:  # noqa: FBT001 - a parameter of a table
    assert rule.applies("POST", "/api/graphql", b"mutation { createRef }") is hit
