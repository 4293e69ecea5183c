"""The credentials board: which rows, in which order. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from countersign.contracts.messages import TokenRisk, TokenValidity
from countersign.gateway.view.risks import RISK_LOOKS, CredentialView

WORDS_CHARACTERS_MAX: Final = 200
SOON: Final = timedelta(days=30)
_LAST: Final = datetime(9999, 12, 31, tzinfo=UTC)
_Word = TypeVar("_Word", bound=StrEnum)
_RISKS: Final = tuple(RISK_LOOKS)


class Filter(StrEnum):
    """The rows that a chip of the board shows."""

    ALL = "all"
    HIGH = "high"
    NOT_VALID = "not-valid"
    EXPIRING = "expiring"
    UNKNOWN = "unknown"


class Order(StrEnum):
    """The columns that rows are sorted by."""

    RISK = "risk"
    OWNER = "owner"
    SECRET = "secret"  # noqa: S105 - the name of a column
    EXPIRES = "expires"
    USED = "used"


FILTER_LABELS: Final[Mapping[Filter, str]] = {
    Filter.ALL: "All",
    Filter.HIGH: "High risk",
    Filter.NOT_VALID: "Not valid",
    Filter.EXPIRING: "Expires within 30 days",
    Filter.UNKNOWN: "Not known",
}


@dataclass(frozen=True, kw_only=True)
class CredentialQuery:
    """The rows that somebody looks for, in an address, so that it can be sent to a colleague."""

    show: Filter = Filter.ALL
    order: Order = Order.RISK
    words: str = ""

    def address(self, path: str = "/credentials", **changes: Any) -> str:
        changed = replace(self, **changes)
        pairs = {
            "show": "" if changed.show is Filter.ALL else changed.show.value,
            "sort": "" if changed.order is Order.RISK else changed.order.value,
            "q": changed.words,
        }
        query = urlencode({k: v for k, v in pairs.items() if v})
        return f"{path}?{query}" if query else path


def read_query(params: Mapping[str, str]) -> CredentialQuery:
    """Read the query of an address; what is not understood is left out."""
    return CredentialQuery(
        show=_one_of(Filter, params.get("show", ""), Filter.ALL),
        order=_one_of(Order, params.get("sort", ""), Order.RISK),
        words=params.get("q", "")[:WORDS_CHARACTERS_MAX],
    )


def _one_of(words: type[_Word], text: str, usual: _Word) -> _Word:
    return next((word for word in words if word == text), usual)


def shows(view: CredentialView, what: Filter, *, now: datetime) -> bool:
    """Say if a filter lets a row through."""
    checked = view.checked
    match what:
        case Filter.ALL:
            return True
        case Filter.HIGH:
            return view.risk is TokenRisk.HIGH
        case Filter.NOT_VALID:
            return checked.validity in {TokenValidity.INVALID, TokenValidity.MISSING}
        case Filter.EXPIRING:
            return checked.expires_at is not None and checked.expires_at - now <= SOON
        case Filter.UNKNOWN:
            return checked.validity is TokenValidity.UNKNOWN


def select(
    views: Iterable[CredentialView], query: CredentialQuery, *, now: datetime
) -> list[CredentialView]:
    """Rows that match, in the order that was asked for; what is not known comes last."""
    words = query.words.lower().split()
    found = [
        v
        for v in views
        if shows(v, query.show, now=now) and all(w in _search_text(v) for w in words)
    ]
    return sorted(found, key=_KEYS[query.order])


def _search_text(view: CredentialView) -> str:
    c = view.checked
    pipelines = (f"{u.pipeline.namespace}/{u.pipeline.name}" for u in view.uses if u.pipeline)
    parts = (*view.key, view.owner, view.kind, c.origin, view.look.word, *c.scopes, *pipelines)
    return " ".join((*parts, *(u.environment for u in view.uses))).lower()


def _by_time(at: datetime | None) -> datetime:
    return at or _LAST


_KEYS: Final[Mapping[Order, Callable[[CredentialView], Any]]] = {
    Order.RISK: lambda v: (_RISKS.index(v.risk), v.key),
    Order.OWNER: lambda v: (not v.owner, v.owner.lower(), v.key),
    Order.SECRET: lambda v: v.key,
    Order.EXPIRES: lambda v: (_by_time(v.checked.expires_at), v.key),
    # Longest ago first: those are the ones to ask about.
    Order.USED: lambda v: (_by_time(v.last_used_by_us_at), v.key),
}
