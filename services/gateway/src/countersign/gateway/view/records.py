"""The record: who decided what, with whose token, and what became of it. Pure."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from countersign.contracts.messages import (
    CredentialMode,
    PullRequestRef,
    RevocationOutcome,
)
from countersign.contracts.promotion import State
from countersign.contracts.revision import short
from countersign.gateway.model import PipelineKey
from countersign.gateway.text import ages
from countersign.gateway.text.forge_links import ForgeLinks
from countersign.gateway.timeline.moments import name_of
from countersign.gateway.timeline.timelines import Decision, Outcome, Timeline

PAGE_ROWS: Final = 100
EXPORT_ROWS_MAX: Final = 50_000
MODE_WORDS: Final = {
    CredentialMode.UNSPECIFIED: "",
    CredentialMode.DELEGATED: "own token, delegated",
    CredentialMode.STORED: "stored token",
    CredentialMode.APP: "application",
}
REVOCATION_WORDS: Final = {
    RevocationOutcome.UNSPECIFIED: "",
    RevocationOutcome.REVOKED: "revoked",
    RevocationOutcome.FORGOTTEN: "forgotten",
    RevocationOutcome.FAILED: "not revoked",
}
STATE_WORDS: Final = {
    State.WAITING: "waiting for approval",
    State.ASKED: "approval under way",
    State.OPENING: "pull request is being opened",
    State.OPEN: "in pull request",
    State.DEPLOYING: "merged, deploying",
    State.COMPLETED: "completed",
    State.FAILED: "failed",
    State.REJECTED: "rejected",
    State.CLOSED: "closed without merging",
    State.UNDONE: "merged, then undone",
    State.SUPERSEDED: "overtaken",
}
# What ended before the forge said who it was, was no more than a sign-in.
OUTCOME_WORDS: Final = {
    Outcome.ASKED: ("sign-in begun", "sign-in begun"),
    Outcome.GRANTED: ("approved", "approved"),
    Outcome.REJECTED: ("rejected", "rejected"),
    Outcome.EXPIRED: ("sign-in ended", "approval ran out"),
    Outcome.LOST: ("sign-in lost", "approval lost"),
}
# A cell that begins so is a formula to a spreadsheet.
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
COLUMNS: Final = (
    "decided_at",
    "decision",
    "person_id",
    "person",
    "forge_login",
    "token",
    "token_end",
    "namespace",
    "pipeline",
    "environment",
    "revision_from",
    "revision_to",
    "repository",
    "pull_request",
    "state",
    "attempt",
    "reason",
    "approval_id",
    "promotion_id",
    "consent_digest",
    "trace_id",
)


def state_words(state: State) -> str:
    """Say where a promotion stands, after the fact."""
    return STATE_WORDS.get(state, state.value)


def decided(decision: Decision) -> str:
    """A decision as people say it."""
    words = OUTCOME_WORDS.get(decision.outcome, (decision.outcome.value,) * 2)
    return words[decision.forge_user is not None]


def token_word(decision: Decision) -> str:
    """Name the token it was decided with; a sign-in that failed left none."""
    delegated = decision.mode is CredentialMode.DELEGATED
    return "" if delegated and decision.forge_user is None else MODE_WORDS.get(decision.mode, "")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One decision of one person."""

    decision: Decision
    key: PipelineKey
    environment: str
    promotion_id: str
    revision_from: str
    revision_to: str
    repository: str
    pull_request: PullRequestRef | None
    pull_request_page: str
    state: State
    trace_id: str

    @property
    def person(self) -> str:
        return name_of(self.decision.by)

    @property
    def login(self) -> str:
        return name_of(self.decision.forge_user)

    @property
    def token(self) -> str:
        return token_word(self.decision)

    @property
    def token_end(self) -> str:
        return REVOCATION_WORDS.get(self.decision.revocation, "")

    @property
    def at(self) -> datetime | None:
        return self.decision.at

    def values(self) -> dict[str, str]:
        """Return the row as an export has it."""
        d = self.decision
        cells = (
            ages.machine(d.at) if d.at else "",
            d.outcome.value,
            d.by.id,
            d.by.name,
            self.login,
            self.token,
            self.token_end,
            self.key.namespace,
            self.key.name,
            self.environment,
            self.revision_from,
            self.revision_to,
            self.repository,
            self.pull_request_page,
            self.state.value,
            str(d.attempt),
            d.reason,
            "" if d.outcome is Outcome.REJECTED else d.approval_id,
            self.promotion_id,
            d.consent_digest,
            self.trace_id,
        )
        return dict(zip(COLUMNS, cells, strict=True))


def rows(timelines: Iterable[Timeline], *, links: ForgeLinks, words: str = "") -> list[Row]:
    """Decisions that match all words, newest first."""
    wanted = words.lower().split()
    made = (_row(timeline, d, links) for timeline in timelines for d in timeline.decisions)
    found = [r for r in made if all(w in _search_text(r) for w in wanted)]
    found.sort(key=lambda r: r.at.timestamp() if r.at else 0.0, reverse=True)
    return found[:EXPORT_ROWS_MAX]


def _row(timeline: Timeline, decision: Decision, links: ForgeLinks) -> Row:
    request = timeline.promotion.request
    ref, to = request.promotion, request.destination
    this_attempt = decision.attempt == timeline.promotion.attempt
    pull = timeline.promotion.pull_request if this_attempt else None
    return Row(
        decision=decision,
        key=PipelineKey(ref.pipeline.namespace, ref.pipeline.name),
        environment=ref.environment,
        promotion_id=ref.promotion_id,
        revision_from=short(request.current),
        revision_to=short(request.content.revision),
        repository=f"{to.owner}/{to.repository}",
        pull_request=pull,
        pull_request_page=links.pull_request(pull),
        state=timeline.promotion.state,
        trace_id=timeline.trace_id,
    )


def _search_text(row: Row) -> str:
    words = (decided(row.decision), state_words(row.state))
    return "\n".join((*row.values().values(), *words)).lower()


def as_csv(found: Sequence[Row]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for row in found:
        writer.writerow({k: _harmless(v) for k, v in row.values().items()})
    return out.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
