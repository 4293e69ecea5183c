"""GitHub.com and GitHub Enterprise Server.

Source: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries and
https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request
"""

from typing import Any, Final

from countersign.kube.objects import integer, mapping, text
from countersign.watcher.pulls.fates import Fate, commit_at, id_at, number_at, parse, time_at, user
from countersign.watcher.pulls.webhooks.interface import Delivery, Scheme, id_in
from countersign.watcher.pulls.webhooks.macs import HUB_PREFIX, mac_in

EVENT: Final = "pull_request"


def fate_in(payload: Any) -> Fate | None:
    """The fate in a `pull_request` event, which Gitea and Forgejo write as GitHub does."""
    pull = mapping(payload, "pull_request")
    repository_id, number = id_at(payload, "repository", "id"), number_at(pull, "number")
    if text(payload, "action") != "closed":
        return None
    merged = pull.get("merged") is True
    who = mapping(pull, "merged_by") if merged else mapping(payload, "sender")
    head = integer(pull, "head", "repo", "id")
    return Fate(
        repository_id=repository_id,
        number=number,
        head_repository_id=str(head) if head is not None else "",
        head_branch=text(pull, "head", "ref"),
        merged=merged,
        by=user(integer(who, "id"), login=text(who, "login")),
        merge_commit=commit_at(pull, "merge_commit_sha") if merged else "",
        at=time_at(pull, "merged_at" if merged else "closed_at"),
    )


def _read(delivery: Delivery) -> Fate | None:
    if delivery.headers.get("x-github-event") != EVENT:
        return None
    return fate_in(parse(delivery.body))


SCHEME: Final = Scheme(
    is_authentic=mac_in("x-hub-signature-256", prefix=HUB_PREFIX),
    read_fate=_read,
    delivery_id=id_in("x-github-delivery"),
)
