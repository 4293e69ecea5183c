"""The parent's side of the executors: it hands out jobs and hears how they go."""

import asyncio
import base64
import binascii
import contextlib
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from pydantic import ValidationError

from countersign.contracts.errors import Retryable
from countersign.contracts.messages import OpeningStep
from countersign.pr_writer.jobs.channel import Channel, Closed, open_channel
from countersign.pr_writer.jobs.frames import (
    EXECUTOR_S,
    GO,
    JOB,
    OUTCOME,
    PROGRESS,
    READY,
    REPORT_S,
)
from countersign.pr_writer.jobs.model import Job, OpenJob
from countersign.pr_writer.jobs.outcomes import OUTCOMES, Progress
from countersign.pr_writer.jobs.refusals import JobRefusal
from countersign.pr_writer.parent.interfaces import OnProgress, Outcome, Redeemer
from countersign.process.processes import bare_environment
from countersign.telemetry.logs import get_logger

log = get_logger()

# On a machine that is busy with starting everything at once.
START_S: Final = 45.0
KEPT_S: Final = 5.0
STOP_S: Final = 3.0
REPORTS_MAX: Final = 1_000


class ExecutorPool:
    """Executors, forked from one zygote, a bounded number at once."""

    def __init__(self, *, at_once: int) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._starting = asyncio.Lock()
        self._process: Process | None = None
        self._control: socket.socket | None = None
        # Forked ahead, so that a job does not wait for it. It holds nothing until its job comes.
        self._spare: Channel | None = None

    @property
    def zygote_pid(self) -> int:
        return self._process.pid if self._process else 0

    def not_ready(self) -> str | None:
        running = self._process is not None and self._process.returncode is None
        return None if running else "the zygote is not running"

    async def start(self) -> None:
        """Start the zygote, if it is not running."""
        async with self._starting:
            if self.not_ready() is None:
                return
            if self._process is not None:
                log.warning("zygote.died", code=self._process.returncode)
            if self._spare is not None:
                await self._spare.close()
            await self._start()

    async def keep(self, *, sleep: Callable[[float], Awaitable[object]]) -> None:
        """Start the zygote whenever it is not running, also while no job wants it."""
        while True:
            await sleep(KEPT_S)
            try:
                await self.start()
            except Retryable as error:
                log.warning("zygote.not_started", reason=error.reason)

    async def _start(self) -> None:
        if self._control is not None:
            self._control.close()
        self._control, theirs = socket.socketpair()
        self._control.setblocking(False)  # noqa: FBT003 - that is its signature
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "countersign.pr_writer.zygote",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=DEVNULL,
                env=bare_environment(),
                start_new_session=True,
            )
        if await self._said() != READY:
            # It died on the way, or hangs; who wanted it tries again and finds another.
            await self._kill(self._process)
            raise Retryable(JobRefusal.EXECUTOR_DIED, "the zygote did not start", after_s=1)
        self._spare = await self._fork()

    async def _said(self) -> bytes:
        if self._control is None:
            return b""
        try:
            async with asyncio.timeout(START_S):
                return await asyncio.get_running_loop().sock_recv(self._control, len(READY))
        except (ConnectionError, TimeoutError):
            return b""

    async def _kill(self, process: Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def stop(self) -> None:
        if self._spare is not None:
            await self._spare.close()
        if self._control is not None:
            self._control.close()
        if self._process is not None and self._process.returncode is None:
            try:
                async with asyncio.timeout(STOP_S):
                    await self._process.wait()
            except TimeoutError:
                await self._kill(self._process)

    async def run(self, job: Job, *, on_progress: OnProgress, redeemer: Redeemer) -> Outcome:
        async with self._slots:
            await self.start()
            channel = await self._next()
            try:
                async with asyncio.timeout(EXECUTOR_S + REPORT_S):
                    await channel.send(job.to_json(), timeout_s=REPORT_S)
                    return await self._listen(
                        job, channel, on_progress=on_progress, redeemer=redeemer
                    )
            except (Closed, TimeoutError) as error:
                raise Retryable(
                    JobRefusal.EXECUTOR_DIED, "the executor ended without a result"
                ) from error
            finally:
                await channel.close()
                await self._spare_one()

    async def _next(self) -> Channel:
        """The executor that waits, or a new one."""
        spare, self._spare = self._spare, None
        if spare is not None and not spare.is_closed:
            return spare
        if spare is not None:
            await spare.close()
        return await self._fork()

    async def _spare_one(self) -> None:
        """Have one wait for the next job; without one, that job waits for its fork."""
        if self._spare is not None or self.not_ready() is not None:
            return
        with contextlib.suppress(Retryable):
            made = await self._fork()
            if self._spare is None:
                self._spare = made
            else:
                # Another job ended meanwhile; nobody would ever end this one.
                await made.close()

    async def _fork(self) -> Channel:
        if self._control is None:
            raise RuntimeError("start() comes first")
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._control, [JOB], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise Retryable(
                    JobRefusal.EXECUTOR_DIED, "the zygote is gone", after_s=1
                ) from error
        return await open_channel(ours)

    async def _listen(
        self, job: Job, channel: Channel, *, on_progress: OnProgress, redeemer: Redeemer
    ) -> Outcome:
        for _ in range(REPORTS_MAX):
            frame = await channel.receive(timeout_s=EXECUTOR_S + REPORT_S)
            kind, body = frame[:1], frame[1:]
            try:
                if kind == OUTCOME:
                    return OUTCOMES.validate_json(body)
                progress = Progress.model_validate_json(body) if kind == PROGRESS else Progress()
                key = base64.b64decode(progress.public_key, validate=True)
            except (ValidationError, binascii.Error) as error:
                raise Closed("an executor's report is malformed") from error
            if key and isinstance(job, OpenJob):
                request, sealed = await redeemer.redeem(job, public_key=key)
                await channel.send(request.to_json(), timeout_s=REPORT_S)
                await channel.send(sealed, timeout_s=REPORT_S)
            else:
                await on_progress(progress)
                if progress.step is OpeningStep.OPENING:
                    await channel.send(GO, timeout_s=REPORT_S)
        raise Closed("the executor reports without end")


@asynccontextmanager
async def executor_pool(*, at_once: int) -> AsyncIterator[ExecutorPool]:
    pool = ExecutorPool(at_once=at_once)
    try:
        try:
            await pool.start()
        except Retryable as error:
            # Not ready says so, and `keep` or the first job starts it again.
            log.warning("zygote.not_started", reason=error.reason)
        yield pool
    finally:
        await pool.stop()
