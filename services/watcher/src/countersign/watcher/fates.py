"""What a forge's webhook says of a pull request, and which promotion that concerns.

Source: https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ForgeUser,
    PullRequestClosed,
    PullRequestMerged,
    PullRequestRef,
)
from countersign.contracts.promotion import Promotion
from countersign.contracts.secret import Secret
from countersign.kube.objects import integer, mapping, moment, text

SIGNATURE_HEADER: Final = "x-hub-signature-256"
EVENT_HEADER: Final = "x-github-event"
DELIVERY_HEADER: Final = "x-github-delivery"
_PREFIX: Final = "sha256="


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """A pull request was closed, perhaps by merging it."""

    repository_id: str
    number: int
    head_repository_id: str
    head_branch: str
    merged: bool
    by: ForgeUser | None
    merge_commit: str
    at: datetime | None


def is_signed(body: bytes, *, signature: str, secret: Secret) -> bool:
    """Whether the raw body was signed with the secret, in constant time.

    Source: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    """
    digest = hmac.new(secret.reveal().encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"{_PREFIX}{digest}".encode(), signature.encode())


def read_fate(body: bytes) -> Fate | None:
    """None for a pull request that lives on.

    Raises:
        Rejected: `malformed`.

    """
    try:
        payload: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise Rejected("malformed", "the webhook's body is not JSON") from None
    pull = mapping(payload, "pull_request")
    repository = integer(payload, "repository", "id")
    number = integer(pull, "number")
    if repository is None or number is None:
        raise Rejected("malformed", "the webhook lacks repository.id or pull_request.number")
    if text(payload, "action") != "closed":
        return None
    merged = pull.get("merged") is True
    head = integer(pull, "head", "repo", "id")
    return Fate(
        repository_id=str(repository),
        number=number,
        head_repository_id=str(head) if head is not None else "",
        head_branch=text(pull, "head", "ref"),
        merged=merged,
        by=_user(mapping(pull, "merged_by") if merged else mapping(payload, "sender")),
        merge_commit=text(pull, "merge_commit_sha") if merged else "",
        at=moment(pull, "merged_at" if merged else "closed_at"),
    )


def _user(user: Mapping[str, Any]) -> ForgeUser | None:
    found, login = integer(user, "id"), text(user, "login")
    return ForgeUser(id=str(found), login=login) if found is not None and login else None


def is_ours(fate: Fate, ref: PullRequestRef) -> bool:
    """Whether it speaks of the very pull request that we opened."""
    return (
        fate.number == ref.number
        and bool(ref.repository_id)
        and fate.repository_id == ref.repository_id
        and fate.head_repository_id == (ref.head_repository_id or ref.repository_id)
        and fate.head_branch == (ref.head_branch or fate.head_branch)
    )


def event_of(fate: Fate, *, promotion: Promotion, ref: PullRequestRef, now: datetime) -> Message:
    if fate.merged:
        return PullRequestMerged(
            promotion=promotion.ref,
            pull_request=ref,
            by=fate.by,
            merge_commit=fate.merge_commit,
            merged_at=fate.at or now,
        )
    return PullRequestClosed(
        promotion=promotion.ref, pull_request=ref, by=fate.by, closed_at=fate.at or now
    )
