"""The ways to sign in, and the sessions of those who have."""

from dataclasses import dataclass

from countersign.gateway.access.sessions import Sessions
from countersign.gateway.access.strangers import Strangers
from countersign.gateway.interfaces import Provider, SignIn


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """The sessions, both ways into one, and those who have none."""

    sessions: Sessions
    strangers: Strangers
    sign_in: SignIn
    # Where people are sent to sign in, if not here.
    provider: Provider | None = None

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins that forms may lead a browser to for signing in."""
        return self.provider.origins if self.provider else ()
