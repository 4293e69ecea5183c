"""Why a consent ended, for everybody who looks at the gate: the person has a name. Pure."""

from typing import Final

from countersign.approval.model import Consent, NotPermitted
from countersign.contracts.errors import Rejected, Retryable
from countersign.dialects.delegation.refusals import DelegationRefusal

UNFINISHED: Final = "{who} did not finish signing in"
STARTED_AGAIN: Final = "{who} started to sign in again"
UNUSED: Final = "what {who} delegated was not used in time"
SIGNED_OUT: Final = "{who} signed out"
NOT_PERMITTED: Final = "{who} may not promote into {environment}"
CANNOT_WRITE: Final = "{who} may not write to {repository}; ask its owner for the right to"


def told(reason: str, consent: Consent) -> str:
    to = consent.destination
    # Names are values here, never templates.
    return reason.format(
        who=name_of(consent),
        repository=f"{to.owner}/{to.repository}",
        environment=consent.promotion.environment,
    )


def reason_of(error: Rejected | Retryable, consent: Consent) -> str:
    # Other refusals tell what the forge or its App did; only these tell the person "you", or how
    # to get a right, which is for them alone.
    if isinstance(error, NotPermitted):
        return told(NOT_PERMITTED, consent)
    return (
        told(CANNOT_WRITE, consent)
        if error.reason == DelegationRefusal.CANNOT_WRITE
        else error.message
    )


def declined(consent: Consent, *, forge: str, word: str) -> str:
    """Put into words what a browser brought back; `word` is empty where it is not fit to repeat."""
    if word == "access_denied":
        return f"{name_of(consent)} declined at {forge}"
    return f"{forge} refused the sign-in" + (f" ({word})" if word else "")


def name_of(consent: Consent) -> str:
    return consent.person.name or consent.person.id
