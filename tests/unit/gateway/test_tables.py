"""Tables over enums leave nothing out, and what is newer than them degrades to plain words."""

import importlib
import pkgutil
from collections.abc import Iterator
from enum import Enum, StrEnum
from typing import Any

import pytest

import countersign.gateway
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.messages import (
    EVENTS,
    AutoMergeAnswer,
    CredentialMode,
    EnvironmentCondition,
    FailureDetail,
    FailureReason,
    GateReason,
    LabelsAnswer,
    OpeningStep,
    PipelineDeleted,
    PipelineObserved,
    PullRequestUpdated,
    RevocationOutcome,
    SessionEnded,
    TokenChecked,
    TokenKind,
    TokenRisk,
    TokenUsed,
    TokenValidity,
)
from countersign.contracts.promotion import State
from countersign.contracts.record.decisions import Outcome
from countersign.dialects.capabilities import Reach
from countersign.gateway import model
from countersign.gateway.gate_states import STATES, GateState, Show, Verb
from countersign.gateway.gates import actions, fixes, gates, hindrances, sentences
from countersign.gateway.refusals import Delay, Refusal
from countersign.gateway.timeline import moments
from countersign.gateway.view import boards, consents, records, risks
from countersign.gateway.web import troubles

# Of gates that are not hindered, or hindered in a way that has its own sentence.
_NOT_HINDERED = {
    GateReason.UNSPECIFIED, GateReason.SAME_CONTENT, GateReason.READY, GateReason.UNDER_WAY,
    GateReason.PROGRESSING, GateReason.TRY_ENDED, GateReason.OPEN_FOR_LONG, GateReason.NOT_ARRIVED,
}  # fmt: skip
_OBSERVED_ONLY = {
    GateState.LEVEL, GateState.PROGRESSING, GateState.BLOCKED, GateState.NOT_PROMOTABLE,
    GateState.UNKNOWN,
}  # fmt: skip
TABLES: list[tuple[str, Any, Any]] = [
    ("gate states", STATES, GateState),
    ("sentences", sentences.SENTENCES, set(GateState) - _OBSERVED_ONLY),
    ("states of promotions", gates.GATE_STATES, State),
    ("words of the record", records.STATE_WORDS, State),
    ("outcomes", records.OUTCOME_WORDS, Outcome),
    ("modes", records.MODE_WORDS, CredentialMode),
    ("revocations", records.REVOCATION_WORDS, RevocationOutcome),
    ("offers", actions.OFFERS, Verb),
    ("chips", boards.LABELS, Show),
    ("conditions", model.CONDITION_LOOKS, EnvironmentCondition),
    ("steps", moments.STEP_NAMES, OpeningStep),
    ("who merges", moments.MERGING_WORDS, AutoMergeAnswer),
    ("labels", moments.LABEL_WORDS, LabelsAnswer),
    ("fixes", fixes.BY_REASON, FailureReason),
    ("details", fixes.BY_DETAIL, FailureDetail),
    ("kinds", risks.KIND_WORDS, TokenKind),
    ("validities", risks.VALIDITY_LOOKS, TokenValidity),
    ("risks", risks.RISK_LOOKS, set(TokenRisk) - {TokenRisk.UNSPECIFIED}),
    ("reaches of tokens", consents.REACH_WORDS, Reach),
    ("delays", troubles.DELAYS, Delay),
]


# Of what is not in them something else is said, or they are whole together with another.
PARTIAL = {
    "BY_REASON", "FAILURE_WORDS", "HINDRANCE_WORDS", "NEVER_WORDS", "OVERDUE_STATES",
    "REFUSAL_WORDS", "RISK_LOOKS", "SENTENCES", "_BY_CONDITION", "KINDS",
}  # fmt: skip


def _tables() -> Iterator[tuple[str, dict[Enum, Any]]]:
    package = countersign.gateway
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, dict) and value and all(isinstance(k, Enum) for k in value):
                yield name, value


def test_every_table_over_an_enum_is_whole() -> None:
    """A page that asks one that is not answers 500."""
    found = dict(_tables())
    broken = {
        name: sorted(missing)
        for name, table in found.items()
        if len(kinds := {type(key) for key in table}) == 1
        and (missing := {k.name for k in kinds.pop()} - {k.name for k in table})
    }

    assert len(found) > len(TABLES)
    assert broken.keys() <= PARTIAL, broken


@pytest.mark.parametrize(("table", "of"), [t[1:] for t in TABLES], ids=[t[0] for t in TABLES])
def test_table_has_a_row_for_every_value(table: Any, of: Any) -> None:
    assert set(table) == set(of)


def test_every_refusal_is_put_into_words() -> None:
    assert set(troubles.REFUSALS) == {*Refusal, *ConsentRefusal}


def test_every_reason_that_shuts_a_gate_is_put_into_words() -> None:
    told = {*hindrances.NEVER_WORDS, *hindrances.HINDRANCE_WORDS}

    assert told == set(GateReason) - _NOT_HINDERED


def test_every_event_of_a_promotion_is_a_moment() -> None:
    silent = {PipelineObserved, PipelineDeleted, TokenChecked, TokenUsed, PullRequestUpdated}
    silent |= {SessionEnded}

    assert set(moments.MOMENTS) == set(EVENTS) - silent


def test_word_of_a_gate_state_is_used_once() -> None:
    assert len({row.look.word for row in STATES.values()}) == len(STATES)


class Later(StrEnum):
    """A value that a newer service might send."""

    NEW = "new"


@pytest.mark.parametrize(
    "told",
    [
        lambda v: model.condition_look(v).word,
        records.state_words,
        moments.step_name,
    ],
    ids=["condition", "record", "step"],
)
def test_value_that_is_newer_than_a_table_has_a_word_all_the_same(told: Any) -> None:
    assert told(Later.NEW)
