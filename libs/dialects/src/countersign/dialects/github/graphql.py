"""Reads data and errors of GitHub's GraphQL answers.

Source: https://docs.github.com/en/graphql/guides/forming-calls-with-graphql
"""

from collections.abc import Iterable
from typing import Any, Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.dialects import shapes
from countersign.dialects.exchange import Answer
from countersign.dialects.github.limits import LIMITS, is_secondary
from countersign.dialects.refusals import ForgeRefusal

_REASONS: Final = {
    "NOT_FOUND": ForgeRefusal.NOT_FOUND,
    "FORBIDDEN": ForgeRefusal.FORBIDDEN,
    "INSUFFICIENT_SCOPES": ForgeRefusal.FORBIDDEN,
    "STALE_DATA": ForgeRefusal.CONFLICT,
    "UNPROCESSABLE": ForgeRefusal.REFUSED,
}
# A ref named "refs/heads/x" already exists in the repository.
# A pull request already exists for owner:branch.
# Repository rule violations found: of a ruleset, whatever the type says.
_SENTENCES: Final = {
    "A ref named": ForgeRefusal.BRANCH_TAKEN,
    "pull request already exists": ForgeRefusal.PULL_EXISTS,
    "rule violation": ForgeRefusal.REFUSED,
}
# The points of an hour are spent, or too many questions came at once; with status 200.
# Source: https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
_LIMITS: Final = frozenset({"RATE_LIMIT", "RATE_LIMITED"})
Json = Any


def data_of(answer: Answer, *, where: str) -> tuple[dict[str, Json], list[dict[str, Json]]]:
    """Data and errors of a GraphQL answer.

    Raises:
        Retryable: `rate_limited`, `forge_unavailable`.
        Rejected: `bad_answer`.

    """
    body = answer.json_of(where)
    if not isinstance(body, dict):
        raise Rejected(ForgeRefusal.BAD_ANSWER, f"{where}: the answer is no object")
    listed = body.get("errors") or []
    if not isinstance(listed, list):
        raise Rejected(ForgeRefusal.BAD_ANSWER, f"{where}: the answer's errors are no list")
    errors = [e for e in listed if isinstance(e, dict)]
    if any(map(_is_limit, errors)):
        raise Retryable(
            ForgeRefusal.RATE_LIMITED,
            f"{where}: GitHub limits our requests",
            after_s=LIMITS.wait_s(answer.headers, answer.date_s),
        )
    data = body.get("data")
    if not isinstance(data, dict):
        if errors:
            refuse(errors, where=where)
        raise Rejected(ForgeRefusal.BAD_ANSWER, f"{where}: the answer has no data")
    return data, errors


def refuse(errors: Iterable[dict[str, Json]], *, where: str) -> None:
    """Refuse for the first error, if there is any.

    Raises:
        Rejected: with the first error, if there is any.
        Retryable: `forge_unavailable`; GitHub gives no type to its own failures.

    """
    for error in errors:
        told = _sentence(error.get("message"))
        reason = reason_of(error)
        if reason is ForgeRefusal.FORGE_UNAVAILABLE:
            raise Retryable(reason, f"{where}: {told}")
        raise Rejected(reason, f"{where}: {told!r}")


def reason_of(error: dict[str, Json]) -> ForgeRefusal:
    """The reason for which a field was refused. GitHub's sentences are read here and nowhere else.

    It gives `UNPROCESSABLE` to everything that a REST call would answer with 422.
    """
    sentence, kind = str(error.get("message")), error.get("type")
    if shapes.part_at(error, "extensions", "saml_failure") is True:
        return ForgeRefusal.SIGN_ON_WANTED
    if not kind and "omething went wrong" in sentence:
        return ForgeRefusal.FORGE_UNAVAILABLE
    for words, reason in _SENTENCES.items():
        if words in sentence:
            return reason
    return _REASONS.get(str(kind), ForgeRefusal.REFUSED)


def at(errors: Iterable[dict[str, Json]], alias: str) -> list[dict[str, Json]]:
    """The errors of one field."""
    paths = ((e, e.get("path")) for e in errors)
    return [e for e, path in paths if isinstance(path, list) and path[:1] == [alias]]


def _is_limit(error: dict[str, Json]) -> bool:
    kind, sentence = str(error.get("type")), str(error.get("message"))
    return kind in _LIMITS or is_secondary(sentence.encode(errors="replace"))


def _sentence(text: Json) -> str:
    return "".join(c for c in str(text) if c.isprintable())[:200]
