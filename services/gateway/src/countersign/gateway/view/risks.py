"""Stored credentials as a reviewer wants to see them: what is risky, worst first. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from countersign.contracts.messages import (
    Destination,
    Finding,
    FindingLevel,
    PipelineObserved,
    TokenChecked,
    TokenKind,
    TokenOwnerKind,
    TokenOwnerStanding,
    TokenRisk,
    TokenUsed,
    TokenValidity,
)
from countersign.dialects.kinds import KINDS
from countersign.gateway.gate_states import Look, Tone
from countersign.gateway.model import PipelineKey

KIND_WORDS: Final = {
    TokenKind.UNSPECIFIED: "not known yet",
    TokenKind.CLASSIC: "classic token",
    TokenKind.FINE_GRAINED: "fine-grained token",
    TokenKind.OAUTH_APP: "token of an OAuth app",
    TokenKind.APP_USER: "user token of an application",
    TokenKind.APP_INSTALLATION: "application installation",
    TokenKind.OTHER: "other",
    TokenKind.PERSONAL: "personal token",
    TokenKind.REPOSITORY: "token of one repository",
    TokenKind.GROUP: "token of a group of repositories",
}
VALIDITY_LOOKS: Final = {
    TokenValidity.UNSPECIFIED: Look("not checked yet", "unknown", Tone.QUIET),
    TokenValidity.VALID: Look("valid", "healthy", Tone.GOOD),
    TokenValidity.INVALID: Look("not valid", "failed", Tone.BAD),
    TokenValidity.UNKNOWN: Look("not known", "unknown", Tone.WAIT),
    TokenValidity.MISSING: Look("missing", "missing", Tone.BAD),
}


RISK_LOOKS: Final = {
    TokenRisk.HIGH: Look("high", "failed", Tone.BAD),
    TokenRisk.MEDIUM: Look("medium", "blocked", Tone.WAIT),
    TokenRisk.LOW: Look("low", "healthy", Tone.QUIET),
}
# The riskiest first.
_ORDER: Final = tuple(RISK_LOOKS)


OWNER_KIND_WORDS: Final = {
    TokenOwnerKind.UNSPECIFIED: "",
    TokenOwnerKind.PERSON: "a person",
    TokenOwnerKind.BOT: "a bot or an application",
}
STANDING_WORDS: Final = {
    TokenOwnerStanding.UNSPECIFIED: "",
    TokenOwnerStanding.ACTIVE: "active",
    TokenOwnerStanding.DEACTIVATED: "deactivated",
    TokenOwnerStanding.NOT_A_MEMBER: "not in the organization",
}


@dataclass(frozen=True, kw_only=True)
class Ability:
    """A scope of a token, and what it lets somebody do where that is known in words."""

    scope: str
    meaning: str


@dataclass(frozen=True, kw_only=True)
class Use:
    """An environment of a pipeline whose promotions may use a credential."""

    # None where only the auditor knows of the use.
    pipeline: PipelineKey | None
    environment: str
    destination: Destination | None


@dataclass(frozen=True, kw_only=True)
class CredentialView:
    """One stored credential, as far as it is known."""

    key: PipelineKey
    checked: TokenChecked
    risk: TokenRisk
    last_used_by_us_at: datetime | None
    uses: tuple[Use, ...]

    @property
    def owner(self) -> str:
        return self.checked.owner.login if self.checked.owner else ""

    @property
    def kind(self) -> str:
        return KIND_WORDS.get(self.checked.kind, KIND_WORDS[TokenKind.OTHER])

    @property
    def owner_words(self) -> str:
        """Say what the owner is and if the account is in use; empty where nobody tells."""
        kind = OWNER_KIND_WORDS.get(self.checked.owner_kind, "")
        standing = STANDING_WORDS.get(self.checked.owner_standing, "")
        return ", ".join(word for word in (kind, standing) if word)

    @property
    def abilities(self) -> tuple[Ability, ...]:
        """Its scopes, each in words."""
        row = KINDS.get(self.checked.forge_kind)
        told = row.inspection.scopes.meanings if row else {}
        return tuple(Ability(scope=s, meaning=told.get(s, "")) for s in self.checked.scopes)

    @property
    def look(self) -> Look:
        return VALIDITY_LOOKS.get(self.checked.validity, VALIDITY_LOOKS[TokenValidity.UNKNOWN])

    @property
    def risk_look(self) -> Look:
        return RISK_LOOKS[self.risk]

    @property
    def findings(self) -> tuple[Finding, ...]:
        order = {FindingLevel.ERROR: 0, FindingLevel.WARNING: 1}
        return tuple(sorted(self.checked.findings, key=lambda f: order.get(f.level, 2)))

    @property
    def personal(self) -> bool:
        """A person stands behind it, so that person's rights are what it can do."""
        return self.checked.kind is not TokenKind.APP_INSTALLATION


def credential_view(
    key: PipelineKey,
    checked: TokenChecked,
    used: TokenUsed | None,
    *,
    uses: Sequence[Use],
) -> CredentialView:
    times = [t for t in (checked.last_used_by_us_at, used.used_at if used else None) if t]
    return CredentialView(
        key=key,
        checked=checked,
        risk=risk_of(checked),
        last_used_by_us_at=max(times, default=None),
        uses=tuple(uses) or _audited(checked),
    )


def _audited(checked: TokenChecked) -> tuple[Use, ...]:
    return tuple(
        Use(pipeline=None, environment=u.environment, destination=u.destination)
        for u in checked.uses
    )


def uses_by_credential(
    pipelines: Mapping[PipelineKey, PipelineObserved],
) -> dict[PipelineKey, list[Use]]:
    """Group the uses by Secret: by pipeline, and in the order of its environments."""
    found: dict[PipelineKey, list[Use]] = {}
    for key, observed in sorted(pipelines.items()):
        order = {e.name: i for i, e in enumerate(observed.environments)}
        for use in sorted(observed.credentials, key=lambda u: order.get(u.environment, len(order))):
            secret = PipelineKey(use.secret.namespace, use.secret.name)
            made = Use(pipeline=key, environment=use.environment, destination=use.destination)
            found.setdefault(secret, []).append(made)
    return found


def risk_of(checked: TokenChecked) -> TokenRisk:
    """Return the auditor's judgement; of one that made none yet, what its findings come to."""
    if checked.risk is not TokenRisk.UNSPECIFIED:
        return checked.risk
    levels = {f.level for f in checked.findings}
    if FindingLevel.ERROR in levels:
        return TokenRisk.HIGH
    calm = checked.validity is TokenValidity.VALID and FindingLevel.WARNING not in levels
    return TokenRisk.LOW if calm else TokenRisk.MEDIUM


def credential_views(
    checked: Mapping[PipelineKey, TokenChecked],
    used: Mapping[PipelineKey, TokenUsed],
    *,
    uses: Mapping[PipelineKey, Sequence[Use]],
) -> list[CredentialView]:
    """Those that a Pipeline names, the riskiest first."""
    views = (credential_view(k, c, used.get(k), uses=uses.get(k, ())) for k, c in checked.items())
    return sorted((v for v in views if v.uses), key=lambda v: (_ORDER.index(v.risk), v.key))
