"""Stored credentials, for reviewers."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from countersign.contracts.errors import Rejected
from countersign.gateway.access.visibility import Visibility
from countersign.gateway.model import PipelineKey
from countersign.gateway.refusals import Refusal
from countersign.gateway.text import addresses
from countersign.gateway.view.risks import credential_view, credential_views, uses_by_credential
from countersign.gateway.web.frames import Screen
from countersign.gateway.web.guards import session_of


class CredentialPages:
    """Every Secret that a Pipeline names, as far as it is known."""

    def __init__(self, *, visibility: Visibility, screen: Screen) -> None:
        self._visibility = visibility
        self._screen = screen

    async def credentials(self, request: Request) -> Response:
        person, known = session_of(request).person, self._visibility.projection
        uses = uses_by_credential(known.pipelines)
        access = self._visibility.access
        views = [
            v
            for v in credential_views(known.credentials, known.used, uses=uses)
            if access.may_see_credentials(person, namespace=v.key.namespace)
        ]
        seen = {track.key.namespace for track in self._visibility.tracks(person)}
        hidden = {
            key.namespace
            for key in known.credentials
            if key.namespace in seen
            and not access.may_see_credentials(person, namespace=key.namespace)
        }
        html = self._screen.page(
            request,
            "credentials.html",
            view={"view": "bus"},
            credentials=views,
            hidden=sorted(hidden),
        )
        return HTMLResponse(html)

    async def credential(self, request: Request) -> Response:
        key = PipelineKey(
            addresses.text_of(request.path_params["namespace"]),
            addresses.text_of(request.path_params["secret"]),
        )
        self._visibility.check_credentials(session_of(request).person, key.namespace)
        known = self._visibility.projection
        checked = known.credentials.get(key)
        if checked is None:
            raise Rejected(
                Refusal.NOT_FOUND, f"no credential {key.name!r} in {key.namespace!r} is known"
            )
        used = known.used.get(key)
        uses = uses_by_credential(known.pipelines).get(key, ())
        view = credential_view(key, checked, used, uses=uses)
        html = self._screen.page(request, "credential.html", view={"view": "bus"}, credential=view)
        return HTMLResponse(html)
