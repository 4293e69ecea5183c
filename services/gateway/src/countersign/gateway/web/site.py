"""What every request needs, put together once by `bootstrap`."""

from dataclasses import dataclass, field, replace
from math import inf
from urllib.parse import urlsplit

from countersign.contracts.forge_list import Forge, ForgeList
from countersign.contracts.messages import Destination, Person
from countersign.gateway.access.denials import Denied
from countersign.gateway.access.sessions import Sessions
from countersign.gateway.handlers import Handlers
from countersign.gateway.html.rendering import Templates
from countersign.gateway.interfaces import Access, Clock, Feed, Provider, Right, SignIn, Wanted
from countersign.gateway.live.hub import Hub
from countersign.gateway.model import GateKey, PipelineKey, Track
from countersign.gateway.view.projection import Projection
from countersign.gateway.view.wanting import Everything, wanted_at


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
    everything: Everything = field(default_factory=Everything)

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
        return [t for t in self.projection.tracks() if self.access.may_see(person, t.key)]

    async def learn_again(self, person: Person) -> None:
        """Whether somebody still has the rights that open pages show; errors as of `learn`.

        A right that is new comes with the next page.
        """

        def wanted() -> Wanted:
            return replace(self.everything.wanted(self.projection), denial_s=inf)

        await self.access.learn(person, wanted)

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
                return self.everything.wanted(self.projection)
            return wanted_at(self.projection, at, environment=environment)

        await self.access.learn(person, wanted)

    def check_seen(self, person: Person, key: PipelineKey) -> None:
        """What one may not see is as if it were not there.

        Raises:
            Denied: `not_found`, whether or not there is anything.

        """
        if not self.access.may_see(person, key):
            raise Denied(
                f"no pipeline {key.name!r} that you may see is known in namespace "
                f"{key.namespace!r}",
                missing=self.access.missing(person, Right.SEE, GateKey(key, "")),
                reason="not_found",
            )

    def check_credentials_seen(self, person: Person, namespace: str) -> None:
        """Stored credentials need a right of their own, and no other.

        Raises:
            Denied: `not_allowed`, whether or not there is anything.

        """
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
