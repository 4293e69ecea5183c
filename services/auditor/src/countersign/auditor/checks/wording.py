"""Findings and reasons in words, each with what to do. Nothing reads them but people."""

from collections.abc import Callable, Mapping
from typing import Final

from countersign.auditor.checks.findings import Facts, FindingCode, Judged
from countersign.contracts.messages import Finding, TokenReason
from countersign.dialects.kinds import kind_of

REASONS: Final[Mapping[TokenReason, str]] = {
    TokenReason.UNSPECIFIED: "",
    TokenReason.REFUSED: "the forge refused it (401): it has expired, was revoked or never existed",
    TokenReason.NO_TOKEN: "it is no token",
    TokenReason.NOT_SENT: "nothing was sent: no forge on the list takes it",
    TokenReason.NOT_INSPECTED: "tokens of forges of this kind cannot be inspected yet",
    TokenReason.LIMITED: "the forge limits our questions; it is asked again later",
    TokenReason.FORBIDDEN: "the forge forbids this token to say whose it is (403)",
    TokenReason.SIGN_ON_WANTED: "the organization wants single sign-on for this token; its owner "
    "must authorize it",
    TokenReason.NOT_THE_FORGE: "something else than the forge answered; is there a proxy or "
    "sign-in?",
    TokenReason.NOT_UNDERSTOOD: "the forge's answer is not what it documents",
    TokenReason.UNAVAILABLE: "the forge cannot answer now",
    # The detail is the whole reason.
    TokenReason.SECRET_MISSING: "",
    TokenReason.SECRET_FORBIDDEN: "",
    TokenReason.NOT_NAMED: "no Pipeline names it any more",
}


def reason_text(why: TokenReason, detail: str) -> str:
    return ": ".join(part for part in (REASONS[why], detail) if part)


def finding_of(judged: Judged, facts: Facts) -> Finding:
    words = _WORDS[judged.code]
    return Finding(level=judged.level, code=judged.code.value, message=words(facts, judged))


def _reason(facts: Facts) -> str:
    return reason_text(facts.told.why, facts.told.detail)


def _secret(facts: Facts) -> str:
    return f"Secret {str(facts.key)!r}"


def _repositories(facts: Facts) -> str:
    names = {
        f"{u.destination.owner}/{u.destination.repository}" for u in facts.uses if u.destination
    }
    return ", ".join(sorted(names)) or "the one it is for"


def _expires(facts: Facts, _: Judged) -> str:
    at = facts.told.expires_at
    day = at.strftime("%Y-%m-%d %H:%M UTC") if at else "a day that is not known"
    return f"it expires on {day}; renew it before"


def _broad_scope(facts: Facts, judged: Judged) -> str:
    forge = facts.grant.forge
    dialect = kind_of(forge).inspection if forge else None
    return (
        f"its scope `{'`, `'.join(judged.names)}` reads and writes every repository that its owner "
        f"can, not only {_repositories(facts)}; {dialect.advice if dialect else 'narrow it'}"
    )


def _unused(facts: Facts, _: Judged) -> str:
    days = (facts.now - facts.last_used_at).days if facts.last_used_at else 0
    return f"Countersign has not used it for {days} days; is it needed?"


_WORDS: Final[Mapping[FindingCode, Callable[[Facts, Judged], str]]] = {
    FindingCode.SECRET_FORBIDDEN: lambda f, _: f"{_secret(f)}: {_reason(f)}",
    FindingCode.SECRET_MISSING: lambda f, _: f"{_secret(f)}: {_reason(f)}; create it",
    FindingCode.TOKEN_MALFORMED: lambda f, _: (
        f"{_secret(f)} holds no token but other text; nothing was sent"
    ),
    FindingCode.FORGE_NOT_LISTED: lambda _, j: (
        f"forge {j.names[0]!r} is not on the forge list, so nothing is sent there; "
        "ask the administrator to add it, or correct the Pipeline's URL"
    ),
    FindingCode.REPOSITORY_NOT_ALLOWED: lambda f, j: (
        f"the forge list does not let namespace {f.key.namespace!r} use {j.names[0]} with a "
        "stored token; ask the administrator to allow it"
    ),
    FindingCode.TOKEN_INVALID: lambda f, _: (
        f"{_reason(f)}; promotions with it fail until {_secret(f)} is renewed"
    ),
    FindingCode.EXPIRES_WITHIN_1_DAY: _expires,
    FindingCode.EXPIRES_WITHIN_7_DAYS: _expires,
    FindingCode.EXPIRES_WITHIN_30_DAYS: _expires,
    FindingCode.BROAD_SCOPE: _broad_scope,
    FindingCode.SCOPES_BEYOND_NEED: lambda _, j: (
        f"a pull request does not need its scopes {', '.join(j.names)}; take them away"
    ),
    FindingCode.NEVER_EXPIRES: lambda _, __: (
        "it never expires: whoever copies it can use it until somebody notices; "
        "replace it by one that expires"
    ),
    FindingCode.OWNER_IS_PERSON: lambda _, j: (
        f"it belongs to the account {j.names[0]}: pull requests appear in that name, "
        "whoever asked for the promotion"
    ),
    FindingCode.CANNOT_WRITE: lambda _, __: "none of its scopes lets it open a pull request",
    FindingCode.SEVERAL_FORGES: lambda _, j: (
        f"it is named for several forges ({', '.join(j.names)}); use one each"
    ),
    FindingCode.NOT_KNOWN: lambda f, _: f"it could not be checked: {_reason(f)}",
    FindingCode.UNUSED: _unused,
    FindingCode.USE_USER_DRIVEN_FLOW: lambda _, __: (
        "recommended: let people promote as themselves; then no token is stored, and pull "
        "requests carry the approver's name"
    ),
}
