"""The record as programs read it: one row for each attempt, as JSON and as cells of a table.

A row says up to which event it was folded, so that it can be made again from the events, byte by
byte. Of persons it names id and name, not groups.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from countersign.contracts.messages import (
    CredentialMode,
    ForgeUser,
    Person,
    Revision,
    RevocationOutcome,
    TokenKind,
)
from countersign.contracts.record.attempts import Attempt, PromotionRecord, PullRequestRecord
from countersign.contracts.record.decisions import Decision, DelegationRecord


class Shape(BaseModel):
    """The base of what programs read: frozen, names in lowerCamelCase."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


class PersonRow(Shape):
    """Somebody who signed in at the gateway."""

    id: str
    name: str = ""


class AccountRow(Shape):
    """An account at the forge; `id` never changes, `login` may."""

    id: str
    login: str


class DelegationRow(Shape):
    """The token that came with an approval. `scopes` is empty where the forge names none."""

    account: AccountRow | None = None
    kind: str = ""
    scopes: tuple[str, ...] = ()
    one_repository: bool = Field(default=False, description="Narrowed to the one repository.")
    redeemed_at: str = ""
    ended_at: str = ""
    end: str = Field(default="", description="`revoked`, `forgotten` or `failed`.")
    end_reason: str = ""


class DecisionRow(Shape):
    """A person's consent or refusal."""

    approval_id: str = ""
    outcome: str = Field(description="`asked`, `granted`, `rejected`, `expired` or `lost`.")
    by: PersonRow
    at: str = ""
    reason: str = ""
    ended: str = ""
    credential: str = Field(default="", description="`delegated`, `stored` or `app`.")
    consent_digest: str = ""
    delegation: DelegationRow | None = None


class ChangeRow(Shape):
    """The exact change that was asked for."""

    revision_from: str = ""
    revision_to: str
    content: str
    marker: str
    origin: str
    repository: str
    branch: str
    path: str = ""


class PullRequestRow(Shape):
    """A pull request and its fate."""

    number: int
    url: str = ""
    head_branch: str = ""
    head_commit: str = ""
    author: AccountRow | None = None
    opened_at: str = ""
    files: tuple[str, ...] = ()
    merged_at: str = ""
    merged_by: AccountRow | None = None
    merge_commit: str = ""
    closed_at: str = ""
    closed_by: AccountRow | None = None


class RecordRow(Shape):
    """One attempt at one promotion."""

    promotion_id: str
    attempt: int
    namespace: str
    pipeline: str
    environment: str
    from_environment: str = ""
    requested_at: str = ""
    requested_by: PersonRow | None = Field(
        default=None, description="Absent: the watcher found it, or it repeated itself."
    )
    change: ChangeRow
    credential: str = Field(description="What it was, or would be, opened with.")
    secret: str = Field(default="", description="Of a stored or an application's credential.")
    approvals_needed: int = Field(default=0, description="0: nobody need approve.")
    decisions: tuple[DecisionRow, ...] = ()
    pull_request: PullRequestRow | None = None
    state: str
    state_at: str = ""
    reason: str = ""
    trace_id: str = ""
    as_of: int = Field(description="Sequence of the last event in PROMOTIONS that it reflects.")

    def line(self) -> str:
        """The row as a line of JSON, always the same for the same row."""
        return self.model_dump_json(by_alias=True, exclude_defaults=True)


def rows_of(record: PromotionRecord) -> Iterator[RecordRow]:
    for attempt in record.attempts:
        yield row_of(record, attempt)


def row_of(record: PromotionRecord, attempt: Attempt) -> RecordRow:
    promotion, request = record.promotion, record.promotion.request
    ref, to = request.promotion, request.destination
    stored = attempt.mode in {CredentialMode.STORED, CredentialMode.APP} and request.secret
    return RecordRow(
        promotion_id=ref.promotion_id,
        attempt=attempt.number,
        namespace=ref.pipeline.namespace,
        pipeline=ref.pipeline.name,
        environment=ref.environment,
        from_environment=request.from_environment,
        requested_at=_time(attempt.requested_at),
        requested_by=_person(attempt.requested_by),
        change=ChangeRow(
            revision_from=_recorded(request.current),
            revision_to=_recorded(request.content.revision),
            content=request.content.identity,
            marker=request.marker_key,
            origin=to.origin,
            repository=f"{to.owner}/{to.repository}",
            branch=to.base_branch,
            path=to.path,
        ),
        credential=mode_name(attempt.mode),
        secret=f"{request.secret.namespace}/{request.secret.name}"
        if stored and request.secret
        else "",
        approvals_needed=promotion.approvals_needed if promotion.needs_consent else 0,
        decisions=tuple(map(_decision, attempt.decisions)),
        pull_request=_pull_request(attempt.pull_request),
        state=attempt.state.value,
        state_at=_time(attempt.state_at),
        reason=attempt.reason,
        trace_id=record.trace_id,
        as_of=record.as_of,
    )


def mode_name(mode: CredentialMode) -> str:
    return "" if mode is CredentialMode.UNSPECIFIED else mode.name.lower()


def _recorded(revision: Revision | None) -> str:
    return revision.recorded if revision else ""


def _time(at: datetime | None) -> str:
    """In UTC, to the microsecond where there is one; empty where it is not known."""
    if at is None:
        return ""
    try:
        moment = at.astimezone(UTC)
    except OverflowError:
        # The first and the last day that there are have no time in every zone.
        moment = at.replace(tzinfo=UTC)
    return moment.replace(tzinfo=None).isoformat() + "Z"


def _person(person: Person | None) -> PersonRow | None:
    return PersonRow(id=person.id, name=person.name) if person else None


def _account(user: ForgeUser | None) -> AccountRow | None:
    return AccountRow(id=user.id, login=user.login) if user else None


def _decision(decision: Decision) -> DecisionRow:
    return DecisionRow(
        # Of a refusal it is ours, and nobody else's.
        approval_id=decision.approval_id if decision.mode is not CredentialMode.UNSPECIFIED else "",
        outcome=decision.outcome.value,
        by=PersonRow(id=decision.by.id, name=decision.by.name),
        at=_time(decision.at),
        reason=decision.reason,
        ended=decision.ended,
        credential=mode_name(decision.mode),
        consent_digest=decision.consent_digest,
        delegation=_delegation(decision.delegation),
    )


def _delegation(token: DelegationRecord | None) -> DelegationRow | None:
    if token is None:
        return None
    kind, end = token.kind, token.end
    return DelegationRow(
        account=_account(token.forge_user),
        kind="" if kind is TokenKind.UNSPECIFIED else kind.name.lower(),
        scopes=token.scopes,
        one_repository=token.narrowed,
        redeemed_at=_time(token.redeemed_at),
        ended_at=_time(token.ended_at),
        end="" if end is RevocationOutcome.UNSPECIFIED else end.name.lower(),
        end_reason=token.end_reason,
    )


def _pull_request(pull: PullRequestRecord | None) -> PullRequestRow | None:
    if pull is None:
        return None
    return PullRequestRow(
        number=pull.ref.number,
        url=pull.ref.url,
        head_branch=pull.ref.head_branch,
        head_commit=pull.ref.head_commit,
        author=_account(pull.author),
        opened_at=_time(pull.opened_at),
        files=pull.files,
        merged_at=_time(pull.merged_at),
        merged_by=_account(pull.merged_by),
        merge_commit=pull.merge_commit,
        closed_at=_time(pull.closed_at),
        closed_by=_account(pull.closed_by),
    )
