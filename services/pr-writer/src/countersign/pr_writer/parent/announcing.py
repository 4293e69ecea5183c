"""Says on the bus, in spans and in numbers what was done. It never has a token."""

from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import (
    CredentialMode,
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
from countersign.contracts.subjects import DELEGATED_CREDENTIAL
from countersign.pr_writer.jobs.model import Job, Outcome, Progress, failure_of
from countersign.pr_writer.parent.interfaces import Clock, Publisher
from countersign.pr_writer.parent.projection import Entry
from countersign.telemetry import attributes as names
from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import counter, histogram
from countersign.telemetry.tracing import record_span

log = get_logger()

JOBS: Final = counter("pull_requests_total", "Jobs by outcome.", ("outcome",))
OWN_SECONDS: Final = histogram("pull_request_own_seconds", "Time of a job without the forge's.", ())
FORGE_CALLS: Final = histogram("pull_request_forge_calls", "Calls of a job.", ())
# Spans of calls by what the executor says they are for; anything else gets the common name.
_SPANS: Final = {
    "look at the repository": names.SPAN_READ_REPOSITORY,
    "list the tree": names.SPAN_READ_REPOSITORY,
    "read files": names.SPAN_READ_REPOSITORY,
    "commit": names.SPAN_COMMIT,
    "open the pull request": names.SPAN_OPEN_PULL_REQUEST,
    "follow the pull request": names.SPAN_FOLLOW_PULL_REQUEST,
}
_SPAN_CALL: Final = "call forge"
_ERROR_STATUS: Final = 400


class Telling:
    """Publishes; the ids make what is said twice one message."""

    def __init__(self, publisher: Publisher, *, clock: Clock) -> None:
        self._publisher = publisher
        self._clock = clock

    async def step(self, job: Job, step: OpeningStep) -> None:
        event = PullRequestProgressed(promotion=_ref(job), step=step, progressed_at=self._clock())
        name = f"{_id(job)}.{job.tries}.{step.name.lower()}"
        await self._publisher.publish(event, message_id=name)

    async def used(self, job: Job, *, user: ForgeUser | None, refused: bool) -> None:
        credential = _credential(job)
        if credential is None:
            return
        event = TokenUsed(
            credential=credential,
            mode=job.mode,
            origin=job.request.destination.origin,
            user=user or job.delegate,
            promotion=_ref(job),
            used_at=self._clock(),
            outcome=TokenUseOutcome.REFUSED if refused else TokenUseOutcome.ACCEPTED,
        )
        word = "refused" if refused else "used"
        name = f"{_id(job)}.{job.kind}.{job.tries}.{word}.{event.used_at:%s%f}"
        await self._publisher.publish(event, message_id=name)

    async def opened(self, job: Job, outcome: Outcome) -> PullRequestOpened:
        if outcome.pull_request is None:
            raise TypeError("an outcome without failure has a pull request")
        event = PullRequestOpened(
            promotion=_ref(job),
            pull_request=outcome.pull_request,
            approval_id=job.approval_id,
            mode=job.mode,
            author=outcome.author,
            approver=job.approver,
            files=outcome.files,
            opened_at=self._clock(),
            found=outcome.found,
        )
        await self._publisher.publish(event, message_id=f"{_id(job)}.opened")
        JOBS.labels(outcome="found" if outcome.found else "opened").inc()
        log.info(
            "pull_request.opened",
            promotion_id=job.request.promotion.promotion_id,
            number=outcome.pull_request.number,
            found=outcome.found,
        )
        return event

    async def failed(self, job: Job, outcome: Outcome) -> None:
        event = PullRequestFailed(
            promotion=_ref(job),
            reason=outcome.failure,
            message=outcome.message or "it failed",
            approval_id=job.approval_id,
            step=outcome.step,
            failed_at=self._clock(),
            mode=job.mode,
            approver=job.approver,
        )
        await self._fail(event, name=f"{_id(job)}.failed")

    async def failed_early(self, entry: Entry, error: Rejected) -> None:
        """Before there was a job."""
        ref = entry.promotion.ref
        event = PullRequestFailed(
            promotion=ref,
            reason=failure_of(error.reason),
            message=error.message,
            approval_id=entry.promotion.granted[-1].approval_id if entry.promotion.granted else "",
            failed_at=self._clock(),
            mode=entry.promotion.request.mode,
            approver=entry.promotion.approver,
        )
        await self._fail(event, name=f"{ref.promotion_id}.{ref.attempt}.failed")

    async def _fail(self, event: PullRequestFailed, *, name: str) -> None:
        await self._publisher.publish(event, message_id=name)
        JOBS.labels(outcome=event.reason.name.lower()).inc()
        log.warning(
            "pull_request.failed",
            promotion_id=event.promotion.promotion_id,
            reason=event.reason.name.lower(),
        )

    async def closed(self, entry: Entry, *, by: ForgeUser | None = None) -> None:
        pull = entry.pull
        if pull is None:
            return
        event = PullRequestClosed(
            promotion=entry.promotion.ref,
            pull_request=pull,
            by=by,
            closed_at=self._clock(),
            mode=entry.promotion.opened_mode,
            author=entry.promotion.author,
            approver=entry.promotion.approver,
        )
        await self._publisher.publish(event, message_id=f"{_entry_id(entry)}.closed")

    async def merged(self, entry: Entry, outcome: Outcome) -> None:
        if entry.pull is None:
            return
        event = PullRequestMerged(
            promotion=entry.promotion.ref,
            pull_request=entry.pull,
            by=outcome.by,
            merge_commit=outcome.merge_commit,
            merged_at=self._clock(),
            mode=entry.promotion.opened_mode,
            author=entry.promotion.author,
            approver=entry.promotion.approver,
        )
        await self._publisher.publish(event, message_id=f"{_entry_id(entry)}.merged")

    async def updated(self, entry: Entry, outcome: Outcome) -> None:
        if entry.pull is None:
            return
        event = PullRequestUpdated(
            promotion=entry.promotion.ref,
            pull_request=entry.pull,
            summary=outcome.summary,
            updated_at=self._clock(),
            mode=entry.promotion.opened_mode,
            author=entry.promotion.author,
            approver=entry.promotion.approver,
        )
        name = f"{_entry_id(entry)}.updated.{event.updated_at:%s%f}"
        await self._publisher.publish(event, message_id=name)

    def measure(self, narrator: "Narrator", *, elapsed_s: float) -> None:
        OWN_SECONDS.labels().observe(max(0.0, elapsed_s - narrator.forge_s))
        FORGE_CALLS.labels().observe(narrator.calls)


class Narrator:
    """Hears one executor and passes on what it says."""

    def __init__(self, telling: Telling, job: Job) -> None:
        self._telling = telling
        self._job = job
        self.step = OpeningStep.UNSPECIFIED
        self.calls = 0
        self.forge_s = 0.0

    async def on_progress(self, progress: Progress) -> None:
        if progress.step is not None:
            self.step = progress.step
            await self._telling.step(self._job, progress.step)
        if progress.user is not None or progress.refused:
            await self._telling.used(self._job, user=progress.user, refused=progress.refused)
        if progress.call is not None:
            self._call(*progress.call)

    def _call(self, name: str, host: str, status: int, start_ns: int, end_ns: int) -> None:
        self.calls += 1
        self.forge_s += (end_ns - start_ns) / 1e9
        failed = status == 0 or status >= _ERROR_STATUS
        record_span(
            _SPANS.get(name, _SPAN_CALL),
            start_ns=start_ns,
            end_ns=end_ns,
            attributes={"server.address": host[:255], "http.response.status_code": status},
            error=str(status or "no_answer") if failed else None,
        )


def _ref(job: Job) -> PromotionRef:
    return job.request.promotion.model_copy(update={"attempt": job.attempt})


def _id(job: Job) -> str:
    return f"{job.request.promotion.promotion_id}.{job.attempt}"


def _entry_id(entry: Entry) -> str:
    number = entry.pull.number if entry.pull else 0
    return f"{entry.promotion.promotion_id}.{entry.promotion.attempt}.{number}"


def _credential(job: Job) -> SecretRef | None:
    if job.mode is CredentialMode.DELEGATED:
        namespace = job.request.promotion.pipeline.namespace
        return SecretRef(namespace=namespace, name=DELEGATED_CREDENTIAL)
    return job.request.secret
