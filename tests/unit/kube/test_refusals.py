"""What an answer that is no success means to who asked."""

import pytest

from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.access.api import RETRY_AFTER_MAX_S, refuse


@pytest.mark.parametrize("asked_for", ["86400", "9" * 400])
def test_server_that_asks_for_a_day_is_asked_again_in_a_minute(asked_for: str) -> None:
    with pytest.raises(Retryable) as refused:
        refuse(429, b"", asked="GET /x", retry_after=asked_for)

    assert refused.value.after_s == RETRY_AFTER_MAX_S


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 60_000, b"[]"])
def test_refusal_is_understood_whatever_its_body(body: bytes) -> None:
    with pytest.raises(Rejected, match="forbidden"):
        refuse(403, body, asked="GET /x")
