# ruff: noqa: ARG002 - a forge of one file needs few of the parameters that others need
"""A lane in virtual time: writers on a stream, and a forge where everything may take effect late.

The writers are ours but for their processes; forge, stream and the executors' deaths are made up.
"""

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from doubles import stories

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import Forge, ForgeList
from countersign.contracts.identity import consent_digest
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalGranted,
    ApprovalLost,
    CredentialMode,
    ForgeUser,
    OpeningStep,
    PromotionRef,
    PromotionRequested,
    PromotionRetried,
    PromotionSuperseded,
    SecretRef,
)
from countersign.contracts.promotion import State
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import (
    Comparison,
    EntryKind,
    File,
    NewCommit,
    Place,
    Tip,
    TreeEntry,
)
from countersign.dialects.repositories.interface import LookScope, View
from countersign.dialects.repositories.pulls import Pull, PullState, PullStatus, PullText
from countersign.messaging.work.settling import Again, Dead, verdict
from countersign.pr_writer.executor import aftercare, following
from countersign.pr_writer.executor.failures import reason_of
from countersign.pr_writer.executor.manifests.editing import Edits
from countersign.pr_writer.executor.writing import Writing
from countersign.pr_writer.jobs.channel import Closed
from countersign.pr_writer.jobs.failures import failure
from countersign.pr_writer.jobs.frames import EXECUTOR_S, SEND_S
from countersign.pr_writer.jobs.model import (
    STORED_TRIES_MAX,
    FollowJob,
    Job,
    LookJob,
    SecretSource,
)
from countersign.pr_writer.jobs.outcomes import Progress
from countersign.pr_writer.jobs.refusals import JobRefusal
from countersign.pr_writer.parent.announcing import Announcer
from countersign.pr_writer.parent.dispatching import AccessBook, Dispatcher
from countersign.pr_writer.parent.handling import Handling
from countersign.pr_writer.parent.interfaces import OnProgress, Outcome, Redeemer
from countersign.pr_writer.parent.looking import Looking
from countersign.pr_writer.parent.polling import Polling
from countersign.pr_writer.parent.projection import Projection

PATH = "app.yaml"
REPOSITORY_ID = "1"
ROBOT = ForgeUser(id="7", login="robot")
ANSWER_S = 0.2
TIMEOUT_S = 10.0
ACK_WAIT_S = 30.0
POLL_S = 30.0
TRIES_MAX = 8
ENTRY = Forge(name="F", kind="github", origin="https://github.com", repositories={"*": ("shop/*",)})


@dataclass(frozen=True)
class Lateness:
    """What becomes of one call that writes: when it takes effect, and whether that is answered.

    `effect_s` is none where it never does.
    """

    effect_s: float | None = ANSWER_S
    is_answered: bool = True


def now_s() -> float:
    return asyncio.get_running_loop().time()


def now() -> datetime:
    return datetime.fromtimestamp(now_s(), tz=UTC)


@dataclass
class SlowForge:
    """One repository. It takes two pull requests for one branch, as real ones may."""

    value: str = "6.8.0"
    base: str = "c0"
    commits: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    pulls: list[Pull] = field(default_factory=list)
    lateness: list[Lateness] = field(default_factory=list)
    watch: Callable[[], None] = lambda: None
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    async def send(self, effect: Callable[[], Any]) -> Any:
        """Have a request take effect, whether or not who sent it still lives."""
        late = self.lateness.pop(0) if self.lateness else Lateness()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()

        def take_effect() -> None:
            try:
                result = effect()
            except Rejected as refusal:
                if not done.done():
                    done.set_exception(refusal)
                    done.exception()
            else:
                self.watch()
                if not done.done():
                    done.set_result(result)

        if late.effect_s is not None:
            loop.call_later(late.effect_s, take_effect)
        if late.is_answered and late.effect_s is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(TIMEOUT_S):
                    return await asyncio.shield(done)
        else:
            await asyncio.sleep(TIMEOUT_S)
        raise Retryable(ForgeRefusal.FORGE_UNAVAILABLE, "no answer in time")

    def merge(self, number: int) -> None:
        pull = self.pulls[number - 1]
        if pull.state is not PullState.OPEN:
            return
        self.value = self.commits[pull.head_commit][1]
        self.base = f"m{number}"
        self.pulls[number - 1] = replace(
            pull, state=PullState.MERGED, ended_at_s=now_s(), merge_commit=self.base
        )
        self.watch()

    def close(self, number: int) -> None:
        pull = self.pulls[number - 1]
        if pull.state is PullState.OPEN:
            self.pulls[number - 1] = replace(pull, state=PullState.CLOSED, ended_at_s=now_s())

    def new_id(self, prefix: str) -> str:
        return f"{prefix}{next(self._ids)}"

    def open_numbers(self) -> list[int]:
        return [p.number for p in self.pulls if p.state is PullState.OPEN]


