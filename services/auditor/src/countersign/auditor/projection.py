"""Fold of the streams: which Secrets are named, what was known of them, when they were used."""

from dataclasses import dataclass, field
from datetime import datetime

from countersign.auditor.model import CredentialKey, key_of
from countersign.contracts.messages import (
    CredentialUse,
    PipelineDeleted,
    PipelineObserved,
    PipelineRef,
    TokenChecked,
    TokenUsed,
    TokenUseOutcome,
)
from countersign.contracts.subjects import DELEGATED_CREDENTIAL


@dataclass
class Projection:
    """Grows with the number of Pipelines and of Secrets they name, which the cluster bounds."""

    _uses: dict[tuple[str, str], tuple[CredentialUse, ...]] = field(default_factory=dict)
    _checked: dict[CredentialKey, TokenChecked] = field(default_factory=dict)
    _used: dict[CredentialKey, TokenUsed] = field(default_factory=dict)
    _refused_at: dict[CredentialKey, datetime] = field(default_factory=dict)

    def pipeline_observed(self, event: PipelineObserved) -> set[CredentialKey]:
        """Returns the Secrets whose uses have changed."""
        return self._replace(event.pipeline, event.credentials)

    def pipeline_deleted(self, event: PipelineDeleted) -> set[CredentialKey]:
        return self._replace(event.pipeline, ())

    def token_used(self, event: TokenUsed) -> set[CredentialKey]:
        """Returns the Secret if this is news; a delegation has none."""
        key = key_of(event.credential)
        if key.name == DELEGATED_CREDENTIAL or event.used_at is None:
            return set()
        if event.outcome in {TokenUseOutcome.REFUSED, TokenUseOutcome.FORBIDDEN}:
            self._refused_at[key] = max(self._refused_at.get(key, event.used_at), event.used_at)
        known = self._used.get(key)
        if known is not None and known.used_at is not None and known.used_at >= event.used_at:
            return set()
        self._used[key] = event
        return {key}

    def token_checked(self, event: TokenChecked) -> set[CredentialKey]:
        """Returns the Secret if somebody else has checked it since."""
        key = key_of(event.credential)
        known = self._checked.get(key)
        if known is not None and (known == event or _time(known) > _time(event)):
            return set()
        self._checked[key] = event
        return {key}

    def named(self) -> frozenset[CredentialKey]:
        """All Secrets that a Pipeline names."""
        return frozenset(key_of(use.secret) for uses in self._uses.values() for use in uses)

    def known(self) -> frozenset[CredentialKey]:
        """All Secrets that something was said about, and that was not that nobody names them."""
        return frozenset(key for key, event in self._checked.items() if event.uses)

    def uses(self, key: CredentialKey) -> tuple[CredentialUse, ...]:
        found = [use for uses in self._uses.values() for use in uses if key_of(use.secret) == key]
        return tuple(sorted(found, key=lambda use: use.to_json()))

    def pipelines(self, key: CredentialKey) -> int:
        """Count the Pipelines that name it."""
        return sum(any(key_of(u.secret) == key for u in uses) for uses in self._uses.values())

    def checked(self, key: CredentialKey) -> TokenChecked | None:
        return self._checked.get(key)

    def last_used(self, key: CredentialKey) -> TokenUsed | None:
        return self._used.get(key)

    def refused_at(self, key: CredentialKey) -> datetime | None:
        """Return the moment at which the forge last refused it to somebody who used it."""
        return self._refused_at.get(key)

    def forget_checked(self) -> frozenset[CredentialKey]:
        """Returns all Secrets that are named. Which are is kept: that is not read again."""
        self._checked.clear()
        return self.named()

    def _replace(
        self, pipeline: PipelineRef, uses: tuple[CredentialUse, ...]
    ) -> set[CredentialKey]:
        name = (pipeline.namespace, pipeline.name)
        before = self._uses.pop(name, ())
        if uses:
            self._uses[name] = uses
        if before == uses:
            return set()
        return {key_of(use.secret) for use in (*before, *uses)}


def _time(event: TokenChecked) -> float:
    return event.checked_at.timestamp() if event.checked_at else 0.0
