"""Refusals and failures as pages that a person can act on, and as `problem+json` for programs."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from countersign.contracts.errors import Rejected, Retryable
from countersign.gateway.access.denials import Denied
from countersign.gateway.model import Action
from countersign.gateway.web.frames import frame_of
from countersign.gateway.web.site import Site


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What went wrong, for a person."""

    status: int
    code: str
    title: str
    message: str
    hint: str = ""
    # What an administrator could apply.
    manifest: str = ""
    actions: tuple[Action, ...] = ()


TO_BOARD: Final = Action(label="Go to the board", href="/")
# Where asking once more can end otherwise.
PASSING: Final = frozenset(
    {
        "cluster_unavailable",
        "denied",
        "expired",
        "forge_unavailable",
        "replay",
        "session_mismatch",
        "state_mismatch",
    }
)
# Status, title and what to do, by the code of a refusal.
_REFUSALS: Final[dict[str, tuple[int, str, str]]] = {
    "unknown_promotion": (404, "There is no such promotion", "It may have been overtaken."),
    "not_waiting": (409, "This promotion is not waiting", "Its page shows where it stands."),
    "forge_not_listed": (
        409,
        "This forge is not listed",
        "Ask the administrator to add it to the forge list.",
    ),
    "no_client": (
        409,
        "Nobody can sign in at this forge yet",
        "The administrator has to register an application there and name it in the forge list.",
    ),
    "state_mismatch": (
        400,
        "This sign-in is not one of ours",
        "It was used already, is too old, or was begun elsewhere. Promote again to get a new one.",
    ),
    "session_mismatch": (
        403,
        "This sign-in belongs to another session",
        "Finish it in the browser it was begun in, signed in as the same person.",
    ),
    "expired": (410, "This took too long", "Promote again and finish within the minutes shown."),
    "denied": (
        403,
        "The sign-in was declined",
        "Nothing was changed. Promote again to be asked again.",
    ),
    "token_too_strong": (
        403,
        "The token could do too much",
        "It was refused and ended. Ask the administrator for an application with fewer rights.",
    ),
    "token_too_long_lived": (
        403,
        "The token would live too long",
        "It was refused and ended. Ask the administrator for an application whose tokens expire.",
    ),
    "cannot_write": (
        403,
        "You may not write to that repository",
        "Nothing was changed. Until then, somebody who may write there can promote it.",
    ),
    "forge_unavailable": (502, "The forge gives no usable answer", "Try again in a moment."),
    "cluster_unavailable": (
        503,
        "Nobody says who may promote",
        "Nobody's rights have changed. Try again in a moment.",
    ),
    "bad_request": (400, "That could not be understood", ""),
    "limit": (429, "Too much at once", "Wait a minute, then try again."),
    "replay": (409, "This was used already", "Promote again to get a new one."),
    "not_allowed": (403, "You may not do this", "Ask for the right that is named above."),
    "sign_in_state": (
        400,
        "This sign-in is not one of ours",
        "It was used already, took too long, or was begun in another browser. Sign in again.",
    ),
    "sign_in_denied": (403, "The sign-in was declined", "Sign in again to be asked again."),
    "provider_refused": (
        502,
        "The sign-in provider refuses",
        "If it stays, the administrator has to compare our settings with the provider's.",
    ),
    "bad_id_token": (
        502,
        "The sign-in provider's answer cannot be trusted",
        "Sign in again. If it stays, tell the administrator what stands above.",
    ),
    "client_secret": (
        502,
        "Countersign cannot prove itself to the sign-in provider",
        "The administrator has to look at the file with the client secret.",
    ),
    "bad_identity": (
        403,
        "Nobody can have rights under that name",
        "Tell the administrator, who chooses which claims of the provider name people.",
    ),
    "unknown_person": (400, "Nobody was chosen", "Choose one of the people on the page."),
    "not_found": (
        404,
        "There is nothing here",
        "It may have been renamed or deleted, or you may not see it.",
    ),
    "bad_form": (
        403,
        "This form is no longer valid",
        "Your session has changed since the page was loaded. Load it again.",
    ),
    "cross_site": (
        403,
        "This request came from another site",
        "Countersign only takes actions from its own pages.",
    ),
    "too_large": (413, "That is too much text", "Shorten it and send it again."),
    "too_many_pages": (429, "Too many pages are open", "Close some tabs, then load this again."),
    "method": (405, "That cannot be done here", ""),
    "not_signed_in": (401, "You are not signed in", "Sign in, then try again."),
}


def refusal(error: Rejected, *, actions: tuple[Action, ...] = ()) -> Trouble:
    status, title, hint = _REFUSALS.get(error.reason, (400, "That was refused", ""))
    return Trouble(
        status=status,
        code=error.reason,
        title=title,
        message=error.message,
        hint=hint,
        manifest=error.missing.manifest if isinstance(error, Denied) else "",
        actions=actions or (TO_BOARD,),
    )


def delay(error: Retryable, *, actions: tuple[Action, ...] = ()) -> Trouble:
    if error.reason in {"no_responder", "timeout"}:
        return Trouble(
            status=503,
            code=error.reason,
            title="The approval service does not answer",
            message="Nothing was done, or it is not known whether it was.",
            hint="The page of the promotion shows where it stands. Try again in a moment.",
            actions=actions or (TO_BOARD,),
        )
    if error.reason == "provider_unavailable":
        return Trouble(
            status=503,
            code=error.reason,
            title="The sign-in provider does not answer",
            message=error.message,
            hint="Nobody was signed in. Try again in a moment.",
            actions=actions or (TO_BOARD,),
        )
    if error.reason == "access_unknown":
        return Trouble(
            status=503,
            code=error.reason,
            title="Nobody says what you may see",
            message="The cluster's API server does not tell just now, so nothing is shown.",
            hint="Nothing was done. Try again in a moment; nobody's rights have changed.",
            actions=actions or (TO_BOARD,),
        )
    return Trouble(
        status=503,
        code=error.reason,
        title="That did not work just now",
        message=error.message,
        hint="Try again in a moment.",
        actions=actions or (TO_BOARD,),
    )


BUG: Final = Trouble(
    status=500,
    code="internal",
    title="This is our mistake",
    message="The page could not be made. It is in the log, with the time.",
    hint="Load it again; if it stays, tell whoever runs Countersign.",
    actions=(TO_BOARD,),
)


def respond(site: Site, request: Request, trouble: Trouble) -> Response:
    """As the one who asked can read it."""
    if request.url.path.startswith("/api/"):
        return problem_json(trouble)
    frame = frame_of(site, request)
    html = site.templates.page("trouble.html", trouble=trouble, frame=frame)
    return HTMLResponse(html, status_code=trouble.status)


def problem_json(trouble: Trouble) -> Response:
    """Source: https://www.rfc-editor.org/rfc/rfc9457"""
    body = {
        "type": f"urn:countersign:problem:{trouble.code}",
        "title": trouble.title,
        "status": trouble.status,
        "detail": " ".join(t for t in (trouble.message, trouble.hint) if t),
        "code": trouble.code,
        **({"grant": trouble.manifest} if trouble.manifest else {}),
    }
    return JSONResponse(body, trouble.status, media_type="application/problem+json")
