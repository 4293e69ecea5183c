"""Who may what, as data: changes are seen in review."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.contracts import subjects
from countersign.contracts.messages import EVENTS, METHODS
from countersign.messaging.topology.permissions import SERVICES, USERS, permissions, reply_prefix
from countersign.messaging.topology.streams import DURABLES, READS, STREAMS

EXPECTED = Path(__file__).with_name("permissions.json")


def overlap(one: str, other: str) -> bool:
    """Whether some subject matches both patterns."""
    left, right = one.split("."), other.split(".")
    for a, b in zip(left, right, strict=False):
        if ">" in {a, b}:
            return True
        if a != b and "*" not in {a, b}:
            return False
    return len(left) == len(right)


def test_matrix_is_the_one_that_was_reviewed() -> None:
    found = {
        user: {
            "publish": sorted(permissions(user).publish),
            "subscribe": sorted(permissions(user).subscribe),
        }
        for user in USERS
    }

    reviewed = json.loads(EXPECTED.read_text())
    assert found == {
        user: {side: sorted(subjects) for side, subjects in sides.items()}
        for user, sides in reviewed.items()
    }


def test_roots_never_overlap() -> None:
    """No stream can ever take a request or its response, whatever it holds."""
    roots = [
        subjects.EVENT_ROOT,
        subjects.INTAKE_ROOT,
        subjects.RPC_ROOT,
        subjects.DEAD_LETTER_ROOT,
        subjects.HINT_ROOT,
    ]
    patterns = [f"{root}.>" for root in roots] + ["$JS.>", *(f"_INBOX_{u}.>" for u in USERS)]

    found = [
        (one, other)
        for index, one in enumerate(patterns)
        for other in patterns[index + 1 :]
        if overlap(one, other)
    ]

    assert found == []


@pytest.mark.parametrize("stream", STREAMS.values(), ids=lambda stream: stream.name)
def test_no_stream_takes_requests_or_responses(stream: Any) -> None:
    taken = list(stream.subjects)
    if stream.published:
        taken.append(f"{subjects.EVENT_ROOT}.>")
    for pattern in taken:
        assert not overlap(pattern, f"{subjects.RPC_ROOT}.>")
        for user in USERS:
            assert not overlap(pattern, f"{subjects.inbox_prefix(user)}.>")


def test_streams_do_not_share_subjects() -> None:
    owned = [(stream.name, subject) for stream in STREAMS.values() for subject in stream.subjects]

    assert not [
        (one, other)
        for one in owned
        for other in owned
        if one[0] < other[0] and overlap(one[1], other[1])
    ]


def test_every_event_has_a_stream() -> None:
    for model, info in EVENTS.items():
        stream = STREAMS[subjects.stream_of(model)]
        subject = f"{subjects.INTAKE_ROOT}.{info.name}.x"
        assert any(overlap(pattern, subject) for pattern in stream.subjects), info.name


def test_durables_filter_what_their_stream_stores() -> None:
    for durable in DURABLES.values():
        assert durable.stream in STREAMS
        assert durable.service in SERVICES
        assert durable.tries_max < durable.deliveries_max
        assert all(f.startswith(f"{subjects.EVENT_ROOT}.") for f in durable.filters)


def test_readers_are_services_and_read_streams() -> None:
    assert set(READS) <= {*SERVICES, "record"}
    assert {stream for streams in READS.values() for stream in streams} <= set(STREAMS)


def test_nobody_has_a_wildcard_at_the_front() -> None:
    for user in USERS:
        allowed = permissions(user)
        for subject in (*allowed.publish, *allowed.subscribe):
            assert re.match(r"[$A-Za-z_]", subject), (user, subject)


def test_nobody_may_publish_events_or_into_another_api() -> None:
    for user in USERS:
        for subject in permissions(user).publish:
            assert not overlap(subject, f"{subjects.EVENT_ROOT}.>"), (user, subject)
            assert not overlap(subject, "$SYS.>"), (user, subject)
            if user != "topology":
                for verb in ("STREAM.CREATE.x", "CONSUMER.CREATE.x", "STREAM.DELETE.x"):
                    assert not overlap(subject, f"$JS.API.{verb}"), (user, subject)


def test_callers_can_be_answered_and_nobody_else() -> None:
    for method in METHODS.values():
        answered = [s for s in permissions(method.service).publish if s.startswith("_INBOX")]
        for caller in method.callers:
            assert f"{reply_prefix(caller)}>" in answered
    assert not [s for s in permissions("watcher").publish if s.startswith("_INBOX")]


def test_unknown_user_has_no_permissions() -> None:
    with pytest.raises(ValueError, match="mallory"):
        permissions("mallory")


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_name_of_a_replica_leaves_its_subject(replica: Any, other: Any) -> None:
    method = METHODS["approval.poll"]
    if not replica or not other:
        return

    subject = subjects.rpc_subject(method, replica=replica)

    assert overlap(subject, "countersign-rpc.v1.approval.poll.*")
    assert (subject == subjects.rpc_subject(method, replica=other)) == (
        replica.encode(errors="replace") == other.encode(errors="replace")
    )
