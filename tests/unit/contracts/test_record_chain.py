"""The chain over stored events: whatever is changed, taken out or slipped in breaks a seal."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.contracts.errors import Rejected
from countersign.contracts.record.chain import (
    BEGINNING,
    Flaw,
    Found,
    Seal,
    StoredEvent,
    Walk,
    flaws_of_seals,
    link,
)

SIGNED = "5e"


def event(sequence: int, body: str = "{}") -> StoredEvent:
    return StoredEvent(
        sequence=sequence,
        recorded_at="2026-11-30T12:00:00+00:00",
        subject="countersign.v1.promotion.requested.shop.checkout.prod.p",
        id=f"id-{sequence}",
        body=body,
    )


EVENTS = [event(i) for i in range(1, 11)]


def sealed(events: Sequence[StoredEvent], *at: int) -> list[Seal]:
    chain, seals = BEGINNING, list[Seal]()
    for one in events:
        chain = link(chain, one)
        if one.sequence in at:
            seals.append(
                Seal(
                    stream="s",
                    first=events[0].sequence,
                    sequence=one.sequence,
                    chain=chain.hex(),
                    before=seals[-1].digest if seals else "",
                    sealed_at="",
                    signature=SIGNED,
                )
            )
    return seals


SEALS = sealed(EVENTS, 3, 7, 10)


def flaws(events: Sequence[StoredEvent], seals: Sequence[Seal] = SEALS) -> list[Found]:
    return list(Walk(seals=seals).over(events))


def test_chain_that_nobody_touched_has_no_flaw() -> None:
    walk = Walk(seals=SEALS)

    assert (list(walk.over(EVENTS)), walk.checked) == ([], 3)


@given(st.integers(0, 9), st.sampled_from(["body", "subject", "id", "recorded_at", "trace"]))
def test_changed_event_shows_at_the_next_seal(place: int, field: str) -> None:
    changed = [*EVENTS]
    changed[place] = replace(changed[place], **{field: "other"})  # type: ignore[arg-type]

    (found,) = flaws(changed)

    assert found.flaw is Flaw.EVENT_CHANGED
    assert found.sequence == min(s.sequence for s in SEALS if s.sequence >= place + 1)


@given(st.integers(0, 8))
def test_event_that_was_taken_out_is_missed(place: int) -> None:
    left = EVENTS[:place] + EVENTS[place + 1 :]

    found = flaws(left)

    if place == 0:
        # The beginning may have been dropped; what follows the next seal is judged.
        assert found == []
        assert flaws(left, SEALS)[:1] == []
    else:
        assert Found(flaw=Flaw.EVENT_MISSING, sequence=place + 1) in found


def test_events_cut_off_at_the_end_are_missed() -> None:
    assert flaws(EVENTS[:8]) == [Found(flaw=Flaw.END_MISSING, sequence=9)]


def test_stream_whose_beginning_was_archived_is_judged_from_the_seal_before_it() -> None:
    walk = Walk(seals=SEALS)

    assert (list(walk.over(EVENTS[7:])), walk.checked) == ([], 1)
    assert flaws([event(8, "other"), *EVENTS[8:]]) == [Found(flaw=Flaw.EVENT_CHANGED, sequence=10)]


def test_event_slipped_in_and_numbered_anew_shows() -> None:
    moved = [replace(e, sequence=e.sequence + 1) for e in EVENTS[4:]]

    assert flaws([*EVENTS[:4], event(5, "new"), *moved])[0].flaw is Flaw.EVENT_CHANGED


def test_seal_that_was_taken_out_or_is_not_of_the_key_shows() -> None:
    genuine = list(flaws_of_seals(SEALS, is_genuine=lambda _: True))
    without = list(flaws_of_seals([SEALS[0], SEALS[2]], is_genuine=lambda _: True))
    forged = list(flaws_of_seals(SEALS, is_genuine=lambda seal: seal.sequence != 7))

    assert genuine == []
    assert without == [Found(flaw=Flaw.SEAL_MISSING, sequence=10)]
    assert forged == [Found(flaw=Flaw.BAD_SIGNATURE, sequence=7)]


def test_lines_are_read_as_they_were_written() -> None:
    assert StoredEvent.parse(EVENTS[0].line()) == EVENTS[0]
    assert Seal.parse(SEALS[1].line()) == SEALS[1]


@pytest.mark.parametrize("line", ["", "[]", "{}", "null", '{"sequence": "x"}', "\x00"])
def test_line_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(Rejected, match="malformed"):
        StoredEvent.parse(line)
    with pytest.raises(Rejected, match="malformed"):
        Seal.parse(line)
