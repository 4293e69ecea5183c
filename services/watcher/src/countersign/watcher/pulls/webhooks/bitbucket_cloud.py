"""Bitbucket Cloud.

Source: https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/ and
https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/
"""

from typing import Final

from countersign.kube.objects import mapping, text
from countersign.watcher.pulls.fates import Fate, commit_at, id_at, number_at, parse, time_at, user
from countersign.watcher.pulls.webhooks.interface import Delivery, Scheme, id_in
from countersign.watcher.pulls.webhooks.macs import HUB_PREFIX, mac_in

# The name of the event is not signed, the state is: both have to say the same.
_STATE_AFTER: Final = {"pullrequest:fulfilled": "MERGED", "pullrequest:rejected": "DECLINED"}


def _read(delivery: Delivery) -> Fate | None:
    state = _STATE_AFTER.get(delivery.headers.get("x-event-key", ""))
    if state is None:
        return None
    payload = parse(delivery.body)
    pull = mapping(payload, "pullrequest")
    repository_id = id_at(pull, "destination", "repository", "uuid")
    number = number_at(pull, "id")
    if text(pull, "state") != state:
        return None
    who = mapping(pull, "closed_by") or mapping(payload, "actor")
    return Fate(
        repository_id=repository_id,
        number=number,
        head_repository_id=text(pull, "source", "repository", "uuid"),
        head_branch=text(pull, "source", "branch", "name"),
        merged=state == "MERGED",
        by=user(text(who, "uuid"), login=text(who, "nickname")),
        merge_commit=commit_at(pull, "merge_commit", "hash") if state == "MERGED" else "",
        at=time_at(pull, "updated_on"),
    )


SCHEME: Final = Scheme(
    is_authentic=mac_in("x-hub-signature", prefix=HUB_PREFIX),
    read_fate=_read,
    delivery_id=id_in("x-request-uuid"),
)
