"""Azure DevOps: service hooks, which sign nothing and prove themselves by Basic authentication.

Source: https://learn.microsoft.com/en-us/azure/devops/service-hooks/services/webhooks and
https://learn.microsoft.com/en-us/azure/devops/service-hooks/events
"""

import base64
import hmac
from typing import Final

from countersign.contracts.secret import Secret
from countersign.dialects.hooks.fates import (
    Fate,
    branch_at,
    commit_at,
    id_at,
    number_at,
    parse,
    user,
)
from countersign.dialects.hooks.schemes import Delivery, Scheme
from countersign.dialects.shapes import fields_at, moment_at, text_at

# `merged` is sent when a merge commit was tried, which happens all the time; only the status of the
# pull request says whether it is over.
_EVENTS: Final = frozenset({"git.pullrequest.merged", "git.pullrequest.updated"})
_MERGED_BY_STATUS: Final = {"completed": True, "abandoned": False}


def _is_authentic(delivery: Delivery, secret: Secret, _now_s: float) -> bool:
    """The secret is `user:password`, or a password without a colon for any user."""
    scheme, _, encoded = delivery.header("authorization").partition(b" ")
    try:
        told = base64.b64decode(encoded, validate=True)
    except ValueError:
        return False
    expected = secret.reveal().encode()
    if b":" not in expected:
        told = told.partition(b":")[2]
    return hmac.compare_digest(expected, told) and scheme.lower() == b"basic"


def _read(delivery: Delivery) -> Fate | None:
    payload = parse(delivery.body)
    if text_at(payload, "eventType") not in _EVENTS:
        return None
    pull = fields_at(payload, "resource")
    repository_id = id_at(pull, "repository", "id")
    number = number_at(pull, "pullRequestId")
    merged = _MERGED_BY_STATUS.get(text_at(pull, "status"))
    if merged is None:
        return None
    who = fields_at(pull, "closedBy")
    fork = fields_at(pull, "forkSource")
    return Fate(
        repository_id=repository_id,
        number=number,
        head_repository_id=text_at(fork, "repository", "id") if fork else repository_id,
        head_branch=branch_at(pull, "sourceRefName"),
        merged=merged,
        by=user(text_at(who, "id"), login=text_at(who, "uniqueName")),
        merge_commit=commit_at(pull, "lastMergeCommit", "commitId") if merged else "",
        at=moment_at(pull, "closedDate"),
    )


def _delivery_id(delivery: Delivery) -> str:
    return text_at(parse(delivery.body), "id")


SCHEME: Final = Scheme(is_authentic=_is_authentic, read_fate=_read, delivery_id=_delivery_id)
