"""Conditions as Flux writes them.

Source: https://pkg.go.dev/github.com/fluxcd/pkg/apis/meta#pkg-constants
"""

from dataclasses import dataclass
from datetime import datetime

from countersign.kube.objects import Manifest, integer, moment, sequence, text


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of `.status.conditions`; an absent one is `Unknown`."""

    status: str = "Unknown"
    reason: str = ""
    message: str = ""
    observed_generation: int | None = None
    since: datetime | None = None

    @property
    def is_true(self) -> bool:
        return self.status == "True"

    @property
    def is_false(self) -> bool:
        return self.status == "False"


def condition(manifest: Manifest, name: str) -> Condition:
    for entry in sequence(manifest, "status", "conditions"):
        if text(entry, "type") == name:
            return Condition(
                status=text(entry, "status"),
                reason=text(entry, "reason"),
                message=text(entry, "message"),
                observed_generation=integer(entry, "observedGeneration"),
                since=moment(entry, "lastTransitionTime"),
            )
    return Condition()


def unhealthy_since(manifest: Manifest, *, ready: Condition) -> datetime | None:
    """Say since when it is not ready, or is reconciled anew though it says that it is ready.

    None while `Ready` is True of what was asked for before, for that tells nothing of now.
    """
    if not ready.is_true:
        return ready.since
    reconciling = condition(manifest, "Reconciling")
    generation = integer(manifest, "metadata", "generation")
    is_seen = integer(manifest, "status", "observedGeneration") == generation
    return reconciling.since if reconciling.is_true and is_seen else None
