"""Judges what is risky about a credential, worst first: the one list. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from countersign.auditor.model import CredentialKey, Grant
from countersign.auditor.refusals import GrantRefusal
from countersign.contracts.messages import (
    CredentialUse,
    FindingLevel,
    TokenOwnerStanding,
    TokenReason,
    TokenRisk,
    TokenValidity,
)
from countersign.dialects.inspection import Inspection, ScopeRules
from countersign.dialects.kinds import kind_of

UNUSED: Final = timedelta(days=30)
RENEWED_WITHIN: Final = timedelta(days=180)
_ERROR, _WARNING, _INFO = FindingLevel.ERROR, FindingLevel.WARNING, FindingLevel.INFO
_HIGH, _MEDIUM, _LOW = TokenRisk.HIGH, TokenRisk.MEDIUM, TokenRisk.LOW


class FindingCode(StrEnum):
    SECRET_FORBIDDEN = "secret_forbidden"  # noqa: S105 - a reason
    SECRET_MISSING = "secret_missing"  # noqa: S105 - a reason
    TOKEN_MALFORMED = "token_malformed"  # noqa: S105 - a reason
    FORGE_NOT_LISTED = "forge_not_listed"
    REPOSITORY_NOT_ALLOWED = "repository_not_allowed"
    TOKEN_INVALID = "token_invalid"  # noqa: S105 - a reason
    OWNER_DEACTIVATED = "owner_deactivated"
    OWNER_NOT_A_MEMBER = "owner_not_a_member"
    EXPIRED = "expired"
    EXPIRES_WITHIN_1_DAY = "expires_within_1_day"
    USED_ELSEWHERE = "used_elsewhere"
    BROAD_SCOPE = "broad_scope"
    SCOPES_BEYOND_NEED = "scopes_beyond_need"
    NEVER_EXPIRES = "never_expires"
    SHARED_BETWEEN_SECRETS = "shared_between_secrets"
    OUTDATED_KIND = "outdated_kind"
    EXPIRES_WITHIN_7_DAYS = "expires_within_7_days"
    OWNER_IS_PERSON = "owner_is_person"
    CANNOT_WRITE = "cannot_write"
    SEVERAL_FORGES = "several_forges"
    NOT_KNOWN = "not_known"
    EXPIRES_WITHIN_30_DAYS = "expires_within_30_days"
    CANNOT_LABEL = "cannot_label"
    NOT_RENEWED = "not_renewed"
    SHARED_BETWEEN_PIPELINES = "shared_between_pipelines"
    UNUSED = "unused"
    USE_USER_DRIVEN_FLOW = "use_user_driven_flow"


# Of each: how it is shown, and how much it asks for attention. Within a level, what hurts most
# comes first, which is the order of `FindingCode`.
JUDGEMENTS: Final[Mapping[FindingCode, tuple[FindingLevel, TokenRisk]]] = {
    FindingCode.SECRET_FORBIDDEN: (_ERROR, _HIGH),
    FindingCode.SECRET_MISSING: (_ERROR, _HIGH),
    FindingCode.TOKEN_MALFORMED: (_ERROR, _HIGH),
    FindingCode.FORGE_NOT_LISTED: (_ERROR, _HIGH),
    FindingCode.REPOSITORY_NOT_ALLOWED: (_ERROR, _HIGH),
    FindingCode.TOKEN_INVALID: (_ERROR, _HIGH),
    FindingCode.OWNER_DEACTIVATED: (_ERROR, _HIGH),
    FindingCode.OWNER_NOT_A_MEMBER: (_ERROR, _HIGH),
    FindingCode.EXPIRED: (_ERROR, _HIGH),
    FindingCode.EXPIRES_WITHIN_1_DAY: (_ERROR, _HIGH),
    FindingCode.USED_ELSEWHERE: (_WARNING, _HIGH),
    FindingCode.BROAD_SCOPE: (_WARNING, _HIGH),
    FindingCode.SCOPES_BEYOND_NEED: (_WARNING, _MEDIUM),
    FindingCode.NEVER_EXPIRES: (_WARNING, _MEDIUM),
    FindingCode.SHARED_BETWEEN_SECRETS: (_WARNING, _MEDIUM),
    FindingCode.OUTDATED_KIND: (_WARNING, _MEDIUM),
    FindingCode.EXPIRES_WITHIN_7_DAYS: (_WARNING, _MEDIUM),
    FindingCode.OWNER_IS_PERSON: (_WARNING, _MEDIUM),
    FindingCode.CANNOT_WRITE: (_WARNING, _MEDIUM),
    FindingCode.SEVERAL_FORGES: (_WARNING, _MEDIUM),
    FindingCode.NOT_KNOWN: (_INFO, _MEDIUM),
    FindingCode.EXPIRES_WITHIN_30_DAYS: (_INFO, _LOW),
    FindingCode.CANNOT_LABEL: (_INFO, _LOW),
    FindingCode.NOT_RENEWED: (_INFO, _LOW),
    FindingCode.SHARED_BETWEEN_PIPELINES: (_INFO, _LOW),
    FindingCode.UNUSED: (_INFO, _LOW),
    FindingCode.USE_USER_DRIVEN_FLOW: (_INFO, _LOW),
}
_EXPIRIES: Final = (
    (timedelta(days=1), FindingCode.EXPIRES_WITHIN_1_DAY),
    (timedelta(days=7), FindingCode.EXPIRES_WITHIN_7_DAYS),
    (timedelta(days=30), FindingCode.EXPIRES_WITHIN_30_DAYS),
)
_SEVERITY: Final = (_ERROR, _WARNING, _INFO)
_BY_REFUSAL: Final[Mapping[GrantRefusal, FindingCode]] = {
    GrantRefusal.FORGE_NOT_LISTED: FindingCode.FORGE_NOT_LISTED,
    GrantRefusal.REPOSITORY_NOT_ALLOWED: FindingCode.REPOSITORY_NOT_ALLOWED,
}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that is known of one credential."""

    key: CredentialKey
    uses: tuple[CredentialUse, ...]
    grant: Grant
    told: Inspection
    now: datetime
    last_used_at: datetime | None = None
    # When the Secret was last written.
    written_at: datetime | None = None
    # When somebody else last used it, as far as the forge tells.
    used_elsewhere_at: datetime | None = None
    # Other Secrets with the same token; Pipelines that name this one.
    sharers: int = 0
    pipelines: int = 1

    @property
    def renewed_at(self) -> datetime | None:
        """The time at which it was made, where the forge tells, or else put where it is."""
        return self.told.created_at or self.written_at

    @property
    def scope_rules(self) -> ScopeRules | None:
        """The meaning of its scopes; none where it has none, or they are not told."""
        forge = self.grant.forge
        dialect = kind_of(forge).inspection if forge else None
        if dialect is None or self.told.scopes is None or self.told.kind not in dialect.scoped:
            return None
        return dialect.scopes


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One thing that is risky; `names` are what it is about, where there are several."""

    code: FindingCode
    names: tuple[str, ...] = ()

    @property
    def level(self) -> FindingLevel:
        return JUDGEMENTS[self.code][0]

    @property
    def risk(self) -> TokenRisk:
        return JUDGEMENTS[self.code][1]


def judge(facts: Facts) -> tuple[Judged, ...]:
    """Return all that is risky, worst first."""
    found = (
        *_of_secret(facts),
        *_of_grant(facts),
        *_of_validity(facts),
        *_of_owner(facts),
        *_of_expiry(facts),
        *_of_scopes(facts),
        *_of_use(facts),
    )
    order = list(FindingCode)
    return tuple(sorted(found, key=lambda j: (_SEVERITY.index(j.level), order.index(j.code))))


def risk_of(facts: Facts, judged: tuple[Judged, ...]) -> TokenRisk:
    """Return how much all of it together asks for attention."""
    risks, rules = {j.risk for j in judged}, facts.scope_rules
    # What is not cut down to a repository and never ends is worth stealing for as long as it lives.
    endless = any(j.code is FindingCode.NEVER_EXPIRES for j in judged)
    powerful = rules is not None and rules.powerful & frozenset(facts.told.scopes or ())
    if _HIGH in risks or powerful or (endless and rules is not None and not _is_narrow(facts)):
        return _HIGH
    known = facts.told.validity is TokenValidity.VALID
    return _LOW if known and _MEDIUM not in risks else _MEDIUM


def _of_secret(facts: Facts) -> Iterator[Judged]:
    why = facts.told.why
    if why is TokenReason.SECRET_FORBIDDEN:
        yield Judged(code=FindingCode.SECRET_FORBIDDEN)
    if facts.told.validity is TokenValidity.MISSING:
        yield Judged(code=FindingCode.SECRET_MISSING)
    if why is TokenReason.NO_TOKEN:
        yield Judged(code=FindingCode.TOKEN_MALFORMED)


def _of_grant(facts: Facts) -> Iterator[Judged]:
    for where, refusal in facts.grant.refused:
        listed = refusal is not GrantRefusal.FORGE_NOT_LISTED
        name = f"{where.owner}/{where.repository}" if listed else where.origin
        yield Judged(code=_BY_REFUSAL[refusal], names=(name,))
    if len(facts.grant.origins) > 1:
        yield Judged(code=FindingCode.SEVERAL_FORGES, names=facts.grant.origins)


def _of_validity(facts: Facts) -> Iterator[Judged]:
    told = facts.told
    if told.validity is TokenValidity.INVALID:
        yield Judged(code=FindingCode.TOKEN_INVALID)
    elsewhere = {TokenReason.NO_TOKEN, TokenReason.SECRET_FORBIDDEN}
    asked = facts.grant.forge is not None and told.why not in elsewhere
    if told.validity is TokenValidity.UNKNOWN and asked:
        yield Judged(code=FindingCode.NOT_KNOWN)


def _of_owner(facts: Facts) -> Iterator[Judged]:
    owner = facts.told.owner
    if facts.told.standing is TokenOwnerStanding.DEACTIVATED:
        yield Judged(code=FindingCode.OWNER_DEACTIVATED)
    if owner is not None and facts.told.standing is TokenOwnerStanding.NOT_A_MEMBER:
        yield Judged(code=FindingCode.OWNER_NOT_A_MEMBER, names=(owner.login,))
    if owner is not None and facts.told.is_person:
        yield Judged(code=FindingCode.OWNER_IS_PERSON, names=(owner.login,))


def _of_expiry(facts: Facts) -> Iterator[Judged]:
    told = facts.told
    if told.expires_at is not None and told.expires_at <= facts.now:
        yield Judged(code=FindingCode.EXPIRED)
        return
    if told.validity is not TokenValidity.VALID or not told.expiry_known:
        return
    if told.expires_at is None:
        yield Judged(code=FindingCode.NEVER_EXPIRES)
        return
    left = told.expires_at - facts.now
    soonest = next((code for within, code in _EXPIRIES if left <= within), None)
    if soonest is not None:
        yield Judged(code=soonest)


def _is_narrow(facts: Facts) -> bool:
    """Tell whether the forge says that it reaches named repositories alone."""
    return facts.told.repositories is not None


def _of_scopes(facts: Facts) -> Iterator[Judged]:
    forge = facts.grant.forge
    dialect = kind_of(forge).inspection if forge else None
    if dialect is not None and facts.told.kind in dialect.outdated:
        yield Judged(code=FindingCode.OUTDATED_KIND)
    rules = facts.scope_rules
    if rules is None:
        return
    scopes = frozenset(facts.told.scopes or ())
    if (unbounded := scopes & rules.unbounded) and not _is_narrow(facts):
        yield Judged(code=FindingCode.BROAD_SCOPE, names=tuple(sorted(unbounded)))
    if beyond := scopes - rules.sufficient - rules.unbounded - rules.harmless:
        yield Judged(code=FindingCode.SCOPES_BEYOND_NEED, names=tuple(sorted(beyond)))
    if not rules.sufficient & scopes:
        yield Judged(code=FindingCode.CANNOT_WRITE)
    wanted = forge is not None and bool(forge.pull_requests.labels)
    if wanted and rules.labelling and not rules.labelling & scopes:
        yield Judged(code=FindingCode.CANNOT_LABEL, names=(min(rules.labelling - {"all"}),))


def _of_use(facts: Facts) -> Iterator[Judged]:
    elsewhere = facts.used_elsewhere_at
    if elsewhere is not None and facts.now - elsewhere <= UNUSED:
        yield Judged(code=FindingCode.USED_ELSEWHERE)
    if facts.sharers:
        yield Judged(code=FindingCode.SHARED_BETWEEN_SECRETS)
    if facts.pipelines > 1:
        yield Judged(code=FindingCode.SHARED_BETWEEN_PIPELINES)
    renewed = facts.renewed_at
    if renewed is not None and facts.now - renewed > RENEWED_WITHIN:
        yield Judged(code=FindingCode.NOT_RENEWED)
    last = facts.last_used_at
    if last is not None and facts.now - last > UNUSED:
        yield Judged(code=FindingCode.UNUSED)
    yield Judged(code=FindingCode.USE_USER_DRIVEN_FLOW)
