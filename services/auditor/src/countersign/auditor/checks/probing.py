"""Asks a forge about a token. Nothing that a forge does ends the service."""

from collections.abc import Mapping
from typing import Final

from countersign.auditor.interfaces import Clock
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import TokenKind
from countersign.contracts.secret import Secret
from countersign.dialects.exchange import Answer, Request
from countersign.dialects.github import inspection
from countersign.dialects.github.inspection import Inspection
from countersign.forges.http import ForgeHttp, tls_context
from countersign.forges.recording import record_call

INSPECTED: Final = frozenset({"github"})


class ForgeProber:
    """
    Args:
        clients: one for each listed forge, by origin.
        now: the clock.

    """

    def __init__(self, clients: Mapping[str, ForgeHttp], *, now: Clock) -> None:
        self._clients = clients
        self._now = now

    async def probe(self, forge: Forge, token: Secret, *, authority: str = "") -> Inspection:
        kind = inspection.token_kind(token)
        client = self._clients.get(forge.origin)
        if client is None or forge.kind not in INSPECTED:
            reason = f"tokens of forges of kind {forge.kind} cannot be inspected yet"
            return inspection.unanswered(TokenKind.UNSPECIFIED, reason=reason)
        try:
            answer = await _send(client, inspection.request(kind), token, authority=authority)
        except (Retryable, Rejected) as error:
            return inspection.unanswered(kind, reason=error.message)
        return inspection.read(answer, kind=kind, now=self._now())


async def _send(client: ForgeHttp, request: Request, token: Secret, *, authority: str) -> Answer:
    """With a client of its own where the credential says whom to trust, which is for it alone.

    Raises:
        Retryable: as of `ForgeHttp.send`.
        Rejected: the same, and `bad_authority`.

    """
    if not authority:
        return await client.send(request, token=token)
    tls = tls_context(client.forge, authority=authority)
    async with ForgeHttp(client.forge, observe=record_call, tls=tls) as own:
        return await own.send(request, token=token)
