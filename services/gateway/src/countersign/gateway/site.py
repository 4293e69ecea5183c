"""What every request needs, put together once by `bootstrap`."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from countersign.contracts.forge_list import Forge, ForgeList
from countersign.contracts.messages import Destination, Person
from countersign.gateway.denials import Denied
from countersign.gateway.handlers import Handlers
from countersign.gateway.hub import Hub
from countersign.gateway.interfaces import Access, Clock, Feed, Provider, Right, SignIn, Wanted
from countersign.gateway.model import GateKey, PipelineKey, Track
from countersign.gateway.projection import Projection
from countersign.gateway.rendering import Templates
from countersign.gateway.sessions import Sessions
from countersign.gateway.wanting import wanted_at, wanted_everywhere


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
    # Where people sign in, if not here.
    provider: Provider | None = None

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

    async def learn(
        self, person: Person, *, key: PipelineKey | None = None, promotion_id: str = ""
    ) -> None:
        """Find out what this person may see and do: everywhere, or about one pipeline or promotion.

        Raises:
            Retryable: `access_unknown`.

        """
        entry, environment = self.projection.entries.get(promotion_id), ""
        if entry is not None:
            ref = entry.promotion.request.promotion
            key, environment = (
                PipelineKey(ref.pipeline.namespace, ref.pipeline.name),
                ref.environment,
            )
        elif promotion_id:
            return
        at = key

        def wanted() -> Wanted:
            if at is None:
                return wanted_everywhere(self.projection)
            return wanted_at(self.projection, at, environment=environment)

        await self.access.learn(person, wanted)

    def check_seen(self, person: Person, namespace: str) -> None:
        """What one may not see is as if it were not there.

        Raises:
            Denied: `not_found`, whether or not there is anything.

        """
        if not self.access.may_see(person, namespace=namespace):
            gate = GateKey(PipelineKey(namespace, ""), "")
            raise Denied(
                f"nothing that you may see is known in namespace {namespace!r}",
                missing=self.access.missing(person, Right.SEE, gate),
                reason="not_found",
            )

    def check_credentials_seen(self, person: Person, namespace: str) -> None:
        """The same for stored credentials."""
        self.check_seen(person, namespace)
        if not self.access.may_see_credentials(person, namespace=namespace):
            gate = GateKey(PipelineKey(namespace, ""), "")
            raise Denied(
                f"{person.name} may not see the credentials of namespace {namespace!r}",
                missing=self.access.missing(person, Right.CREDENTIALS, gate),
            )

    def forge_of(self, destination: Destination | None) -> Forge | None:
        """The administrator's entry for where a pull request goes."""
        origin = destination.origin if destination else ""
        return next((f for f in self.forges.forges if f.origin == origin), None)
