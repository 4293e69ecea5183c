"""The consent sheet of one promotion, as one person sees it now; also once it has moved on."""

from dataclasses import dataclass

from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import AutoMerge, CredentialMode, Person, PromotionRequested
from countersign.gateway.gate_states import STATES
from countersign.gateway.gates.gates import hindrance
from countersign.gateway.interfaces import Access, Missing, Right
from countersign.gateway.model import GateView, PipelineKey
from countersign.gateway.timeline.timelines import Timeline
from countersign.gateway.view.consents import (
    Delegation,
    Doubt,
    deceptions,
    delegation_at,
    doubts,
    obstacle,
)
from countersign.gateway.view.projection import Projection


@dataclass(frozen=True, kw_only=True)
class StoredToken:
    """A stored token, or the forge's application, that could be used instead."""

    owner: str
    secret: str = ""
    namespace: str = ""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Everything on the sheet. It is of one promotion and never turns into another's."""

    key: PipelineKey
    timeline: Timeline
    person: Person
    # The gate as it is now, at which the promotion need not be current any more.
    gate: GateView | None
    forge: Forge | None
    delegation: Delegation | None
    deceptions: tuple[Doubt, ...]
    doubts: tuple[Doubt, ...]
    # The environment below, if it does not run this healthily.
    obstacle: str
    # Whether a rule of the forge list lets the namespace use the repository.
    allowed: bool
    login: str
    stored: StoredToken | None
    hindrance: str
    may: bool
    missing: Missing

    @property
    def asked(self) -> PromotionRequested:
        return self.timeline.promotion.request

    @property
    def environment(self) -> str:
        return self.asked.promotion.environment

    @property
    def merges_itself(self) -> bool:
        """Tell whether the forge is asked to merge it by itself, which consent covers."""
        return self.forge is not None and self.forge.pull_requests.merges_itself(
            self.asked.auto_merge
        )

    @property
    def may_not_merge_itself(self) -> bool:
        """Tell whether the Pipeline asks for what the administrator does not allow."""
        wanted = self.asked.auto_merge is AutoMerge.WANTED
        return wanted and self.forge is not None and not self.merges_itself

    @property
    def is_current(self) -> bool:
        return self.gate is not None and self.gate.promotion_id == self.timeline.promotion_id

    @property
    def is_open(self) -> bool:
        """Tell whether consent can still be given."""
        return self.is_current and self.gate is not None and STATES[self.gate.state].consents

    @property
    def newer(self) -> GateView | None:
        """The gate, if another promotion waits there by now."""
        waits = self.gate is not None and STATES[self.gate.state].consents
        return self.gate if waits and not self.is_current else None


def sheet_of(
    projection: Projection, promotion_id: str, *, person: Person, access: Access
) -> Sheet | None:
    """Put the sheet together; none for a promotion that is not known."""
    timeline = projection.timelines.get(promotion_id)
    if timeline is None:
        return None
    at, request = timeline.gate_key, timeline.promotion.request
    key, to = at.pipeline, request.destination
    forge, track = projection.links.entry(to.origin), projection.track(key)
    return Sheet(
        key=key,
        timeline=timeline,
        person=person,
        gate=track.gate(at.environment) if track else None,
        forge=forge,
        delegation=delegation_at(forge) if forge else None,
        deceptions=deceptions(request),
        doubts=doubts(request),
        obstacle=obstacle(projection.pipelines.get(key), request),
        allowed=forge is not None
        and forge.allows(namespace=key.namespace, owner=to.owner, repository=to.repository),
        login=projection.login_of(person.id, origin=to.origin),
        stored=_stored(projection, request, forge),
        hindrance=hindrance(timeline.promotion, person),
        may=access.may_promote(person, at),
        missing=access.missing(person, Right.PROMOTE, at),
    )


def _stored(
    projection: Projection, request: PromotionRequested, forge: Forge | None
) -> StoredToken | None:
    secret = request.secret
    if request.mode is CredentialMode.APP:
        # It has a key with the administrator, and no Secret of the Pipeline's.
        return StoredToken(owner=forge.name) if forge else None
    if request.mode is CredentialMode.DELEGATED or secret is None:
        return None
    known = projection.credentials.get(PipelineKey(secret.namespace, secret.name))
    owner = known.owner.login if known and known.owner else ""
    return StoredToken(owner=owner, secret=secret.name, namespace=secret.namespace)
