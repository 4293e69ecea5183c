"""One environment as a security reviewer asks about it: who, with what, until when. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import (
    CredentialMode,
    Destination,
    EnvironmentObserved,
    Gate,
    PipelineObserved,
)
from countersign.gateway.interfaces import Evidence, Reach
from countersign.gateway.model import GateKey
from countersign.gateway.review.applications import ApplicationView, applications
from countersign.gateway.review.delegations import LiveDelegation
from countersign.gateway.view.risks import CredentialView

EVIDENCE_WORDS: Final[Mapping[Evidence, str]] = {
    Evidence.BINDINGS: "as the Roles and bindings of the cluster say; nobody else by RBAC",
    Evidence.GROUPS: "of the groups that the administrator lists for review; others are not known",
    Evidence.LOCAL: "everybody who may sign in here and is no viewer, because there is no cluster",
    Evidence.UNKNOWN: "not known: nobody could be asked",
}
MODE_WORDS: Final[Mapping[CredentialMode, str]] = {
    CredentialMode.UNSPECIFIED: "not known",
    CredentialMode.DELEGATED: "a token that a person delegates for one promotion",
    CredentialMode.STORED: "the token that is stored in the Secret",
    CredentialMode.APP: "a token that an application of the forge mints for one repository",
}


@dataclass(frozen=True, kw_only=True)
class EnvironmentReview:
    """Everything by which something can come into one environment through Countersign.

    Args:
        at: the environment.
        gate: before it, as observed; none for the first.
        reach: those who hold rights.
        credentials: stored ones that its promotions use.
        delegations: for promotions into it.
        forge: of its repository, if that is listed.

    """

    at: GateKey
    gate: Gate | None
    reach: Reach
    credentials: tuple[CredentialView, ...]
    delegations: tuple[LiveDelegation, ...]
    forge: Forge | None

    @property
    def mode(self) -> CredentialMode:
        return self.gate.mode if self.gate else CredentialMode.UNSPECIFIED

    @property
    def mode_words(self) -> str:
        return MODE_WORDS.get(self.mode, MODE_WORDS[CredentialMode.UNSPECIFIED])

    @property
    def destination(self) -> Destination | None:
        return self.gate.destination if self.gate else None

    @property
    def application(self) -> ApplicationView | None:
        return applications([self.forge])[0] if self.forge else None

    @property
    def automatic(self) -> bool:
        """Tell whether pull requests are opened without a person."""
        needs_nobody = self.gate is not None and not self.gate.manual
        return needs_nobody and self.mode in {CredentialMode.STORED, CredentialMode.APP}


def environment_of(observed: PipelineObserved, name: str) -> EnvironmentObserved | None:
    return next((e for e in observed.environments if e.name == name), None)


def secrets_of(observed: PipelineObserved, environment: str) -> tuple[str, ...]:
    """Return the names of the Secrets that its promotions use; they are in its namespace."""
    named = (u.secret.name for u in observed.credentials if u.environment == environment)
    return tuple(dict.fromkeys(named))
