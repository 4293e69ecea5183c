"""The executor: one process for one job. It alone has the token, talks to the forge, and ends."""

import asyncio
import base64
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import (
    CredentialMode,
    FailureReason,
    ForgeUser,
    OpeningStep,
    RedeemRequest,
    TokenUseOutcome,
)
from countersign.contracts.secret import Secret
from countersign.dialects.exchange import Call, Token
from countersign.dialects.kinds import presented
from countersign.dialects.refusals import ForgeRefusal
from countersign.forges import clients
from countersign.forges.http import ForgeHttp, tls_context
from countersign.pr_writer.executor import aftercare, credentials, following, redeeming
from countersign.pr_writer.executor.failures import reason_of
from countersign.pr_writer.executor.manifests.editing import MarkerEditor
from countersign.pr_writer.executor.manifests.parser_client import Parser
from countersign.pr_writer.executor.sightings import place_of
from countersign.pr_writer.executor.writing import Result, Writing
from countersign.pr_writer.jobs.channel import Channel, Closed, open_channel
from countersign.pr_writer.jobs.failures import failure
from countersign.pr_writer.jobs.frames import EXECUTOR_S, GO, OUTCOME, PROGRESS, REPORT_S, SEND_S
from countersign.pr_writer.jobs.limits import limit_memory
from countersign.pr_writer.jobs.model import (
    JOBS,
    FollowJob,
    Job,
    LookJob,
    OpenJob,
    refuse_unconsented,
)
from countersign.pr_writer.jobs.outcomes import Failure, Followed, Looked, Opened, Progress
from countersign.pr_writer.jobs.refusals import JobRefusal
from countersign.process.processes import forbid_dumps

REDEEM_S: Final = 20.0
# A listing of 16 MiB and the files that one may read, with what Python makes of them.
MEMORY_BYTES_MAX: Final = 384 * 1024 * 1024
GO_S: Final = 20.0
PART_BYTES: Final = 12
# What an error says of the token that was sent.
_USES: Final[Mapping[str, TokenUseOutcome]] = {
    ForgeRefusal.UNAUTHORIZED: TokenUseOutcome.REFUSED,
    ForgeRefusal.FORBIDDEN: TokenUseOutcome.FORBIDDEN,
}


