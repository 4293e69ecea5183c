"""The page on which a person types a code that some device showed them."""

from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from countersign.local.forge.pages.browse_pages import FORM_BYTES_MAX, Browsing
from countersign.local.forge.rest.rest import read_body
from countersign.local.forge.state import device

CODE_CHARACTERS_MAX = 40


class DevicePages:
    def __init__(self, browsing: Browsing) -> None:
        self._browsing = browsing
        self._store = browsing.service.store

    def routes(self) -> list[Route]:
        return [
            Route("/login/device/code", self.begin, methods=["POST"]),
            Route(device.PAGE, self.ask, methods=["GET"]),
            Route(device.PAGE, self.type, methods=["POST"]),
        ]

    async def begin(self, request: Request) -> Response:
        body = await read_body(request, body_bytes_max=FORM_BYTES_MAX)
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        answer = device.begin(self._store, form, origin=self._browsing.service.wire.origin)
        if isinstance(answer, str):
            status = 404 if answer == "Not Found" else 400
            return JSONResponse({"error": answer}, status_code=status)
        headers = {"cache-control": "no-store"}
        if "json" in request.headers.get("accept", ""):
            return JSONResponse(answer, headers=headers)
        kind = "application/x-www-form-urlencoded; charset=utf-8"
        return Response(urlencode(answer), media_type=kind, headers=headers)

    async def ask(self, request: Request) -> Response:
        if not self._browsing.visitor(request).login:
            return self._browsing.redirect("/login?" + urlencode({"return_to": device.PAGE}))
        return self._page(request)

    def _page(self, request: Request, **shown: object) -> Response:
        values = {"app": None, "code": "", "problem": "", **shown}
        status = 422 if values["problem"] else 200
        return self._browsing.page(request, "device.html", values, status=status)

    async def type(self, request: Request) -> Response:
        """Show the application whose code it is; then take the decision."""
        form = await self._browsing.form(request)
        visitor = self._browsing.visitor(request)
        if not visitor.login:
            return self._browsing.redirect("/login?" + urlencode({"return_to": device.PAGE}))
        code = form.get("user_code", "")[:CODE_CHARACTERS_MAX]
        found = device.typed(self._store, code)
        app = self._store.apps.get(found.client_id) if found else None
        if found is None or app is None:
            return self._page(request, problem="Nothing waits for this code. Look at it again.")
        decision = form.get("authorize", "")
        if not decision:
            return self._page(request, app=app, code=found.user_code)
        device.decide(self._store, found, visitor.login, allow=decision == "1")
        text = "Your device is connected." if decision == "1" else "Nothing was allowed."
        return self._browsing.message(request, "Done", text, status=200)
