"""Stored credentials, for reviewers: the board, a page for each, exports, and *Check now*."""

from datetime import datetime

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import Person, SecretRef
from countersign.gateway.access.accounts import Accounts
from countersign.gateway.access.visibility import Visibility
from countersign.gateway.auditor_client import AuditorClient
from countersign.gateway.model import PipelineKey
from countersign.gateway.refusals import Refusal
from countersign.gateway.review.applications import applications
from countersign.gateway.review.boards import (
    FILTER_LABELS,
    Filter,
    Order,
    read_query,
    select,
    shows,
)
from countersign.gateway.review.delegations import LiveDelegation, live_delegations
from countersign.gateway.review.exports import (
    CREDENTIAL_COLUMNS,
    as_csv,
    as_json,
    credential_rows,
)
from countersign.gateway.review.histories import history_of
from countersign.gateway.review.migrations import without_stored_token
from countersign.gateway.text import addresses
from countersign.gateway.view.risks import (
    CredentialView,
    credential_view,
    credential_views,
    uses_by_credential,
)
from countersign.gateway.web.forms import read_form
from countersign.gateway.web.frames import Screen
from countersign.gateway.web.guards import session_of


class CredentialPages:
    """Every Secret that a Pipeline names, as far as it is known."""

    def __init__(
        self,
        *,
        visibility: Visibility,
        screen: Screen,
        accounts: Accounts,
        auditor: AuditorClient,
    ) -> None:
        self._visibility = visibility
        self._screen = screen
        self._accounts = accounts
        self._auditor = auditor

    async def credentials(self, request: Request) -> Response:
        person, known = session_of(request).person, self._visibility.projection
        access, now = self._visibility.access, self._screen.now
        views = visible_credentials(self._visibility, person)
        seen = {track.key.namespace for track in self._visibility.tracks(person)}
        # Whether or not there are any: that, too, is only for who may see them.
        hidden = {n for n in seen if not access.may_see_credentials(person, namespace=n)}
        query = read_query(request.query_params)
        html = self._screen.page(
            request,
            "credentials.html",
            view={"view": "bus"},
            credentials=select(views, query, now=now),
            counts={f: sum(shows(v, f, now=now) for v in views) for f in Filter},
            labels=FILTER_LABELS,
            orders=Order,
            query=query,
            hidden=sorted(hidden),
            delegations=self._delegations(person),
            may_revoke=lambda d: may_revoke(self._visibility, person, d),
            person_id=person.id,
            applications=applications(known.links.forges),
        )
        return HTMLResponse(html)

    def _delegations(self, person: Person) -> list[LiveDelegation]:
        return visible_delegations(self._visibility, person, now=self._screen.now)

    async def credentials_csv(self, request: Request) -> Response:
        body = as_csv(self._rows(request), columns=CREDENTIAL_COLUMNS)
        headers = {"Content-Disposition": 'attachment; filename="countersign-credentials.csv"'}
        return Response(body, headers=headers, media_type="text/csv; charset=utf-8")

    async def credentials_json(self, request: Request) -> Response:
        headers = {"Content-Disposition": 'attachment; filename="countersign-credentials.json"'}
        return Response(
            as_json(self._rows(request)), headers=headers, media_type="application/json"
        )

    def _rows(self, request: Request) -> list[dict[str, str]]:
        views = visible_credentials(self._visibility, session_of(request).person)
        found = select(views, read_query(request.query_params), now=self._screen.now)
        return credential_rows(found)

    async def credential(self, request: Request) -> Response:
        key = self._key(request)
        person, known = session_of(request).person, self._visibility.projection
        view = self._view(person, key)
        secret = SecretRef(namespace=key.namespace, name=key.name)
        timelines = [
            t
            for t in known.timelines.values()
            if self._visibility.access.may_see(person, t.gate_key.pipeline)
        ]
        named = dict.fromkeys(u.pipeline for u in view.uses if u.pipeline is not None)
        changes = {
            pipeline: text
            for pipeline in named
            if self._visibility.access.may_see(person, pipeline)
            and (text := without_stored_token(known.pipelines[pipeline], secret))
        }
        listed = [f for f in known.links.forges if f.origin == view.checked.origin]
        html = self._screen.page(
            request,
            "credential.html",
            view={"view": "bus"},
            credential=view,
            history=history_of(view.checked, timelines, links=known.links),
            changes=changes,
            application=next(iter(applications(listed)), None),
        )
        return HTMLResponse(html)

    async def check(self, request: Request) -> Response:
        """Have it checked now, for somebody who may see what comes of it."""
        await read_form(self._accounts.sessions, request)
        key, person = self._key(request), session_of(request).person
        self._view(person, key)
        await self._auditor.check(key, person=person)
        return RedirectResponse(addresses.credential(*key), status_code=303)

    def _key(self, request: Request) -> PipelineKey:
        return PipelineKey(
            addresses.text_of(request.path_params["namespace"]),
            addresses.text_of(request.path_params["secret"]),
        )

    def _view(self, person: Person, key: PipelineKey) -> CredentialView:
        self._visibility.check_credentials(person, key.namespace)
        known = self._visibility.projection
        checked = known.credentials.get(key)
        if checked is None:
            raise Rejected(
                Refusal.NOT_FOUND, f"no credential {key.name!r} in {key.namespace!r} is known"
            )
        uses = uses_by_credential(known.pipelines).get(key, ())
        return credential_view(key, checked, known.used.get(key), uses=uses)


def visible_credentials(visibility: Visibility, person: Person) -> list[CredentialView]:
    """Those of namespaces whose credentials this person may see, the riskiest first."""
    known = visibility.projection
    views = credential_views(
        known.credentials, known.used, uses=uses_by_credential(known.pipelines)
    )
    may = visibility.access.may_see_credentials
    return [v for v in views if may(person, namespace=v.key.namespace)]


def visible_delegations(
    visibility: Visibility, person: Person, *, now: datetime
) -> list[LiveDelegation]:
    """One's own, and those of namespaces whose credentials this person may see."""
    access = visibility.access
    return [
        d
        for d in live_delegations(visibility.projection.timelines.values(), now=now)
        if d.by.id == person.id
        or (
            access.may_see_credentials(person, namespace=d.gate.pipeline.namespace)
            and access.may_see(person, d.gate.pipeline)
        )
    ]


def may_revoke(visibility: Visibility, person: Person, delegation: LiveDelegation) -> bool:
    """Whoever delegated it may, and whoever may promote there: they could reject it as well."""
    own = delegation.by.id == person.id
    return own or visibility.access.may_promote(person, delegation.gate)