class SlowRepository:
    """A `Repository` of that forge."""

    def __init__(self, forge: SlowForge) -> None:
        self._forge = forge

    def reference(self, number: int) -> str:
        return f"#{number}"

    async def look(self, place: Place, scope: LookScope) -> View:
        await asyncio.sleep(ANSWER_S)
        forge = self._forge
        head = forge.branches.get(scope.head_branch)
        at_s = forge.commits[head][2] if head in forge.commits else 0.0
        open_pulls = [p for p in forge.pulls if p.state is PullState.OPEN]
        return View(
            repository_id=REPOSITORY_ID,
            viewer=ROBOT,
            may_write=True,
            archived=False,
            base=Tip(commit=forge.base, committed_at_s=0),
            head=Tip(commit=head, committed_at_s=at_s) if head else None,
            pulls=tuple(p for p in forge.pulls if p.head_branch == scope.head_branch),
            previous=tuple(p for p in forge.pulls if p.number in scope.pulls),
            open_pulls=tuple(open_pulls),
            read_at_s=now_s(),
        )

    async def list_tree(
        self, place: Place, *, commit: str, path: str
    ) -> tuple[TreeEntry, ...] | None:
        return (TreeEntry(path=PATH, kind=EntryKind.FILE),)

    async def read_files(
        self, place: Place, *, commit: str, files: Sequence[TreeEntry], bytes_max: int
    ) -> Mapping[str, File]:
        await asyncio.sleep(ANSWER_S)
        known = self._forge.commits.get(commit)
        body = (known[1] if known else self._forge.value).encode()
        return {PATH: File(object_id="", size_bytes=len(body), body=body)}

    async def commit(self, place: Place, new: NewCommit) -> str:
        forge, value = self._forge, new.files[PATH].body.decode()

        def effect() -> str:
            if new.branch in forge.branches:
                raise Rejected(ForgeRefusal.BRANCH_TAKEN, new.branch)
            name = forge.new_id("c")
            forge.commits[name] = (new.parent, value, now_s())
            forge.branches[new.branch] = name
            return name

        return str(await forge.send(effect))

    async def open_pull(
        self, place: Place, *, head: str, text: PullText, replaces: Sequence[int] = ()
    ) -> Pull:
        forge = self._forge

        def effect() -> Pull:
            for number in replaces:
                forge.close(number)
            pull = Pull(
                number=len(forge.pulls) + 1,
                state=PullState.OPEN,
                head_branch=head,
                head_commit=forge.branches[head],
                base_branch=place.base_branch,
                head_repository_id=REPOSITORY_ID,
                author=ROBOT,
            )
            forge.pulls.append(pull)
            return pull

        made: Pull = await forge.send(effect)
        return made

    async def label(self, place: Place, number: int, *, labels: Sequence[str]) -> None:
        raise AssertionError(f"{place.name}: nobody asked for {number} to have {labels}")

    async def merge_when_ready(self, place: Place, number: int, *, commit: str) -> None:
        raise AssertionError(f"{place.name}: nobody asked for {number} at {commit}")

    async def compare(self, place: Place, *, commit: str) -> Comparison:
        await asyncio.sleep(ANSWER_S)
        parent = self._forge.commits[commit][0]
        return Comparison(
            fork_point=parent,
            commits_ahead=1,
            author=ROBOT,
            modified=(PATH,),
            otherwise_changed=(),
        )

    async def summaries(self, place: Place, *, old: str, new: str) -> tuple[str, ...]:
        return ()

    async def close_pull(self, place: Place, number: int, *, comment: str) -> None:
        await self._forge.send(lambda: self._forge.close(number))

    async def comment(self, place: Place, number: int, *, comment: str) -> None:
        return

    async def follow(self, place: Place, number: int, *, since: str) -> PullStatus | None:
        await asyncio.sleep(ANSWER_S)
        pull = self._forge.pulls[number - 1]
        return PullStatus(state=pull.state, ended_at_s=pull.ended_at_s)


