"""What to do about a failed promotion, by its reason, in words."""

from typing import Final

from countersign.contracts.messages import FailureReason, PromotionRequested

_BY_REASON: Final = {
    FailureReason.NO_MARKER: (
        'Put the comment `# {{"$promotion": "{marker}"}}` behind the value that holds the revision,'
        " on branch {branch} of {repository}{below}, then try again."
    ),
    FailureReason.ALREADY_THERE: (
        "{branch} of {repository} already names this revision. Wait until Flux applies it, or look"
        " why the environment does not follow."
    ),
    FailureReason.NOT_PROMOTABLE: (
        "This revision cannot be written at another place. Use a marker suffix that it has a value"
        " for (:tag, :digest, :commit), or promote a chart version."
    ),
    FailureReason.BRANCH_TAKEN: (
        "Somebody else made a branch of our name in {repository}. Delete it there, then try again."
    ),
    FailureReason.CONFLICT: (
        "{branch} of {repository} changed while we worked. Try again: the new state is read first."
    ),
    FailureReason.FORBIDDEN: (
        "The token may not write to {repository}. Ask for write permission there, or let somebody"
        " approve who has it. Protected branches and organisation rules count too."
    ),
    FailureReason.NOT_FOUND: (
        "The forge does not show {repository} or its branch {branch} to this token. Check the"
        " spelling in the Pipeline, and that the application is installed on the repository."
    ),
    FailureReason.RATE_LIMITED: (
        "The forge asks for fewer requests. It is tried again by itself; you may also try later."
    ),
    FailureReason.DELEGATION_EXPIRED: (
        "The delegated token ended before the pull request was open. Ask again and sign in once"
        " more."
    ),
    FailureReason.FORGE_NOT_LISTED: (
        "{origin} is not on the forge list, so nothing was sent there. Ask the administrator to add"
        " it."
    ),
    FailureReason.UNAUTHORIZED: (
        "The forge does not know the token any more. Replace the stored token, or promote as"
        " yourself."
    ),
    FailureReason.FORGE_UNAVAILABLE: (
        "{origin} does not answer. It is tried again by itself; see the forge's status page."
    ),
    FailureReason.BAD_ANSWER: (
        "{origin} answered something that is not its API. Check the forge's address and any proxy"
        " before it."
    ),
    FailureReason.CONSENT_MISMATCH: (
        "What was to be done is no longer what was consented to; nothing was changed. Ask again to"
        " consent to the new state."
    ),
    FailureReason.CREDENTIAL_MISSING: (
        "The Secret that the Pipeline names is not there, has no key that we read (token, or"
        " username and password), or may not be read; the message above says which. Make it, mend"
        " it, or have its reading allowed; or promote as yourself."
    ),
    FailureReason.REPOSITORY_NOT_ALLOWED: (
        "The forge list does not let this namespace use {repository} with a stored token. Ask the"
        " administrator, or promote as yourself."
    ),
    FailureReason.LIMIT_EXCEEDED: (
        "A limit was passed, for instance on the size or the number of files. Narrow the path in"
        " the Pipeline, then try again."
    ),
    FailureReason.NOT_ALLOWED: (
        "Nothing was opened. Ask for the right that is named above, or let somebody approve who has"
        " it; then ask again."
    ),
    FailureReason.INTERNAL: (
        "This is our mistake. Try again; if it stays, give the trace id to whoever runs"
        " Countersign."
    ),
    FailureReason.UNSPECIFIED: (
        "The reason is newer than this page. Try again, or read the message above."
    ),
}


# Where the writer's message tells more than its reason does; what it does not say so any more is
# told by its reason alone.
_BY_MESSAGE: Final = (
    (
        FailureReason.NOT_FOUND,
        "is empty or has no branch",
        (
            "Make branch {branch} in {repository}, with the files of the environment in it, or"
            " correct the branch in the Pipeline."
        ),
    ),
    (
        FailureReason.NO_MARKER,
        "the marker in ",
        (
            "Move the comment that the message names behind a single plain value, on the same line,"
            " on branch {branch} of {repository}, then try again."
        ),
    ),
    (
        FailureReason.NO_MARKER,
        "is too large to look into",
        (
            "Split the file that the message names, so that the part with the marker is small, on"
            " branch {branch} of {repository}, then try again."
        ),
    ),
    (
        FailureReason.NO_MARKER,
        "there is no folder ",
        "Correct the path in the Pipeline, or make that folder on branch {branch} of {repository}.",
    ),
    (
        FailureReason.CREDENTIAL_MISSING,
        "Countersign may not read it",
        (
            "Have the line that the message ends with run by somebody who may give rights in that"
            " namespace, then try again; or promote as yourself."
        ),
    ),
    (
        FailureReason.CREDENTIAL_MISSING,
        " could not be read: ",
        "The API server of the cluster does not answer. It is tried again by itself.",
    ),
)


def how_to_fix(reason: FailureReason, request: PromotionRequested, *, message: str = "") -> str:
    """One or two sentences with the names of this promotion in them."""
    to = request.destination
    told = (t for of, part, t in _BY_MESSAGE if of is reason and part in message)
    # Parts come from Pipelines; format() sees them as values, never as templates.
    return next(told, _BY_REASON[reason]).format(
        marker=request.marker_key,
        branch=to.base_branch,
        repository=f"{to.owner}/{to.repository}",
        below=f" below {to.path}" if to.path else "",
        origin=to.origin,
    )
