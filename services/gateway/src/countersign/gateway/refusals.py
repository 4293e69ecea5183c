"""Why the gateway refuses or postpones a request: the words that programs and tests go by."""

from enum import StrEnum

from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected
from countersign.contracts.messages import Problem


class Refusal(StrEnum):
    """A refusal that stands, however often it is tried, until something else changes."""

    BAD_FORM = "bad_form"
    BAD_ID_TOKEN = "bad_id_token"  # noqa: S105 - a word
    BAD_IDENTITY = "bad_identity"
    BAD_REQUEST = "bad_request"
    CLIENT_SECRET = "client_secret"  # noqa: S105 - a word
    CROSS_SITE = "cross_site"
    FORGE_NOT_LISTED = "forge_not_listed"
    METHOD = "method"
    NO_CLUSTER = "no_cluster"
    NOT_ALLOWED = "not_allowed"
    NOT_FOUND = "not_found"
    NOT_SIGNED_IN = "not_signed_in"
    # What a newer approval service says and this gateway has no word for.
    OTHER = "other"
    PEOPLE_FILE = "people_file"
    PROVIDER_REFUSED = "provider_refused"
    SIGN_IN_DENIED = "sign_in_denied"
    SIGN_IN_STATE = "sign_in_state"
    STATE_MISMATCH = "state_mismatch"
    TOO_LARGE = "too_large"
    TOO_MANY_PAGES = "too_many_pages"
    TOO_MANY_REQUESTS = "too_many_requests"
    UNKNOWN_HOST = "unknown_host"
    UNKNOWN_PERSON = "unknown_person"
    UNKNOWN_PROMOTION = "unknown_promotion"
    VIEWER_LINK = "viewer_link"


class Delay(StrEnum):
    """A failure that may be over in a moment."""

    ACCESS_UNKNOWN = "access_unknown"
    BUS_UNAVAILABLE = "bus_unavailable"
    NO_RESPONDER = "no_responder"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    TIMEOUT = "timeout"


class Postponed(Rejected):
    """Refused for now: after so many seconds it may work."""

    def __init__(self, reason: StrEnum, message: str, *, after_s: int) -> None:
        super().__init__(reason, message)
        self.after_s = after_s


def rejection_of(problem: Problem) -> Rejected:
    """Return the refusal of the approval service as ours."""
    reason = refusal_of(problem.code)
    if problem.retry_after_s > 0:
        return Postponed(reason, problem.message, after_s=problem.retry_after_s)
    return Rejected(reason, problem.message)


def refusal_of(code: str) -> StrEnum:
    """Return the word for what the approval service refused, `OTHER` for a new one."""
    known = (word for words in (ConsentRefusal, Refusal, Delay) for word in words)
    return next((word for word in known if word == code), Refusal.OTHER)