class OneValue:
    """An `Editor` of a file that is one value."""

    def __init__(self, value: str) -> None:
        self._value = value

    async def edit(self, bodies: Mapping[str, bytes], *, root: str) -> Edits:
        after = self._value.encode()
        files = {path: after for path, body in bodies.items() if body != after}
        return Edits(files=files, places=len(bodies), markers={}, notes=())


class _Reporter:
    """Reports to a parent, whose death is noticed at the next report."""

    task: asyncio.Task[Outcome]

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self.is_orphan = False
        self.reached = OpeningStep.UNSPECIFIED
        self.sending = False

    def _ring(self) -> None:
        if self.sending:
            self.task.cancel()

    async def step(self, step: OpeningStep) -> None:
        self.reached = step
        if step is OpeningStep.OPENING:
            if self.is_orphan:
                raise Closed("the parent is gone")
            self.sending = True
            self.task.get_loop().call_later(SEND_S, self._ring)
            await asyncio.shield(asyncio.ensure_future(self._on_progress(Progress(step=step))))
        else:
            await self._report(Progress(step=step))

    def sent(self) -> None:
        self.sending = False

    async def user(self, user: ForgeUser | None) -> None:
        await self._report(Progress(user=user))

    async def _report(self, progress: Progress) -> None:
        if self.is_orphan:
            raise Closed("the parent is gone")
        # The executor goes on while its parent publishes.
        asyncio.ensure_future(self._on_progress(progress)).add_done_callback(
            lambda told: told.cancelled() or told.exception()
        )


class MortalExecutors:
    """Executors of one writer, as tasks that outlive it for a while."""

    def __init__(self, forge: SlowForge) -> None:
        self._forge = forge
        self.running: set[asyncio.Task[Outcome]] = set()

    async def run(self, job: Job, *, on_progress: OnProgress, redeemer: Redeemer) -> Outcome:
        reporter = _Reporter(on_progress)
        task = asyncio.ensure_future(self._execute(job, reporter))
        reporter.task = task
        self.running.add(task)
        task.add_done_callback(self._ended)
        try:
            return await asyncio.shield(task)
        except (Closed, TimeoutError) as error:
            raise Retryable(JobRefusal.EXECUTOR_DIED, "it ended without a result") from error
        except asyncio.CancelledError:
            if task.cancelled():
                raise Retryable(JobRefusal.EXECUTOR_DIED, "it was killed") from None
            reporter.is_orphan = True
            raise

    def _ended(self, task: asyncio.Task[Outcome]) -> None:
        self.running.discard(task)
        if not task.cancelled():
            task.exception()

    def kill(self) -> None:
        for task in tuple(self.running):
            task.cancel()

    async def _execute(self, job: Job, reporter: _Reporter) -> Outcome:
        repository = SlowRepository(self._forge)
        async with asyncio.timeout(EXECUTOR_S):
            try:
                if isinstance(job, LookJob):
                    return await aftercare.look(job, forge=repository, reporter=reporter)
                if isinstance(job, FollowJob):
                    return await following.follow(job, repository)
                editor = OneValue(job.revision)
                writing = Writing(
                    job, forge=repository, editor=editor, reporter=reporter, sleep=asyncio.sleep
                )
                return (await writing.open()).outcome
            except (Retryable, Rejected) as error:
                return failure(error, reason=reason_of(error.reason), step=reporter.reached)


@dataclass(frozen=True)
class Delivered:
    """An event of the stream, as a writer gets it."""

    message: Message
    sequence: int
    recorded_at: datetime
    deliveries: int = 1
    trace: Mapping[str, str] = field(default_factory=dict)


