"""Why a consent ended, for everybody who looks at the gate: the person has a name. Pure."""

from typing import Final

from countersign.approval.model import Consent
from countersign.contracts.errors import Rejected, Retryable

UNFINISHED: Final = "{who} did not finish signing in"
STARTED_AGAIN: Final = "{who} started to sign in again"
UNUSED: Final = "what {who} delegated was not used in time"
SIGNED_OUT: Final = "{who} signed out"
# Other refusals tell what the forge or its App did; only these tell the person "you".
_OF_PERSON: Final = {
    "cannot_write": "{who} may not write to {repository}; ask its owner for the right to",
    "not_allowed": "{who} has approved it already; somebody else must approve it too",
}


def told(reason: str, consent: Consent) -> str:
    to = consent.destination
    # Names are values here, never templates.
    return reason.format(who=name_of(consent), repository=f"{to.owner}/{to.repository}")


def reason_of(error: Rejected | Retryable, consent: Consent) -> str:
    known = _OF_PERSON.get(error.reason)
    return told(known, consent) if known else error.message


def declined(consent: Consent, *, forge: str, word: str) -> str:
    """What a browser brought back as an error; `word` is empty where it is not fit to repeat."""
    if word == "access_denied":
        return f"{name_of(consent)} declined at {forge}"
    return f"{forge} refused the sign-in" + (f" ({word})" if word else "")


def name_of(consent: Consent) -> str:
    return consent.person.name or consent.person.id
