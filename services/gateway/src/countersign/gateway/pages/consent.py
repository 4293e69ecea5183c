"""The sheet that says beforehand what will happen, as whom, and for how long."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from countersign.contracts.messages import CredentialMode
from countersign.gateway.access.visibility import Visibility
from countersign.gateway.gate_states import STATES
from countersign.gateway.gates.gates import hindrance
from countersign.gateway.model import GateKey, PipelineKey
from countersign.gateway.pages.promotions import gate_of, right_at, track_of
from countersign.gateway.text import addresses
from countersign.gateway.text.forge_links import ForgeLinks
from countersign.gateway.timeline.timelines import Timeline
from countersign.gateway.view.consents import deceptions, delegation_at, doubts, unwell_below
from countersign.gateway.web.frames import Screen
from countersign.gateway.web.guards import session_of


class ConsentPages:
    """Asks for consent."""

    def __init__(self, *, visibility: Visibility, screen: Screen, links: ForgeLinks) -> None:
        self._visibility = visibility
        self._screen = screen
        self._links = links

    async def consent(self, request: Request) -> Response:
        key, track = track_of(self._visibility, request)
        environment, gate = gate_of(request, track)
        projection = self._visibility.projection
        timeline = projection.timelines.get(gate.promotion_id) if gate else None
        if gate is None or timeline is None or not STATES[gate.state].consents:
            return RedirectResponse(addresses.gate(key, environment), status_code=303)
        person = session_of(request).person
        to = timeline.promotion.request.destination
        forge = self._links.entry(to.origin)
        html = self._screen.page(
            request,
            "consent.html",
            view={"view": "bus"},
            key=key,
            gate=gate,
            timeline=timeline,
            asked=timeline.promotion.request,
            forge=forge,
            delegation=delegation_at(forge) if forge else None,
            deceptions=deceptions(timeline.promotion.request),
            doubts=doubts(timeline.promotion.request),
            unwell=unwell_below(projection.pipelines.get(key), timeline.promotion.request),
            allowed=forge is not None
            and forge.allows(namespace=key.namespace, owner=to.owner, repository=to.repository),
            login=projection.login_of(person.id, origin=to.origin),
            stored=self._stored(timeline),
            hindrance=hindrance(timeline.promotion, person),
            **right_at(self._visibility, request, GateKey(key, environment)),
        )
        return HTMLResponse(html)

    def _stored(self, timeline: Timeline) -> dict[str, str] | None:
        """Return the owner of the stored token that could be used instead, if there is one."""
        request = timeline.promotion.request
        secret = request.secret
        if request.mode is CredentialMode.DELEGATED or secret is None:
            return None
        known = self._visibility.projection.credentials.get(
            PipelineKey(secret.namespace, secret.name)
        )
        owner = known.owner.login if known and known.owner else ""
        return {"owner": owner, "secret": secret.name, "namespace": secret.namespace}
