"""The JSON API: the same as the pages, for programs."""

from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import PipelineRef
from countersign.gateway.api import shapes, shaping
from countersign.gateway.api.openapi import description
from countersign.gateway.interfaces import rights
from countersign.gateway.model import PipelineKey
from countersign.gateway.timeline.history import Entry
from countersign.gateway.view import addresses
from countersign.gateway.view.boards import matches, read_query
from countersign.gateway.view.records import rows
from countersign.gateway.view.risks import (
    CredentialView,
    credential_view,
    credential_views,
    uses_by_credential,
)
from countersign.gateway.web.actions import entry_of
from countersign.gateway.web.guards import session_of
from countersign.gateway.web.site import Site
from countersign.gateway.web.tracing import asking

FORM_TOKEN_HEADER: Final = "X-Countersign-Form"  # noqa: S105 - the name of a header
ITEMS_MAX: Final = 1_000
_Body = TypeVar("_Body", bound=BaseModel)


def _json(shape: BaseModel) -> Response:
    return Response(shape.model_dump_json(by_alias=True), media_type="application/json")


class Api:
    """One method for each operation."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def openapi(self, request: Request) -> Response:
        del request
        return Response(description(), media_type="application/json")

    async def session(self, request: Request) -> Response:
        person = session_of(request).person
        shape = shapes.SessionShape(
            person_id=person.id,
            person=person.name,
            groups=person.groups,
            form_token=request.scope["state"]["form_token"],
        )
        return _json(shape)

    def _frame(self, total: int) -> dict[str, str | bool | int]:
        return {
            "position": str(self._site.projection.position),
            "current": self._site.feed.status.current,
            "total": total,
        }

    async def pipelines(self, request: Request) -> Response:
        query = read_query(dict(request.query_params))
        person = session_of(request).person
        may = rights(self._site.access, person)
        found = [t for t in self._site.tracks(person) if matches(t, query, may=may)]
        first = (query.page - 1) * ITEMS_MAX
        items = tuple(
            shaping.pipeline_shape(t, may=t.allowed(may)) for t in found[first : first + ITEMS_MAX]
        )
        return _json(
            shapes.PipelineList.model_validate({**self._frame(len(found)), "items": items})
        )

    async def pipeline(self, request: Request) -> Response:
        key = self._key(request, "name")
        self._site.check_seen(session_of(request).person, key)
        track = self._site.projection.track(key)
        if track is None:
            raise Rejected("not_found", f"no pipeline {key.name!r} in {key.namespace!r} is known")
        may = rights(self._site.access, session_of(request).person)
        return _json(shaping.pipeline_shape(track, may=track.allowed(may)))

    def _key(self, request: Request, second: str) -> PipelineKey:
        parts = (request.path_params["namespace"], request.path_params[second])
        return PipelineKey(*map(addresses.text_of, parts))

    def _sees(self, request: Request, ref: PipelineRef | PipelineKey) -> bool:
        key = PipelineKey(ref.namespace, ref.name)
        return self._site.access.may_see(session_of(request).person, key)

    async def promotions(self, request: Request) -> Response:
        """All that may be seen; `state`, `namespace`, `pipeline`, `environment` narrow it."""
        wanted = {k: v for k, v in request.query_params.items() if v}
        found = []
        for entry in reversed(self._site.projection.entries.values()):
            ref = entry.promotion.request.promotion
            facts = {
                "state": entry.promotion.state.value,
                "namespace": ref.pipeline.namespace,
                "pipeline": ref.pipeline.name,
                "environment": ref.environment,
            }
            fits = all(wanted.get(k, v) == v for k, v in facts.items())
            if fits and self._sees(request, ref.pipeline):
                found.append(entry)
        items = tuple(map(shaping.promotion_shape, found[:ITEMS_MAX]))
        frame = self._frame(len(found))
        return _json(shapes.PromotionList.model_validate({**frame, "items": items}))

    async def promotion(self, request: Request) -> Response:
        wanted = addresses.text_of(request.path_params["promotion_id"])
        entry = self._site.projection.entries.get(wanted)
        ref = entry.promotion.request.promotion if entry else None
        if entry is None or ref is None or not self._sees(request, ref.pipeline):
            raise Rejected("unknown_promotion", f"promotion {wanted!r} is not known here")
        return _json(shaping.promotion_shape(entry))

    def _acting(self, request: Request) -> Entry:
        """The promotion that is acted on, once it is sure that a page of ours asks."""
        state = request.scope["state"]
        token = request.headers.get(FORM_TOKEN_HEADER, "")
        if not self._site.sessions.is_form_token(token, state["session_id"]):
            raise Rejected("bad_form", f"{FORM_TOKEN_HEADER} is not the token of this session")
        wanted = addresses.text_of(request.path_params["promotion_id"])
        return entry_of(self._site, wanted, person=session_of(request).person)

    async def begin(self, request: Request) -> Response:
        entry, session = self._acting(request), session_of(request)
        with asking(entry, "promote as oneself"):
            answer = await self._site.handlers.begin(
                entry.promotion_id, person=session.person, session=session.digest
            )
        shape = shapes.BeginShape(
            promotion_id=entry.promotion_id,
            approval_id=answer.approval_id,
            granted=answer.granted,
            authorize_url=answer.authorize_url,
            expires_at=answer.expires_at,
        )
        return _json(shape)

    async def approve(self, request: Request) -> Response:
        entry, person = self._acting(request), session_of(request).person
        with asking(entry, "promote with the stored credential"):
            answer = await self._site.handlers.approve(entry.promotion_id, person=person)
        done = shapes.DoneShape(promotion_id=entry.promotion_id, approval_id=answer.approval_id)
        return _json(done)

    async def reject(self, request: Request) -> Response:
        entry, person = self._acting(request), session_of(request).person
        body = await _read(request, shapes.RejectBody)
        with asking(entry, "reject"):
            await self._site.handlers.reject(entry.promotion_id, person=person, reason=body.reason)
        return _json(shapes.DoneShape(promotion_id=entry.promotion_id))

    async def retry(self, request: Request) -> Response:
        entry, person = self._acting(request), session_of(request).person
        with asking(entry, "ask again"):
            answer = await self._site.handlers.retry(entry.promotion_id, person=person)
        done = shapes.DoneShape(promotion_id=entry.promotion_id, attempt=answer.attempt)
        return _json(done)

    async def credentials(self, request: Request) -> Response:
        projection = self._site.projection
        access, person = self._site.access, session_of(request).person
        uses = uses_by_credential(projection.pipelines)
        views = [
            v
            for v in credential_views(projection.credentials, projection.used, uses=uses)
            if access.may_see_credentials(person, namespace=v.key.namespace)
        ]
        items = tuple(map(shaping.credential_shape, views[:ITEMS_MAX]))
        frame = self._frame(len(views))
        return _json(shapes.CredentialList.model_validate({**frame, "items": items}))

    async def credential(self, request: Request) -> Response:
        key = self._key(request, "secret")
        self._site.check_credentials_seen(session_of(request).person, key.namespace)
        projection = self._site.projection
        checked = projection.credentials.get(key)
        if checked is None:
            raise Rejected("not_found", f"no credential {key.name!r} in {key.namespace!r} is known")
        used = projection.used.get(key)
        uses = uses_by_credential(projection.pipelines).get(key, ())
        view: CredentialView = credential_view(key, checked, used, uses=uses)
        return _json(shaping.credential_shape(view))

    async def record(self, request: Request) -> Response:
        words = request.query_params.get("q", "")[:200]
        found = [
            r
            for r in rows(self._site.projection.entries.values(), words=words)
            if self._sees(request, r.key)
        ]
        items = shaping.record_items(found)
        frame = self._frame(len(found))
        return _json(shapes.RecordList.model_validate({**frame, "items": items}))


async def _read(request: Request, shape: type[_Body]) -> _Body:
    body = await request.body()
    try:
        return shape.model_validate_json(body or b"{}")
    except ValidationError:
        raise Rejected("bad_request", "the body is not what the description asks for") from None
