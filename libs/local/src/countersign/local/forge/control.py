"""Controls for this machine alone: faults, the journal of requests, deliveries of webhooks."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from countersign.local.forge.answers import Refused
from countersign.local.forge.faults import FaultPlan, Faults, parse_plan
from countersign.local.forge.journal import Journal
from countersign.local.forge.rest.rest import read_body
from countersign.local.forge.state.store import Store
from countersign.local.forge.webhooks import Webhooks

PLAN_BYTES_MAX = 64 * 1024
LOOPBACK = ("127.", "::1", "::ffff:127.")


class Control:
    def __init__(self, faults: Faults, journal: Journal, webhooks: Webhooks, store: Store) -> None:
        self._faults = faults
        self._journal = journal
        self._webhooks = webhooks
        self._store = store

    def routes(self) -> list[Route]:
        return [
            Route("/_local/faults", self.faults, methods=["GET", "PUT", "DELETE"]),
            Route("/_local/requests", self.requests, methods=["GET", "DELETE"]),
            Route("/_local/canary", self.canary, methods=["GET"]),
            Route("/_local/deliveries", self.deliveries, methods=["GET"]),
            Route("/_local/deliveries/{id}/attempts", self.redeliver, methods=["POST"]),
        ]

    async def faults(self, request: Request) -> Response:
        _refuse_strangers(request)
        if request.method == "PUT":
            try:
                plan = parse_plan(await read_body(request, body_bytes_max=PLAN_BYTES_MAX))
            except ValueError as error:
                return JSONResponse({"message": str(error)}, status_code=422)
            self._faults.set(plan)
        if request.method == "DELETE":
            self._faults.set(FaultPlan())
        return JSONResponse(self._faults.plan.model_dump())

    async def requests(self, request: Request) -> Response:
        _refuse_strangers(request)
        if request.method == "DELETE":
            self._journal.clear()
        return JSONResponse(self._journal.requests())

    async def canary(self, request: Request) -> Response:
        """A part of every token issued since the start, for who looks whether one was left."""
        _refuse_strangers(request)
        return JSONResponse({"canary": self._store.canary, "issued": self._store.issued})

    async def deliveries(self, request: Request) -> Response:
        _refuse_strangers(request)
        listed = [
            {
                "id": outcome.delivery.id,
                "hook_id": outcome.delivery.hook.id,
                "event": outcome.delivery.event,
                "status": outcome.status,
            }
            for outcome in self._webhooks.outcomes()
        ]
        return JSONResponse(listed)

    async def redeliver(self, request: Request) -> Response:
        _refuse_strangers(request)
        if not self._webhooks.redeliver(request.path_params["id"]):
            raise Refused(404, "No such delivery is remembered.")
        return JSONResponse({}, status_code=202)


def _refuse_strangers(request: Request) -> None:
    """Refuse all but processes of this machine, and pages in somebody's browser too."""
    address = request.client.host if request.client else ""
    if not address.startswith(LOOPBACK) or request.headers.get("origin"):
        raise Refused(403, "Only for this machine.")
