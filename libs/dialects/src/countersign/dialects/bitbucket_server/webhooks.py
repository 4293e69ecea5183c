"""Bitbucket Data Center.

Source: https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
"""

from typing import Final

from countersign.dialects.hooks.fates import (
    Fate,
    branch_at,
    commit_at,
    id_at,
    number_at,
    parse,
    user,
)
from countersign.dialects.hooks.schemes import HUB_PREFIX, Delivery, Scheme, id_in, mac_in
from countersign.dialects.shapes import fields_at, integer_at, moment_at, moment_of, text_at

_STATE_AFTER: Final = {"pr:merged": "MERGED", "pr:declined": "DECLINED"}
_DELETED: Final = "pr:deleted"


def _read(delivery: Delivery) -> Fate | None:
    # By the body: the header with the name of the event is not signed.
    payload = parse(delivery.body)
    event = text_at(payload, "eventKey")
    if event != _DELETED and event not in _STATE_AFTER:
        return None
    pull = fields_at(payload, "pullRequest")
    repository_id = id_at(pull, "toRef", "repository", "id")
    number = number_at(pull, "id")
    state = text_at(pull, "state")
    # One that is deleted while it is open keeps the state; one that was merged stays so.
    fits = state != "MERGED" if event == _DELETED else state == _STATE_AFTER[event]
    if not fits:
        return None
    merged, source, who = state == "MERGED", fields_at(pull, "fromRef"), fields_at(payload, "actor")
    head, closed = integer_at(source, "repository", "id"), integer_at(pull, "closedDate")
    return Fate(
        repository_id=repository_id,
        number=number,
        head_repository_id=str(head) if head is not None else "",
        head_branch=branch_at(source, "id"),
        merged=merged,
        by=user(integer_at(who, "id"), login=text_at(who, "name")),
        merge_commit=commit_at(pull, "properties", "mergeCommit", "id") if merged else "",
        at=moment_of(closed or None, per_s=1000) or moment_at(payload, "date"),
    )


SCHEME: Final = Scheme(
    is_authentic=mac_in("x-hub-signature", prefix=HUB_PREFIX),
    read_fate=_read,
    delivery_id=id_in("x-request-id"),
)
