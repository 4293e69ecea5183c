"""Has jobs done by executors, and passes on how they go."""

from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import ForgeList
from countersign.contracts.messages import CredentialMode, OpeningStep
from countersign.pr_writer.jobs.model import Access, Job, SecretSource
from countersign.pr_writer.jobs.outcomes import Progress
from countersign.pr_writer.jobs.refusals import JobRefusal
from countersign.pr_writer.parent.announcing import Announcer
from countersign.pr_writer.parent.failures import failure_of
from countersign.pr_writer.parent.interfaces import Executors, MonotonicClock, Outcome, Redeemer
from countersign.telemetry import attributes as names
from countersign.telemetry.forge_calls import ForgeCall, record_forge_call
from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import COUNTS, histogram

log = get_logger()

OWN_SECONDS: Final = histogram("pull_request_own_seconds", "Time of a job without the forge's.", ())
FORGE_CALLS: Final = histogram("pull_request_forge_calls", "Calls of a job.", (), buckets=COUNTS)
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


class AccessBook:
    """The administrator's list of forges, and where Secrets are."""

    def __init__(self, forges: ForgeList, *, secrets: SecretSource) -> None:
        self._forges = forges
        self._secrets = secrets

    def access(self, origin: str, *, mode: CredentialMode) -> Access:
        """Return the way to a forge.

        Raises:
            Rejected: `forge_not_listed`.

        """
        return Access(mode=mode, forge=self._forges.find(origin), secrets=self._secrets)


class Dispatcher:
    """Gives jobs to executors; how each ends is an outcome, whatever happened."""

    def __init__(
        self,
        executors: Executors,
        *,
        redeemer: Redeemer,
        announcer: Announcer,
        monotonic: MonotonicClock,
    ) -> None:
        self._monotonic = monotonic
        self._executors = executors
        self._redeemer = redeemer
        self._announcer = announcer

    async def run(self, job: Job) -> Outcome:
        """Return how it ended."""
        relay = ProgressRelay(self._announcer, job)
        started_s = self._monotonic()
        try:
            outcome = await self._executors.run(
                job, on_progress=relay.on_progress, redeemer=self._redeemer
            )
        except (Retryable, Rejected) as error:
            return failure_of(error, step=relay.step)
        relay.measure(elapsed_s=self._monotonic() - started_s)
        return outcome


class ProgressRelay:
    """Hears one executor and passes on what it reports."""

    def __init__(self, announcer: Announcer, job: Job) -> None:
        self._announcer = announcer
        self._job = job
        self._calls = 0
        self._forge_s = 0.0
        self.step = OpeningStep.UNSPECIFIED

    async def on_progress(self, progress: Progress) -> None:
        if progress.step is OpeningStep.OPENING:
            self.step = progress.step
            await self._record_step(progress.step)
        elif progress.step is not None:
            self.step = progress.step
            await self._tell_step(progress.step)
        if progress.user is not None or progress.use is not None:
            await self._tell_use(progress)
        if progress.call is not None:
            self._call(progress.call)

    async def _tell_step(self, step: OpeningStep) -> None:
        try:
            await self._announcer.step(self._job, step)
        except (Retryable, Rejected) as error:
            # Half an executor is worse than a step that nobody saw.
            log.warning("pull_request.step_not_told", step=step.name.lower(), reason=error.reason)

    async def _record_step(self, step: OpeningStep) -> None:
        """Stop a job of which nobody would know that its pull request may open late."""
        try:
            await self._announcer.step(self._job, step)
        except (Retryable, Rejected) as error:
            raise Retryable(JobRefusal.NOT_RECORDED, error.message) from error

    async def _tell_use(self, progress: Progress) -> None:
        """Stop a job whose use of a token cannot be put on record; it has written nothing yet."""
        try:
            await self._announcer.used(self._job, user=progress.user, outcome=progress.use)
        except (Retryable, Rejected) as error:
            raise Retryable(JobRefusal.NOT_RECORDED, error.message) from error

    def measure(self, *, elapsed_s: float) -> None:
        OWN_SECONDS.labels().observe(max(0.0, elapsed_s - self._forge_s))
        FORGE_CALLS.labels().observe(self._calls)

    def _call(self, told: tuple[str, str, str, int, int, int]) -> None:
        name, method, host, status, start_ns, end_ns = told
        self._calls += 1
        self._forge_s += (end_ns - start_ns) / 1e9
        # The executor reads what a forge answers, so its words are no labels.
        known = name if name in _SPANS else _SPAN_CALL
        call = ForgeCall(
            name=known, method=method, host=host, status=status, start_ns=start_ns, end_ns=end_ns
        )
        record_forge_call(call, span_name=_SPANS.get(name, _SPAN_CALL))
