"""The JSON API's shapes, from which its OpenAPI description is made."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from countersign.contracts.revision import short
from countersign.gateway import addresses
from countersign.gateway.history import Decision, Entry, Moment, name_of
from countersign.gateway.model import EnvironmentView, GateView, Track
from countersign.gateway.records import Row
from countersign.gateway.risks import CredentialView
from countersign.gateway.tracks import plain


class Shape(BaseModel):
    """Base of all: frozen, names in lowerCamelCase."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


class SessionShape(Shape):
    """Who is signed in."""

    person_id: str
    person: str
    groups: tuple[str, ...]
    form_token: str = Field(description="Send it back as X-Countersign-Form with every POST.")


class GateShape(Shape):
    """What stands before an environment."""

    state: str
    word: str
    sentence: str
    fix: str = ""
    promotion_id: str = ""
    revision: str = ""
    since: datetime | None = None
    may_promote: bool = False


class EnvironmentShape(Shape):
    """A stage of a pipeline."""

    name: str
    condition: str
    message: str = ""
    revision: str = ""
    recorded: str = ""
    since: datetime | None = None
    gate: GateShape | None = None


class PipelineShape(Shape):
    """A pipeline and all its environments."""

    namespace: str
    name: str
    app_kind: str
    app_name: str
    environments: tuple[EnvironmentShape, ...]
    findings: tuple[str, ...] = ()
    observed_at: datetime | None = None


class MomentShape(Shape):
    """Something that happened."""

    kind: str
    text: str
    who: str = ""
    at: datetime | None = None
    attempt: int = 1


class DecisionShape(Shape):
    """A person's consent or refusal."""

    approval_id: str
    outcome: str
    person_id: str
    person: str
    forge_login: str = ""
    at: datetime | None = None
    attempt: int = 1
    reason: str = ""
    consent_digest: str = ""


class PromotionShape(Shape):
    """Bringing one content into one environment."""

    promotion_id: str
    namespace: str
    pipeline: str
    environment: str
    from_environment: str
    revision: str
    current: str = ""
    state: str
    note: str = ""
    attempt: int
    step: str = ""
    failure: str = ""
    failure_message: str = ""
    mode: str
    repository: str
    base_branch: str
    pull_request: str = Field(default="", description="Its page at the forge.")
    pull_request_number: int = 0
    author: str = ""
    trace_id: str = ""
    requested_at: datetime | None = None
    changed_at: datetime | None = None
    decisions: tuple[DecisionShape, ...] = ()
    moments: tuple[MomentShape, ...] = ()


class CredentialShape(Shape):
    """What is known of a stored credential."""

    namespace: str
    secret: str
    owner: str
    kind: str
    origin: str
    validity: str
    reason: str = ""
    risk: str
    scopes: tuple[str, ...] = ()
    expires_at: datetime | None = None
    expiry_known: bool = False
    last_used_by_us_at: datetime | None = None
    last_used_reported_at: datetime | None = None
    checked_at: datetime | None = None
    next_check_at: datetime | None = None
    findings: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()


class ListShape(Shape):
    """Base of lists: `position` says how much of the streams it reflects."""

    position: str
    current: bool = Field(description="False while the bus cannot be reached.")
    total: int


class PipelineList(ListShape):
    """Pipelines by namespace and name."""

    items: tuple[PipelineShape, ...]


class PromotionList(ListShape):
    """Promotions, newest first."""

    items: tuple[PromotionShape, ...]


class CredentialList(ListShape):
    """Stored credentials, the riskiest first."""

    items: tuple[CredentialShape, ...]


class RecordList(ListShape):
    """Decisions, newest first."""

    items: tuple[dict[str, str], ...]


class BeginShape(Shape):
    """Where to go to consent."""

    promotion_id: str
    approval_id: str
    granted: bool = Field(description="True where a delegation was still held; nothing to do.")
    authorize_url: str = ""
    expires_at: datetime | None = None


class DoneShape(Shape):
    """It was done."""

    promotion_id: str
    approval_id: str = ""
    attempt: int = 0


class RejectBody(Shape):
    """Why a promotion is rejected."""

    reason: str = Field(default="", max_length=500)


