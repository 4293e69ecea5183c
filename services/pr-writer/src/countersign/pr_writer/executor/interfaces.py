"""The executor, as those who do its job report to it."""

from typing import Protocol

from countersign.contracts.messages import ForgeUser, OpeningStep


class Reporter(Protocol):
    """Passes on how far a job is."""

    async def step(self, step: OpeningStep) -> None: ...

    def sent(self) -> None:
        """Note that the request for a pull request was answered."""
        ...

    async def user(self, user: ForgeUser | None) -> None: ...
