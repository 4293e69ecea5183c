"""Findings and reasons in words, each with what to do. Nothing reads them but people."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from countersign.auditor.checks.findings import Facts, FindingCode, Judged
from countersign.contracts.messages import Finding, TokenReason
from countersign.dialects.inspection import InspectionDialect
from countersign.dialects.kinds import kind_of

REASONS: Final[Mapping[TokenReason, str]] = {
    TokenReason.UNSPECIFIED: "",
    TokenReason.REFUSED: "the forge refused it: it has expired, was revoked or never existed",
    TokenReason.NO_TOKEN: "it is no token",
    TokenReason.NOT_SENT: "nothing was sent: no forge on the list takes it",
    TokenReason.NOT_INSPECTED: "there is nowhere to ask about it",
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
    TokenReason.OWNER_DEACTIVATED: "its owner may not sign in at the forge any more (403)",
}


def reason_text(why: TokenReason, detail: str) -> str:
    return ": ".join(part for part in (REASONS[why], detail) if part)


def finding_of(judged: Judged, facts: Facts) -> Finding:
    return Finding(
        level=judged.level,
        code=judged.code.value,
        message=_WORDS[judged.code](facts, judged),
        remedy=_REMEDIES[judged.code](facts, judged),
    )


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
    return f"it expires on {_day(at)}" if at else "it expires on a day that is not known"


def _day(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC") if at else "a day that is not known"


def _dialect(facts: Facts) -> InspectionDialect | None:
    forge = facts.grant.forge
    return kind_of(forge).inspection if forge else None


def _meanings(facts: Facts, judged: Judged) -> str:
    """Each scope with what it can do, in words."""
    dialect = _dialect(facts)
    meanings = dialect.scopes.meanings if dialect else {}
    told = (f"`{n}` can {meanings[n]}" if n in meanings else f"`{n}`" for n in judged.names)
    return "; ".join(told)


def _broad_scope(facts: Facts, judged: Judged) -> str:
    return f"it reaches more than {_repositories(facts)}: {_meanings(facts, judged)}"


def _unused(facts: Facts, _: Judged) -> str:
    days = (facts.now - facts.last_used_at).days if facts.last_used_at else 0
    return f"Countersign has not used it for {days} days"


def _not_renewed(facts: Facts, _: Judged) -> str:
    days = (facts.now - facts.renewed_at).days if facts.renewed_at else 0
    return f"it has not been renewed for {days} days"


def _renew(facts: Facts, _: Judged) -> str:
    return f"make a new token at the forge, put it into {_secret(facts)}, and revoke this one"


def _narrower(facts: Facts, _: Judged) -> str:
    dialect = _dialect(facts)
    return dialect.advice if dialect else "use one that reaches that repository alone"


def _elsewhere(facts: Facts, _: Judged) -> str:
    return f"somebody else used it on {_day(facts.used_elsewhere_at)}: that was no use of ours"


_Words = Callable[[Facts, Judged], str]
_WORDS: Final[Mapping[FindingCode, _Words]] = {
    FindingCode.SECRET_FORBIDDEN: lambda f, _: f"{_secret(f)}: {_reason(f)}",
    FindingCode.SECRET_MISSING: lambda f, _: f"{_secret(f)}: {_reason(f)}",
    FindingCode.TOKEN_MALFORMED: lambda f, _: (
        f"{_secret(f)} holds no token but other text; nothing was sent"
    ),
    FindingCode.FORGE_NOT_LISTED: lambda _, j: (
        f"forge {j.names[0]!r} is not on the forge list, so nothing is sent there"
    ),
    FindingCode.REPOSITORY_NOT_ALLOWED: lambda f, j: (
        f"the forge list does not let namespace {f.key.namespace!r} use {j.names[0]} with a "
        "stored token"
    ),
    FindingCode.TOKEN_INVALID: lambda f, _: f"{_reason(f)}; promotions with it fail",
    FindingCode.OWNER_DEACTIVATED: lambda _, __: (
        "its owner's account was deactivated at the forge; nothing can be done with it any more"
    ),
    FindingCode.OWNER_NOT_A_MEMBER: lambda f, j: (
        f"its owner {j.names[0]} is not in the organization of {_repositories(f)} (any more)"
    ),
    FindingCode.EXPIRED: lambda f, _: f"it expired on {_day(f.told.expires_at)}",
    FindingCode.EXPIRES_WITHIN_1_DAY: _expires,
    FindingCode.EXPIRES_WITHIN_7_DAYS: _expires,
    FindingCode.EXPIRES_WITHIN_30_DAYS: _expires,
    FindingCode.USED_ELSEWHERE: _elsewhere,
    FindingCode.BROAD_SCOPE: _broad_scope,
    FindingCode.SCOPES_BEYOND_NEED: lambda f, j: (
        f"a pull request does not need what it can do: {_meanings(f, j)}"
    ),
    FindingCode.NEVER_EXPIRES: lambda _, __: (
        "it never expires: whoever copies it can use it until somebody notices"
    ),
    FindingCode.SHARED_BETWEEN_SECRETS: lambda f, _: (
        f"the same token is in {f.sharers} other {'Secret' if f.sharers == 1 else 'Secrets'}: "
        "whoever may read one of them has it"
    ),
    FindingCode.OUTDATED_KIND: lambda _, __: (
        "it is of a kind that cannot be limited to a repository, and its forge has one that can"
    ),
    FindingCode.OWNER_IS_PERSON: lambda _, j: (
        f"it belongs to the account {j.names[0]}: pull requests appear in that name, "
        "whoever asked for the promotion"
    ),
    FindingCode.CANNOT_LABEL: lambda _, __: (
        "none of its scopes lets it set the labels that the forge list wants, so they are left out"
    ),
    FindingCode.CANNOT_WRITE: lambda _, __: "none of its scopes lets it open a pull request",
    FindingCode.SEVERAL_FORGES: lambda _, j: f"it is named for several forges: {_names(j)}",
    FindingCode.NOT_KNOWN: lambda f, _: f"it could not be checked: {_reason(f)}",
    FindingCode.NOT_RENEWED: _not_renewed,
    FindingCode.SHARED_BETWEEN_PIPELINES: lambda f, _: f"{f.pipelines} Pipelines use it",
    FindingCode.UNUSED: _unused,
    FindingCode.USE_USER_DRIVEN_FLOW: lambda _, __: (
        "it is stored: whoever can read the Secret can use it, and pull requests do not carry the "
        "approver's name"
    ),
}
_REMEDIES: Final[Mapping[FindingCode, _Words]] = {
    # Its reason holds the command that allows it.
    FindingCode.SECRET_FORBIDDEN: lambda _, __: "run that command, or let people promote instead",
    FindingCode.SECRET_MISSING: lambda f, _: f"create {_secret(f)} with the key `token`",
    FindingCode.TOKEN_MALFORMED: lambda f, _: f"put a token into {_secret(f)}, and nothing else",
    FindingCode.FORGE_NOT_LISTED: lambda _, __: (
        "ask the administrator to add it, or correct the Pipeline's URL"
    ),
    FindingCode.REPOSITORY_NOT_ALLOWED: lambda _, __: "ask the administrator to allow it",
    FindingCode.TOKEN_INVALID: lambda f, _: f"put a new token into {_secret(f)}",
    FindingCode.OWNER_DEACTIVATED: lambda f, _: (
        f"put a token of an account that is in use into {_secret(f)}"
    ),
    FindingCode.OWNER_NOT_A_MEMBER: _renew,
    FindingCode.EXPIRED: _renew,
    FindingCode.EXPIRES_WITHIN_1_DAY: _renew,
    FindingCode.EXPIRES_WITHIN_7_DAYS: _renew,
    FindingCode.EXPIRES_WITHIN_30_DAYS: _renew,
    FindingCode.USED_ELSEWHERE: lambda f, _: (
        f"find out who: revoke it, put a new one into {_secret(f)}, and give it to nobody else"
    ),
    FindingCode.BROAD_SCOPE: _narrower,
    FindingCode.SCOPES_BEYOND_NEED: lambda _, j: f"make one without {_names(j)}",
    FindingCode.NEVER_EXPIRES: lambda _, __: "replace it by one that expires",
    FindingCode.SHARED_BETWEEN_SECRETS: lambda _, __: "make a token for each Secret",
    FindingCode.OUTDATED_KIND: _narrower,
    FindingCode.OWNER_IS_PERSON: lambda _, __: (
        "let people promote as themselves, or use the token of an account made for it"
    ),
    FindingCode.CANNOT_WRITE: lambda f, _: f"use one that may write to {_repositories(f)}",
    FindingCode.SEVERAL_FORGES: lambda _, __: "use one token for each forge",
    FindingCode.NOT_KNOWN: lambda _, __: "it is asked about again by itself",
    FindingCode.CANNOT_LABEL: lambda _, j: f"make one with `{j.names[0]}` besides",
    FindingCode.NOT_RENEWED: _renew,
    FindingCode.SHARED_BETWEEN_PIPELINES: lambda _, __: "make a token for each Pipeline",
    FindingCode.UNUSED: lambda _, __: (
        "if nobody needs it, delete the Secret, and the token at the forge"
    ),
    FindingCode.USE_USER_DRIVEN_FLOW: lambda _, __: (
        "let people promote as themselves; then no token is stored"
    ),
}


def _names(judged: Judged) -> str:
    return ", ".join(judged.names)
