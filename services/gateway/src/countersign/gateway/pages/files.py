"""Scripts, styles and icons, as they are served."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from countersign.contracts.errors import Rejected
from countersign.gateway.html.static_files import StaticFiles
from countersign.gateway.refusals import Refusal

_FOREVER: Final = "public, max-age=31536000, immutable"


class Files:
    """Open to everybody who can reach the gateway."""

    def __init__(self, static: StaticFiles) -> None:
        self._static = static

    async def static(self, request: Request) -> Response:
        name = request.path_params["path"]
        found = self._static.by_name.get(name)
        if found is None:
            raise Rejected(Refusal.NOT_FOUND, f"no file {name!r} is served")
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
