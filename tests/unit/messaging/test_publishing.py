"""Answers of a stream to who published, as nats-server 2.15 words them."""

import json

import pytest

from countersign.contracts.errors import Rejected, Retryable
from countersign.messaging.publishing import AlreadyExists, read_acknowledgement

SUBJECT = "countersign-in.v1.promotion.requested"


def answer(code: int, err_code: int, description: str) -> bytes:
    error = {"code": code, "err_code": err_code, "description": description}
    return json.dumps({"error": error, "stream": "PROMOTIONS", "seq": 0}).encode()


@pytest.mark.parametrize(
    "data",
    [
        answer(409, 10158, "duplicate message id is in process"),
        answer(400, 10164, "wrong last sequence"),
        answer(503, 10077, "maximum bytes exceeded"),
    ],
    ids=["same id", "same subject", "full"],
)
def test_event_that_may_be_stored_later_is_not_refused_for_good(data: bytes) -> None:
    """Of three servers the leader knows an id, and a subject, before the others confirm them."""
    with pytest.raises(Retryable):
        read_acknowledgement(data, subject=SUBJECT)


def test_subject_that_something_is_on_is_taken() -> None:
    with pytest.raises(AlreadyExists):
        read_acknowledgement(answer(400, 10071, "wrong last sequence: 7"), subject=SUBJECT)


def test_event_of_another_stream_is_refused() -> None:
    with pytest.raises(Rejected):
        read_acknowledgement(answer(400, 10060, "expected stream does not match"), subject=SUBJECT)
