"""The sheet that says beforehand what will happen, as whom, and for how long."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from countersign.gateway.access.visibility import Visibility
from countersign.gateway.gate_states import STATES
from countersign.gateway.pages.promotions import gate_of, track_of
from countersign.gateway.text import addresses
from countersign.gateway.view.sheets import sheet_of
from countersign.gateway.web.frames import Screen
from countersign.gateway.web.guards import session_of


class ConsentPages:
    """Asks for consent."""

    def __init__(self, *, visibility: Visibility, screen: Screen) -> None:
        self._visibility = visibility
        self._screen = screen

    async def consent(self, request: Request) -> Response:
        key, track = track_of(self._visibility, request)
        environment, gate = gate_of(request, track)
        there = RedirectResponse(addresses.gate(key, environment), status_code=303)
        if gate is None or not STATES[gate.state].consents:
            return there
        sheet = sheet_of(
            self._visibility.projection,
            gate.promotion_id,
            person=session_of(request).person,
            access=self._visibility.access,
        )
        if sheet is None:
            return there
        view = {
            "view": "sheet",
            "namespace": key.namespace,
            "name": key.name,
            "environment": environment,
            "promotion": gate.promotion_id,
        }
        return HTMLResponse(self._screen.page(request, "consent.html", view=view, sheet=sheet))
