"""Whatever is refused has one word of `Problem.code`, and what has none is a bug."""

import pytest

from countersign.approval.refusals import OF_CONTRACTS, OF_DELEGATION, problem_code
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.refusals import ContractRefusal
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.kube.refusals import ClusterRefusal
from countersign.messaging.refusals import BusRefusal


@pytest.mark.parametrize(
    "reason",
    [*ConsentRefusal, *DelegationRefusal, *ContractRefusal, *ClusterRefusal, *BusRefusal],
)
def test_every_refusal_has_a_word(reason: str) -> None:
    assert problem_code(reason) in set(ConsentRefusal)


@pytest.mark.parametrize("reason", [BusRefusal.STREAM_REFUSED, BusRefusal.NO_STREAM])
def test_full_stream_is_told_apart_from_a_bus_that_is_away(reason: BusRefusal) -> None:
    assert problem_code(reason) is ConsentRefusal.STREAM_REFUSED


def test_tables_leave_none_out() -> None:
    assert set(OF_DELEGATION) == set(DelegationRefusal)
    assert set(OF_CONTRACTS) == set(ContractRefusal)


@pytest.mark.parametrize("reason", list(DelegationRefusal))
def test_words_of_a_delegation_are_the_same_at_both_ends(reason: DelegationRefusal) -> None:
    assert problem_code(reason).value == reason.value


def test_word_of_nobody_is_a_bug() -> None:
    with pytest.raises(TypeError):
        problem_code("made_up")
