"""Applications of forges by which people delegate, and what their tokens can do. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from countersign.contracts.forge_list import Forge
from countersign.dialects.capabilities import Capabilities, Revoker
from countersign.dialects.kinds import kind_of
from countersign.gateway.view.consents import delegation_at, reach_at

END_WORDS: Final = {
    Revoker.APPLICATION: "revoked by us after use",
    Revoker.BEARER: "revoked by us after use",
    Revoker.NOBODY: "cannot be revoked by us; forgotten after use, and ends by itself",
}


@dataclass(frozen=True)
class ApplicationView:
    """An entry of the forge list, as a reviewer reads it."""

    entry: Forge

    @property
    def can(self) -> Capabilities:
        return kind_of(self.entry).capabilities

    @property
    def kind(self) -> str:
        return kind_of(self.entry).title

    @property
    def registered(self) -> bool:
        return bool(self.entry.client_id)

    @property
    def reach(self) -> str:
        return reach_at(self.entry)

    @property
    def end(self) -> str:
        return END_WORDS[self.can.revoked_by]

    @property
    def refusal(self) -> str:
        """Say why nobody can delegate there; empty if it can be done."""
        return delegation_at(self.entry).refusal


def applications(forges: Iterable[Forge]) -> list[ApplicationView]:
    """Describe the application at each listed forge."""
    return [ApplicationView(forge) for forge in forges]