def run(
    parent: socket.socket,
    parser: socket.socket,
    *,
    tls: ssl.SSLContext,
    lifetime_s: int = EXECUTOR_S,
) -> None:
    """Do the one job that comes, and return. The kernel ends it if that takes too long."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    forbid_dumps()
    limit_memory(MEMORY_BYTES_MAX)
    try:
        asyncio.run(_run(parent, parser, tls=tls, lifetime_s=lifetime_s))
    except Closed:
        # Whoever wanted it is gone; the next delivery finds what was done.
        return


async def _run(
    parent: socket.socket, parser: socket.socket, *, tls: ssl.SSLContext, lifetime_s: int
) -> None:
    channel, parsing = await open_channel(parent), await open_channel(parser)
    # Forked ahead of its job; the wait ends when the parent does.
    frame = await channel.receive(timeout_s=None)
    signal.alarm(lifetime_s)
    job = JOBS.validate_json(frame)
    executor = Executor(job, channel, Parser(parsing), tls=tls)
    result = await executor.settle()
    await executor.report_outcome(result.outcome)
    for step in result.afterwards:
        try:
            await step()
        except (Rejected, Retryable):
            # A courtesy to readers of the older pull request; the promotion does not need it.
            break
    await executor.close()


class Executor:
    """Reports on its way to the parent, never with the token."""

    def __init__(self, job: Job, channel: Channel, parser: Parser, *, tls: ssl.SSLContext) -> None:
        self._job = job
        self._channel = channel
        self._parser = parser
        self._calls: list[Call] = []
        self._step = OpeningStep.UNSPECIFIED
        self._held: tuple[Secret, ...] = ()
        forge = job.access.forge
        own_authority = bool(forge.ca_file)
        self._http = ForgeHttp(
            forge,
            observe=self._calls.append,
            tls=tls_context(forge) if own_authority else tls,
        )

    async def close(self) -> None:
        await self._flush()
        await self._http.close()

    async def settle(self) -> Result:
        """The outcome, whatever happens."""
        try:
            result = await self._do()
        except (Retryable, Rejected) as error:
            if error.reason in _USES:
                await self._report(Progress(use=_USES[error.reason]))
            reason = reason_of(error.reason)
            result = Result(outcome=failure(error, reason=reason, step=self._step))
        except MemoryError:
            result = Result(outcome=self._too_large())
        await self._flush()
        return result

    def _too_large(self) -> Failure:
        """Say what to do about a repository whose listing or files do not fit."""
        return Failure(
            reason=FailureReason.LIMIT_EXCEEDED,
            message=f"repository {place_of(self._job).name!r} takes more memory than a job may; "
            "set a path in the Pipeline's strategy",
            step=self._step,
        )

    async def _do(self) -> Result:
        job = self._job
        refuse_unconsented(job)
        async with self._token() as token:
            self._held = written_as(token)
            forge = clients.repository_client(self._http, token)
            if isinstance(job, FollowJob):
                return Result(outcome=await following.follow(job, forge))
            if isinstance(job, LookJob):
                return Result(outcome=await aftercare.look(job, forge=forge, reporter=self))
            editor = MarkerEditor(
                self._parser, key=job.request.marker_key, revision=job.request.content.revision
            )
            writing = Writing(
                job, forge=forge, editor=editor, reporter=self, sleep=self._http.clocks.sleep
            )
            return await writing.open()

    @asynccontextmanager
    async def _token(self) -> AsyncIterator[Token]:
        mode = self._job.access.mode
        if mode is CredentialMode.DELEGATED:
            yield await self._redeem(self._job)
        elif mode is CredentialMode.STORED:
            stored = await credentials.stored_credential(self._job)
            if stored.authority:
                await self._trust(stored.authority)
            yield presented(self._job.access.forge, stored.token, username=stored.username)
        elif mode is CredentialMode.APP:
            credentials.check_allowed(self._job)
            async with clients.app_token(self._http, place_of(self._job)) as token:
                yield token
        else:
            raise Rejected(
                JobRefusal.CREDENTIAL_MISSING, "the promotion does not say whose token to use"
            )

    async def _trust(self, authority: str) -> None:
        """Trust the authority for this job alone, which is this process's only one."""
        try:
            tls = tls_context(self._job.access.forge, authority=authority)
        except Rejected as refusal:
            raise Rejected(JobRefusal.CREDENTIAL_MISSING, refusal.message) from None
        await self._http.close()
        self._http = ForgeHttp(self._job.access.forge, observe=self._calls.append, tls=tls)

    async def _redeem(self, job: Job) -> Secret:
        if not isinstance(job, OpenJob):
            raise Rejected(JobRefusal.CREDENTIAL_MISSING, "a delegation is for opening alone")
        key = redeeming.make_key()
        public = base64.b64encode(redeeming.public_bytes(key)).decode()
        await self._report(Progress(public_key=public))
        request = RedeemRequest.from_json(await self._channel.receive(timeout_s=REDEEM_S))
        sealed = await self._channel.receive(timeout_s=REDEEM_S)
        return redeeming.open_sealed(sealed, key=key, request=request, job=job)

    async def step(self, step: OpeningStep) -> None:
        """Report it; what may open a pull request waits until that is on record."""
        self._step = step
        await self._flush()
        if step is OpeningStep.OPENING:
            # From here on others count the time: also if this process stands still, it is over.
            signal.alarm(SEND_S)
        await self._report(Progress(step=step))
        if step is OpeningStep.OPENING:
            await self._wait_for_go()

    async def _wait_for_go(self) -> None:
        if await self._channel.receive(timeout_s=GO_S) != GO:
            raise Closed("the parent says something else than to go on")

    def sent(self) -> None:
        signal.alarm(EXECUTOR_S)

    async def user(self, user: ForgeUser | None) -> None:
        await self._report(Progress(user=user or ForgeUser(id="unknown", login="unknown")))

    async def _flush(self) -> None:
        calls, self._calls[:] = list(self._calls), []
        for call in calls:
            told = (
                *(call.name, call.method, call.host),
                *(call.status, call.start_ns, call.end_ns),
            )
            await self._report(Progress(call=told))

    async def _report(self, progress: Progress) -> None:
        body = progress.model_dump_json(exclude_defaults=True).encode()
        if not is_quoted(self._held, body):
            await self._channel.send(PROGRESS + body, timeout_s=REPORT_S)

    async def report_outcome(self, outcome: Failure | Opened | Looked | Followed) -> None:
        body = outcome.model_dump_json().encode()
        if is_quoted(self._held, body):
            quoted = Failure(
                reason=FailureReason.BAD_ANSWER,
                message="the forge's answers quote our token",
                step=self._step,
            )
            body = quoted.model_dump_json().encode()
        await self._channel.send(OUTCOME + body, timeout_s=REPORT_S)


def written_as(token: Token) -> tuple[Secret, ...]:
    """Return the forms in which a forge has seen the token."""
    if isinstance(token, Secret):
        return (token,)
    pair = f"{token.user}:{token.password.reveal()}".encode()
    return token.password, Secret(base64.b64encode(pair).decode())


def is_quoted(held: Iterable[Secret], body: bytes) -> bool:
    """Return whether a text holds a part of the token, however the forge wrote it.

    Of any text as long as two parts, one part is whole.
    """
    texts = [secret.reveal().encode() for secret in held]
    parts = (text[at : at + PART_BYTES] for text in texts for at in range(0, len(text), PART_BYTES))
    return any(part in body for part in parts if len(part) == PART_BYTES)


def fail(parent: socket.socket, error: BaseException) -> None:
    """Tell the parent of a bug by its type and place alone; its text could hold anything."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = ""
    if trace is not None:
        place = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"  # noqa: PTH119
    outcome = Failure(
        reason=FailureReason.INTERNAL,
        message=f"the executor failed: {type(error).__name__} at {place}",
    )
    frame = OUTCOME + outcome.model_dump_json().encode()
    parent.setblocking(True)  # noqa: FBT003 - that is its signature
    parent.sendall(len(frame).to_bytes(4, "big") + frame)