class ProblemShape(BaseModel):
    """Source: https://www.rfc-editor.org/rfc/rfc9457"""

    type: str
    title: str
    status: int
    detail: str
    code: str


def gate_shape(gate: GateView, *, may: bool) -> GateShape:
    return GateShape(
        state=gate.state.value,
        word=gate.look.word,
        sentence=plain(gate.sentence),
        fix=gate.fix,
        promotion_id=gate.promotion_id,
        revision=short(gate.revision),
        since=gate.since,
        may_promote=may and gate.needs_person,
    )


def _environment(view: EnvironmentView, *, may: bool) -> EnvironmentShape:
    return EnvironmentShape(
        name=view.name,
        condition=view.look.word,
        message=view.message,
        revision=short(view.revision),
        recorded=view.revision.recorded if view.revision else "",
        since=view.since,
        gate=gate_shape(view.gate, may=may) if view.gate else None,
    )


def pipeline_shape(track: Track, *, may: bool) -> PipelineShape:
    return PipelineShape(
        namespace=track.key.namespace,
        name=track.key.name,
        app_kind=track.app.kind,
        app_name=track.app.name,
        environments=tuple(_environment(e, may=may) for e in track.environments),
        findings=tuple(f.message for f in track.findings),
        observed_at=track.observed_at,
    )


def _decision(decision: Decision) -> DecisionShape:
    return DecisionShape(
        approval_id=decision.approval_id,
        outcome=decision.outcome.value,
        person_id=decision.by.id,
        person=name_of(decision.by),
        forge_login=name_of(decision.forge_user),
        at=decision.at,
        attempt=decision.attempt,
        reason=decision.reason,
        consent_digest=decision.consent_digest,
    )


def _moment(moment: Moment) -> MomentShape:
    return MomentShape(
        kind=moment.kind,
        text=moment.text,
        who=moment.who,
        at=moment.at,
        attempt=moment.attempt,
    )


def promotion_shape(entry: Entry) -> PromotionShape:
    p, request = entry.promotion, entry.promotion.request
    ref, to, pull = request.promotion, request.destination, entry.promotion.pull_request
    return PromotionShape(
        promotion_id=p.promotion_id,
        namespace=ref.pipeline.namespace,
        pipeline=ref.pipeline.name,
        environment=ref.environment,
        from_environment=request.from_environment,
        revision=short(request.content.revision),
        current=short(request.current),
        state=p.state.value,
        note=p.note.value,
        attempt=p.attempt,
        step=p.step.name.lower() if p.step.name != "UNSPECIFIED" else "",
        failure=p.failure.name.lower() if p.failure.name != "UNSPECIFIED" else "",
        failure_message=p.failure_message,
        mode=request.mode.name.lower(),
        repository=f"{to.origin}/{to.owner}/{to.repository}",
        base_branch=to.base_branch,
        pull_request=addresses.pull_request(pull) if pull else "",
        pull_request_number=pull.number if pull else 0,
        author=name_of(p.author),
        trace_id=entry.trace_id,
        requested_at=request.requested_at,
        changed_at=p.changed_at,
        decisions=tuple(map(_decision, entry.decisions)),
        moments=tuple(map(_moment, entry.moments)),
    )


def credential_shape(view: CredentialView) -> CredentialShape:
    c = view.checked
    return CredentialShape(
        namespace=view.key.namespace,
        secret=view.key.name,
        owner=view.owner,
        kind=view.kind,
        origin=c.origin,
        validity=view.look.word,
        reason=c.reason,
        risk=view.risk.name.lower(),
        scopes=c.scopes,
        expires_at=c.expires_at,
        expiry_known=c.expiry_known,
        last_used_by_us_at=view.last_used_by_us_at,
        last_used_reported_at=c.last_used_reported_at,
        checked_at=c.checked_at,
        next_check_at=c.next_check_at,
        findings=tuple(f.message for f in view.findings),
        used_by=tuple(u.environment for u in c.uses),
    )


def record_items(found: Sequence[Row]) -> tuple[dict[str, str], ...]:
    return tuple(row.values() for row in found)
