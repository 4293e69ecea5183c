"""One check of one credential: read, ask if that is allowed now, judge, say what is new."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from countersign.auditor.checks.findings import Facts, judge, risk_of
from countersign.auditor.checks.history import with_history
from countersign.auditor.checks.inspecting import Inspector, Look
from countersign.auditor.checks.reporting import Reports
from countersign.auditor.checks.sharing import Sharing
from countersign.auditor.checks.strangers import used_elsewhere_at
from countersign.auditor.checks.wording import finding_of, reason_text
from countersign.auditor.interfaces import Clock, Jitter, Secrets, Wake
from countersign.auditor.model import CredentialKey, Grant, grant_of, next_check_at, planned_at
from countersign.auditor.projection import Projection
from countersign.contracts.forge_list import ForgeList
from countersign.contracts.messages import (
    ForgeKind,
    TokenChecked,
    TokenOwnerKind,
    TokenReason,
    TokenValidity,
)
from countersign.dialects.inspection import Inspection
from countersign.telemetry import attributes
from countersign.telemetry.tracing import span

_OWNER_KINDS: Final = {
    True: TokenOwnerKind.PERSON,
    False: TokenOwnerKind.BOT,
    None: TokenOwnerKind.UNSPECIFIED,
}
# As a Secret says it that is not there.
_NEVER: Final = datetime.fromtimestamp(0, UTC)
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
    sharing: Sharing
    pace: Pace
    now: Clock
    # Told of other credentials that a check has learned something about.
    news: Wake

    async def check(
        self, key: CredentialKey, *, scheduled: bool, wanted: bool = False
    ) -> datetime | None:
        """Check it now; returns when to do so again, none when nobody names it any more.

        Args:
            key: the Secret.
            scheduled: whether its time has come; else something about it is said to be new.
            wanted: whether somebody wants to know now.

        Raises:
            Retryable: the Secret could not be read, or the result not be published.

        """
        uses = self.projection.uses(key)
        if not uses:
            await self._retire(key)
            return None
        grant, now = grant_of(key, uses, self.forges), self.now()
        reading = await self.secrets.read(key)
        replaced = self.sharing.is_replaced(key, reading.mark)
        self.news(self.sharing.note(key, reading.mark))
        look = Look(
            key=key,
            now=now,
            reading=reading,
            grant=grant,
            probe=self.inspector.last_probe(key, grant, now=now),
            scheduled=scheduled,
            wanted=wanted,
        )
        with span(attributes.SPAN_CHECK_TOKEN):
            told, retry_at = await self.inspector.inspect(look)
            before = self.projection.checked(key)
            event = self._event(look, told, before=None if replaced else before, retry_at=retry_at)
            event = with_history(event, before, replaced=replaced)
            await self.reports.publish(event, scheduled=scheduled or wanted)
        return event.next_check_at

    def _event(
        self,
        look: Look,
        told: Inspection,
        *,
        before: TokenChecked | None,
        retry_at: datetime | None,
    ) -> TokenChecked:
        """Put together what is known now; `before` is the last check of this very token."""
        key, grant = look.key, look.grant
        facts = self._facts(look, told, before)
        used = self.projection.last_used(key)
        probe = self.inspector.own_probe(key) or look.probe
        judged, others = judge(facts), self.sharing.others(key)
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
            repositories=told.repositories or (),
            expires_at=told.expires_at,
            expiry_known=told.expiry_known,
            checked_at=probe.at if probe and told.why not in _UNASKED else look.now,
            next_check_at=retry_at or self._due(look, told),
            last_used_by_us_at=facts.last_used_at,
            last_used_for=used.promotion if used else None,
            last_used_reported_at=told.last_used_at,
            findings=tuple(finding_of(one, facts) for one in judged),
            risk=risk_of(facts, judged),
            uses=facts.uses,
            owner_kind=_OWNER_KINDS[told.is_person],
            owner_standing=told.standing,
            created_at=told.created_at,
            written_at=facts.written_at,
            shared_with=tuple(other.ref for other in others if other.namespace == key.namespace),
            shared_elsewhere=sum(other.namespace != key.namespace for other in others),
            used_elsewhere_at=facts.used_elsewhere_at,
        )

    def _facts(self, look: Look, told: Inspection, before: TokenChecked | None) -> Facts:
        key, used = look.key, self.projection.last_used(look.key)
        used_at = used.used_at if used else None
        asked_at = before.checked_at if before and before.last_used_reported_at else None
        elsewhere_at = used_elsewhere_at(
            told.last_used_at,
            ours=(used_at, look.now, look.probe.at if look.probe else None),
            asked_before_at=asked_at,
            known_at=before.used_elsewhere_at if before else None,
        )
        written_at = look.reading.changed_at
        return Facts(
            key=key,
            uses=self.projection.uses(key),
            grant=look.grant,
            told=told,
            now=look.now,
            last_used_at=used_at,
            written_at=written_at if written_at > _NEVER else None,
            used_elsewhere_at=elsewhere_at,
            sharers=len(self.sharing.others(key)),
            pipelines=self.projection.pipelines(key),
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
        self.news(self.sharing.note(key, ""))
        known = self.projection.checked(key)
        if known is None or not known.uses:
            return
        event = TokenChecked(
            credential=key.ref,
            validity=TokenValidity.UNKNOWN,
            reason=reason_text(TokenReason.NOT_NAMED, ""),
            why=TokenReason.NOT_NAMED,
            checked_at=self.now(),
            history=known.history,
        )
        await self.reports.publish(event, scheduled=False)


def _origin(grant: Grant) -> str:
    if grant.forge is not None:
        return grant.forge.origin
    return grant.origins[0] if grant.origins else ""
