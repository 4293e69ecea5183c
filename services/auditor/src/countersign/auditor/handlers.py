"""Events, and the checks that they ask for."""

from countersign.auditor.interfaces import ReceivedEvent, Wake
from countersign.auditor.projection import Projection
from countersign.contracts.messages import (
    PipelineDeleted,
    PipelineObserved,
    TokenChecked,
    TokenUsed,
)
from countersign.process.tasks.entries import one_entry


class Handlers:
    def __init__(self, projection: Projection, *, wake: Wake) -> None:
        self._projection = projection
        self._wake = wake

    def on_event(self, received: ReceivedEvent) -> None:
        """Fold an event in; one that cannot be is left out."""
        with one_entry("fold events", message=type(received.message).__name__):
            self._fold(received)

    def _fold(self, received: ReceivedEvent) -> None:
        match received.message:
            case PipelineObserved() as event:
                self._wake(self._projection.pipeline_observed(event))
            case PipelineDeleted() as event:
                self._wake(self._projection.pipeline_deleted(event))
            case TokenUsed() as event:
                self._wake(self._projection.token_used(event))
            case TokenChecked() as event:
                # Another replica has checked it: its plan is taken over at the next look.
                self._wake(self._projection.token_checked(event))
            case _:
                return

    def on_restarted(self, stream: str) -> None:
        """Have all credentials checked again: what was said of them may be gone with its stream.

        What Pipelines name is kept: the watcher says it again.
        """
        if stream == "TOKENS":
            self._wake(self._projection.forget_checked())
