"""One check of one credential: read, ask if that is allowed now, judge, say what is new."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from countersign.auditor.checks.findings import SCOPED, Facts, findings_of
from countersign.auditor.interfaces import Clock, Jitter, Prober, Publisher, Reading, Secrets
from countersign.auditor.model import (
    CredentialKey,
    Grant,
    Probe,
    grant_of,
    is_another,
    may_probe_at,
    next_check_at,
    probe_of,
    says_the_same,
    wants_probe,
)
from countersign.auditor.projection import Projection
from countersign.contracts.forge_list import ForgeList
from countersign.contracts.messages import (
    ForgeKind,
    TokenChecked,
    TokenKind,
    TokenValidity,
)
from countersign.dialects.github.inspection import Inspection, is_sendable, token_kind, unanswered
from countersign.telemetry import attributes
from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import counter
from countersign.telemetry.tracing import span

log = get_logger()

CHECKS = counter("auditor_checks_total", "Checks of stored credentials.", ("validity",))
_NO_TOKEN = "it is no token"  # noqa: S105 - a reason
_NOT_SENT = "nothing was sent: no forge on the list takes it"
_UNASKED = frozenset({_NO_TOKEN, _NOT_SENT})


@dataclass(frozen=True, kw_only=True)
class World:
    """All that a check needs."""

    projection: Projection
    secrets: Secrets
    prober: Prober
    publisher: Publisher
    forges: ForgeList
    now: Clock
    jitter: Jitter
    interval: timedelta


@dataclass(frozen=True, kw_only=True)
class _Look:
    """What is at hand at the beginning of a check."""

    key: CredentialKey
    now: datetime
    reading: Reading
    grant: Grant
    probe: Probe | None
    scheduled: bool


class Checker:
    """Remembers what the last questions told, for as long as the process lives."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._probes: dict[CredentialKey, Probe] = {}
        self._told: dict[CredentialKey, Inspection] = {}

    async def check(self, key: CredentialKey, *, scheduled: bool) -> datetime | None:
        """Check it now; returns when to do so again, none when nobody names it any more.

        Args:
            key: the Secret.
            scheduled: whether its time has come; else something about it is said to be new.

        Raises:
            Retryable: the Secret could not be read, or the result not be published.

        """
        world = self._world
        uses = world.projection.uses(key)
        if not uses:
            await self._retire(key)
            return None
        now = world.now()
        grant = grant_of(key, uses, world.forges)
        look = _Look(
            key=key,
            now=now,
            reading=await world.secrets.read(key),
            grant=grant,
            probe=self._last_probe(key, grant),
            scheduled=scheduled,
        )
        with span(attributes.SPAN_CHECK_TOKEN):
            told, retry_at = await self._tell(look)
            event = self._event(look, told, retry_at=retry_at)
            await self._publish(event, scheduled=scheduled)
        return event.next_check_at

    def _last_probe(self, key: CredentialKey, grant: Grant) -> Probe | None:
        """The newest question to this forge, by us or, as its event says, by another replica."""
        own, checked = self._probes.get(key), self._world.projection.checked(key)
        last = probe_of(checked)
        if own is not None and (last is None or last.at <= own.at):
            last = own
        if last is not own:
            self._forget(key)
        if last is None or grant.forge is None or last.origin != grant.forge.origin:
            self._forget(key)
            return None
        return last

    async def _tell(self, look: _Look) -> tuple[Inspection, datetime | None]:
        """What is known of the token, and when the forge may be asked if it may not be now."""
        reading, forge = look.reading, look.grant.forge
        if reading.token is None:
            validity = TokenValidity.UNKNOWN if reading.forbidden else TokenValidity.MISSING
            kind = TokenKind.UNSPECIFIED
            return Inspection(kind=kind, validity=validity, reason=reading.missing), None
        if not is_sendable(reading.token):
            return unanswered(TokenKind.OTHER, reason=_NO_TOKEN), None
        kind = token_kind(reading.token)
        if forge is None:
            return unanswered(kind, reason=_NOT_SENT), None
        known = self._known(look, kind)
        news = wants_probe(
            look.probe,
            mark=reading.mark,
            changed_at=reading.changed_at,
            refused_at=self._world.projection.refused_at(look.key),
        )
        if known is not None and not (look.scheduled or news):
            return known, None
        earliest = may_probe_at(look.probe, mark=reading.mark, changed_at=reading.changed_at)
        if known is not None and earliest is not None and earliest > look.now:
            return known, earliest
        told = await self._world.prober.probe(forge, reading.token, authority=reading.authority)
        return self._remember(look, told, origin=forge.origin), None

    def _known(self, look: _Look, kind: TokenKind) -> Inspection | None:
        """What was told of this very token before, to this process or in the last event."""
        if look.probe is None:
            return None
        if is_another(look.probe, mark=look.reading.mark, changed_at=look.reading.changed_at):
            return None
        told = self._told.get(look.key)
        checked = self._world.projection.checked(look.key)
        if told is not None or checked is None:
            return told
        valid = checked.validity is TokenValidity.VALID
        return Inspection(
            kind=kind,
            validity=checked.validity,
            reason=checked.reason,
            owner=checked.owner,
            is_person=any(f.code == "owner_is_person" for f in checked.findings),
            scopes=checked.scopes if valid and kind in SCOPED else None,
            expires_at=checked.expires_at,
            expiry_known=checked.expiry_known,
        )

    def _remember(self, look: _Look, told: Inspection, *, origin: str) -> Inspection:
        before, unknown = self._known(look, told.kind), told.validity is TokenValidity.UNKNOWN
        if unknown and before is not None:
            # Whose it is does not change because the forge cannot answer now.
            told = replace(
                before, validity=told.validity, reason=told.reason, rest_until=told.rest_until
            )
        probe = self._probes.get(look.key)
        self._told[look.key] = told
        self._probes[look.key] = Probe(
            at=look.now,
            origin=origin,
            dead=told.validity is TokenValidity.INVALID,
            mark=look.reading.mark,
            rest_until=told.rest_until,
            failures=(probe.failures if probe else 0) + 1 if unknown else 0,
        )
        return told

    def _event(self, look: _Look, told: Inspection, *, retry_at: datetime | None) -> TokenChecked:
        world, key = self._world, look.key
        uses = world.projection.uses(key)
        used = world.projection.last_used(key)
        used_at = used.used_at if used else None
        probe = self._probes.get(key) or look.probe
        findings = findings_of(
            Facts(
                key=key,
                uses=uses,
                grant=look.grant,
                validity=told.validity,
                now=look.now,
                reason=told.reason,
                kind=told.kind,
                owner_login=told.owner.login if told.owner else "",
                is_person=told.is_person,
                scopes=told.scopes,
                expires_at=told.expires_at,
                expiry_known=told.expiry_known,
                malformed=told.reason == _NO_TOKEN,
                forbidden=look.reading.forbidden,
                last_used_at=used_at,
            )
        )
        return TokenChecked(
            credential=key.ref,
            origin=_origin(look.grant),
            forge_kind=_forge_kind(look.grant),
            kind=told.kind,
            owner=told.owner,
            validity=told.validity,
            reason=told.reason,
            scopes=told.scopes or (),
            expires_at=told.expires_at,
            expiry_known=told.expiry_known,
            checked_at=probe.at if probe and told.reason not in _UNASKED else look.now,
            next_check_at=retry_at or self._due(look, told),
            last_used_by_us_at=used_at,
            last_used_for=used.promotion if used else None,
            findings=findings,
            uses=uses,
        )

    def _due(self, look: _Look, told: Inspection) -> datetime:
        """The plan stays while nothing was asked, so that news do not put off a check."""
        probe = self._probes.get(look.key) or look.probe
        checked = self._world.projection.checked(look.key)
        planned = checked.next_check_at if checked else None
        asked_now = probe is not None and probe.at == look.now
        if probe is not None and not asked_now and planned is not None and planned > look.now:
            return planned
        return next_check_at(
            probe,
            now=look.now,
            interval=self._world.interval,
            jitter=self._world.jitter(),
            ends_at=told.expires_at,
        )

    async def _publish(self, event: TokenChecked, *, scheduled: bool) -> None:
        """What is new, and on schedule that nothing is."""
        known = self._world.projection.checked(CredentialKey(*_names(event)))
        same = says_the_same(event, known)
        CHECKS.labels(validity=event.validity.name.lower()).inc()
        if same and not scheduled:
            return
        title = "/".join(_names(event))
        moment = self._world.now().isoformat()
        await self._world.publisher.publish(event, message_id=f"{title}@{moment}")
        self._world.projection.token_checked(event)
        log.info(
            "token.checked",
            secret=title,
            validity=event.validity.name.lower(),
            changed=not same,
            findings=[f.code for f in event.findings],
        )

    async def _retire(self, key: CredentialKey) -> None:
        self._forget(key)
        known = self._world.projection.checked(key)
        if known is None or not known.uses:
            return
        event = TokenChecked(
            credential=key.ref,
            validity=TokenValidity.UNKNOWN,
            reason="no Pipeline names it any more",
            checked_at=self._world.now(),
        )
        await self._publish(event, scheduled=False)

    def _forget(self, key: CredentialKey) -> None:
        self._probes.pop(key, None)
        self._told.pop(key, None)


def _origin(grant: Grant) -> str:
    if grant.forge is not None:
        return grant.forge.origin
    return grant.origins[0] if grant.origins else ""


def _forge_kind(grant: Grant) -> ForgeKind:
    return grant.forge.forge_kind if grant.forge else ForgeKind.UNSPECIFIED


def _names(event: TokenChecked) -> tuple[str, str]:
    return event.credential.namespace, event.credential.name
