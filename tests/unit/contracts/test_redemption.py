"""What is signed and what is sealed changes with every part of a redemption."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.contracts.consent.redemption import canonical_bytes, hpke_info
from countersign.contracts.consent.sign_in import replica_of, session_digest, state_for
from countersign.contracts.messages import RedeemRequest


def request(**changes: Any) -> RedeemRequest:
    values: dict[str, Any] = {
        "replica": "approval-0",
        "approval_id": "a",
        "promotion_id": "p",
        "attempt": 1,
        "consent_digest": "d",
        "public_key": b"k" * 32,
        "nonce": b"n" * 16,
        "signed_at": datetime(2026, 11, 23, tzinfo=UTC),
        "reply": "_INBOX_pr-writer.x",
        "signature": b"s",
    }
    return RedeemRequest(**{**values, **changes})


CHANGES = [
    {"approval_id": "b"}, {"promotion_id": "q"}, {"attempt": 2}, {"consent_digest": "e"},
    {"public_key": b"l" * 32}, {"nonce": b"m" * 16}, {"reply": "_INBOX_pr-writer.y"},
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: next(iter(c)))
def test_signature_and_seal_are_bound_to_each_part(change: dict[str, Any]) -> None:
    assert canonical_bytes(request(**change)) != canonical_bytes(request())
    assert hpke_info(request(**change)) != hpke_info(request())


@pytest.mark.parametrize(
    "change",
    [{"replica": "approval-1"}, {"signed_at": datetime(2026, 11, 24, tzinfo=UTC)}],
    ids=lambda c: next(iter(c)),
)
def test_signature_is_bound_to_time_and_replica(change: dict[str, Any]) -> None:
    assert canonical_bytes(request(**change)) != canonical_bytes(request())


def test_signature_does_not_cover_itself() -> None:
    assert canonical_bytes(request(signature=b"other")) == canonical_bytes(request())


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_state_leads_back_to_its_replica(replica: str) -> None:
    assert replica_of(state_for(replica, random="r4n-d_")) == replica


@pytest.mark.parametrize("state", ["", "approval-0", "approval-0.", "a." + "x" * 600])
def test_foreign_state_leads_nowhere(state: str) -> None:
    assert replica_of(state) == ""


def test_session_is_named_by_its_digest() -> None:
    assert "cookie" not in session_digest("cookie")
    assert len(session_digest("cookie")) == 64
