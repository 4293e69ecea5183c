"""Gates: every reason has its state and its sentence."""

import pytest
from doubles.watched import Cluster, pipeline_manifest, release

from countersign.contracts import messages as m
from countersign.watcher.decision.gate_sentences import SENTENCES
from countersign.watcher.decision.gates import STATES

REASONS = set(m.GateReason) - {m.GateReason.UNSPECIFIED}


def test_every_reason_has_a_state_and_a_sentence() -> None:
    assert set(STATES) == REASONS
    assert set(SENTENCES) == REASONS


@pytest.mark.parametrize(
    ("dev", "prod", "reason"),
    [
        ("6.9.0", "6.9.0", m.GateReason.SAME_CONTENT),
        ("6.9.0", "6.8.4", m.GateReason.UNDER_WAY),
    ],
)
def test_gate_tells_why_it_is_open_or_needs_nothing(
    dev: str, prod: str, reason: m.GateReason
) -> None:
    world = Cluster(pipeline_manifest("dev", "prod"), release("dev", dev), release("prod", prod))

    world.step()

    assert world.gate("prod").reason is reason
    assert world.gate("prod").state is STATES[reason]


@pytest.mark.parametrize("name", ["dev {0}", "{above.__class__}", "{"])
def test_names_are_values_and_never_templates(name: str) -> None:
    world = Cluster(pipeline_manifest(name, "prod"))

    world.step()

    assert world.gate("prod").hindered_by == name
    assert name in world.gate("prod").message
