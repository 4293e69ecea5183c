"""The JSON API: the same as the pages, for programs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import PipelineRef
from countersign.contracts.record.rows import row_of
from countersign.gateway.access.sessions import Sessions
from countersign.gateway.access.visibility import Visibility
from countersign.gateway.api import answers, shapes
from countersign.gateway.api.openapi import description
from countersign.gateway.approval_client import ApprovalClient, Said
from countersign.gateway.model import PipelineKey
from countersign.gateway.pages.history import history_at
from countersign.gateway.pages.promotions import gate_of, track_of
from countersign.gateway.pages.record import entries_of
from countersign.gateway.refusals import Refusal
from countersign.gateway.text import addresses
from countersign.gateway.timeline.timelines import Timeline
from countersign.gateway.view.boards import matches, read_query
from countersign.gateway.view.records import read_query as read_record_query
from countersign.gateway.view.risks import (
    CredentialView,
    credential_view,
    credential_views,
    uses_by_credential,
)
from countersign.gateway.web.frames import Screen
from countersign.gateway.web.guards import session_of
from countersign.gateway.web.spans import asking

FORM_TOKEN_HEADER: Final = "X-Countersign-Form"  # noqa: S105 - the name of a header
ITEMS_MAX: Final = 1_000
_Body = TypeVar("_Body", bound=BaseModel)


def _json(shape: BaseModel) -> Response:
    return Response(shape.model_dump_json(by_alias=True), media_type="application/json")


class Api:
    """One method for each operation."""

    def __init__(
        self,
        *,
        visibility: Visibility,
        approval: ApprovalClient,
        sessions: Sessions,
        screen: Screen,
    ) -> None:
        self._visibility = visibility
        self._approval = approval
        self._sessions = sessions
        self._screen = screen

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
            "position": str(self._visibility.projection.position),
            "current": self._screen.status.current,
            "total": total,
        }

    async def pipelines(self, request: Request) -> Response:
        query = read_query(dict(request.query_params))
        person = session_of(request).person
        may = self._visibility.may(person)
        found = [t for t in self._visibility.tracks(person) if matches(t, query, may=may)]
        first = (query.page - 1) * ITEMS_MAX
        items = tuple(
            answers.pipeline_shape(t, may=t.allowed(may)) for t in found[first : first + ITEMS_MAX]
        )
        return _json(
            shapes.PipelineList.model_validate({**self._frame(len(found)), "items": items})
        )

    async def pipeline(self, request: Request) -> Response:
        key = self._key(request, "name")
        self._visibility.check_pipeline(session_of(request).person, key)
        track = self._visibility.projection.track(key)
        if track is None:
            raise Rejected(
                Refusal.NOT_FOUND, f"no pipeline {key.name!r} in {key.namespace!r} is known"
            )
        may = self._visibility.may(session_of(request).person)
        return _json(answers.pipeline_shape(track, may=track.allowed(may)))

    async def history(self, request: Request) -> Response:
        """Tell the revisions that an environment ran; `at` narrows it to one moment."""
        key, track = track_of(self._visibility, request)
        environment, _ = gate_of(request, track)
        asked, known = request.query_params.get("at", ""), self._visibility.projection
        history = history_at(known, key, environment, asked=asked)
        items = tuple(answers.ran_shape(r, links=known.links) for r in history)
        frame = self._frame(len(items))
        return _json(shapes.HistoryList.model_validate({**frame, "items": items}))

    def _key(self, request: Request, second: str) -> PipelineKey:
        parts = (request.path_params["namespace"], request.path_params[second])
        return PipelineKey(*map(addresses.text_of, parts))

    def _sees(self, request: Request, ref: PipelineRef | PipelineKey) -> bool:
        key = PipelineKey(ref.namespace, ref.name)
        return self._visibility.access.may_see(session_of(request).person, key)

    async def promotions(self, request: Request) -> Response:
        """All that may be seen; `state`, `namespace`, `pipeline`, `environment` narrow it."""
        wanted = {k: v for k, v in request.query_params.items() if v}
        found = []
        for timeline in reversed(self._visibility.projection.timelines.values()):
            ref = timeline.promotion.request.promotion
            facts = {
                "state": timeline.promotion.state.value,
                "namespace": ref.pipeline.namespace,
                "pipeline": ref.pipeline.name,
                "environment": ref.environment,
            }
            fits = all(wanted.get(k, v) == v for k, v in facts.items())
            if fits and self._sees(request, ref.pipeline):
                found.append(timeline)
        items = tuple(
            answers.promotion_shape(t, links=self._visibility.projection.links)
            for t in found[:ITEMS_MAX]
        )
        frame = self._frame(len(found))
        return _json(shapes.PromotionList.model_validate({**frame, "items": items}))

    async def promotion(self, request: Request) -> Response:
        named = addresses.text_of(request.path_params["promotion_id"])
        timeline = self._visibility.timeline(session_of(request).person, named)
        return _json(answers.promotion_shape(timeline, links=self._visibility.projection.links))

    def _acting(self, request: Request) -> Timeline:
        """The promotion that is acted on, once it is sure that a page of ours asks."""
        state = request.scope["state"]
        token = request.headers.get(FORM_TOKEN_HEADER, "")
        if not self._sessions.is_form_token(token, state["session_id"]):
            raise Rejected(
                Refusal.BAD_FORM, f"{FORM_TOKEN_HEADER} is not the token of this session"
            )
        named = addresses.text_of(request.path_params["promotion_id"])
        return self._visibility.promotable(session_of(request).person, named)

    @contextmanager
    def _asking(self, request: Request, name: str) -> Iterator[Timeline]:
        """Act on the promotion that the address names; a refusal names its page."""
        timeline = self._acting(request)
        try:
            with asking(timeline, name):
                yield timeline
        except (Rejected, Retryable):
            request.scope["state"]["instance"] = addresses.promotion(timeline.promotion_id)
            raise

    async def begin(self, request: Request) -> Response:
        session, links = session_of(request), self._visibility.projection.links
        with self._asking(request, "promote as oneself") as timeline:
            body = await _read(request, shapes.BeginBody)
            begun = await self._approval.begin(
                timeline.promotion_id,
                person=session.person,
                session=session.digest,
                said=replace(_said(body), by_device=body.device),
            )
            shape = answers.begin_shape(timeline, begun, links=links)
        return _json(shape)

    async def approve(self, request: Request) -> Response:
        person = session_of(request).person
        with self._asking(request, "promote with the stored credential") as timeline:
            body = await _read(request, shapes.PromoteBody)
            answer = await self._approval.approve(
                timeline.promotion_id, person=person, said=_said(body)
            )
        return _json(_done(timeline, approval_id=answer.approval_id))

    async def reject(self, request: Request) -> Response:
        person = session_of(request).person
        with self._asking(request, "reject") as timeline:
            body = await _read(request, shapes.ReasonBody)
            await self._approval.reject(timeline.promotion_id, person=person, reason=body.reason)
        return _json(_done(timeline))

    async def retry(self, request: Request) -> Response:
        person = session_of(request).person
        with self._asking(request, "ask again") as timeline:
            answer = await self._approval.retry(timeline.promotion_id, person=person)
        return _json(_done(timeline, attempt=answer.attempt))

    async def credentials(self, request: Request) -> Response:
        projection = self._visibility.projection
        access, person = self._visibility.access, session_of(request).person
        uses = uses_by_credential(projection.pipelines)
        views = [
            v
            for v in credential_views(projection.credentials, projection.used, uses=uses)
            if access.may_see_credentials(person, namespace=v.key.namespace)
        ]
        items = tuple(map(answers.credential_shape, views[:ITEMS_MAX]))
        frame = self._frame(len(views))
        return _json(shapes.CredentialList.model_validate({**frame, "items": items}))

    async def credential(self, request: Request) -> Response:
        key = self._key(request, "secret")
        self._visibility.check_credentials(session_of(request).person, key.namespace)
        projection = self._visibility.projection
        checked = projection.credentials.get(key)
        if checked is None:
            raise Rejected(
                Refusal.NOT_FOUND, f"no credential {key.name!r} in {key.namespace!r} is known"
            )
        used = projection.used.get(key)
        uses = uses_by_credential(projection.pipelines).get(key, ())
        view: CredentialView = credential_view(key, checked, used, uses=uses)
        return _json(answers.credential_shape(view))

    async def record(self, request: Request) -> Response:
        query = read_record_query(request.query_params)
        found = entries_of(self._visibility, request, query)
        items = tuple(row_of(*entry) for entry in found[:ITEMS_MAX])
        return _json(shapes.RecordList.model_validate({**self._frame(len(found)), "items": items}))


def _said(body: shapes.PromoteBody) -> Said:
    return Said(reason=body.reason, despite_blocked=body.despite_blocked)


def _done(timeline: Timeline, *, approval_id: str = "", attempt: int = 0) -> shapes.DoneShape:
    return shapes.DoneShape(
        promotion_id=timeline.promotion_id, approval_id=approval_id, attempt=attempt
    )


async def _read(request: Request, shape: type[_Body]) -> _Body:
    body = await request.body()
    try:
        return shape.model_validate_json(body or b"{}")
    except ValidationError:
        raise Rejected(
            Refusal.BAD_REQUEST, "the body is not what the description asks for"
        ) from None
