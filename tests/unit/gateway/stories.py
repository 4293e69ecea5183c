"""Events as the other services would publish them, told as stories."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from unit.gateway.doubles import FORGE, NOW

from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalBegun,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalLost,
    ApprovalRejected,
    ApprovalRevoked,
    Content,
    CredentialMode,
    CredentialUse,
    Destination,
    EnvironmentCondition,
    EnvironmentObserved,
    FailureReason,
    Finding,
    FindingLevel,
    ForgeKind,
    ForgeUser,
    Gate,
    GateReason,
    GateState,
    ObjectRef,
    OpeningStep,
    Person,
    PipelineObserved,
    PipelineRef,
    PromotionCompleted,
    PromotionRef,
    PromotionRequested,
    PromotionRetried,
    PromotionSuperseded,
    PromotionUndone,
    PullRequestClosed,
    PullRequestFailed,
    PullRequestMerged,
    PullRequestOpened,
    PullRequestProgressed,
    PullRequestRef,
    PullRequestUpdated,
    RevocationOutcome,
    SecretRef,
    TargetObserved,
    TokenChecked,
    TokenKind,
    TokenValidity,
)
from countersign.contracts.revision import parse_revision

GRACE = Person(id="grace", name="Grace Hopper")
ADA = Person(id="ada", name="Ada Lovelace")
GRACE_THERE = ForgeUser(id="7", login="grace")
ADA_THERE = ForgeUser(id="8", login="ada-l")
Condition = EnvironmentCondition


def ago(**parts: float) -> datetime:
    return NOW - timedelta(**parts)


def content(recorded: str) -> Content:
    return Content(identity=recorded, revision=parse_revision(recorded))


class Pipeline:
    """One pipeline, and what is told of it."""

    def __init__(
        self,
        name: str,
        *,
        namespace: str = "shop",
        app: str = "",
        kind: str = "HelmRelease",
        mode: CredentialMode = CredentialMode.DELEGATED,
        repository: str = "gitops",
    ) -> None:
        self.ref = PipelineRef(namespace=namespace, name=name, uid=f"uid-{namespace}-{name}")
        self.app = ObjectRef(
            api_version="helm.toolkit.fluxcd.io/v2",
            kind=kind,
            namespace=namespace,
            name=app or name,
        )
        self.mode = mode
        self.to = Destination(
            kind=ForgeKind.GITHUB,
            origin=FORGE,
            owner="acme",
            repository=repository,
            base_branch="main",
        )

    def observed(
        self,
        *environments: EnvironmentObserved,
        findings: tuple[Finding, ...] = (),
        credentials: tuple[CredentialUse, ...] = (),
        manifest: str = "apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\n",
    ) -> PipelineObserved:
        return PipelineObserved(
            pipeline=self.ref,
            app=self.app,
            environments=environments,
            findings=findings,
            credentials=credentials,
            manifest=manifest,
            observed_at=NOW,
        )

    def environment(
        self,
        name: str,
        runs: str = "",
        *,
        condition: EnvironmentCondition = Condition.HEALTHY,
        gate: GateState | None = GateState.LEVEL,
        since: datetime | None = None,
        message: str = "",
        gate_message: str = "",
        reason: GateReason = GateReason.UNSPECIFIED,
        hindered_by: str = "",
        cause: str = "",
        promotion_id: str = "",
        clusters: tuple[str, ...] = ("",),
    ) -> EnvironmentObserved:
        made = content(runs) if runs else None
        targets = tuple(
            TargetObserved(
                cluster=c,
                namespace=name if name.isascii() else "env",
                condition=condition,
                message=message,
                revision=made.revision if made else None,
            )
            for c in clusters
        )
        before = (
            Gate(
                state=gate,
                message=gate_message,
                reason=reason,
                hindered_by=hindered_by,
                cause=cause,
                promotion_id=promotion_id,
                mode=self.mode,
                destination=self.to,
            )
            if gate is not None
            else None
        )
        return EnvironmentObserved(
            name=name,
            condition=condition,
            message=message,
            content=made,
            since=since or ago(days=2),
            targets=targets,
            gate=before,
        )

    def use(self, secret: str, environment: str) -> CredentialUse:
        return CredentialUse(
            secret=SecretRef(namespace=self.ref.namespace, name=secret),
            environment=environment,
            destination=self.to,
            mode=self.mode,
        )

    def promotion(self, environment: str, to: str, *, current: str = "", **more: Any) -> "Story":
        return Story(self, environment, to, current=current, **more)


class Story:
    """One promotion, event by event."""

    def __init__(
        self,
        pipeline: Pipeline,
        environment: str,
        to: str,
        *,
        current: str = "",
        at: datetime | None = None,
        secret: str = "",
        below: str = "staging",
        approvals: int = 0,
    ) -> None:
        self.pipeline = pipeline
        digest = hashlib.sha256(f"{pipeline.ref.uid}{environment}{to}".encode()).hexdigest()
        self.id = digest[:16]
        self.at = at or ago(minutes=12)
        self.environment, self.attempt = environment, 1
        self.requested = PromotionRequested(
            promotion=self.ref,
            app=pipeline.app,
            from_environment=below,
            content=content(to),
            current=parse_revision(current) if current else None,
            destination=pipeline.to,
            marker_key=f"{pipeline.ref.namespace}:{pipeline.ref.name}:{environment}",
            mode=pipeline.mode,
            manual=pipeline.mode is not CredentialMode.DELEGATED,
            secret=SecretRef(namespace=pipeline.ref.namespace, name=secret) if secret else None,
            approvals=approvals,
            requested_at=self.at,
        )

    @property
    def ref(self) -> PromotionRef:
        return PromotionRef(
            promotion_id=self.id,
            pipeline=self.pipeline.ref,
            environment=self.environment,
            attempt=self.attempt,
        )

    def later(self, seconds: float = 1.0) -> datetime:
        self.at += timedelta(seconds=seconds)
        return self.at

    def begun(self, by: Person = GRACE, approval: str = "") -> ApprovalBegun:
        return ApprovalBegun(
            promotion=self.ref, approval_id=approval or f"ap-{self.id}", by=by, replica="r1",
            begun_at=self.later(40), expires_at=self.at + timedelta(minutes=10),
        )  # fmt: skip

    def granted(
        self, by: Person = GRACE, there: ForgeUser | None = GRACE_THERE, approval: str = ""
    ) -> ApprovalGranted:
        return ApprovalGranted(
            promotion=self.ref, approval_id=approval or f"ap-{self.id}", by=by,
            mode=self.pipeline.mode, forge_user=there, replica="r1", granted_at=self.later(8),
            expires_at=self.at + timedelta(minutes=15), consent_digest="9b1f" * 16,
            narrowed=there is not None,
        )  # fmt: skip

    def rejected(self, reason: str = "wait for the fix", by: Person = GRACE) -> ApprovalRejected:
        return ApprovalRejected(
            promotion=self.ref, by=by, reason=reason, rejected_at=self.later(60)
        )

    def expired(self, reason: str = "the sign-in was not finished") -> ApprovalExpired:
        return ApprovalExpired(
            promotion=self.ref, approval_id=f"ap-{self.id}", expired_at=self.later(600),
            reason=reason,
        )  # fmt: skip

    def lost(self) -> ApprovalLost:
        return ApprovalLost(
            promotion=self.ref, approval_id=f"ap-{self.id}", replica="r1", lost_at=self.later()
        )

    def revoked(self) -> ApprovalRevoked:
        return ApprovalRevoked(
            promotion=self.ref, approval_id=f"ap-{self.id}", reason="used",
            outcome=RevocationOutcome.REVOKED, revoked_at=self.later(0.3),
        )  # fmt: skip

    def progressed(self, step: OpeningStep) -> PullRequestProgressed:
        return PullRequestProgressed(promotion=self.ref, step=step, progressed_at=self.later(0.12))

    def pull_request(self, number: int) -> PullRequestRef:
        to = self.pipeline.to
        return PullRequestRef(
            kind=to.kind, origin=to.origin, owner=to.owner, repository=to.repository,
            number=number, base_branch="main",
        )  # fmt: skip

    def opened(self, number: int, author: ForgeUser = GRACE_THERE) -> PullRequestOpened:
        return PullRequestOpened(
            promotion=self.ref, pull_request=self.pull_request(number), mode=self.pipeline.mode,
            author=author, approver=GRACE, files=("apps/prod/release.yaml",),
            opened_at=self.later(0.4),
        )  # fmt: skip

    def failed(
        self, reason: FailureReason = FailureReason.NO_MARKER, message: str = ""
    ) -> PullRequestFailed:
        key = self.requested.marker_key
        return PullRequestFailed(
            promotion=self.ref, reason=reason, step=OpeningStep.EDITING, failed_at=self.later(0.2),
            message=message or f"no marker for {key} in acme/gitops@main",
        )  # fmt: skip

    def updated(self, summary: str, number: int) -> PullRequestUpdated:
        return PullRequestUpdated(
            promotion=self.ref, pull_request=self.pull_request(number), summary=summary,
            updated_at=self.later(),
        )  # fmt: skip

    def merged(self, number: int, by: ForgeUser = ADA_THERE) -> PullRequestMerged:
        return PullRequestMerged(
            promotion=self.ref, pull_request=self.pull_request(number), by=by,
            merge_commit="c" * 40, merged_at=self.later(300),
        )  # fmt: skip

    def closed(self, number: int) -> PullRequestClosed:
        return PullRequestClosed(
            promotion=self.ref, pull_request=self.pull_request(number), by=ADA_THERE,
            closed_at=self.later(30),
        )  # fmt: skip

    def retried(self) -> PromotionRetried:
        self.attempt += 1
        return PromotionRetried(promotion=self.ref, by=GRACE, retried_at=self.later(30))

    def superseded(self, by: str = "") -> PromotionSuperseded:
        return PromotionSuperseded(
            promotion=self.ref, reason="a newer revision is healthy", by_promotion_id=by,
            superseded_at=self.later(),
        )  # fmt: skip

    def completed(self) -> PromotionCompleted:
        revision = self.requested.content.revision
        return PromotionCompleted(
            promotion=self.ref, revision=revision, completed_at=self.later(90)
        )

    def undone(self, running: str) -> PromotionUndone:
        return PromotionUndone(
            promotion=self.ref, running=parse_revision(running),
            reason="upgrade failed and was rolled back", undone_at=self.later(120),
        )  # fmt: skip

    def to_open(self, number: int) -> list[Message]:
        """From the request to the pull request, without a hitch."""
        return [
            self.requested,
            self.begun(),
            self.granted(),
            *(self.progressed(s) for s in list(OpeningStep)[1:]),
            self.opened(number),
            self.revoked(),
        ]


def credential(
    name: str,
    *,
    owner: str,
    kind: TokenKind,
    scopes: tuple[str, ...] = (),
    findings: tuple[Finding, ...] = (),
    validity: TokenValidity = TokenValidity.VALID,
    environments: tuple[str, ...] = ("prod",),
    **more: Any,
) -> TokenChecked:
    return TokenChecked(
        credential=SecretRef(namespace="shop", name=name),
        origin=FORGE,
        forge_kind=ForgeKind.GITHUB,
        kind=kind,
        owner=ForgeUser(id="9", login=owner) if owner else None,
        validity=validity,
        scopes=scopes,
        findings=findings,
        checked_at=ago(minutes=20),
        next_check_at=NOW + timedelta(hours=6),
        uses=tuple(
            CredentialUse(
                secret=SecretRef(namespace="shop", name=name),
                environment=environment,
                mode=CredentialMode.STORED,
            )
            for environment in environments
        ),
        **more,
    )


def warning(message: str, code: str = "broad_scope") -> Finding:
    return Finding(level=FindingLevel.WARNING, code=code, message=message)
