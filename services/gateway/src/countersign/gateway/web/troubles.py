"""The explanation of each refusal to people: one table, by the word of the refusal."""

from typing import Final, NamedTuple

from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.gateway.refusals import Delay, Refusal


class Words(NamedTuple):
    """The status, the title and the advice that go with a refusal."""

    status: int
    title: str
    hint: str = ""
    # Says it better than what was raised, which is for operators.
    message: str = ""


_AGAIN: Final = "Promote again to start over."
REFUSALS: Final[dict[str, Words]] = {
    Refusal.BAD_FORM: Words(
        403,
        "This form is out of date",
        "Your session has changed since the page was loaded. Reload the page and try again.",
    ),
    Refusal.BAD_ID_TOKEN: Words(
        502,
        "The sign-in could not be verified",
        "Sign in again. If this keeps happening, show this page to your administrator.",
    ),
    Refusal.BAD_IDENTITY: Words(
        403,
        "Your account cannot be used here",
        "Show this page to your administrator, who chooses how people are named here.",
    ),
    Refusal.BAD_REQUEST: Words(400, "This request is not valid"),
    Refusal.CLIENT_SECRET: Words(
        502,
        "Signing in is not set up correctly",
        "Ask the administrator to check the file with the client secret.",
    ),
    Refusal.CROSS_SITE: Words(
        403,
        "This request came from another site",
        "Countersign only accepts actions from its own pages.",
    ),
    Refusal.FORGE_NOT_LISTED: Words(
        409, "This forge is not on the list", "Ask the administrator to add it to the forge list."
    ),
    Refusal.METHOD: Words(405, "This address cannot be used that way"),
    Refusal.NO_CLUSTER: Words(500, "Countersign is not set up correctly"),
    Refusal.NOT_ALLOWED: Words(
        403, "You do not have permission", "Ask whoever runs Countersign who may do that."
    ),
    Refusal.NOT_FOUND: Words(
        404,
        "Page not found",
        "It may have been renamed or deleted, or you may not have permission to see it.",
    ),
    Refusal.NOT_SIGNED_IN: Words(401, "You are not signed in", "Sign in and try again."),
    Refusal.PEOPLE_FILE: Words(500, "Countersign is not set up correctly"),
    Refusal.PROVIDER_REFUSED: Words(
        502,
        "The sign-in provider refused",
        "If this keeps happening, ask the administrator to compare Countersign's settings with "
        "the provider's.",
    ),
    Refusal.SIGN_IN_DENIED: Words(403, "You declined to sign in", "Sign in again when you like."),
    Refusal.SIGN_IN_STATE: Words(
        400,
        "This sign-in is no longer valid",
        "It was already used, took too long, or was started in another browser. Sign in again.",
    ),
    Refusal.STATE_MISMATCH: Words(
        400,
        "This sign-in is no longer valid",
        f"It was already used, took too long, or was started elsewhere. {_AGAIN}",
    ),
    Refusal.TOO_LARGE: Words(413, "That is too much text", "Shorten it and try again."),
    Refusal.TOO_MANY_PAGES: Words(
        429, "Too many pages are open", "Close some tabs and reload this page."
    ),
    Refusal.TOO_MANY_REQUESTS: Words(
        429, "Too many sign in from your network", "Wait half a minute and try again."
    ),
    Refusal.UNKNOWN_HOST: Words(421, "This is not the address of Countersign"),
    Refusal.UNKNOWN_PERSON: Words(400, "Nobody was chosen", "Choose one of the people listed."),
    Refusal.UNKNOWN_PROMOTION: Words(
        404,
        "Promotion not found",
        "It may be very old, or you may not have permission to see it.",
    ),
    Refusal.VIEWER_LINK: Words(500, "Countersign is not set up correctly"),
    ConsentRefusal.BUS_UNAVAILABLE: Words(
        503,
        "Countersign is cut off at the moment",
        "Nothing was changed. Try again in a moment.",
    ),
    ConsentRefusal.REFUSED: Words(502, "The forge did not revoke the token"),
    ConsentRefusal.CANNOT_WRITE: Words(
        403,
        "You cannot write to that repository",
        "Nothing was changed. Somebody with write access can promote it.",
    ),
    ConsentRefusal.CLUSTER_UNAVAILABLE: Words(
        503,
        "Your permissions could not be checked",
        "Nothing was changed. Try again in a moment.",
    ),
    ConsentRefusal.DENIED: Words(403, "You declined to sign in", f"Nothing was changed. {_AGAIN}"),
    ConsentRefusal.EXPIRED: Words(
        410, "This sign-in took too long", "Promote again and finish within the time shown."
    ),
    ConsentRefusal.FORGE_UNAVAILABLE: Words(
        502,
        "The forge is not responding",
        "Nothing was changed. Try again in a moment.",
        "The forge did not answer in time, or its answer could not be read.",
    ),
    ConsentRefusal.LIMIT: Words(429, "Too many requests", "Wait a minute and try again."),
    ConsentRefusal.NO_CLIENT: Words(
        409,
        "Nobody can sign in at this forge yet",
        "The administrator needs to register an application there and add it to the forge list.",
    ),
    ConsentRefusal.DEVICE_FLOW_OFF: Words(
        404,
        "Nobody signs in by a code here",
        "Promote again and continue to the forge. Where a browser cannot get there and back, the "
        "administrator can turn codes on in the forge list (`deviceFlow`).",
    ),
    Refusal.OTHER: Words(409, "That could not be done", "Nothing was changed."),
    ConsentRefusal.NOT_HEALTHY: Words(409, "The environment below is not healthy"),
    ConsentRefusal.NOT_WAITING: Words(
        409, "This promotion has moved on", "Its page shows where it stands."
    ),
    ConsentRefusal.REASON_WANTED: Words(400, "A reason is needed", "Say why, and send it again."),
    ConsentRefusal.REPLAY: Words(409, "This sign-in was already used", _AGAIN),
    ConsentRefusal.SESSION_MISMATCH: Words(
        403,
        "This sign-in belongs to another session",
        "Finish it in the browser where you started, signed in as the same person.",
    ),
    ConsentRefusal.STREAM_REFUSED: Words(
        503,
        "Nothing can be recorded at the moment",
        "Nothing was changed. Ask the administrator to make room on the message bus.",
        "The stream of promotions takes no more events: it is full.",
    ),
    ConsentRefusal.TOKEN_TOO_LONG_LIVED: Words(
        403,
        "The token would be valid for too long",
        "It was refused and not used. Ask the administrator for an application whose tokens "
        "expire.",
        "The forge gave a token that does not expire soon enough.",
    ),
    ConsentRefusal.TOKEN_TOO_STRONG: Words(
        403,
        "The token would allow too much",
        "It was refused and not used. Remove Countersign from your authorized applications at the "
        "forge and promote again; otherwise ask the administrator for one with fewer rights.",
        "The forge gave a token that can do more than this promotion needs.",
    ),
}
_NO_ANSWER: Final = Words(
    503,
    "The approval service is not responding",
    "Check the promotion's page before you try again.",
    "Your action may or may not have gone through.",
)
DELAYS: Final[dict[str, Words]] = {
    Delay.ACCESS_UNKNOWN: Words(
        503,
        "Your permissions could not be checked",
        "Nothing was changed, and nobody's permissions were. Try again in a moment.",
        "The cluster's API server is not responding, so nothing can be shown.",
    ),
    Delay.BUS_UNAVAILABLE: Words(
        503,
        "Countersign is cut off at the moment",
        "Nothing was changed. Try again in a moment.",
        "The message bus is not responding.",
    ),
    Delay.NO_RESPONDER: _NO_ANSWER,
    Delay.PROVIDER_UNAVAILABLE: Words(
        503, "The sign-in provider is not responding", "Try again in a moment."
    ),
    Delay.TIMEOUT: _NO_ANSWER,
}
UNKNOWN_REFUSAL: Final = Words(400, "That was refused")
UNKNOWN_DELAY: Final = Words(503, "That did not work", "Try again in a moment.")
