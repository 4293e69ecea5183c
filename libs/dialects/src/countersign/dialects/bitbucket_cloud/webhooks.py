"""Bitbucket Cloud.

Source: https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/ and
https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/
"""

from typing import Final

from countersign.dialects.hooks.fates import Fate, commit_at, id_at, number_at, parse, user
from countersign.dialects.hooks.schemes import HUB_PREFIX, Delivery, Scheme, id_in, mac_in
from countersign.dialects.shapes import fields_at, moment_at, text_at

# The name of the event is not signed, the state is: both have to say the same.
_STATE_AFTER: Final = {"pullrequest:fulfilled": "MERGED", "pullrequest:rejected": "DECLINED"}


def _read(delivery: Delivery) -> Fate | None:
    state = _STATE_AFTER.get(delivery.headers.get("x-event-key", ""))
    if state is None:
        return None
    payload = parse(delivery.body)
    pull = fields_at(payload, "pullrequest")
    repository_id = id_at(pull, "destination", "repository", "uuid")
    number = number_at(pull, "id")
    if text_at(pull, "state") != state:
        return None
    who = fields_at(pull, "closed_by") or fields_at(payload, "actor")
    return Fate(
        repository_id=repository_id,
        number=number,
        head_repository_id=text_at(pull, "source", "repository", "uuid"),
        head_branch=text_at(pull, "source", "branch", "name"),
        merged=state == "MERGED",
        by=user(text_at(who, "uuid"), login=text_at(who, "nickname")),
        merge_commit=commit_at(pull, "merge_commit", "hash") if state == "MERGED" else "",
        at=moment_at(pull, "updated_on"),
    )


SCHEME: Final = Scheme(
    is_authentic=mac_in("x-hub-signature", prefix=HUB_PREFIX),
    read_fate=_read,
    delivery_id=id_in("x-request-uuid"),
)
