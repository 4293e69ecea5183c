"""Reasons for which a forge refuses a call, or its answer is refused. One word for each.

Approval has further words for what is wrong with a delegation; these are of the transport and of
repositories.
"""

from enum import StrEnum


class ForgeRefusal(StrEnum):
    # Passes by itself.
    RATE_LIMITED = "rate_limited"
    FORGE_UNAVAILABLE = "forge_unavailable"
    # No check of a new pull request has begun.
    NOT_READY = "not_ready"
    # Stays until somebody does something.
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    SIGN_ON_WANTED = "sign_on_wanted"
    NOT_FOUND = "not_found"
    # It is at another address now.
    MOVED = "moved"
    # For good: by a rule, a hook, or a name that is in the way.
    REFUSED = "refused"
    FORGE_NOT_LISTED = "forge_not_listed"
    BAD_AUTHORITY = "bad_authority"
    CREDENTIAL_MISSING = "credential_missing"
    # The forge answers with something that it does not document.
    BAD_ANSWER = "bad_answer"
    LIMIT_EXCEEDED = "limit_exceeded"
    # What was there before us.
    BRANCH_TAKEN = "branch_taken"
    PULL_EXISTS = "pull_exists"
    CONFLICT = "conflict"
    # The kind of forge is one that nothing is written to yet.
    NOT_SUPPORTED = "not_supported"
