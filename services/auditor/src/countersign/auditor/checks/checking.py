"""One check of one credential: read, ask if that is allowed now, judge, say what is new."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from countersign.auditor.checks.findings import Facts, judge, risk_of
from countersign.auditor.checks.inspecting import Inspector, Look
from countersign.auditor.checks.reporting import Reports
from countersign.auditor.checks.wording import finding_of, reason_text
from countersign.auditor.interfaces import Clock, Jitter, Secrets
from countersign.auditor.model import CredentialKey, Grant, grant_of, next_check_at, planned_at
from countersign.auditor.projection import Projection
from countersign.contracts.forge_list import ForgeList
from countersign.contracts.messages import ForgeKind, TokenChecked, TokenReason, TokenValidity
from countersign.dialects.inspection import Inspection
from countersign.telemetry import attributes
from countersign.telemetry.tracing import span

_UNASKED: Final = frozenset({TokenReason.NO_TOKEN, TokenReason.NOT_SENT})


@dataclass(frozen=True, kw_only=True)
class Pace:
    """The usual pause between two checks; dice spread those of many replicas and credentials."""

    interval: timedelta
    jitter: Jitter

    def pause(self) -> timedelta:
        return self.interval * (0.9 + 0.2 * self.jitter())


@dataclass(frozen=True, kw_only=True)
class Checker:
    """Puts one check together; holds nothing itself."""

    projection: Projection
    secrets: Secrets
    forges: ForgeList
    inspector: Inspector
    reports: Reports
    pace: Pace
    now: Clock

    async def check(self, key: CredentialKey, *, scheduled: bool) -> datetime | None:
        """Check it now; returns when to do so again, none when nobody names it any more.

        Args:
            key: the Secret.
            scheduled: whether its time has come; else something about it is said to be new.

        Raises:
            Retryable: the Secret could not be read, or the result not be published.

        """
        uses = self.projection.uses(key)
        if not uses:
            await self._retire(key)
            return None
        grant, now = grant_of(key, uses, self.forges), self.now()
        look = Look(
            key=key,
            now=now,
            reading=await self.secrets.read(key),
            grant=grant,
            probe=self.inspector.last_probe(key, grant, now=now),
            scheduled=scheduled,
        )
        with span(attributes.SPAN_CHECK_TOKEN):
            told, retry_at = await self.inspector.inspect(look)
            event = self._event(look, told, retry_at=retry_at)
            await self.reports.publish(event, scheduled=scheduled)
        return event.next_check_at

    def _event(self, look: Look, told: Inspection, *, retry_at: datetime | None) -> TokenChecked:
        key, grant = look.key, look.grant
        uses, used = self.projection.uses(key), self.projection.last_used(key)
        used_at = used.used_at if used else None
        probe = self.inspector.own_probe(key) or look.probe
        facts = Facts(
            key=key, uses=uses, grant=grant, told=told, now=look.now, last_used_at=used_at
        )
        judged = judge(facts)
        return TokenChecked(
            credential=key.ref,
            origin=_origin(grant),
            forge_kind=grant.forge.forge_kind if grant.forge else ForgeKind.UNSPECIFIED,
            kind=told.kind,
            owner=told.owner,
            validity=told.validity,
            reason=reason_text(told.why, told.detail),
            why=told.why,
            detail=told.detail,
            scopes=told.scopes or (),
            expires_at=told.expires_at,
            expiry_known=told.expiry_known,
            checked_at=probe.at if probe and told.why not in _UNASKED else look.now,
            next_check_at=retry_at or self._due(look, told),
            last_used_by_us_at=used_at,
            last_used_for=used.promotion if used else None,
            last_used_reported_at=told.last_used_at,
            findings=tuple(finding_of(one, facts) for one in judged),
            risk=risk_of(facts, judged),
            uses=uses,
        )

    def _due(self, look: Look, told: Inspection) -> datetime:
        """Keep to the plan while nothing was asked, so that news do not put off a check."""
        probe = self.inspector.own_probe(look.key) or look.probe
        checked = self.projection.checked(look.key)
        planned = planned_at(checked, now=look.now)
        asked_now = probe is not None and probe.at == look.now
        if probe is not None and not asked_now and planned is not None and planned > look.now:
            return planned
        return next_check_at(probe, now=look.now, pause=self.pace.pause(), ends_at=told.expires_at)

    async def _retire(self, key: CredentialKey) -> None:
        self.inspector.forget(key)
        known = self.projection.checked(key)
        if known is None or not known.uses:
            return
        event = TokenChecked(
            credential=key.ref,
            validity=TokenValidity.UNKNOWN,
            reason=reason_text(TokenReason.NOT_NAMED, ""),
            why=TokenReason.NOT_NAMED,
            checked_at=self.now(),
        )
        await self.reports.publish(event, scheduled=False)


def _origin(grant: Grant) -> str:
    if grant.forge is not None:
        return grant.forge.origin
    return grant.origins[0] if grant.origins else ""
