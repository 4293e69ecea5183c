"""Why a consent ended, for everybody who looks at the gate: the person has a name. Pure."""

from collections.abc import Mapping
from typing import Final

from countersign.approval.model import Consent, NotPermitted
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import ExpiryCause
from countersign.dialects.delegation.refusals import DelegationRefusal

# Of causes without words here the refusal has its own. Those that are here would speak to the
# person alone ("you"), or tell how to get a right.
WORDS: Final[Mapping[ExpiryCause, str]] = {
    ExpiryCause.UNFINISHED: "{who} did not finish signing in",
    ExpiryCause.STARTED_AGAIN: "{who} started to sign in again",
    ExpiryCause.UNUSED: "the token that {who} delegated was not used in time",
    ExpiryCause.SIGNED_OUT: "{who} signed out",
    ExpiryCause.WITHDRAWN: "what {who} delegated was taken back before it was used",
    ExpiryCause.NOT_PERMITTED: "{who} may not promote to {environment}",
    ExpiryCause.CANNOT_WRITE: (
        "{who} cannot write to {repository}; somebody with write access can approve it"
    ),
}


def reason_of(cause: ExpiryCause, consent: Consent) -> str:
    to = consent.destination
    # Names are values here, never templates.
    return WORDS[cause].format(
        who=name_of(consent),
        repository=f"{to.owner}/{to.repository}",
        environment=consent.promotion.environment,
    )


def cause_of(error: Rejected | Retryable) -> ExpiryCause:
    if isinstance(error, NotPermitted):
        return ExpiryCause.NOT_PERMITTED
    match error.reason:
        case DelegationRefusal.CANNOT_WRITE:
            return ExpiryCause.CANNOT_WRITE
        case DelegationRefusal.DENIED | ConsentRefusal.DENIED:
            return ExpiryCause.DENIED
        case _:
            return ExpiryCause.REFUSED


def declined(consent: Consent, *, forge: str, word: str) -> str:
    """Put into words what a browser brought back; `word` is empty where it is not fit to repeat."""
    if word == "access_denied":
        return f"{name_of(consent)} declined at {forge}"
    return f"{forge} refused the sign-in" + (f" ({word})" if word else "")


def name_of(consent: Consent) -> str:
    return consent.person.name or consent.person.id
