"""Says on the bus what was done. It never has a token."""

from datetime import datetime
from typing import Final

from countersign.contracts.messages import (
    CredentialMode,
    FailureReason,
    ForgeUser,
    OpeningStep,
    PromotionRef,
    PullRequestClosed,
    PullRequestFailed,
    PullRequestMerged,
    PullRequestOpened,
    PullRequestProgressed,
    PullRequestUpdated,
    SecretRef,
    TokenUsed,
    TokenUseOutcome,
)
from countersign.contracts.subjects import DELEGATED_CREDENTIAL, fact_id
from countersign.pr_writer.jobs.model import Job, OpenJob
from countersign.pr_writer.jobs.outcomes import Failure, Fate, Followed, Opened, SeenPull
from countersign.pr_writer.parent.interfaces import Clock, Publisher
from countersign.pr_writer.parent.records import PromotionRecord
from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import counter

log = get_logger()

_FAILURES = (each for each in FailureReason if each is not FailureReason.UNSPECIFIED)
JOBS: Final = counter(
    "pull_requests_total",
    "Jobs by outcome.",
    ("outcome",),
    known=[("opened",), ("found",), *((each.name.lower(),) for each in _FAILURES)],
)
FLOWS: Final = counter(
    "promotions_opened_total",
    "Promotions whose pull request was opened, by flow.",
    ("flow",),
    known=(
        (each.name.lower(),) for each in CredentialMode if each is not CredentialMode.UNSPECIFIED
    ),
)
_NO_REASON: Final = "it failed"


class Announcer:
    """Publishes; the ids make what is said twice one message."""

    def __init__(self, publisher: Publisher, *, clock: Clock) -> None:
        self._publisher = publisher
        self._clock = clock

    async def step(self, job: Job, step: OpeningStep) -> None:
        event = PullRequestProgressed(promotion=_ref(job), step=step, progressed_at=self._clock())
        name = f"{job.name}.{job.tries}.{step.name.lower()}"
        await self._publisher.publish(event, message_id=name)

    async def used(
        self, job: Job, *, user: ForgeUser | None, outcome: TokenUseOutcome | None
    ) -> None:
        """Tell that the token was used; it was accepted where nothing else is said."""
        credential = _credential(job)
        if credential is None:
            return
        delegate = job.consent.delegate if isinstance(job, OpenJob) else None
        now = self._clock()
        event = TokenUsed(
            credential=credential,
            mode=job.access.mode,
            origin=job.request.destination.origin,
            user=user or delegate,
            promotion=_ref(job),
            used_at=now,
            outcome=outcome or TokenUseOutcome.ACCEPTED,
        )
        word = event.outcome.name.lower()
        name = f"{job.name}.{job.kind}.{job.tries}.{word}.{_stamp(now)}"
        await self._publisher.publish(event, message_id=name)

    async def opened(self, job: OpenJob, outcome: Opened) -> PullRequestOpened:
        pull = outcome.pull.pull_request
        event = PullRequestOpened(
            promotion=_ref(job),
            pull_request=pull,
            approval_id=job.consent.approval_id,
            mode=job.access.mode,
            author=outcome.pull.author,
            approver=job.consent.approver,
            files=outcome.files,
            opened_at=self._clock(),
            found=outcome.found,
            auto_merge=outcome.marks.auto_merge,
            labels=outcome.marks.labels,
        )
        await self._publisher.publish(event, message_id=fact_id(event))
        JOBS.labels(outcome="found" if outcome.found else "opened").inc()
        if not outcome.found:
            FLOWS.labels(flow=job.access.mode.name.lower()).inc()
        log.info(
            "pull_request.opened",
            promotion_id=job.request.promotion.promotion_id,
            number=pull.number,
            found=outcome.found,
        )
        return event

    async def found(self, record: PromotionRecord, pull: SeenPull) -> PullRequestOpened:
        """Tell of a pull request whose opening was never told."""
        event = PullRequestOpened(
            promotion=_of_attempt(record, pull.attempt),
            pull_request=pull.pull_request,
            mode=record.mode,
            author=pull.author,
            opened_at=self._clock(),
            found=True,
        )
        await self._publisher.publish(event, message_id=fact_id(event))
        JOBS.labels(outcome="found").inc()
        return event

    async def failed(
        self, ref: PromotionRef, outcome: Failure, *, approval_id: str
    ) -> PullRequestFailed:
        event = PullRequestFailed(
            promotion=ref,
            reason=outcome.reason,
            message=outcome.message or _NO_REASON,
            approval_id=approval_id,
            step=outcome.step,
            failed_at=self._clock(),
            detail=outcome.detail,
            path=outcome.path,
            line=outcome.line,
        )
        await self._publisher.publish(event, message_id=fact_id(event))
        JOBS.labels(outcome=event.reason.name.lower()).inc()
        log.warning(
            "pull_request.failed",
            promotion_id=ref.promotion_id,
            reason=event.reason.name.lower(),
        )
        return event

    async def ended(
        self, record: PromotionRecord, pull: SeenPull | Followed
    ) -> PullRequestMerged | PullRequestClosed | None:
        """Tell that a pull request was merged or closed; nothing while it is open."""
        of, ref = record.promotion.ref, record.pull
        if isinstance(pull, SeenPull):
            of, ref = _of_attempt(record, pull.attempt), pull.pull_request
        if ref is None or pull.fate in {None, Fate.OPEN}:
            return None
        event: PullRequestMerged | PullRequestClosed
        if pull.fate is Fate.MERGED:
            event = PullRequestMerged(
                promotion=of,
                pull_request=ref,
                by=pull.ended_by,
                merge_commit=pull.merge_commit,
                merged_at=pull.ended_at or self._clock(),
            )
        else:
            event = PullRequestClosed(
                promotion=of,
                pull_request=ref,
                by=pull.ended_by,
                closed_at=pull.ended_at or self._clock(),
            )
        await self._publisher.publish(event, message_id=fact_id(event))
        return event

    async def updated(
        self, record: PromotionRecord, summary: str, *, warned: bool = False
    ) -> PullRequestUpdated | None:
        if record.pull is None:
            return None
        now = self._clock()
        event = PullRequestUpdated(
            promotion=record.promotion.ref,
            pull_request=record.pull,
            summary=summary,
            updated_at=now,
            warned=warned,
        )
        name = f"{fact_id(event)}:{record.pull.number}:{_stamp(now)}"
        await self._publisher.publish(event, message_id=name)
        return event


def _of_attempt(record: PromotionRecord, attempt: int) -> PromotionRef:
    return record.promotion.ref.model_copy(update={"attempt": attempt})


def _ref(job: Job) -> PromotionRef:
    return job.request.promotion.model_copy(update={"attempt": job.attempt})


def _stamp(at: datetime) -> str:
    return f"{at.timestamp():.6f}"


def _credential(job: Job) -> SecretRef | None:
    if job.access.mode is CredentialMode.DELEGATED:
        namespace = job.request.promotion.pipeline.namespace
        return SecretRef(namespace=namespace, name=DELEGATED_CREDENTIAL)
    return job.request.secret
