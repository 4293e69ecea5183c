"""What is risky about a credential, worst first, each with what to do. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from countersign.auditor.model import CredentialKey, Grant
from countersign.contracts.messages import (
    CredentialUse,
    Destination,
    Finding,
    FindingLevel,
    TokenKind,
    TokenValidity,
)

ERROR, WARNING, INFO = FindingLevel.ERROR, FindingLevel.WARNING, FindingLevel.INFO
# Other kinds have permissions, which the forge does not tell.
SCOPED: Final = frozenset({TokenKind.CLASSIC, TokenKind.OAUTH_APP})
UNUSED: Final = timedelta(days=30)
# Either is enough to open a pull request.
_SUFFICIENT: Final = frozenset({"repo", "public_repo"})
# Parts of `repo`.
_HARMLESS: Final = frozenset(
    {"repo:status", "repo_deployment", "repo:invite", "security_events", "read:user", "user:email"}
)
_LEVELS: Final = {ERROR: 0, WARNING: 1, INFO: 2}
# Within a level, what hurts most comes first.
_ORDER: Final = (
    "secret_forbidden",
    "secret_missing",
    "token_malformed",
    "forge_not_listed",
    "repository_not_allowed",
    "token_invalid",
    "expires_within_1_day",
    "broad_scope",
    "scopes_beyond_need",
    "never_expires",
    "expires_within_7_days",
    "owner_is_person",
    "cannot_write",
    "several_forges",
    "not_known",
    "expires_within_30_days",
    "unused",
    "use_user_driven_flow",
)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that is known of one credential."""

    key: CredentialKey
    uses: tuple[CredentialUse, ...]
    grant: Grant
    validity: TokenValidity
    now: datetime
    reason: str = ""
    kind: TokenKind = TokenKind.UNSPECIFIED
    owner_login: str = ""
    is_person: bool | None = None
    scopes: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    expiry_known: bool = False
    malformed: bool = False
    forbidden: bool = False
    last_used_at: datetime | None = None


def findings_of(facts: Facts) -> tuple[Finding, ...]:
    found = (
        *_of_secret(facts),
        *_of_grant(facts),
        *_of_validity(facts),
        *_of_expiry(facts),
        *_of_scopes(facts),
        *_of_owner(facts),
        *_of_use(facts),
    )
    return tuple(sorted(found, key=lambda f: (_LEVELS.get(f.level, 3), _ORDER.index(f.code))))


def _of_secret(facts: Facts) -> Iterator[Finding]:
    if facts.forbidden:
        yield _finding(ERROR, "secret_forbidden", f"Secret {str(facts.key)!r}: {facts.reason}")
    if facts.validity is TokenValidity.MISSING:
        yield _finding(
            ERROR, "secret_missing", f"Secret {str(facts.key)!r}: {facts.reason}; create it"
        )
    if facts.malformed:
        yield _finding(
            ERROR,
            "token_malformed",
            f"Secret {str(facts.key)!r} holds no token but other text; nothing was sent",
        )


def _of_grant(facts: Facts) -> Iterator[Finding]:
    for where, reason in facts.grant.refused:
        if reason == "forge_not_listed":
            yield _finding(
                ERROR,
                reason,
                f"forge {where.origin!r} is not on the forge list, so nothing is sent there; "
                "ask the administrator to add it, or correct the Pipeline's URL",
            )
        else:
            yield _finding(
                ERROR,
                "repository_not_allowed",
                f"the forge list does not let namespace {facts.key.namespace!r} use "
                f"{_title(where)} with a stored token; ask the administrator to allow it",
            )
    if len(facts.grant.origins) > 1:
        origins = ", ".join(facts.grant.origins)
        yield _finding(
            WARNING, "several_forges", f"it is named for several forges ({origins}); use one each"
        )


def _of_validity(facts: Facts) -> Iterator[Finding]:
    if facts.validity is TokenValidity.INVALID:
        yield _finding(
            ERROR,
            "token_invalid",
            f"{facts.reason}; promotions with it fail until Secret {str(facts.key)!r} is renewed",
        )
    asked = facts.grant.forge is not None and not (facts.malformed or facts.forbidden)
    if facts.validity is TokenValidity.UNKNOWN and asked:
        yield _finding(INFO, "not_known", f"it could not be checked: {facts.reason}")


def _of_expiry(facts: Facts) -> Iterator[Finding]:
    if facts.validity is not TokenValidity.VALID or not facts.expiry_known:
        return
    if facts.expires_at is None:
        yield _finding(
            WARNING,
            "never_expires",
            "it never expires: whoever copies it can use it until somebody notices; "
            "replace it by one that expires",
        )
        return
    left = facts.expires_at - facts.now
    day = facts.expires_at.strftime("%Y-%m-%d %H:%M UTC")
    for days, level in ((1, ERROR), (7, WARNING), (30, INFO)):
        if left <= timedelta(days=days):
            unit = "day" if days == 1 else "days"
            yield _finding(
                level, f"expires_within_{days}_{unit}", f"it expires on {day}; renew it before"
            )
            return


def _of_scopes(facts: Facts) -> Iterator[Finding]:
    if facts.scopes is None or facts.kind not in SCOPED:
        return
    if "repo" in facts.scopes:
        yield _finding(
            WARNING,
            "broad_scope",
            "its scope `repo` reads and writes every repository that its owner can, not only "
            f"{_titles(facts.uses)}; use a fine-grained token for that repository",
        )
    beyond = sorted(set(facts.scopes) - _SUFFICIENT - _HARMLESS)
    if beyond:
        yield _finding(
            WARNING,
            "scopes_beyond_need",
            f"a pull request does not need its scopes {', '.join(beyond)}; take them away",
        )
    if not _SUFFICIENT & set(facts.scopes):
        yield _finding(WARNING, "cannot_write", "none of its scopes lets it open a pull request")


def _of_owner(facts: Facts) -> Iterator[Finding]:
    if facts.owner_login and facts.is_person:
        yield _finding(
            WARNING,
            "owner_is_person",
            f"it belongs to the account {facts.owner_login}: pull requests appear in that name, "
            "whoever asked for the promotion",
        )


def _of_use(facts: Facts) -> Iterator[Finding]:
    last = facts.last_used_at
    if last is not None and facts.now - last > UNUSED:
        days = (facts.now - last).days
        yield _finding(
            INFO, "unused", f"Countersign has not used it for {days} days; is it needed?"
        )
    yield _finding(
        INFO,
        "use_user_driven_flow",
        "recommended: let people promote as themselves; then no token is stored, and pull "
        "requests carry the approver's name",
    )


def _finding(level: FindingLevel, code: str, message: str) -> Finding:
    return Finding(level=level, code=code, message=message)


def _title(where: Destination) -> str:
    return f"{where.owner}/{where.repository}"


def _titles(uses: tuple[CredentialUse, ...]) -> str:
    names = sorted({_title(u.destination) for u in uses if u.destination})
    return ", ".join(names) or "the one it is for"
