"""What every request needs, put together once by `bootstrap`."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from countersign.contracts.forge_list import Forge, ForgeList
from countersign.contracts.messages import Destination, Person
from countersign.gateway.handlers import Handlers
from countersign.gateway.hub import Hub
from countersign.gateway.interfaces import Access, Clock, Feed, SignIn
from countersign.gateway.model import Track
from countersign.gateway.projection import Projection
from countersign.gateway.rendering import Templates
from countersign.gateway.sessions import Sessions


@dataclass(frozen=True, kw_only=True)
class Site:
    """Owns nothing; names what the pages are made from."""

    public_url: str
    projection: Projection
    handlers: Handlers
    sessions: Sessions
    sign_in: SignIn
    access: Access
    feed: Feed
    hub: Hub
    templates: Templates
    forges: ForgeList
    clock: Clock

    @property
    def host(self) -> str:
        """The only `Host` that is answered."""
        return urlsplit(self.public_url).netloc

    @property
    def secure(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def cookie_name(self) -> str:
        # Without TLS a client need not send a Secure cookie back, and the prefix demands Secure.
        return "__Host-countersign" if self.secure else "countersign"

    def tracks(self, person: Person) -> list[Track]:
        """All that this person may see, by namespace and name."""
        seen: dict[str, bool] = {}
        found = []
        for track in self.projection.tracks():
            namespace = track.key.namespace
            if namespace not in seen:
                seen[namespace] = self.access.may_see(person, namespace=namespace)
            if seen[namespace]:
                found.append(track)
        return found

    def forge_of(self, destination: Destination | None) -> Forge | None:
        """The administrator's entry for where a pull request goes."""
        origin = destination.origin if destination else ""
        return next((f for f in self.forges.forges if f.origin == origin), None)
