"""What is risky, by table, and the worst first."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from doubles.auditing import FORGES, KEY, START, use

from countersign.auditor.checks.findings import (
    JUDGEMENTS,
    Facts,
    FindingCode,
    Judged,
    judge,
    risk_of,
)
from countersign.auditor.checks.wording import REASONS, finding_of, reason_text
from countersign.auditor.model import grant_of
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import (
    Finding,
    FindingLevel,
    ForgeKind,
    ForgeUser,
    TokenKind,
    TokenOwnerStanding,
    TokenReason,
    TokenRisk,
    TokenValidity,
)
from countersign.contracts.pull_request_names import PullRequestNames
from countersign.dialects.github.scopes import SCOPES as GITHUB_SCOPES
from countersign.dialects.inspection import Inspection
from countersign.dialects.kinds import KINDS

DAY = timedelta(days=1)
CALM = Facts(
    key=KEY,
    uses=(use(),),
    grant=grant_of(KEY, (use(),), FORGES),
    told=Inspection(
        kind=TokenKind.FINE_GRAINED,
        validity=TokenValidity.VALID,
        owner=ForgeUser(id="7", login="ci[bot]"),
        is_person=False,
        expires_at=START + 90 * DAY,
        expiry_known=True,
    ),
    now=START,
)


_OWN = {f.name for f in fields(Facts)}


def changed(**changes: Any) -> Facts:
    own = {name: changes.pop(name) for name in list(changes) if name in _OWN}
    return replace(CALM, told=replace(CALM.told, **changes), **own)


def findings_of(facts: Facts) -> tuple[Finding, ...]:
    return tuple(finding_of(judged, facts) for judged in judge(facts))


def codes(**changes: Any) -> list[str]:
    return [f.code for f in findings_of(changed(**changes))]


def risk(**changes: Any) -> TokenRisk:
    facts = changed(**changes)
    return risk_of(facts, judge(facts))


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
            {"kind": TokenKind.OAUTH_APP, "scopes": ("repo",)},
            "broad_scope",
            FindingLevel.WARNING,
        ),
        (
            {"kind": TokenKind.OAUTH_APP, "scopes": ("public_repo", "admin:org")},
            "scopes_beyond_need",
            FindingLevel.WARNING,
        ),
        ({"kind": TokenKind.OAUTH_APP, "scopes": ()}, "cannot_write", FindingLevel.WARNING),
        (
            {"validity": TokenValidity.INVALID, "why": TokenReason.REFUSED},
            "token_invalid",
            FindingLevel.ERROR,
        ),
        (
            {"validity": TokenValidity.MISSING, "why": TokenReason.SECRET_MISSING},
            "secret_missing",
            FindingLevel.ERROR,
        ),
        (
            {"validity": TokenValidity.UNKNOWN, "why": TokenReason.UNAVAILABLE},
            "not_known",
            FindingLevel.INFO,
        ),
        ({"last_used_at": START - 31 * DAY}, "unused", FindingLevel.INFO),
        ({"expires_at": START - DAY}, "expired", FindingLevel.ERROR),
        (
            {"standing": TokenOwnerStanding.DEACTIVATED},
            "owner_deactivated",
            FindingLevel.ERROR,
        ),
        (
            {"standing": TokenOwnerStanding.NOT_A_MEMBER},
            "owner_not_a_member",
            FindingLevel.ERROR,
        ),
        ({"used_elsewhere_at": START - DAY}, "used_elsewhere", FindingLevel.WARNING),
        ({"sharers": 2}, "shared_between_secrets", FindingLevel.WARNING),
        ({"pipelines": 2}, "shared_between_pipelines", FindingLevel.INFO),
        ({"kind": TokenKind.CLASSIC}, "outdated_kind", FindingLevel.WARNING),
        ({"created_at": START - 181 * DAY}, "not_renewed", FindingLevel.INFO),
        ({"written_at": START - 181 * DAY}, "not_renewed", FindingLevel.INFO),
        ({"why": TokenReason.NO_TOKEN}, "token_malformed", FindingLevel.ERROR),
        ({"why": TokenReason.SECRET_FORBIDDEN}, "secret_forbidden", FindingLevel.ERROR),
    ],
)
def test_finding_is_made_for(changes: dict[str, Any], code: str, level: FindingLevel) -> None:
    found = {f.code: f for f in findings_of(changed(**changes))}

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
        {"used_elsewhere_at": START - 31 * DAY},
        {"standing": TokenOwnerStanding.ACTIVE},
        {"written_at": START - 181 * DAY, "created_at": START - DAY},
        {"kind": TokenKind.OAUTH_APP, "scopes": ("repo",), "repositories": ("acme/gitops",)},
        {"kind": TokenKind.OAUTH_APP, "scopes": None},
        {"kind": TokenKind.OAUTH_APP, "scopes": ("public_repo",)},
    ],
)
def test_nothing_is_said_of_what_is_unknown_or_well(changes: dict[str, Any]) -> None:
    assert codes(**changes) == ["use_user_driven_flow"]


def test_worst_comes_first() -> None:
    found = findings_of(
        changed(
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
        "outdated_kind",
        "owner_is_person",
        "unused",
        "use_user_driven_flow",
    ]


def test_several_forges_are_named() -> None:
    uses = (use(), use(origin="https://other.example"))
    found = codes(uses=uses, grant=grant_of(KEY, uses, FORGES))

    assert found == ["forge_not_listed", "several_forges", "use_user_driven_flow"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, TokenRisk.LOW),
        ({"expires_at": START + 20 * DAY}, TokenRisk.LOW),
        ({"expires_at": START + 6 * DAY}, TokenRisk.MEDIUM),
        ({"expires_at": None}, TokenRisk.MEDIUM),
        ({"is_person": True}, TokenRisk.MEDIUM),
        ({"validity": TokenValidity.UNKNOWN}, TokenRisk.MEDIUM),
        ({"kind": TokenKind.CLASSIC, "scopes": ("public_repo", "gist")}, TokenRisk.MEDIUM),
        ({"kind": TokenKind.CLASSIC, "scopes": ("public_repo", "workflow")}, TokenRisk.HIGH),
        ({"kind": TokenKind.CLASSIC, "scopes": ("repo",)}, TokenRisk.HIGH),
        (
            {"kind": TokenKind.CLASSIC, "scopes": ("public_repo",), "expires_at": None},
            TokenRisk.HIGH,
        ),
        ({"validity": TokenValidity.INVALID}, TokenRisk.HIGH),
        ({"validity": TokenValidity.MISSING}, TokenRisk.HIGH),
    ],
)
def test_risk_follows_from_the_findings(changes: dict[str, Any], expected: TokenRisk) -> None:
    assert risk(**changes) is expected


def test_every_code_has_a_judgement_and_every_finding_words() -> None:
    assert set(JUDGEMENTS) == set(FindingCode)
    for code in FindingCode:
        finding = finding_of(Judged(code=code, names=("x",)), CALM)
        assert finding.message
        assert finding.remedy


def test_excess_scope_is_named_with_what_it_can_do() -> None:
    facts = changed(kind=TokenKind.OAUTH_APP, scopes=("public_repo", "delete_repo"))
    (found,) = (f for f in findings_of(facts) if f.code == FindingCode.SCOPES_BEYOND_NEED)

    assert GITHUB_SCOPES.meanings["delete_repo"] in found.message
    assert "delete_repo" in found.remedy


@pytest.mark.parametrize("kind", [k for k in ForgeKind if k is not ForgeKind.UNSPECIFIED])
def test_every_excess_scope_of_a_forge_has_words(kind: ForgeKind) -> None:
    dialect = KINDS[kind].inspection
    if dialect is None:
        return
    rules = dialect.scopes

    assert (rules.unbounded | rules.powerful) <= set(rules.meanings)


@pytest.mark.parametrize(
    ("labels", "scopes", "told"),
    [
        (("promotion",), ("write:repository",), True),
        (("promotion",), ("read:issue", "write:repository"), False),
        (("promotion",), ("write:issue", "write:repository"), False),
        (("promotion",), ("all",), False),
        ((), ("write:repository",), False),
    ],
)
def test_token_that_may_not_label_is_told_where_labels_are_wanted(
    labels: tuple[str, ...], scopes: tuple[str, ...], *, told: bool
) -> None:
    forge = Forge(
        name="Ours",
        kind="gitea",
        origin="https://git.example",
        pull_requests=PullRequestNames(labels=labels),
    )
    facts = changed(kind=TokenKind.PERSONAL, scopes=scopes)
    facts = replace(facts, grant=replace(facts.grant, forge=forge))

    found = [f for f in findings_of(facts) if f.code == "cannot_label"]

    assert len(found) == told
    assert all("`read:issue`" in f.remedy for f in found)


@pytest.mark.parametrize("why", list(TokenReason))
def test_every_reason_has_words_or_a_detail(why: TokenReason) -> None:
    assert set(REASONS) == set(TokenReason)
    assert reason_text(why, "said").endswith("said")


def test_reason_claims_nothing_that_is_so_at_one_kind_of_forge_alone() -> None:
    """Azure DevOps refuses with 203 or 302, GitLab may with 200; all kinds are asked."""
    refused = reason_text(TokenReason.REFUSED, "")
    unasked = reason_text(TokenReason.NOT_INSPECTED, "no repository says where")

    assert refused == "the forge refused it: it has expired, was revoked or never existed"
    assert unasked == "there is nowhere to ask about it: no repository says where"
