"""Pages to look at."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import CredentialMode
from countersign.gateway.interfaces import Right, rights
from countersign.gateway.model import CONSENTABLE, GateKey, GateView, PipelineKey, Track
from countersign.gateway.timeline.history import Entry
from countersign.gateway.view import addresses
from countersign.gateway.view.boards import board, read_query
from countersign.gateway.view.gates import hindrance
from countersign.gateway.view.records import PAGE_ROWS, Row, as_csv, rows
from countersign.gateway.view.risks import credential_view, credential_views, uses_by_credential
from countersign.gateway.web.frames import frame_of
from countersign.gateway.web.guards import session_of
from countersign.gateway.web.site import Site


class Pages:
    """One method for each page."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def _html(self, request: Request, name: str, *, view: dict[str, str], **values: object) -> str:
        frame = frame_of(self._site, request, **view)
        return self._site.templates.page(name, frame=frame, **values)

    async def board(self, request: Request) -> Response:
        site, person = self._site, session_of(request).person
        if not site.feed.status.caught_up and not site.projection.pipelines:
            html = self._html(request, "bus_down.html", view={"view": "bus"})
            return HTMLResponse(html, status_code=503)
        query = read_query(dict(request.query_params))
        may = rights(site.access, person)
        shown = board(site.tracks(person), query, may=may)
        allowed = {t.key: t.allowed(may) for t in shown.tracks}
        view = {
            "view": "board",
            "show": shown.query.show.value,
            "q": shown.query.words,
            "namespace": shown.query.namespace,
            "page": str(shown.query.page),
        }
        html = self._html(
            request,
            "board.html",
            view=view,
            board=shown,
            rights=allowed,
            hidden=bool(site.projection.pipelines) and not shown.total,
        )
        return HTMLResponse(html)

    async def pipeline(self, request: Request) -> Response:
        key, track = self._track(request)
        view = {"view": "pipeline", "namespace": key.namespace, "name": key.name}
        html = self._html(
            request,
            "pipeline.html",
            view=view,
            track=track,
            history=self._site.projection.history(key),
            may=track.allowed(rights(self._site.access, session_of(request).person)),
        )
        return HTMLResponse(html)

    async def gate(self, request: Request) -> Response:
        """Where a promotion into an environment stands, with all that can be done."""
        key, track = self._track(request)
        environment, gate = self.gate_of(request, track)
        entry = self._site.projection.entries.get(gate.promotion_id) if gate else None
        return self._progress(request, key, environment, gate=gate, entry=entry)

    async def promotion(self, request: Request) -> Response:
        """The same for one promotion, also when it is over."""
        wanted = addresses.text_of(request.path_params["promotion_id"])
        entry = self._site.projection.entries.get(wanted)
        ref = entry.promotion.request.promotion if entry else None
        if entry is None or ref is None:
            raise Rejected("unknown_promotion", f"promotion {wanted!r} is not known here")
        key = PipelineKey(ref.pipeline.namespace, ref.pipeline.name)
        self._site.check_seen(session_of(request).person, key)
        track = self._site.projection.track(key)
        gate = track.gate(ref.environment) if track else None
        if gate is not None and gate.promotion_id != wanted:
            gate = None
        return self._progress(request, key, ref.environment, gate=gate, entry=entry)

    def _progress(
        self,
        request: Request,
        key: PipelineKey,
        environment: str,
        *,
        gate: GateView | None,
        entry: Entry | None,
    ) -> Response:
        view = {
            "view": "gate",
            "namespace": key.namespace,
            "name": key.name,
            "environment": environment,
            "promotion": entry.promotion_id if entry else "",
        }
        html = self._html(
            request,
            "gate.html",
            view=view,
            key=key,
            environment=environment,
            gate=gate,
            entry=entry,
            **self._right(request, key, environment),
        )
        return HTMLResponse(html)

    async def consent(self, request: Request) -> Response:
        """The sheet that says beforehand what will happen, as whom, and for how long."""
        site = self._site
        key, track = self._track(request)
        environment, gate = self.gate_of(request, track)
        entry = site.projection.entries.get(gate.promotion_id) if gate else None
        if gate is None or entry is None or gate.state not in CONSENTABLE:
            return RedirectResponse(addresses.gate(key, environment), status_code=303)
        person = session_of(request).person
        to = entry.promotion.request.destination
        forge = site.forge_of(to)
        html = self._html(
            request,
            "consent.html",
            view={"view": "bus"},
            key=key,
            gate=gate,
            entry=entry,
            asked=entry.promotion.request,
            forge=forge,
            allowed=forge is not None
            and forge.allows(namespace=key.namespace, owner=to.owner, repository=to.repository),
            login=site.projection.login_of(person.id, origin=to.origin),
            stored=self._stored(entry),
            hindrance=hindrance(entry.promotion, person),
            **self._right(request, key, environment),
        )
        return HTMLResponse(html)

    def _stored(self, entry: Entry) -> dict[str, str] | None:
        """Whose stored token might be used instead, where the Pipeline names one."""
        request = entry.promotion.request
        secret = request.secret
        if request.mode is CredentialMode.DELEGATED or secret is None:
            return None
        known = self._site.projection.credentials.get(PipelineKey(secret.namespace, secret.name))
        owner = known.owner.login if known and known.owner else ""
        return {"owner": owner, "secret": secret.name, "namespace": secret.namespace}

    async def credentials(self, request: Request) -> Response:
        site, person = self._site, session_of(request).person
        known = site.projection
        uses = uses_by_credential(known.pipelines)
        access = site.access
        views = [
            v
            for v in credential_views(known.credentials, known.used, uses=uses)
            if access.may_see_credentials(person, namespace=v.key.namespace)
        ]
        seen = {track.key.namespace for track in site.tracks(person)}
        hidden = {
            key.namespace
            for key in known.credentials
            if key.namespace in seen
            and not access.may_see_credentials(person, namespace=key.namespace)
        }
        html = self._html(
            request,
            "credentials.html",
            view={"view": "bus"},
            credentials=views,
            hidden=sorted(hidden),
        )
        return HTMLResponse(html)

    async def credential(self, request: Request) -> Response:
        site = self._site
        key = PipelineKey(
            addresses.text_of(request.path_params["namespace"]),
            addresses.text_of(request.path_params["secret"]),
        )
        site.check_credentials_seen(session_of(request).person, key.namespace)
        checked = site.projection.credentials.get(key)
        if checked is None:
            raise Rejected("not_found", f"no credential {key.name!r} in {key.namespace!r} is known")
        used = site.projection.used.get(key)
        uses = uses_by_credential(site.projection.pipelines).get(key, ())
        view = credential_view(key, checked, used, uses=uses)
        html = self._html(request, "credential.html", view={"view": "bus"}, credential=view)
        return HTMLResponse(html)

    async def record(self, request: Request) -> Response:
        words = request.query_params.get("q", "")[:200]
        found = self._rows(request, words)
        page = request.query_params.get("page", "1")
        number = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1  # noqa: PLR2004
        pages = max(1, -(-len(found) // PAGE_ROWS))
        number = min(max(1, number), pages)
        html = self._html(
            request,
            "record.html",
            view={"view": "bus"},
            rows=found[(number - 1) * PAGE_ROWS : number * PAGE_ROWS],
            found=len(found),
            words=words,
            page=number,
            pages=pages,
            query=urlencode({"q": words}),
        )
        return HTMLResponse(html)

    async def record_csv(self, request: Request) -> Response:
        body = as_csv(self._rows(request, request.query_params.get("q", "")[:200]))
        headers = {"Content-Disposition": 'attachment; filename="countersign-record.csv"'}
        return Response(body, headers=headers, media_type="text/csv; charset=utf-8")

    def _rows(self, request: Request, words: str) -> list[Row]:
        site, person = self._site, session_of(request).person
        found = rows(site.projection.entries.values(), words=words)
        return [r for r in found if site.access.may_see(person, r.key)]

    async def help(self, request: Request) -> Response:
        return HTMLResponse(self._html(request, "help.html", view={}))

    def _right(self, request: Request, key: PipelineKey, environment: str) -> dict[str, object]:
        """Whether the gate may be passed, and what to ask for otherwise."""
        access, person = self._site.access, session_of(request).person
        gate = GateKey(key, environment)
        may = access.may_promote(person, gate)
        return {"may": may, "missing": access.missing(person, Right.PROMOTE, gate)}

    def _track(self, request: Request) -> tuple[PipelineKey, Track]:
        given = PipelineKey(request.path_params["namespace"], request.path_params["name"])
        key = PipelineKey(*(addresses.text_of(part) for part in given))
        self._site.check_seen(session_of(request).person, key)
        track = self._site.projection.track(key)
        if track is None:
            raise Rejected("not_found", f"no pipeline {key.name!r} in {key.namespace!r} is known")
        return key, track

    def gate_of(self, request: Request, track: Track) -> tuple[str, GateView | None]:
        given = request.path_params["environment"]
        names = {e.name for e in track.environments}
        name = given if given in names else addresses.text_of(given)
        if name not in names:
            raise Rejected("not_found", f"{track.key.name!r} has no environment {name!r}")
        return name, track.gate(name)
