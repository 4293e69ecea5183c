"""The projection in the JSON API's shapes."""

from collections.abc import Set as AbstractSet

from countersign.contracts.messages import BeginResponse, ChangeKind, StatedChange
from countersign.contracts.record.decisions import Decision
from countersign.contracts.revision import short
from countersign.gateway.api.shapes import (
    BeginShape,
    CredentialShape,
    DecisionShape,
    EnvironmentShape,
    GateShape,
    MomentShape,
    PipelineShape,
    PromotionShape,
    RanShape,
    StatedChangeShape,
    UserCodeShape,
)
from countersign.gateway.model import EnvironmentView, GateView, Track
from countersign.gateway.text.forge_links import ForgeLinks
from countersign.gateway.timeline.moments import Moment, name_of
from countersign.gateway.timeline.timelines import Timeline
from countersign.gateway.view.histories import Ran
from countersign.gateway.view.risks import CredentialView
from countersign.gateway.view.tracks import plain


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


def _environment(view: EnvironmentView, *, may: AbstractSet[str]) -> EnvironmentShape:
    return EnvironmentShape(
        name=view.name,
        condition=view.look.word,
        message=view.message,
        revision=short(view.revision),
        recorded=view.revision.recorded if view.revision else "",
        since=view.since,
        gate=gate_shape(view.gate, may=view.name in may) if view.gate else None,
    )


def pipeline_shape(track: Track, *, may: AbstractSet[str]) -> PipelineShape:
    return PipelineShape(
        namespace=track.key.namespace,
        name=track.key.name,
        app_kind=track.app.kind,
        app_name=track.app.name,
        environments=tuple(_environment(e, may=may) for e in track.environments),
        findings=tuple(f.message for f in track.findings),
        observed_at=track.observed_at,
    )


def ran_shape(ran: Ran, *, links: ForgeLinks) -> RanShape:
    return RanShape(
        revision=short(ran.revision),
        recorded=ran.revision.recorded,
        since=ran.since,
        until=ran.until,
        running=ran.is_running,
        how=ran.how.value,
        people=ran.people,
        merged_by=ran.merged_by,
        promotion_id=ran.promotion_id,
        pull_request=links.pull_request(ran.pull_request),
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


def _stated(change: StatedChange) -> StatedChangeShape:
    kind = "" if change.kind is ChangeKind.UNSPECIFIED else change.kind.name.lower()
    return StatedChangeShape(kind=kind, description=change.description, page=change.page)


def promotion_shape(timeline: Timeline, *, links: ForgeLinks) -> PromotionShape:
    p, request = timeline.promotion, timeline.promotion.request
    ref, to, pull = request.promotion, request.destination, timeline.promotion.pull_request
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
        pull_request=links.pull_request(pull),
        pull_request_number=pull.number if pull else 0,
        author=name_of(p.author),
        trace_id=timeline.trace_id,
        merged_by=name_of(p.merged_by),
        comparison=links.comparison(request),
        source_page=request.source_page,
        stated_changes=tuple(map(_stated, request.stated_changes)),
        requested_at=request.requested_at,
        opened_at=timeline.last("opened"),
        merged_at=timeline.last("merged"),
        completed_at=timeline.last("completed"),
        changed_at=p.changed_at,
        decisions=tuple(map(_decision, timeline.decisions)),
        moments=tuple(map(_moment, timeline.moments)),
    )


def begin_shape(timeline: Timeline, begun: BeginResponse, *, links: ForgeLinks) -> BeginShape:
    """Say where the person goes on: at an address of the forge, or by a code there.

    Raises:
        Rejected: `forge_not_listed`; the address is another's.

    """
    origin = timeline.promotion.request.destination.origin
    url, code = begun.authorize_url, begun.user_code
    return BeginShape(
        promotion_id=timeline.promotion_id,
        approval_id=begun.approval_id,
        granted=begun.granted,
        authorize_url=links.sign_in(url, origin) if url else "",
        user_code=UserCodeShape(code=code.code, url=links.code_page(code.url, origin))
        if code
        else None,
        expires_at=begun.expires_at,
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
        used_by=tuple("/".join((*(u.pipeline or ()), u.environment)) for u in view.uses),
    )
