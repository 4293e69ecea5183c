"""Keeps which promotions are blocked at their gates, as Pipelines were last observed."""

from countersign.contracts.messages import GateState, PipelineDeleted, PipelineObserved
from countersign.contracts.promotion import Promotion


class BlockedGates:
    """Grows with the number of Pipelines, which the cluster bounds."""

    def __init__(self) -> None:
        self._messages: dict[tuple[str, str], dict[str, str]] = {}

    def apply(self, event: PipelineObserved | PipelineDeleted) -> None:
        key = (event.pipeline.namespace, event.pipeline.name)
        self._messages.pop(key, None)
        if isinstance(event, PipelineDeleted):
            return
        gates = (e.gate for e in event.environments if e.gate is not None)
        blocked = [g for g in gates if g.state is GateState.BLOCKED and g.promotion_id]
        if blocked:
            self._messages[key] = {g.promotion_id: g.message for g in blocked}

    def forget(self) -> None:
        """Their stream was made anew."""
        self._messages.clear()

    def why(self, promotion: Promotion) -> str:
        """Say why a promotion is blocked; empty where it is not."""
        ref = promotion.request.promotion
        known = self._messages.get((ref.pipeline.namespace, ref.pipeline.name), {})
        return known.get(ref.promotion_id, "")
