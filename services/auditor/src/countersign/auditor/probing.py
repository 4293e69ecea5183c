"""Asks a forge about a token. Nothing that a forge does ends the service."""

from collections.abc import Mapping
from typing import Final

from countersign.auditor.interfaces import Clock
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import TokenKind
from countersign.contracts.secret import Secret
from countersign.forges.github import inspection
from countersign.forges.github.inspection import Inspection
from countersign.forges.http import ForgeHttp

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

    async def probe(self, forge: Forge, token: Secret) -> Inspection:
        kind = inspection.token_kind(token)
        client = self._clients.get(forge.origin)
        if client is None or forge.kind not in INSPECTED:
            reason = f"tokens of forges of kind {forge.kind} cannot be inspected yet"
            return inspection.unanswered(TokenKind.UNSPECIFIED, reason=reason)
        try:
            answer = await client.send(inspection.request(kind), token=token)
        except (Retryable, Rejected) as error:
            return inspection.unanswered(kind, reason=error.message)
        return inspection.read(answer, kind=kind, now=self._now())
