"""Refusals and failures as pages that a person can act on, and as `problem+json` for programs."""

from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from countersign.contracts.errors import Rejected, Retryable
from countersign.gateway.access.denials import Denied
from countersign.gateway.model import Action
from countersign.gateway.refusals import Postponed, Refusal
from countersign.gateway.web.frames import Screen
from countersign.gateway.web.troubles import DELAYS, REFUSALS, UNKNOWN_DELAY, UNKNOWN_REFUSAL


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A failure, explained to a person."""

    status: int
    code: str
    title: str
    message: str
    hint: str = ""
    # What an administrator could apply.
    manifest: str = ""
    actions: tuple[Action, ...] = ()
    # The page of what it is about, if there is one.
    instance: str = ""
    # For whoever runs this, what the message says otherwise to people.
    details: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {}


@dataclass(frozen=True, kw_only=True)
class PassingTrouble(Trouble):
    """A failure that may be over after so many seconds; 0 where that is not known."""

    retry_after_s: int
    # What somebody wrote, which is not lost by this.
    kept: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Source: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after"""
        return {"Retry-After": str(self.retry_after_s)} if self.retry_after_s else {}


TO_BOARD: Final = Action(label="Go to the board", href="/")


def problem_of(
    error: Rejected | Retryable,
    *,
    actions: tuple[Action, ...] = (),
    instance: str = "",
    kept: str = "",
) -> Trouble:
    """Put an error into words; one that is new keeps its own message."""
    details = hint = ""
    if isinstance(error, Denied) and error.reason == Refusal.NOT_ALLOWED:
        hint = f"Ask for {error.missing.words}."
    if isinstance(error, Rejected):
        words = REFUSALS.get(error.reason, UNKNOWN_REFUSAL)
        details = error.message if words.message else ""
    else:
        words = DELAYS.get(error.reason, UNKNOWN_DELAY)
    return PassingTrouble(
        status=words.status,
        code=error.reason,
        title=words.title,
        message=words.message or error.message,
        hint=hint or words.hint,
        manifest=error.missing.manifest if isinstance(error, Denied) else "",
        actions=actions or (TO_BOARD,),
        instance=instance,
        details=details,
        kept=kept,
        retry_after_s=_after_s(error),
    )


def _after_s(error: Rejected | Retryable) -> int:
    told = error.after_s if isinstance(error, Postponed | Retryable) else None
    return ceil(told or 0)


BUG: Final = Trouble(
    status=500,
    code="internal",
    title="Something went wrong",
    message="This is our mistake. It has been logged, with the time.",
    hint="Reload the page. If this keeps happening, tell whoever runs Countersign.",
    actions=(TO_BOARD,),
)


def respond(screen: Screen, request: Request, trouble: Trouble) -> Response:
    """Answer in the form that the one who asked can read."""
    if request.url.path.startswith("/api/"):
        instance = trouble.instance or request.scope["state"].get("instance", "")
        return problem_json(replace(trouble, instance=instance))
    html = screen.page(request, "trouble.html", trouble=trouble)
    return HTMLResponse(html, status_code=trouble.status, headers=trouble.headers)


def problem_json(trouble: Trouble) -> Response:
    """Source: https://www.rfc-editor.org/rfc/rfc9457"""
    body = {
        "type": f"urn:countersign:problem:{trouble.code}",
        "title": trouble.title,
        "status": trouble.status,
        "detail": " ".join(t for t in (trouble.message, trouble.hint) if t),
        "code": trouble.code,
        **({"grant": trouble.manifest} if trouble.manifest else {}),
        **({"instance": trouble.instance} if trouble.instance else {}),
    }
    return JSONResponse(
        body, trouble.status, headers=trouble.headers, media_type="application/problem+json"
    )
