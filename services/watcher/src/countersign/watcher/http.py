"""`POST /webhooks/{forge}`: news of pull requests, from forges that prove who they are.

Every refusal before that proof looks the same. Hints of Flux are taken beside it.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import Forge
from countersign.contracts.secret import Secret
from countersign.dialects.hooks.schemes import Delivery
from countersign.dialects.kinds import KINDS
from countersign.process.secret_files import read_secret
from countersign.telemetry.logs import get_logger
from countersign.watcher.hints.endpoint import (
    APPROVAL_PREFIX,
    PREFIX,
    ApprovalIsGone,
    PromotionHook,
)
from countersign.watcher.metrics import WEBHOOKS
from countersign.watcher.pulls.news import PullRequestNews

log = get_logger()

# Some forges send up to 25 MB, but never for a pull request.
BODY_BYTES_MAX: Final = 1024 * 1024


def read_secrets(forges: Iterable[Forge]) -> dict[str, tuple[Forge, Secret]]:
    """Forges that may send webhooks, by slug.

    Raises:
        Rejected: `bad_secret`.

    """
    found: dict[str, tuple[Forge, Secret]] = {}
    for forge in forges:
        if not forge.webhook_secret_file:
            continue
        secret = read_secret(Path(forge.webhook_secret_file))
        flaw = KINDS[forge.forge_kind].webhooks.flaw(secret)
        if flaw:
            raise Rejected("bad_secret", f"{forge.webhook_secret_file} {flaw}")
        found[forge.slug] = (forge, secret)
    return found


def webhook_app(
    *,
    news: PullRequestNews,
    secrets: dict[str, tuple[Forge, Secret]],
    clock: Callable[[], float],
    hook: PromotionHook | None = None,
) -> Starlette:
    async def on_webhook(request: Request) -> Response:
        body = await _body(request)
        known = secrets.get(request.path_params["forge"])
        if known is None or body is None:
            return _unauthorized()
        forge, secret = known
        delivery = Delivery(headers=request.headers, body=body)
        if not KINDS[forge.forge_kind].webhooks.is_authentic(delivery, secret, clock()):
            return _unauthorized()
        outcome = await _handle(delivery, forge=forge, news=news)
        WEBHOOKS.labels(outcome=outcome).inc()
        status = {"malformed": 400, "put_off": 503}.get(outcome, 202)
        return PlainTextResponse(f"{outcome}\n", status_code=status)

    routes: list[Route] = [Route("/webhooks/{forge}", on_webhook, methods=["POST"])]
    if hook is not None:
        # Paths are taken apart as they were sent, by who answers.
        routes.append(Route(f"{PREFIX}{{rest:path}}", hook))
        routes.append(Route(f"{APPROVAL_PREFIX}{{rest:path}}", ApprovalIsGone()))
    return Starlette(routes=routes)


async def _body(request: Request) -> bytes | None:
    """None when it is too long or not sent to its end."""
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
    WEBHOOKS.labels(outcome="unauthorized").inc()
    return PlainTextResponse("not authorized\n", status_code=401)


async def _handle(delivery: Delivery, *, forge: Forge, news: PullRequestNews) -> str:
    scheme = KINDS[forge.forge_kind].webhooks
    try:
        fate = scheme.read_fate(delivery)
        if fate is None:
            return "ignored"
        delivered = (forge.origin, scheme.delivery_id(delivery))
        if news.is_repeated(delivered):
            return "repeated"
        outcome = await news.on_fate(fate, origin=forge.origin)
    except Rejected as refusal:
        log.warning("webhook.refused", forge=forge.slug, reason=refusal.reason)
        return "malformed"
    except Retryable as error:
        log.warning("webhook.put_off", forge=forge.slug, reason=error.reason)
        return "put_off"
    news.remember(delivered)
    return outcome
