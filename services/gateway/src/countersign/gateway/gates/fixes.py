"""Advice for a failed promotion, by its reason or, more exactly, by its detail."""

from typing import Final

from countersign.contracts.messages import FailureDetail, FailureReason
from countersign.contracts.promotion import Promotion

BY_REASON: Final = {
    FailureReason.NO_MARKER: (
        'Add the comment `# {{"$promotion": "{marker}"}}` after the value that holds the revision,'
        " on branch {branch} of {repository}{below}. Then try again."
    ),
    FailureReason.ALREADY_THERE: (
        "{branch} of {repository} already names this revision. Wait for Flux to apply it, or find"
        " out why the environment does not follow."
    ),
    FailureReason.NOT_PROMOTABLE: (
        "This revision cannot be written elsewhere. Use a marker suffix that it has a value for"
        " (:tag, :digest, :commit), or promote a chart version."
    ),
    FailureReason.BRANCH_TAKEN: (
        "Somebody else created a branch with the name we use in {repository}. Delete it there, then"
        " try again."
    ),
    FailureReason.CONFLICT: (
        "{branch} of {repository} changed in the meantime. Try again: the new state is read first."
    ),
    FailureReason.FORBIDDEN: (
        "The token cannot write to {repository}. Ask for write permission there, or let somebody"
        " approve who has it. Protected branches and organisation rules count too."
    ),
    FailureReason.NOT_FOUND: (
        "The forge does not show {repository} or its branch {branch} to this token. Check the"
        " spelling in the Pipeline, and that whoever the token is of may read it; where"
        " applications are installed on repositories, that ours is installed on this one."
    ),
    FailureReason.RATE_LIMITED: (
        "The forge is limiting requests. Countersign retries by itself; you can also try later."
    ),
    FailureReason.DELEGATION_EXPIRED: (
        "The delegated token expired before the pull request was open. Ask again and sign in once"
        " more."
    ),
    FailureReason.FORGE_NOT_LISTED: (
        "{origin} is not on the forge list, so nothing was sent there. Ask the administrator to add"
        " it."
    ),
    FailureReason.UNAUTHORIZED: (
        "The forge no longer accepts the token. Replace the stored token, or promote as yourself."
    ),
    FailureReason.FORGE_UNAVAILABLE: (
        "{origin} is not responding. Countersign retries by itself; check the forge's status page."
    ),
    FailureReason.BAD_ANSWER: (
        "{origin} answered, but not as the forge's API does. Check the forge's address and any"
        " proxy in front of it."
    ),
    FailureReason.CONSENT_MISMATCH: (
        "The promotion has changed since it was approved, so nothing was written. Ask again to"
        " approve the new state."
    ),
    FailureReason.CREDENTIAL_MISSING: (
        "The Secret that the Pipeline names does not exist, has no key that Countersign reads"
        " (token, or username and password), or cannot be read; the message above says which."
        " Create or correct it, or promote as yourself."
    ),
    FailureReason.REPOSITORY_NOT_ALLOWED: (
        "The forge list does not let this namespace use {repository} with a stored token. Ask the"
        " administrator, or promote as yourself."
    ),
    FailureReason.LIMIT_EXCEEDED: (
        "A limit was exceeded, for instance on the size or the number of files. Narrow the path in"
        " the Pipeline, then try again."
    ),
    FailureReason.NOT_ALLOWED: (
        "Nothing was opened. Ask for the right to promote here, or let somebody approve who has it;"
        " then ask again."
    ),
    FailureReason.NOT_HEALTHY: (
        "Nothing was opened. Wait until the environment below is well; or try again, and confirm on"
        " the sheet that you promote anyway."
    ),
    FailureReason.REFUSED: (
        "A rule of {repository} refuses it, or a branch whose name is part of ours; the message"
        " above says which. Let the approver create branches below countersign/ (or what the forge"
        " list has as `branchPrefix`), or rename that branch, then try again."
    ),
    FailureReason.SIGN_ON_WANTED: (
        "The organization wants single sign-on. Sign in there, let the application or the token use"
        " that session, then try again."
    ),
    FailureReason.INTERNAL: (
        "This is our mistake. Try again. If it keeps happening, give the trace id to whoever runs"
        " Countersign."
    ),
    FailureReason.UNSPECIFIED: (
        "This page does not know the reason yet. Read the message above, or try again."
    ),
}

# More exact than the reason, where the writer knows more.
BY_DETAIL: Final = {
    FailureDetail.UNSPECIFIED: "",
    FailureDetail.BRANCH_MISSING: (
        "Create branch {branch} in {repository}, with the files of the environment in it, or"
        " correct the branch in the Pipeline."
    ),
    FailureDetail.MARKER_UNUSABLE: (
        "Move the comment{place} to the end of a line that holds a single plain value, on branch"
        " {branch} of {repository}. Then try again."
    ),
    FailureDetail.FILE_TOO_LARGE: (
        "Split {file}, so that the part with the marker is small, on branch {branch} of"
        " {repository}. Then try again."
    ),
    FailureDetail.FOLDER_MISSING: (
        "Correct the path in the Pipeline, or create that folder on branch {branch} of"
        " {repository}."
    ),
    FailureDetail.SECRET_FORBIDDEN: (
        "Somebody who may grant permissions in that namespace can run the command at the end of the"
        " message. Then try again; or promote as yourself."
    ),
    FailureDetail.CLUSTER_UNAVAILABLE: (
        "The cluster's API server is not responding. Countersign retries by itself."
    ),
}


def how_to_fix(promotion: Promotion) -> str:
    """One or two sentences with the names of this promotion in them."""
    request = promotion.request
    to, where = request.destination, promotion.failure_path
    line = f", line {promotion.failure_line}" if promotion.failure_line else ""
    by_reason = BY_REASON.get(promotion.failure, BY_REASON[FailureReason.UNSPECIFIED])
    template = BY_DETAIL.get(promotion.failure_detail, "") or by_reason
    # Parts come from Pipelines; format() sees them as values, never as templates.
    return template.format(
        marker=request.marker_key,
        branch=to.base_branch,
        repository=f"{to.owner}/{to.repository}",
        below=f" below {to.path}" if to.path else "",
        origin=to.origin,
        place=f" in `{where}`{line}" if where else "",
        file=f"`{where}`" if where else "the file",
    )
