"""Asks a forge about a token. Nothing that a forge does ends the service."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from countersign.auditor.checks.restraint import Account, Restraint
from countersign.auditor.interfaces import Clock, Inquiry
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import TokenKind, TokenReason
from countersign.contracts.secret import Secret
from countersign.dialects.exchange import Answer, Sent
from countersign.dialects.inspection import Inspection, InspectionDialect, Question, unanswered
from countersign.dialects.kinds import kind_of, presented
from countersign.dialects.refusals import ForgeRefusal
from countersign.forges.conversations import Send, converse
from countersign.forges.http import ForgeHttp, tls_context
from countersign.forges.recording import record_call

_UNCHANGED: Final = 304
# The forge's own; of the others it knows the token, or not, and is well.
_NOT_THE_FORGES: Final = frozenset({TokenReason.UNAVAILABLE, TokenReason.NOT_THE_FORGE})


class ForgeProber:
    """Asks listed forges, with restraint.

    Args:
        clients: one for each listed forge, by origin.
        restraint: how much may be asked.
        now: the clock.

    """

    def __init__(
        self, clients: Mapping[str, ForgeHttp], *, restraint: Restraint, now: Clock
    ) -> None:
        self._clients = clients
        self._restraint = restraint
        self._now = now

    def rest_until(self, inquiry: Inquiry) -> datetime | None:
        return self._restraint.rest_until(_account(inquiry), now=self._now())

    async def probe(self, inquiry: Inquiry) -> Inspection:
        forge, reading = inquiry.forge, inquiry.reading
        client, dialect = self._clients.get(forge.origin), kind_of(forge).inspection
        if client is None or reading.token is None:
            return unanswered(TokenKind.UNSPECIFIED, TokenReason.NOT_INSPECTED)
        question = self._question(inquiry, reading.token, dialect=dialect)
        try:
            told = await self._hold(client, dialect, question, inquiry)
        except Retryable as error:
            return self._unanswered(question, error, origin=forge.origin)
        except Rejected as error:
            return unanswered(question.kind, TokenReason.UNAVAILABLE, detail=error.message)
        if told.why in _NOT_THE_FORGES:
            self._restraint.failed(forge.origin, now=question.now)
        else:
            self._restraint.answered(forge.origin)
        return told

    def _unanswered(self, question: Question, error: Retryable, *, origin: str) -> Inspection:
        limited = error.reason is ForgeRefusal.RATE_LIMITED
        if not limited:
            self._restraint.failed(origin, now=question.now)
        rest = timedelta(seconds=error.after_s) if limited and error.after_s else None
        return unanswered(
            question.kind,
            TokenReason.LIMITED if limited else TokenReason.UNAVAILABLE,
            detail=error.message,
            rest_until=question.now + rest if rest else None,
        )

    def _question(self, inquiry: Inquiry, token: Secret, *, dialect: InspectionDialect) -> Question:
        return Question(
            credential=presented(inquiry.forge, token, username=inquiry.reading.username),
            kind=dialect.kind_of(token),
            now=self._now(),
            owners=inquiry.owners,
            before=inquiry.before,
        )

    async def _hold(
        self,
        client: ForgeHttp,
        dialect: InspectionDialect,
        question: Question,
        inquiry: Inquiry,
    ) -> Inspection:
        """Ask, with a client of its own where the credential says whom to trust, for it alone.

        Raises:
            Retryable: as of `ForgeHttp.send`.
            Rejected: the same, and `bad_authority`.

        """
        authority = inquiry.reading.authority
        if not authority:
            return await converse(self._counted(client, inquiry), dialect.inspect(question))
        tls = tls_context(client.forge, authority=authority)
        async with ForgeHttp(client.forge, observe=record_call, tls=tls) as own:
            return await converse(self._counted(own, inquiry), dialect.inspect(question))

    def _counted(self, client: ForgeHttp, inquiry: Inquiry) -> Send:
        account, limits = _account(inquiry), kind_of(inquiry.forge).limits

        async def send(sent: Sent) -> Answer:
            now = self._now()
            try:
                answer = await client.send_one(sent)
            except (Retryable, Rejected):
                self._restraint.asked(account, now=now, quota=None)
                raise
            quota = limits.quota(answer.headers, now.timestamp())
            counts = answer.status != _UNCHANGED
            self._restraint.asked(account, now=now, quota=quota, counts=counts)
            return answer

        return send


def _account(inquiry: Inquiry) -> Account:
    return Account(origin=inquiry.forge.origin, owner=inquiry.account)
