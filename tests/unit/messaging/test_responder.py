"""Whom a response may go to."""

from typing import Any

import pytest

from countersign.contracts.messages import METHODS
from countersign.messaging.requests.responder import caller

BEGIN, REDEEM = METHODS["approval.begin"], METHODS["approval.redeem"]


@pytest.mark.parametrize(
    ("method", "reply", "expected"),
    [
        (BEGIN, "_INBOX_gateway.rpc.abc.def", "gateway"),
        (REDEEM, "_INBOX_pr-writer.rpc.abc.def", "pr-writer"),
        (BEGIN, "_INBOX_pr-writer.rpc.abc.def", None),
        (REDEEM, "_INBOX_gateway.rpc.abc.def", None),
        (BEGIN, "_INBOX_gateway.work.abc", None),
        (BEGIN, "_INBOX_gateway.abc.def", None),
        (BEGIN, "_INBOX_gatewayrpc.abc", None),
        (BEGIN, "_INBOX_gateway-2.rpc.abc", None),
        (BEGIN, "_INBOX_gateway.rpc.", None),
        (BEGIN, "_INBOX_gateway.rpc..x", None),
        (BEGIN, "_INBOX_gateway.rpc.*", None),
        (BEGIN, "_INBOX_gateway.rpc.>", None),
        (BEGIN, "_INBOX_gateway.rpc.a b", None),
        (BEGIN, "_INBOX_gateway.rpc.a\r\nPUB x", None),
        (BEGIN, "_INBOX_gateway.rpc." + "x" * 300, None),
        (BEGIN, "x._INBOX_gateway.rpc.abc", None),
        (BEGIN, "countersign-in.v1.approval.granted.a.b.c.d", None),
        (BEGIN, "$JS.API.STREAM.DELETE.PROMOTIONS", None),
        (BEGIN, "", None),
    ],
)
def test_reply_tells_the_caller(method: Any, reply: Any, expected: Any) -> None:
    assert caller(method, reply) == expected
