"""What people do: forms that answer with a redirect, so that reloading repeats nothing."""

from dataclasses import replace
from typing import Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import Person, PromotionRef
from countersign.gateway.access.denials import Denied
from countersign.gateway.handlers import CODE_CHARACTERS_MAX, Callback
from countersign.gateway.interfaces import Right
from countersign.gateway.model import CONSENTABLE, Action, GateKey, PipelineKey
from countersign.gateway.timeline.history import Entry
from countersign.gateway.view import addresses
from countersign.gateway.web.entrance import enter
from countersign.gateway.web.guards import session_of, set_cookie
from countersign.gateway.web.problems import PASSING, TO_BOARD, Trouble, refusal, respond
from countersign.gateway.web.site import Site
from countersign.gateway.web.tracing import asking
from countersign.telemetry.logs import get_logger

log = get_logger()

FIELDS_MAX: Final = 20
# So that a page without scripts shows what was just done.
HEARD_TIMEOUT_S: Final = 0.7
_UNTOLD: Final = Trouble(
    status=503,
    code="revocation_untold",
    title="You are signed out",
    message="The approval service could not be told, so tokens you delegated may still be held.",
    hint="They end by themselves within the minutes that the consent sheet named.",
    actions=(Action(label="Sign in again", href="/sign-in"),),
)


async def read_form(site: Site, request: Request) -> dict[str, str]:
    """The fields of a form that one of our pages gave to this very session.

    Raises:
        Rejected: `bad_form`.

    """
    form: FormData = await request.form(max_files=0, max_fields=FIELDS_MAX)
    fields = {k: v for k, v in form.items() if isinstance(v, str)}
    session_id = request.scope["state"]["session_id"]
    if not site.sessions.is_form_token(fields.get("form_token", ""), session_id):
        raise Rejected("bad_form", "the form does not belong to this session")
    return fields


def entry_of(site: Site, promotion_id: str, *, person: Person) -> Entry:
    """
    Raises:
        Rejected: `unknown_promotion`; also where the person may not see it.
        Denied: `not_allowed`.

    """
    entry = site.projection.entries.get(promotion_id)
    unknown = Rejected("unknown_promotion", f"promotion {promotion_id!r} is not known here")
    if entry is None:
        raise unknown
    ref = entry.promotion.request.promotion
    gate = GateKey(PipelineKey(ref.pipeline.namespace, ref.pipeline.name), ref.environment)
    if not site.access.may_see(person, gate.pipeline):
        raise unknown
    if not site.access.may_promote(person, gate):
        missing = site.access.missing(person, Right.PROMOTE, gate)
        told = f"{person.name} may look, but not promote; missing: {missing.words}"
        raise Denied(told, missing=missing)
    return entry


