"""Codes that a person types at a forge: what is read of its answers, and what is refused."""

from typing import Any

import pytest

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import KIND_BY_NAME, Forge
from countersign.dialects.delegation.device import Pending, code_in, pending_in
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.kinds import KINDS, has_device_flow

ORIGIN = "https://forge.example"
# As GitHub documents it.
BEGUN: dict[str, Any] = {
    "device_code": "3584d83530557fdd1f46af8289938c8ef79f9dc5",
    "user_code": "WDJB-MJHT",
    "verification_uri": f"{ORIGIN}/login/device",
    "expires_in": 900,
    "interval": 5,
}


def test_codes_are_read_and_the_link_that_carries_one_is_not() -> None:
    complete = f"{ORIGIN}/login/device?user_code=WDJB-MJHT"

    found = code_in(BEGUN | {"verification_uri_complete": complete}, origin=ORIGIN, where="Forge")

    assert found.secret.reveal() == BEGUN["device_code"]
    assert (found.shown.text, found.shown.url) == ("WDJB-MJHT", f"{ORIGIN}/login/device")
    assert (found.expires_in_s, found.interval_s) == (900, 5)
    assert complete not in repr(found)
    assert BEGUN["device_code"] not in repr(found)


def test_forge_that_names_no_interval_is_asked_each_five_seconds() -> None:
    body = {name: value for name, value in BEGUN.items() if name != "interval"}

    assert code_in(body, origin=ORIGIN, where="Forge").interval_s == 5


@pytest.mark.parametrize(
    "odd",
    [
        {"device_code": None},
        {"device_code": "a\r\nb: c0000000"},
        {"user_code": "<b>1234</b>"},
        {"user_code": ""},
        {"user_code": "A" * 40},
        {"verification_uri": "https://forge.example.evil.example/login/device"},
        {"verification_uri": "https://evil.example/login/device"},
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri": f"{ORIGIN}/login\n/device"},
        {"expires_in": "soon"},
        {"expires_in": True},
        {"expires_in": 0},
        {"expires_in": -1},
        {"interval": "5"},
    ],
    ids=repr,
)
def test_answer_that_is_not_usable_is_refused(odd: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as caught:
        code_in(BEGUN | odd, origin=ORIGIN, where="Forge")

    assert caught.value.reason is DelegationRefusal.FORGE_UNAVAILABLE


@pytest.mark.parametrize(("told_s", "asked_s"), [(0, 1), (-7, 1), (10**9, 60)])
def test_interval_that_is_absurd_is_bounded(told_s: int, asked_s: int) -> None:
    assert code_in(BEGUN | {"interval": told_s}, origin=ORIGIN, where="F").interval_s == asked_s


def test_application_without_device_flow_is_the_administrators_to_correct() -> None:
    with pytest.raises(Rejected, match="device_flow_disabled") as caught:
        code_in({"error": "device_flow_disabled"}, origin=ORIGIN, where="Forge")

    assert caught.value.reason is DelegationRefusal.NO_CLIENT


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": "authorization_pending"}, Pending()),
        ({"error": "slow_down"}, Pending(slow_down=True)),
        ({"error": "slow_down", "interval": 12}, Pending(slow_down=True, interval_s=12)),
        ({"error": "slow_down", "interval": "12"}, Pending(slow_down=True)),
        ({"access_token": "made-up"}, None),
        ({"error": "invalid_client"}, None),
    ],
)
def test_answers_meanwhile_are_told_from_others(
    body: dict[str, Any], expected: Pending | None
) -> None:
    assert pending_in(body, where="Forge") == expected


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("access_denied", DelegationRefusal.DENIED),
        ("authorization_declined", DelegationRefusal.DENIED),
        ("bad_verification_code", DelegationRefusal.EXPIRED),
        ("expired_token", DelegationRefusal.EXPIRED),
        ("incorrect_device_code", DelegationRefusal.EXPIRED),
        ("invalid_grant", DelegationRefusal.EXPIRED),
    ],
)
def test_end_is_told(word: str, reason: DelegationRefusal) -> None:
    with pytest.raises(Rejected) as caught:
        pending_in({"error": word}, where="Forge")

    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("pending", "before_s", "after_s"),
    [
        (Pending(), 5, 5),
        (Pending(slow_down=True), 5, 10),
        (Pending(slow_down=True, interval_s=15), 5, 15),
        (Pending(slow_down=True, interval_s=6), 10, 15),
        (Pending(slow_down=True), 58, 60),
        (Pending(slow_down=True, interval_s=10**9), 5, 60),
    ],
)
def test_pause_grows_as_the_forge_asks(pending: Pending, before_s: float, after_s: float) -> None:
    assert pending.pause_s(before_s) == after_s


def test_kinds_that_claim_a_device_flow_have_one() -> None:
    for row in KINDS.values():
        assert row.capabilities.device_flow == (row.oauth.by_code is not None), row.title


@pytest.mark.parametrize("kind", sorted(KIND_BY_NAME))
def test_nobody_signs_in_by_a_code_unless_the_entry_says_so(kind: Any) -> None:
    off = Forge(name="F", kind=kind, origin=ORIGIN)
    on = off.model_copy(update={"device_flow": True})

    assert not has_device_flow(off)
    assert has_device_flow(on) == (kind in {"azure-devops", "github", "gitlab"})
