"""Asks about a token if that is allowed now, and remembers what was told as long as it is true."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from countersign.auditor.interfaces import Inquiry, Prober, Reading
from countersign.auditor.model import (
    CredentialKey,
    Grant,
    Probe,
    is_another,
    may_probe_at,
    probe_of,
    wants_probe,
)
from countersign.auditor.projection import Projection
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import (
    TokenChecked,
    TokenKind,
    TokenOwnerKind,
    TokenReason,
    TokenValidity,
)
from countersign.dialects.inspection import Inspection, is_sendable, unanswered
from countersign.dialects.kinds import kind_of

_IS_PERSON: Final = {TokenOwnerKind.PERSON: True, TokenOwnerKind.BOT: False}


@dataclass(frozen=True, kw_only=True)
class Look:
    """Everything at hand at the beginning of a check."""

    key: CredentialKey
    now: datetime
    reading: Reading
    grant: Grant
    probe: Probe | None
    scheduled: bool
    # Somebody wants to know.
    wanted: bool = False


class Inspector:
    """Remembers what the last questions told, for as long as the process lives."""

    def __init__(self, prober: Prober, *, projection: Projection) -> None:
        self._prober = prober
        self._projection = projection
        self._probes: dict[CredentialKey, Probe] = {}
        self._told: dict[CredentialKey, Inspection] = {}

    def last_probe(self, key: CredentialKey, grant: Grant, *, now: datetime) -> Probe | None:
        """Return the newest question to this forge, by us or, as its event says, by a replica."""
        own, checked = self._probes.get(key), self._projection.checked(key)
        last = probe_of(checked, now=now)
        if own is not None and (last is None or last.at <= own.at):
            last = own
        if last is not own:
            self.forget(key)
        if last is None or grant.forge is None or last.origin != grant.forge.origin:
            self.forget(key)
            return None
        return last

    def own_probe(self, key: CredentialKey) -> Probe | None:
        return self._probes.get(key)

    def forget(self, key: CredentialKey) -> None:
        self._probes.pop(key, None)
        self._told.pop(key, None)

    async def inspect(self, look: Look) -> tuple[Inspection, datetime | None]:
        """Return what is known of the token, and when the forge may be asked if not now."""
        reading, forge = look.reading, look.grant.forge
        if reading.token is None:
            forbidden = reading.why is TokenReason.SECRET_FORBIDDEN
            validity = TokenValidity.UNKNOWN if forbidden else TokenValidity.MISSING
            kind = TokenKind.UNSPECIFIED
            told = Inspection(kind=kind, validity=validity, why=reading.why, detail=reading.detail)
            return told, None
        if not is_sendable(reading.token):
            return unanswered(TokenKind.OTHER, TokenReason.NO_TOKEN), None
        if forge is None:
            return unanswered(TokenKind.UNSPECIFIED, TokenReason.NOT_SENT), None
        known = self._known(look)
        news = wants_probe(
            look.probe,
            mark=reading.mark,
            changed_at=reading.changed_at,
            refused_at=self._projection.refused_at(look.key),
        )
        if known is not None and not (look.scheduled or look.wanted or news):
            return known, None
        inquiry = Inquiry(
            forge=forge,
            reading=reading,
            account=known.owner.id if known and known.owner else str(look.key),
            owners=look.grant.owners,
            before=known,
        )
        earliest = self._earliest(look, inquiry, urgent=news or look.wanted)
        if earliest is not None and earliest > look.now:
            resting = unanswered(TokenKind.UNSPECIFIED, TokenReason.LIMITED)
            return known or resting, earliest
        told = await self._prober.probe(inquiry)
        return self._remember(look, told, known, origin=forge.origin), None

    def _earliest(self, look: Look, inquiry: Inquiry, *, urgent: bool) -> datetime | None:
        """Return the moment from which on the forge may be asked; none: at once."""
        mark, changed_at = look.reading.mark, look.reading.changed_at
        own = may_probe_at(look.probe, mark=mark, changed_at=changed_at, urgent=urgent)
        rests = (own if inquiry.before is not None else None, self._prober.rest_until(inquiry))
        return max((rest for rest in rests if rest is not None), default=None)

    def _known(self, look: Look) -> Inspection | None:
        """Return what was told of this very token before, to this process or in the last event."""
        forge = look.grant.forge
        if look.probe is None or forge is None:
            return None
        if is_another(look.probe, mark=look.reading.mark, changed_at=look.reading.changed_at):
            return None
        told = self._told.get(look.key)
        checked = self._projection.checked(look.key)
        return told if told is not None or checked is None else inspection_in(checked, forge)

    def _remember(
        self, look: Look, told: Inspection, before: Inspection | None, *, origin: str
    ) -> Inspection:
        unknown = told.validity is TokenValidity.UNKNOWN
        if unknown and before is not None:
            # Whose it is does not change because the forge cannot answer now.
            told = replace(
                before,
                validity=told.validity,
                why=told.why,
                detail=told.detail,
                rest_until=told.rest_until,
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


def inspection_in(checked: TokenChecked, forge: Forge) -> Inspection:
    """Return what an event tells of the question before it."""
    scoped = checked.kind in kind_of(forge).inspection.scoped
    valid = checked.validity is TokenValidity.VALID
    return Inspection(
        kind=checked.kind,
        validity=checked.validity,
        why=checked.why,
        detail=checked.detail,
        owner=checked.owner,
        is_person=_IS_PERSON.get(checked.owner_kind),
        standing=checked.owner_standing,
        scopes=checked.scopes if valid and scoped else None,
        repositories=checked.repositories or None,
        expires_at=checked.expires_at,
        expiry_known=checked.expiry_known,
        created_at=checked.created_at,
        last_used_at=checked.last_used_reported_at,
    )
