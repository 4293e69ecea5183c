"""News of pull requests, from forges that prove who they are: `POST /webhooks/{forge}`.

A single webhook of some repositories has an address of its own, `/webhooks/{forge}/{webhook}`.

Every refusal before that proof looks the same. Hints of Flux are taken beside it.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from countersign.contracts.errors import Rejected, Retryable
from countersign.dialects.hooks.schemes import Delivery
from countersign.dialects.kinds import KINDS
from countersign.telemetry import attributes as names
from countersign.telemetry.logs import get_logger
from countersign.telemetry.tracing import SpanKind, span
from countersign.watcher.hints.endpoint import (
    APPROVAL_PREFIX,
    PREFIX,
    ApprovalIsGone,
    PromotionHook,
)
from countersign.watcher.metrics import WEBHOOKS
from countersign.watcher.model import WebhookOutcome
from countersign.watcher.pulls.news import PullRequestNews
from countersign.watcher.pulls.sources import Address, Source

log = get_logger()

# Some forges send up to 25 MB, but never for a pull request.
BODY_BYTES_MAX: Final = 1024 * 1024
_ROUTES: Final = ("/webhooks/{forge}", "/webhooks/{forge}/{webhook}")
_STATUSES: Final = {
    WebhookOutcome.MALFORMED: HTTPStatus.BAD_REQUEST,
    WebhookOutcome.PUT_OFF: HTTPStatus.SERVICE_UNAVAILABLE,
}


def webhook_app(
    *,
    news: PullRequestNews,
    sources: Mapping[Address, Source],
    clock: Callable[[], float],
    hook: PromotionHook | None = None,
) -> Starlette:
    async def on_webhook(request: Request) -> Response:
        body = await _body(request)
        named = request.path_params
        source = sources.get((named["forge"], named.get("webhook", "")))
        if source is None or body is None:
            return _unauthorized()
        scheme = KINDS[source.forge.forge_kind].webhooks
        delivery = Delivery(headers=request.headers, body=body)
        if not scheme.is_authentic(delivery, source.secret, clock()):
            return _unauthorized()
        described = {
            names.HTTP_METHOD: request.method,
            names.HTTP_ROUTE: _ROUTES[bool(named.get("webhook"))],
            names.FORGE: source.forge.slug,
        }
        # Of strangers there are no spans: they decide how many there would be.
        with span(names.SPAN_RECEIVE_WEBHOOK, kind=SpanKind.SERVER, attributes=described) as made:
            outcome = await _handle(delivery, source=source, news=news)
            status = _STATUSES.get(outcome, HTTPStatus.ACCEPTED)
            made.set_attributes({names.OUTCOME: outcome, names.HTTP_STATUS: status})
            WEBHOOKS.labels(outcome=outcome).inc()
        return PlainTextResponse(f"{outcome}\n", status_code=status)

    routes = [Route(path, on_webhook, methods=["POST"]) for path in _ROUTES]
    if hook is not None:
        # Paths are taken apart as they were sent, by who answers.
        routes.append(Route(f"{PREFIX}{{rest:path}}", hook))
        routes.append(Route(f"{APPROVAL_PREFIX}{{rest:path}}", ApprovalIsGone()))
    return Starlette(routes=routes)


async def _body(request: Request) -> bytes | None:
    """Read the body; none when it is too long or not sent to its end."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                return None
    except ClientDisconnect:
        return None
    return bytes(body)


def _unauthorized() -> Response:
    WEBHOOKS.labels(outcome=WebhookOutcome.UNAUTHORIZED).inc()
    return PlainTextResponse("not authorized\n", status_code=401)


async def _handle(delivery: Delivery, *, source: Source, news: PullRequestNews) -> WebhookOutcome:
    scheme = KINDS[source.forge.forge_kind].webhooks
    try:
        fate = scheme.read_fate(delivery)
        if fate is None:
            return WebhookOutcome.IGNORED
        delivered = (source.address, scheme.delivery_id(delivery))
        if news.is_repeated(delivered):
            return WebhookOutcome.REPEATED
        outcome = await news.on_fate(fate, source=source)
    except Rejected as refusal:
        log.warning("webhook.refused", forge=source.forge.slug, reason=refusal.reason)
        return WebhookOutcome.MALFORMED
    except Retryable as error:
        log.warning("webhook.put_off", forge=source.forge.slug, reason=error.reason)
        return WebhookOutcome.PUT_OFF
    news.remember(delivered)
    return outcome