class Writer:
    """One replica: its projection, its executors, and what it works on."""

    def __init__(self, world: "LaneWorld") -> None:
        loop = asyncio.get_running_loop()
        self.executors = MortalExecutors(world.forge)
        self.projection = Projection(clock=now, monotonic=loop.time)
        self.tasks: set[asyncio.Task[None]] = set()
        announcer = Announcer(world, clock=now)
        accesses = AccessBook(ForgeList(forges=(ENTRY,)), secrets=SecretSource(folder="x"))
        dispatcher = Dispatcher(
            self.executors, redeemer=world, announcer=announcer, monotonic=loop.time
        )
        looking = Looking(
            self.projection,
            dispatcher=dispatcher,
            announcer=announcer,
            accesses=accesses,
            monotonic=loop.time,
        )
        parts: dict[str, Any] = {
            "dispatcher": dispatcher,
            "announcer": announcer,
            "looking": looking,
            "accesses": accesses,
        }
        self.handling = Handling(self.projection, **parts)
        polling = Polling(self.projection, **parts)
        self.start(polling.run(every_s=POLL_S, sleep=asyncio.sleep, monotonic=loop.time))

    def start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def die(self) -> None:
        for task in tuple(self.tasks):
            task.cancel()


class LaneWorld:
    """Two writers, one stream, one forge, one lane."""

    def __init__(self) -> None:
        self.forge = SlowForge()
        self.forge.watch = self._watch
        self.stream: list[Delivered] = []
        self.writers: list[Writer] = []
        self.down_until_s = 0.0
        self.twice: list[str] = []
        self._ids: set[str] = set()
        self._turn = itertools.count()
        self._version = itertools.count(1)
        self.current: PromotionRequested | None = None
        self._approval_id = ""
        # Nothing is delivered any more; or nothing for another try, the tries being over.
        self.deaf = False
        self.retries = True

    async def begin(self) -> None:
        self.writers = [Writer(self), Writer(self)]
        for writer in self.writers:
            writer.projection.is_live = True

    def end(self) -> None:
        for writer in self.writers:
            writer.executors.kill()
            writer.die()

    async def redeem(self, job: Any, *, public_key: bytes) -> Any:
        raise AssertionError("nothing is delegated here")

    async def publish(self, event: Message, *, message_id: str, create_once: bool = False) -> None:
        if now_s() < self.down_until_s:
            await asyncio.sleep(5)
            raise Retryable(ForgeRefusal.FORGE_UNAVAILABLE, "the stream does not answer")
        await asyncio.sleep(0.001)
        if message_id in self._ids:
            return
        self._ids.add(message_id)
        tries = 1 if self.retries else STORED_TRIES_MAX
        delivered = Delivered(event, len(self.stream) + 1, now(), tries)
        self.stream.append(delivered)
        for writer in self.writers:
            await writer.projection.apply(delivered)
        if isinstance(event, ApprovalGranted | PromotionRetried | PromotionSuperseded):
            self._deliver(delivered)

    def _deliver(self, delivered: Delivered) -> None:
        if self.deaf:
            return
        writer = self.writers[next(self._turn) % len(self.writers)]
        writer.start(self._work(writer, delivered))

    async def _work(self, writer: Writer, delivered: Delivered) -> None:
        error: Exception | None = None
        again_s = ACK_WAIT_S
        loop = asyncio.get_running_loop()
        later = replace(delivered, deliveries=delivered.deliveries + 1)
        try:
            await writer.handling.on_work(delivered)
        except asyncio.CancelledError:
            loop.call_later(again_s, self._deliver, later)
            raise
        except (Retryable, Rejected, TimeoutError) as caught:
            error = caught
        decided = verdict(error, deliveries=delivered.deliveries, tries_max=TRIES_MAX, jitter=0)
        if isinstance(decided, Dead):
            with suppress(Retryable, Rejected):
                await writer.handling.on_given_up(delivered, decided.reason)
                return
            loop.call_later(again_s, self._deliver, later)
        elif isinstance(decided, Again):
            loop.call_later(decided.after_s, self._deliver, later)

    async def release(self) -> None:
        """See a newer content, which supersedes what is not over; a watcher waits for the bus."""
        await asyncio.sleep(max(self.down_until_s - now_s(), 0) + 0.01)
        number = next(self._version)
        version, before = f"7.0.{number}", self.current
        ref = stories.requested().promotion.model_copy(update={"promotion_id": f"p{number:015d}"})
        revision = stories.requested().content.revision.model_copy(
            update={"recorded": version, "version": version, "tag": "", "digest": "", "commit": ""}
        )
        self.current = stories.requested(
            promotion=ref,
            mode=CredentialMode.STORED,
            manual=True,
            secret=SecretRef(namespace=ref.pipeline.namespace, name="s"),
            content=stories.requested().content.model_copy(
                update={"identity": version, "revision": revision}
            ),
            requested_at=now(),
        )
        if before is not None:
            superseded = PromotionSuperseded(
                promotion=before.promotion,
                reason="newer",
                by_promotion_id=ref.promotion_id,
                superseded_at=now(),
            )
            await self.publish(superseded, message_id=f"superseded:{before.promotion.promotion_id}")
        await self.publish(self.current, message_id=ref.promotion_id)
        await self._consent()

    async def _consent(self) -> None:
        assert self.current is not None
        self._approval_id = f"a{len(self.stream)}"
        granted = ApprovalGranted(
            promotion=self._ref(),
            approval_id=self._approval_id,
            by=stories.person("ada"),
            mode=CredentialMode.STORED,
            consent_digest=consent_digest(self.current),
        )
        await self.publish(granted, message_id=f"granted:{self._approval_id}")

    async def retry(self) -> None:
        """Ask again, as people may for what failed or was closed."""
        assert self.current is not None
        await asyncio.sleep(max(self.down_until_s - now_s(), 0) + 0.01)
        attempt = self._ref().attempt + 1
        ref = self._ref().model_copy(update={"attempt": attempt})
        if self.state(ref.promotion_id) in {State.FAILED, State.CLOSED}:
            asked = PromotionRetried(promotion=ref, by=stories.person("ada"))
            await self.publish(asked, message_id=f"retried:{ref.promotion_id}:{attempt}")
            await self._consent()

    def _ref(self) -> PromotionRef:
        assert self.current is not None
        ref = self.current.promotion
        record = self.writers[0].projection.get(ref.promotion_id)
        attempt = record.promotion.attempt if record else ref.attempt
        return ref.model_copy(update={"attempt": attempt})

    async def lose_consent(self) -> None:
        """Lose what was consented to, at whatever point its try is, and consent again at once."""
        assert self.current is not None
        await asyncio.sleep(max(self.down_until_s - now_s(), 0) + 0.01)
        lost = ApprovalLost(promotion=self._ref(), approval_id=self._approval_id)
        await self.publish(lost, message_id=f"lost:{self._approval_id}")
        await self._consent()

    def kill_executors(self, index: int) -> None:
        self.writers[index].executors.kill()

    async def restart(self, index: int) -> None:
        """A writer dies; its executors live on until they want to report."""
        self.writers[index].die()
        fresh = Writer(self)
        for delivered in self.stream:
            await fresh.projection.apply(delivered)
        fresh.projection.is_live = True
        self.writers[index] = fresh

    def _watch(self) -> None:
        """Look after each effect whether there is more than there may be."""
        open_numbers = self.forge.open_numbers()
        if len(open_numbers) > 1:
            self.twice.append(f"open at once: {open_numbers}")
        alive = [p for p in self.forge.pulls if p.state is not PullState.CLOSED]
        ids = [p.head_branch.rpartition("/")[2].partition("-")[0] for p in alive]
        self.twice += [f"twice for one promotion: {i}" for i in set(ids) if ids.count(i) > 1]

    @property
    def work(self) -> Delivered:
        """Return what the first attempt was asked for by."""
        return next(d for d in self.stream if isinstance(d.message, ApprovalGranted))

    def told(self, kind: type[Message]) -> list[Any]:
        return [d.message for d in self.stream if isinstance(d.message, kind)]

    def state(self, promotion_id: str) -> State:
        record = self.writers[0].projection.get(promotion_id)
        assert record is not None
        return record.promotion.state
