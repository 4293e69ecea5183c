"""Failures to open a pull request, in words for people. Pure."""

from typing import Final

from countersign.contracts.messages import FailureReason

# Where what was said names a machine or a step of ours. Otherwise it names what to mend.
FAILURE_WORDS: Final = {
    FailureReason.FORGE_UNAVAILABLE: "{forge} did not respond",
    FailureReason.RATE_LIMITED: "{forge} is limiting our requests",
    FailureReason.BAD_ANSWER: "{forge} sent an answer that could not be read",
    FailureReason.UNAUTHORIZED: "{forge} did not accept the token",
    FailureReason.SIGN_ON_WANTED: "{forge} requires single sign-on for this repository",
    FailureReason.CONFLICT: "the branch changed while the pull request was being opened",
    FailureReason.DELEGATION_EXPIRED: "the delegated token ended before it was used",
    FailureReason.CONSENT_MISMATCH: "the promotion is no longer the one that was approved",
    FailureReason.INTERNAL: "something went wrong in Countersign",
}


def failure_words(reason: FailureReason, message: str, *, forge: str = "") -> str:
    """Return what a gate says of a failure; `message` is what was told of it."""
    # A name is a value here, never a template.
    own = FAILURE_WORDS.get(reason, "").format(forge=forge or "the forge")
    return own or message or "the pull request could not be opened"
