"""What an answer that is no success means to who asked."""

import pytest

from countersign.contracts.errors import Retryable
from countersign.kube.api import RETRY_AFTER_MAX_S, refuse


@pytest.mark.parametrize("asked_for", ["86400", "9" * 400])
def test_server_that_asks_for_a_day_is_asked_again_in_a_minute(asked_for: str) -> None:
    with pytest.raises(Retryable) as refused:
        refuse(429, b"", asked="GET /x", retry_after=asked_for)

    assert refused.value.after_s == RETRY_AFTER_MAX_S
