"""The projection as one person may see it and act on it."""

from dataclasses import replace
from math import inf

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import Person
from countersign.gateway.access.denials import Denied
from countersign.gateway.interfaces import Access, Right, Scope, rights
from countersign.gateway.model import GateKey, May, PipelineKey, Track
from countersign.gateway.refusals import Refusal
from countersign.gateway.timeline.timelines import Timeline
from countersign.gateway.view.projection import Projection
from countersign.gateway.view.scopes import WholeScope, scope_at


class Visibility:
    """The projection as one person may see it.

    Args:
        projection: everything that is known.
        access: who may see and promote what.

    """

    def __init__(self, projection: Projection, access: Access) -> None:
        self.projection = projection
        self.access = access
        self._whole = WholeScope()

    def tracks(self, person: Person) -> list[Track]:
        """All that this person may see, by namespace and name."""
        return [t for t in self.projection.tracks() if self.access.may_see(person, t.key)]

    def may(self, person: Person) -> May:
        return rights(self.access, person)

    async def learn(
        self, person: Person, *, key: PipelineKey | None = None, promotion_id: str = ""
    ) -> None:
        """Find out what this person may see and do: everywhere, or about one pipeline or promotion.

        Raises:
            Retryable: `access_unknown`.

        """
        environment, timeline = "", self.projection.timelines.get(promotion_id)
        if timeline is not None:
            key, environment = timeline.gate_key
        elif promotion_id:
            return
        at = key

        def scope() -> Scope:
            if at is None:
                return self._whole.scope(self.projection)
            return scope_at(self.projection, at, environment=environment)

        await self.access.learn(person, scope)

    async def learn_again(self, person: Person) -> None:
        """Find out whether somebody still has the rights that open pages show.

        A right that is new comes with the next page. Errors as of `learn`.
        """

        def scope() -> Scope:
            return replace(self._whole.scope(self.projection), denial_s=inf)

        await self.access.learn(person, scope)

    def check_pipeline(self, person: Person, key: PipelineKey) -> None:
        """Treat what one may not see as if it were not there.

        Raises:
            Denied: `not_found`, whether or not there is anything.

        """
        if not self.access.may_see(person, key):
            raise Denied(
                f"no pipeline {key.name!r} that you may see is known in namespace "
                f"{key.namespace!r}",
                missing=self.access.missing(person, Right.SEE, GateKey(key, "")),
                reason=Refusal.NOT_FOUND,
            )

    def check_credentials(self, person: Person, namespace: str) -> None:
        """Demand the right to see stored credentials, which no other right includes.

        Raises:
            Denied: `not_allowed`, whether or not there is anything.

        """
        if not self.access.may_see_credentials(person, namespace=namespace):
            gate = GateKey(PipelineKey(namespace, ""), "")
            raise Denied(
                f"{person.name} may not see the credentials of namespace {namespace!r}",
                missing=self.access.missing(person, Right.CREDENTIALS, gate),
            )

    def timeline(self, person: Person, promotion_id: str) -> Timeline:
        """The promotion of that id.

        Raises:
            Rejected: `unknown_promotion`; the same words where the person may not see it, so that
                an id tells nobody the name of a Pipeline.

        """
        found = self.projection.timelines.get(promotion_id)
        if found is None or not self.access.may_see(person, found.gate_key.pipeline):
            raise Rejected(
                Refusal.UNKNOWN_PROMOTION, f"promotion {promotion_id!r} is not known here"
            )
        return found

    def promotable(self, person: Person, promotion_id: str) -> Timeline:
        """The promotion of that id, for somebody who acts on it.

        Raises:
            Rejected: `unknown_promotion`, as of `timeline`.
            Denied: `not_allowed`.

        """
        found = self.timeline(person, promotion_id)
        gate = found.gate_key
        if not self.access.may_promote(person, gate):
            raise Denied(
                f"{person.name} may look, but not promote",
                missing=self.access.missing(person, Right.PROMOTE, gate),
            )
        return found
