"""`POST /webhooks/{forge}`: news of pull requests, from forges that sign them.

Every refusal before the signature is checked looks the same. Hints of Flux are taken beside it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import ForgeKind
from countersign.contracts.secret import Secret
from countersign.telemetry.logs import get_logger
from countersign.telemetry.secret_files import read_secret
from countersign.watcher.fates import (
    DELIVERY_HEADER,
    EVENT_HEADER,
    SIGNATURE_HEADER,
    is_signed,
    read_fate,
)
from countersign.watcher.following import Following
from countersign.watcher.measuring import WEBHOOKS
from countersign.watcher.promotion_hook import (
    APPROVAL_PREFIX,
    PREFIX,
    ApprovalIsGone,
    PromotionHook,
)

log = get_logger()

# GitHub sends up to 25 MB, but never for a pull request.
BODY_BYTES_MAX: Final = 1024 * 1024


def read_secrets(forges: Iterable[Forge]) -> dict[str, tuple[Forge, Secret]]:
    """Forges that sign webhooks, by slug.

    Raises:
        Rejected: `bad_secret`.

    """
    found: dict[str, tuple[Forge, Secret]] = {}
    for forge in forges:
        if forge.webhook_secret_file and forge.forge_kind is ForgeKind.GITHUB:
            found[forge.slug] = (forge, read_secret(Path(forge.webhook_secret_file)))
    return found


def webhook_app(
    *,
    following: Following,
    secrets: dict[str, tuple[Forge, Secret]],
    hook: PromotionHook | None = None,
) -> Starlette:
    async def on_webhook(request: Request) -> Response:
        body = await _body(request)
        known = secrets.get(request.path_params["forge"])
        if known is None or body is None or not _is_signed(request, body, secret=known[1]):
            WEBHOOKS.labels(outcome="unauthorized").inc()
            return PlainTextResponse("not authorized\n", status_code=401)
        outcome = await _handle(request, body, origin=known[0].origin, following=following)
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


def _is_signed(request: Request, body: bytes, *, secret: Secret) -> bool:
    return is_signed(body, signature=request.headers.get(SIGNATURE_HEADER, ""), secret=secret)


async def _handle(request: Request, body: bytes, *, origin: str, following: Following) -> str:
    if request.headers.get(EVENT_HEADER) != "pull_request":
        return "ignored"
    delivery = request.headers.get(DELIVERY_HEADER, "")
    if following.is_repeated(delivery):
        return "repeated"
    try:
        fate = read_fate(body)
        outcome = await following.on_fate(fate, origin=origin) if fate else "ignored"
    except Rejected as refusal:
        log.warning("webhook.refused", reason=refusal.reason)
        return "malformed"
    except Retryable as error:
        log.warning("webhook.put_off", reason=error.reason)
        return "put_off"
    following.remember(delivery)
    return outcome