class Actions:
    """One method for each form."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def begin(self, request: Request) -> Response:
        """Promote as oneself: the answer leads the browser to the forge."""
        site, session = self._site, session_of(request)
        fields = await read_form(site, request)
        entry = entry_of(site, fields.get("promotion_id", ""), person=session.person)
        with asking(entry, "promote as oneself"):
            answer = await site.handlers.begin(
                entry.promotion_id, person=session.person, session=session.digest
            )
        if answer.granted or not answer.authorize_url:
            return await self._shown(entry.promotion_id)
        return RedirectResponse(self._checked(answer.authorize_url, entry), status_code=303)

    def _checked(self, url: str, entry: Entry) -> str:
        origin = entry.promotion.request.destination.origin
        if not url.startswith(f"{origin}/"):
            raise Rejected("forge_not_listed", f"a sign-in elsewhere than {origin} is not followed")
        return url

    async def approve(self, request: Request) -> Response:
        """Let the stored credential open the pull request."""
        site, person = self._site, session_of(request).person
        fields = await read_form(site, request)
        entry = entry_of(site, fields.get("promotion_id", ""), person=person)
        with asking(entry, "promote with the stored credential"):
            await site.handlers.approve(entry.promotion_id, person=person)
        return await self._shown(entry.promotion_id)

    async def reject(self, request: Request) -> Response:
        site, person = self._site, session_of(request).person
        fields = await read_form(site, request)
        entry = entry_of(site, fields.get("promotion_id", ""), person=person)
        reason = fields.get("reason", "").strip()
        with asking(entry, "reject"):
            await site.handlers.reject(entry.promotion_id, person=person, reason=reason)
        return await self._shown(entry.promotion_id)

    async def retry(self, request: Request) -> Response:
        site, person = self._site, session_of(request).person
        fields = await read_form(site, request)
        entry = entry_of(site, fields.get("promotion_id", ""), person=person)
        with asking(entry, "ask again"):
            await site.handlers.retry(entry.promotion_id, person=person)
        return await self._shown(entry.promotion_id)

    async def _shown(self, promotion_id: str) -> Response:
        await self._site.hub.wait_for(promotion_id, timeout_s=HEARD_TIMEOUT_S)
        return RedirectResponse(addresses.promotion(promotion_id), status_code=303)

    async def callback(self, request: Request) -> Response:
        """Where a forge sends the browser back; what it brings is passed on, and shown nowhere."""
        site, session = self._site, session_of(request)
        query = request.query_params
        callback = Callback(
            state=query.get("state", ""),
            code=query.get("code", "")[: CODE_CHARACTERS_MAX + 1],
            error=query.get("error", "")[:200],
            iss=query.get("iss", "")[:500],
        )
        answer = await site.handlers.complete(
            callback, person=session.person, session=session.digest
        )
        ref = answer.promotion
        if answer.problem is None and ref is not None:
            return await self._shown(ref.promotion_id)
        problem = answer.problem
        error = Rejected(
            problem.code if problem else "state_mismatch",
            problem.message if problem else "the sign-in leads to no promotion",
        )
        log.info("callback.refused", reason=error.reason)
        actions = self._ways_on(ref, reason=error.reason) if ref else ()
        return respond(site, request, refusal(error, actions=actions))

    def _ways_on(self, ref: PromotionRef, *, reason: str) -> tuple[Action, ...]:
        """After a sign-in that led to nothing; the sheet only where it is shown and can help."""
        key = PipelineKey(ref.pipeline.namespace, ref.pipeline.name)
        track = self._site.projection.track(key)
        gate = track.gate(ref.environment) if track else None
        there = addresses.promotion(ref.promotion_id)
        show = Action(label="Show the promotion", href=there, primary=True)
        asked = gate is not None and gate.promotion_id == ref.promotion_id
        if gate is None or not asked or gate.state not in CONSENTABLE or reason not in PASSING:
            return (show, TO_BOARD)
        again = addresses.consent(key, ref.environment)
        return (
            Action(label="Promote again…", href=again, primary=True),
            replace(show, primary=False),
        )

    async def sign_in(self, request: Request) -> Response:
        site = self._site
        fields = await read_form(site, request)
        person = await site.sign_in.identify(fields)
        return enter(site, request, person, to=addresses.local_path(fields.get("to", "/")))

    async def sign_out(self, request: Request) -> Response:
        """End the session, its open pages, and what it delegated."""
        site, session = self._site, session_of(request)
        await read_form(site, request)
        site.sessions.close(session.id)
        site.hub.sign_out(session.id)
        log.info("session.closed", person_id=session.person.id)
        farewell = site.provider.farewell() if site.provider else ""
        answer = RedirectResponse(farewell or "/sign-in", status_code=303)
        answer.headers["Set-Cookie"] = set_cookie(site, site.sessions.new_id())
        try:
            await site.handlers.revoke(person=session.person, session=session.digest)
        except Retryable as error:
            log.warning("revocation.untold", reason=error.reason)
            untold = respond(site, request, _UNTOLD)
            untold.headers["Set-Cookie"] = answer.headers["Set-Cookie"]
            return untold
        return answer
