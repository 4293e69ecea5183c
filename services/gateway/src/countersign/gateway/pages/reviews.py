"""One environment for its reviewer, and the end of a delegation that should not be."""

from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from countersign.contracts.errors import Rejected
from countersign.gateway.access.accounts import Accounts
from countersign.gateway.access.visibility import Visibility
from countersign.gateway.approval_client import ApprovalClient
from countersign.gateway.interfaces import Reviewer
from countersign.gateway.live.hub import Hub
from countersign.gateway.model import GateKey, PipelineKey
from countersign.gateway.pages.credentials import (
    may_revoke,
    visible_credentials,
    visible_delegations,
)
from countersign.gateway.refusals import Refusal
from countersign.gateway.review.delegations import live_delegations
from countersign.gateway.review.environments import (
    EVIDENCE_WORDS,
    EnvironmentReview,
    environment_of,
    secrets_of,
)
from countersign.gateway.review.exports import (
    ENVIRONMENT_COLUMNS,
    as_csv,
    as_json,
    environment_rows,
)
from countersign.gateway.text import addresses
from countersign.gateway.web.forms import read_form
from countersign.gateway.web.frames import Screen
from countersign.gateway.web.guards import session_of
from countersign.telemetry.logs import get_logger

log = get_logger()

# So that a page without scripts shows what was just done.
HEARD_TIMEOUT_S: Final = 0.7


class ReviewPages:
    """The review of one environment: who could bring something there, with what, until when."""

    def __init__(self, *, visibility: Visibility, screen: Screen, reviewer: Reviewer) -> None:
        self._visibility = visibility
        self._screen = screen
        self._reviewer = reviewer

    async def environment(self, request: Request) -> Response:
        found = await self._review(request)
        person = session_of(request).person
        html = self._screen.page(
            request,
            "environment.html",
            view={"view": "bus"},
            found=found,
            evidence=EVIDENCE_WORDS,
            may_revoke=lambda d: may_revoke(self._visibility, person, d),
        )
        return HTMLResponse(html)

    async def environment_csv(self, request: Request) -> Response:
        rows = environment_rows(await self._review(request))
        headers = {"Content-Disposition": 'attachment; filename="countersign-environment.csv"'}
        return Response(
            as_csv(rows, columns=ENVIRONMENT_COLUMNS),
            headers=headers,
            media_type="text/csv; charset=utf-8",
        )

    async def environment_json(self, request: Request) -> Response:
        rows = environment_rows(await self._review(request))
        headers = {"Content-Disposition": 'attachment; filename="countersign-environment.json"'}
        return Response(as_json(rows), headers=headers, media_type="application/json")

    async def _review(self, request: Request) -> EnvironmentReview:
        """Put the review together, for somebody who may see both Pipeline and credentials."""
        parts = (request.path_params[n] for n in ("namespace", "name", "environment"))
        namespace, name, environment = map(addresses.text_of, parts)
        gate = GateKey(PipelineKey(namespace, name), environment)
        person, known = session_of(request).person, self._visibility.projection
        self._visibility.check_pipeline(person, gate.pipeline)
        self._visibility.check_credentials(person, namespace)
        observed = known.pipelines.get(gate.pipeline)
        if observed is None or environment not in {e.name for e in observed.environments}:
            raise Rejected(
                Refusal.NOT_FOUND, f"pipeline {name!r} has no environment {environment!r}"
            )
        found = environment_of(observed, environment)
        secrets = secrets_of(observed, environment)
        told = found.gate if found else None
        origin = told.destination.origin if told and told.destination else ""
        return EnvironmentReview(
            at=gate,
            gate=told,
            reach=await self._reviewer.reach(gate, secrets),
            credentials=tuple(
                c
                for c in visible_credentials(self._visibility, person)
                if c.key.namespace == namespace and c.key.name in secrets
            ),
            delegations=tuple(
                d
                for d in visible_delegations(self._visibility, person, now=self._screen.now)
                if d.gate == gate
            ),
            forge=known.links.entry(origin),
        )


class DelegationForms:
    """The end of a delegation, for who made it or may promote there."""

    def __init__(
        self,
        *,
        visibility: Visibility,
        screen: Screen,
        accounts: Accounts,
        approval: ApprovalClient,
        hub: Hub,
    ) -> None:
        self._visibility = visibility
        self._screen = screen
        self._accounts = accounts
        self._approval = approval
        self._hub = hub

    async def revoke(self, request: Request) -> Response:
        """End a delegation now; its promotion waits again where it was not used yet."""
        fields = await read_form(self._accounts.sessions, request)
        person, known = session_of(request).person, self._visibility.projection
        wanted = (fields.get("promotion_id", ""), fields.get("person_id", ""))
        timelines = known.timelines.get(wanted[0])
        alive = live_delegations([timelines] if timelines else [], now=self._screen.now)
        await self._visibility.learn(person, promotion_id=wanted[0])
        found = next((d for d in alive if (d.promotion_id, d.by.id) == wanted), None)
        if found is None or not may_revoke(self._visibility, person, found):
            raise Rejected(Refusal.NOT_ALLOWED, "there is no such delegation that you may revoke")
        await self._approval.withdraw(person=found.by, promotion_id=found.promotion_id)
        log.info("delegation.withdrawn", promotion_id=found.promotion_id, person_id=person.id)
        await self._hub.wait_for(found.promotion_id, timeout_s=HEARD_TIMEOUT_S)
        return RedirectResponse("/credentials", status_code=303)
