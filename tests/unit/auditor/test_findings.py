"""What is risky, by table, and the worst first."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from doubles.auditing import FORGES, KEY, START, use

from countersign.auditor.checks.findings import Facts, findings_of
from countersign.auditor.model import grant_of
from countersign.contracts.messages import FindingLevel, TokenKind, TokenValidity

DAY = timedelta(days=1)
CALM = Facts(
    key=KEY,
    uses=(use(),),
    grant=grant_of(KEY, (use(),), FORGES),
    validity=TokenValidity.VALID,
    now=START,
    kind=TokenKind.FINE_GRAINED,
    owner_login="ci[bot]",
    is_person=False,
    expires_at=START + 90 * DAY,
    expiry_known=True,
)


def codes(**changes: Any) -> list[str]:
    return [f.code for f in findings_of(replace(CALM, **changes))]


def test_calm_credential_has_only_the_recommendation() -> None:
    assert codes() == ["use_user_driven_flow"]


@pytest.mark.parametrize(
    ("changes", "code", "level"),
    [
        ({"expires_at": None}, "never_expires", FindingLevel.WARNING),
        ({"expires_at": START + DAY}, "expires_within_1_day", FindingLevel.ERROR),
        ({"expires_at": START + 6 * DAY}, "expires_within_7_days", FindingLevel.WARNING),
        ({"expires_at": START + 30 * DAY}, "expires_within_30_days", FindingLevel.INFO),
        ({"is_person": True}, "owner_is_person", FindingLevel.WARNING),
        (
            {"kind": TokenKind.CLASSIC, "scopes": ("repo",)},
            "broad_scope",
            FindingLevel.WARNING,
        ),
        (
            {"kind": TokenKind.CLASSIC, "scopes": ("public_repo", "admin:org")},
            "scopes_beyond_need",
            FindingLevel.WARNING,
        ),
        ({"kind": TokenKind.CLASSIC, "scopes": ()}, "cannot_write", FindingLevel.WARNING),
        (
            {"validity": TokenValidity.INVALID, "reason": "refused"},
            "token_invalid",
            FindingLevel.ERROR,
        ),
        (
            {"validity": TokenValidity.MISSING, "reason": "it is not there"},
            "secret_missing",
            FindingLevel.ERROR,
        ),
        ({"validity": TokenValidity.UNKNOWN, "reason": "503"}, "not_known", FindingLevel.INFO),
        ({"last_used_at": START - 31 * DAY}, "unused", FindingLevel.INFO),
        ({"malformed": True}, "token_malformed", FindingLevel.ERROR),
    ],
)
def test_finding_is_made_for(changes: dict[str, Any], code: str, level: FindingLevel) -> None:
    found = {f.code: f for f in findings_of(replace(CALM, **changes))}

    assert set(found) == {code, "use_user_driven_flow"}
    assert found[code].level is level
    assert found[code].message


@pytest.mark.parametrize(
    "changes",
    [
        {"expires_at": None, "expiry_known": False},
        {"is_person": None},
        {"last_used_at": None},
        {"last_used_at": START - 29 * DAY},
        {"kind": TokenKind.CLASSIC, "scopes": None},
        {"kind": TokenKind.CLASSIC, "scopes": ("public_repo",)},
    ],
)
def test_nothing_is_said_of_what_is_unknown_or_well(changes: dict[str, Any]) -> None:
    assert codes(**changes) == ["use_user_driven_flow"]


def test_worst_comes_first() -> None:
    found = findings_of(
        replace(
            CALM,
            kind=TokenKind.CLASSIC,
            scopes=("repo", "delete_repo"),
            is_person=True,
            expires_at=START + timedelta(hours=3),
            last_used_at=START - 60 * DAY,
        )
    )

    assert [f.code for f in found] == [
        "expires_within_1_day",
        "broad_scope",
        "scopes_beyond_need",
        "owner_is_person",
        "unused",
        "use_user_driven_flow",
    ]


def test_several_forges_are_named() -> None:
    uses = (use(), use(origin="https://other.example"))
    found = codes(uses=uses, grant=grant_of(KEY, uses, FORGES))

    assert found == ["forge_not_listed", "several_forges", "use_user_driven_flow"]
