"""A pipeline, its gates, and single promotions."""

from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected, Retryable
from countersign.gateway.access.visibility import Visibility
from countersign.gateway.approval_client import ApprovalClient
from countersign.gateway.html.templates import gate_page
from countersign.gateway.interfaces import Right
from countersign.gateway.model import GateKey, GateView, PipelineKey, Track
from countersign.gateway.refusals import Refusal
from countersign.gateway.text import addresses
from countersign.gateway.timeline.timelines import Timeline
from countersign.gateway.web.frames import Screen
from countersign.gateway.web.guards import session_of


@dataclass(frozen=True, kw_only=True)
class CodeView:
    """A code to be typed at a forge; without a text where another browser is signing in."""

    forge: str
    text: str = ""
    url: str = ""
    until: datetime | None = None


class PromotionPages:
    """Pages that show where promotions stand."""

    def __init__(self, *, visibility: Visibility, screen: Screen, approval: ApprovalClient) -> None:
        self._visibility = visibility
        self._screen = screen
        self._approval = approval

    async def pipeline(self, request: Request) -> Response:
        key, track = track_of(self._visibility, request)
        may = self._visibility.may(session_of(request).person)
        html = self._screen.page(
            request,
            "pipeline.html",
            view={"view": "pipeline", "namespace": key.namespace, "name": key.name},
            track=track,
            history=self._visibility.projection.history(key),
            may=track.allowed(may),
            mine=track.mine(may),
        )
        return HTMLResponse(html)

    async def gate(self, request: Request) -> Response:
        """Show where a promotion into an environment stands, with all that can be done."""
        key, track = track_of(self._visibility, request)
        environment, gate = gate_of(request, track)
        known = self._visibility.projection.timelines
        timeline = known.get(gate.promotion_id) if gate else None
        return await self._progress(request, GateKey(key, environment), timeline, named="")

    async def promotion(self, request: Request) -> Response:
        """The same for one promotion, also when it is over."""
        named = addresses.text_of(request.path_params["promotion_id"])
        timeline = self._visibility.timeline(session_of(request).person, named)
        return await self._progress(request, timeline.gate_key, timeline, named=named)

    async def _progress(
        self, request: Request, at: GateKey, timeline: Timeline | None, *, named: str
    ) -> Response:
        view = {
            "view": "gate",
            "namespace": at.pipeline.namespace,
            "name": at.pipeline.name,
            "environment": at.environment,
            "promotion": named,
        }
        projection = self._visibility.projection
        track, past = projection.track(at.pipeline), projection.at_gate(*at)
        may = self._visibility.may(session_of(request).person)
        html = self._screen.page(
            request,
            "gate.html",
            view=view,
            key=at.pipeline,
            environment=at.environment,
            shown=gate_page(track, timeline, at, may, past),
            code=await self._code(request, timeline) if timeline else None,
            **right_at(self._visibility, request, at),
        )
        return HTMLResponse(html)

    async def _code(self, request: Request, timeline: Timeline) -> CodeView | None:
        """Return the code that this person is to type at the forge, if they sign in by one."""
        session, links = session_of(request), self._visibility.projection.links
        origin = timeline.promotion.request.destination.origin
        forge = links.entry(origin)
        name = forge.name if forge else origin
        try:
            answer = await self._approval.poll(
                timeline.promotion, person=session.person, session=session.digest
            )
        except Rejected as error:
            elsewhere = error.reason == ConsentRefusal.SESSION_MISMATCH
            return CodeView(forge=name) if elsewhere else None
        except Retryable:
            # The page says what else it knows; the replica may be gone.
            return None
        code = answer.user_code if answer else None
        if answer is None or code is None or not links.takes_codes(code.url, origin):
            return None
        return CodeView(forge=name, text=code.code, url=code.url, until=answer.expires_at)


def right_at(visibility: Visibility, request: Request, gate: GateKey) -> dict[str, object]:
    """Say whether the person may promote at the gate, and what to ask for otherwise."""
    access, person = visibility.access, session_of(request).person
    return {
        "may": access.may_promote(person, gate),
        "missing": access.missing(person, Right.PROMOTE, gate),
    }


def track_of(visibility: Visibility, request: Request) -> tuple[PipelineKey, Track]:
    """The pipeline that an address names.

    Raises:
        Rejected: `not_found`; also where one may not see it.

    """
    given = PipelineKey(request.path_params["namespace"], request.path_params["name"])
    key = PipelineKey(*(addresses.text_of(part) for part in given))
    visibility.check_pipeline(session_of(request).person, key)
    track = visibility.projection.track(key)
    if track is None:
        raise Rejected(Refusal.NOT_FOUND, f"no pipeline {key.name!r} in {key.namespace!r} is known")
    return key, track


def gate_of(request: Request, track: Track) -> tuple[str, GateView | None]:
    """The environment that an address names, and the gate before it.

    Raises:
        Rejected: `not_found`.

    """
    given = request.path_params["environment"]
    names = {e.name for e in track.environments}
    name = given if given in names else addresses.text_of(given)
    if name not in names:
        raise Rejected(Refusal.NOT_FOUND, f"{track.key.name!r} has no environment {name!r}")
    return name, track.gate(name)
