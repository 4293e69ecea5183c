"""Asks a forge about a token. Nothing that a forge does ends the service."""

from collections.abc import Mapping

from countersign.auditor.interfaces import Clock, Reading
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import TokenKind, TokenReason
from countersign.contracts.secret import Secret
from countersign.dialects.inspection import Inspection, InspectionDialect, Question, unanswered
from countersign.dialects.kinds import kind_of, presented
from countersign.dialects.refusals import ForgeRefusal
from countersign.forges.conversations import converse
from countersign.forges.http import ForgeHttp, tls_context
from countersign.forges.recording import record_call


class ForgeProber:
    """Asks listed forges.

    Args:
        clients: one for each listed forge, by origin.
        now: the clock.

    """

    def __init__(self, clients: Mapping[str, ForgeHttp], *, now: Clock) -> None:
        self._clients = clients
        self._now = now

    async def probe(self, forge: Forge, reading: Reading) -> Inspection:
        client, dialect = self._clients.get(forge.origin), kind_of(forge).inspection
        if client is None or dialect is None or reading.token is None:
            return unanswered(TokenKind.UNSPECIFIED, TokenReason.NOT_INSPECTED)
        question = self._question(forge, reading, reading.token, dialect=dialect)
        try:
            return await _hold(client, dialect, question, authority=reading.authority)
        except Retryable as error:
            limited = error.reason is ForgeRefusal.RATE_LIMITED
            why = TokenReason.LIMITED if limited else TokenReason.UNAVAILABLE
            return unanswered(question.kind, why, detail=error.message)
        except Rejected as error:
            return unanswered(question.kind, TokenReason.UNAVAILABLE, detail=error.message)

    def _question(
        self, forge: Forge, reading: Reading, token: Secret, *, dialect: InspectionDialect
    ) -> Question:
        return Question(
            credential=presented(forge, token, username=reading.username),
            kind=dialect.kind_of(token),
            now=self._now(),
        )


async def _hold(
    client: ForgeHttp, dialect: InspectionDialect, question: Question, *, authority: str
) -> Inspection:
    """Ask with a client of its own where the credential says whom to trust, which is for it alone.

    Raises:
        Retryable: as of `ForgeHttp.send`.
        Rejected: the same, and `bad_authority`.

    """
    if not authority:
        return await converse(client.send_one, dialect.inspect(question))
    tls = tls_context(client.forge, authority=authority)
    async with ForgeHttp(client.forge, observe=record_call, tls=tls) as own:
        return await converse(own.send_one, dialect.inspect(question))
