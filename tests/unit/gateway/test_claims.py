"""From claims to a person: names that are not quite somebody's are nobody's."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.contracts.errors import Rejected
from countersign.gateway.oidc.claims import GROUPS_MAX, ClaimRules, person_of
from countersign.gateway.oidc.settings import OidcSettings
from countersign.kube.access.reviews import Subject

GRACE = {"sub": "u1", "email": "grace@example.org", "name": "Grace Hopper", "groups": ["dev"]}
ISSUER = "https://login.example.org/realms/acme"


def test_person_is_named_by_email_without_prefix() -> None:
    person = person_of(GRACE, ClaimRules())

    assert (person.id, person.name, person.groups) == (
        "grace@example.org",
        "Grace Hopper",
        ("dev",),
    )


def test_prefixes_are_put_before_names_and_groups() -> None:
    rules = ClaimRules(username_claim="sub", username_prefix="oidc:", groups_prefix="oidc:")

    person = person_of(GRACE, rules)

    assert (person.id, person.groups) == ("oidc:u1", ("oidc:dev",))


@pytest.mark.parametrize(
    ("settings", "prefix"),
    [
        ({}, ""),
        ({"username_claim": "sub"}, f"{ISSUER}#"),
        ({"username_claim": "sub", "username_prefix": "-"}, ""),
        ({"username_prefix": "-"}, ""),
        ({"username_prefix": "sso:"}, "sso:"),
    ],
)
def test_prefix_of_names_is_that_of_kube_apiserver(settings: dict[str, Any], prefix: str) -> None:
    made = OidcSettings(issuer_url=ISSUER, client_id="countersign", **settings)

    assert made.user_prefix == prefix


@pytest.mark.parametrize(
    "changed",
    [
        {"email": ""},
        {"email": " "},
        {"email": None},
        {"email": 7},
        {"email": ["grace@example.org"]},
        {"email": "grace@example.org "},
        {"email": "grace\n@example.org"},
        {"email": "g\u202eace@example.org"},
        {"email": "g" * 300},
        {"email": "system:admin"},
        {"email_verified": False},
        {"email_verified": "false"},
        {"email_verified": "true"},
        {"groups": ["dev", ""]},
        {"groups": [""]},
        {"groups": [None]},
        {"groups": ["system:masters"]},
        {"groups": {"dev": True}},
        {"groups": 7},
        {"groups": [f"g{i}" for i in range(GROUPS_MAX + 1)]},
        {"_claim_names": {"groups": "src1"}, "groups": ["dev"]},
    ],
    ids=lambda c: ",".join(f"{k}={str(v)[:20]}" for k, v in c.items()),
)
def test_odd_claims_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match="bad_identity"):
        person_of(GRACE | changed, ClaimRules())


def test_name_that_a_prefix_would_make_reserved_is_refused() -> None:
    with pytest.raises(Rejected, match="bad_identity"):
        person_of(GRACE, ClaimRules(groups_prefix="system:"))


@pytest.mark.parametrize("groups", [{}, {"groups": []}])
def test_somebody_may_be_in_no_group(groups: dict[str, Any]) -> None:
    claims = {k: v for k, v in GRACE.items() if k != "groups"} | groups

    assert person_of(claims, ClaimRules()).groups == ()


def test_one_group_may_be_plain_text_and_counts_once() -> None:
    assert person_of(GRACE | {"groups": "dev"}, ClaimRules()).groups == ("dev",)
    assert person_of(GRACE | {"groups": ["dev", "dev"]}, ClaimRules()).groups == ("dev",)


def test_groups_count_nothing_without_a_claim_for_them() -> None:
    rules = ClaimRules(groups_claim="")

    assert person_of(GRACE | {"groups": ["system:masters"]}, rules).groups == ()


def test_required_claim_must_be_just_so() -> None:
    rules = ClaimRules(required={"hd": "example.org"})

    assert person_of(GRACE | {"hd": "example.org"}, rules).id == "grace@example.org"
    for other in ({}, {"hd": "example.com"}, {"hd": ["example.org"]}):
        with pytest.raises(Rejected, match="hd"):
            person_of(GRACE | other, rules)


def test_unreadable_name_is_replaced_by_the_one_that_has_rights() -> None:
    for name in (None, "", " ", "a\x1b[2J", 7):
        assert person_of(GRACE | {"name": name}, ClaimRules()).name == "grace@example.org"


_values = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "email": _values,
            "email_verified": _values,
            "groups": st.one_of(_values, st.lists(_values, max_size=4)),
            "name": _values,
        },
    )
)
def test_whoever_comes_out_of_any_claims_can_be_asked_about(claims: dict[str, Any]) -> None:
    """Never an empty or reserved name: the API server would take it for somebody else."""
    person = None
    with suppress(Rejected):
        person = person_of(claims, ClaimRules())

    named = person and Subject(user=person.id, groups=person.groups).user
    assert named is None or named == claims["email"]
