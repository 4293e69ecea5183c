"""What one reaches without having signed in: the sign-in page and static files."""

from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from countersign.contracts.errors import Rejected
from countersign.gateway import addresses
from countersign.gateway.site import Site
from countersign.gateway.static_files import StaticFiles
from countersign.gateway.web.frames import frame_of
from countersign.gateway.web.guards import set_cookie

_FOREVER: Final = "public, max-age=31536000, immutable"


class Entrance:
    """Open to everybody who can reach the gateway."""

    def __init__(self, site: Site, static: StaticFiles) -> None:
        self._site = site
        self._static = static

    async def sign_in(self, request: Request) -> Response:
        site, state = self._site, request.scope["state"]
        to = addresses.local_path(request.query_params.get("to", "/"))
        if state["session"] is not None:
            return RedirectResponse(to, status_code=303)
        html = site.templates.page(
            "sign_in.html", frame=frame_of(site, request), people=site.sign_in.choices, to=to
        )
        answer = HTMLResponse(html)
        if state["is_new"]:
            answer.headers["Set-Cookie"] = set_cookie(site, state["session_id"])
        return answer

    async def static(self, request: Request) -> Response:
        name = request.path_params["path"]
        found = self._static.by_name.get(name)
        if found is None:
            raise Rejected("not_found", f"no file {name!r} is served")
        headers = {"Cache-Control": "public, max-age=60", "Vary": "Accept-Encoding"}
        if request.query_params.get("v") == found.digest:
            headers["Cache-Control"] = _FOREVER
        body = found.body
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            body = found.compressed
        return Response(body, headers=headers, media_type=found.content_type)

    async def favicon(self, request: Request) -> Response:
        del request
        return RedirectResponse(self._static.address("favicon.svg"), status_code=308)
