"""The record as pages and exports show it: one entry for each attempt, filtered. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, NamedTuple
from urllib.parse import urlencode

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import (
    CredentialMode,
    RevocationOutcome,
    TokenKind,
)
from countersign.contracts.promotion import State
from countersign.contracts.record.attempts import Attempt, PromotionRecord
from countersign.contracts.record.decisions import Decision, Outcome
from countersign.contracts.record.rows import mode_name
from countersign.dialects.pages import pull_request_reference
from countersign.gateway.model import PipelineKey
from countersign.gateway.refusals import Refusal

PAGE_ROWS: Final = 100
QUERY_CHARACTERS_MAX: Final = 200
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
TOKEN_KIND_WORDS: Final = {
    TokenKind.UNSPECIFIED: "",
    TokenKind.CLASSIC: "classic token",
    TokenKind.FINE_GRAINED: "fine-grained token",
    TokenKind.OAUTH_APP: "token of an OAuth application",
    TokenKind.APP_USER: "user token of an app",
    TokenKind.APP_INSTALLATION: "installation token",
    TokenKind.OTHER: "other token",
    TokenKind.PERSONAL: "personal token",
    TokenKind.REPOSITORY: "token of one repository",
    TokenKind.GROUP: "token of a group of repositories",
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
# As the filter names them.
CREDENTIALS: Final = {
    mode_name(mode): words for mode, words in MODE_WORDS.items() if mode_name(mode)
}


def state_words(state: State) -> str:
    """Say where a promotion stands, after the fact."""
    return STATE_WORDS.get(state, state.value)


def decided(decision: Decision) -> str:
    """A decision as people say it."""
    words = OUTCOME_WORDS.get(decision.outcome, (decision.outcome.value,) * 2)
    return words[decision.was_given or decision.forge_user is not None]


def token_word(decision: Decision) -> str:
    """Name the token it was decided with; a sign-in that failed left none."""
    delegated = decision.mode is CredentialMode.DELEGATED
    return "" if delegated and decision.forge_user is None else MODE_WORDS.get(decision.mode, "")


class Entry(NamedTuple):
    """One attempt, and the promotion that it is of."""

    record: PromotionRecord
    attempt: Attempt

    @property
    def key(self) -> PipelineKey:
        ref = self.record.promotion.request.promotion
        return PipelineKey(ref.pipeline.namespace, ref.pipeline.name)

    @property
    def environment(self) -> str:
        return self.record.promotion.request.promotion.environment

    @property
    def promotion_id(self) -> str:
        return self.record.promotion.promotion_id

    @property
    def at(self) -> datetime | None:
        return self.attempt.at

    @property
    def secret(self) -> str:
        """The Secret of a stored or an application's credential, as `namespace/name`."""
        found = self.record.promotion.request.secret
        stored = self.attempt.mode in {CredentialMode.STORED, CredentialMode.APP}
        return f"{found.namespace}/{found.name}" if found and stored else ""

    @property
    def people(self) -> Iterator[str]:
        """Everybody who had a part in it, by every name that they are known by."""
        if self.attempt.requested_by:
            yield from (self.attempt.requested_by.id, self.attempt.requested_by.name)
        for d in self.attempt.decisions:
            yield from (d.by.id, d.by.name, d.forge_user.login if d.forge_user else "")
        pull = self.attempt.pull_request
        accounts = (pull.author, pull.merged_by, pull.closed_by) if pull else ()
        yield from (a.login for a in accounts if a)

    @property
    def text(self) -> str:
        """Everything that a search looks at."""
        request, pull = self.record.promotion.request, self.attempt.pull_request
        to, current = request.destination, request.current
        parts = [
            *self.key,
            self.environment,
            self.promotion_id,
            self.record.trace_id,
            f"{to.origin}/{to.owner}/{to.repository}",
            current.recorded if current else "",
            request.content.revision.recorded,
            request.content.identity,
            state_words(self.attempt.state),
            self.attempt.reason,
            MODE_WORDS.get(self.attempt.mode, ""),
            self.secret,
            f"{pull_request_reference(pull.ref)} {pull.merge_commit}" if pull else "",
            *self.people,
        ]
        for d in self.attempt.decisions:
            parts += [decided(d), d.reason, d.approval_id, d.consent_digest]
        return "\n".join(parts).lower()


@dataclass(frozen=True, kw_only=True)
class RecordQuery:
    """The filters of the record; days are of UTC, and both belong to it."""

    words: str = ""
    since: date | None = None
    until: date | None = None
    environment: str = ""
    person: str = ""
    credential: str = ""

    @property
    def is_all(self) -> bool:
        return self == RecordQuery()

    def address(self) -> str:
        """Return the filters as the query of an address."""
        given = {
            "q": self.words,
            "since": self.since.isoformat() if self.since else "",
            "until": self.until.isoformat() if self.until else "",
            "environment": self.environment,
            "person": self.person,
            "credential": self.credential,
        }
        return urlencode({name: value for name, value in given.items() if value})

    def matches(self, entry: Entry) -> bool:
        person = self.person.lower()
        return (
            self._has_day(entry.at)
            and self.environment in {"", entry.environment}
            and self.credential in {"", mode_name(entry.attempt.mode), entry.secret}
            and (not person or any(person in name.lower() for name in entry.people))
            and (not self.words or _has_words(entry, self.words))
        )

    def _has_day(self, at: datetime | None) -> bool:
        if self.since is None and self.until is None:
            return True
        if at is None:
            return False
        day = at.astimezone(UTC).date()
        return (self.since or date.min) <= day <= (self.until or date.max)


def _has_words(entry: Entry, words: str) -> bool:
    text = entry.text
    return all(word in text for word in words.lower().split())


def read_query(given: Mapping[str, str]) -> RecordQuery:
    """Read the filters of an address.

    Raises:
        Rejected: `bad_request`; a day is none.

    """

    def text(name: str) -> str:
        return given.get(name, "").strip()[:QUERY_CHARACTERS_MAX]

    return RecordQuery(
        words=text("q"),
        since=_day(text("since"), "since"),
        until=_day(text("until"), "until"),
        environment=text("environment"),
        person=text("person"),
        credential=text("credential"),
    )


def _day(text: str, name: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Rejected(
            Refusal.BAD_REQUEST, f"{name} is a day such as 2026-11-30, and not {text!r}"
        ) from None


def entries(
    records: Iterable[PromotionRecord], query: RecordQuery, *, sees: Callable[[PipelineKey], bool]
) -> list[Entry]:
    """The attempts that match and that one person may see, newest first."""
    seen = (r for r in records if sees(Entry(r, r.attempts[0]).key))
    found = [e for r in seen for a in r.attempts if query.matches(e := Entry(r, a))]
    found.sort(key=_place, reverse=True)
    return found


def _place(entry: Entry) -> tuple[float, str, int]:
    return entry.at.timestamp() if entry.at else 0.0, entry.promotion_id, entry.attempt.number
