"""The address that a forge sends a browser back to."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected
from countersign.contracts.messages import PromotionRef
from countersign.gateway.approval_client import CODE_CHARACTERS_MAX, ApprovalClient, Callback
from countersign.gateway.gate_states import STATES
from countersign.gateway.live.hub import Hub
from countersign.gateway.model import Action, PipelineKey
from countersign.gateway.pages.actions import HEARD_TIMEOUT_S
from countersign.gateway.refusals import Refusal, rejection_of
from countersign.gateway.text import addresses
from countersign.gateway.view.projection import Projection
from countersign.gateway.web.frames import Screen
from countersign.gateway.web.guards import session_of
from countersign.gateway.web.problems import TO_BOARD, problem_of, respond
from countersign.telemetry.logs import get_logger

log = get_logger()

# Where asking once more can end otherwise.
PASSING = frozenset(
    {
        ConsentRefusal.CLUSTER_UNAVAILABLE,
        ConsentRefusal.DENIED,
        ConsentRefusal.EXPIRED,
        ConsentRefusal.FORGE_UNAVAILABLE,
        ConsentRefusal.REPLAY,
        ConsentRefusal.SESSION_MISMATCH,
        Refusal.STATE_MISMATCH,
    }
)


class Callbacks:
    """Passes on what the browser brought, and shows where the promotion stands."""

    def __init__(
        self, *, approval: ApprovalClient, projection: Projection, hub: Hub, screen: Screen
    ) -> None:
        self._approval = approval
        self._projection = projection
        self._hub = hub
        self._screen = screen

    async def callback(self, request: Request) -> Response:
        """Bring a code to the approval service; it is shown nowhere."""
        session, query = session_of(request), request.query_params
        callback = Callback(
            state=query.get("state", ""),
            code=query.get("code", "")[: CODE_CHARACTERS_MAX + 1],
            error=query.get("error", "")[:200],
            iss=query.get("iss", "")[:500],
            forge=request.path_params["forge"],
        )
        answer = await self._approval.complete(
            callback, person=session.person, session=session.digest
        )
        ref, problem = answer.promotion, answer.problem
        if problem is None and ref is not None:
            await self._hub.wait_for(ref.promotion_id, timeout_s=HEARD_TIMEOUT_S)
            return RedirectResponse(addresses.promotion(ref.promotion_id), status_code=303)
        nowhere = Rejected(Refusal.STATE_MISMATCH, "the sign-in leads to no promotion")
        error = rejection_of(problem) if problem else nowhere
        log.info("callback.refused", reason=error.reason)
        actions = self._ways_on(ref, reason=error.reason) if ref else ()
        return respond(self._screen, request, problem_of(error, actions=actions))

    def _ways_on(self, ref: PromotionRef, *, reason: str) -> tuple[Action, ...]:
        """After a sign-in that led to nothing; the sheet only where it is shown and can help."""
        key = PipelineKey(ref.pipeline.namespace, ref.pipeline.name)
        track = self._projection.track(key)
        gate = track.gate(ref.environment) if track else None
        there = addresses.promotion(ref.promotion_id)
        show = Action(label="Show the promotion", href=there, primary=True)
        asked = gate is not None and gate.promotion_id == ref.promotion_id
        if gate is None or not asked or not STATES[gate.state].consents or reason not in PASSING:
            return (show, TO_BOARD)
        again = addresses.consent(key, ref.environment)
        return (
            Action(label="Promote again…", href=again, primary=True),
            replace(show, primary=False),
        )
