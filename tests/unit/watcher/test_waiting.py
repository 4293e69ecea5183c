"""Promotions that wait, in numbers."""

import json
from datetime import UTC, datetime, timedelta

from reference import ROOT

from countersign.contracts.messages import PromotionRequested
from countersign.contracts.promotion import Promotion, State
from countersign.telemetry.metrics import exposition
from countersign.watcher.observation.waiting import measure

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


def promotion(state: State, *, environment: str, minutes: int) -> Promotion:
    body = json.loads((ROOT / "proto/examples/PromotionRequested.json").read_text())
    body["promotion"]["environment"] = environment
    return Promotion(
        request=PromotionRequested.from_json(json.dumps(body)),
        state=state,
        changed_at=NOW - timedelta(minutes=minutes),
    )


def shown() -> list[str]:
    return [line for line in exposition().decode().splitlines() if "countersign_promotions" in line]


def test_promotions_are_counted_by_environment_and_state_with_the_age_of_the_oldest() -> None:
    measure(
        [
            promotion(State.WAITING, environment="prod", minutes=5),
            promotion(State.WAITING, environment="prod", minutes=90),
            promotion(State.OPEN, environment="test", minutes=1),
            promotion(State.COMPLETED, environment="prod", minutes=1),
        ],
        now=NOW,
    )

    lines = shown()
    assert 'countersign_promotions{environment="prod",state="waiting"} 2.0' in lines
    assert 'countersign_promotions{environment="test",state="open"} 1.0' in lines
    assert 'countersign_promotions_oldest_seconds{environment="prod",state="waiting"} 5400.0' in (
        lines
    )
    assert not [line for line in lines if "completed" in line]


def test_what_no_longer_waits_is_no_longer_shown() -> None:
    measure([promotion(State.WAITING, environment="gone", minutes=5)], now=NOW)
    measure([], now=NOW)

    assert not [line for line in shown() if "gone" in line]
