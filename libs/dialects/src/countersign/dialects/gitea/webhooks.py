"""Gitea and Forgejo, each by the headers that have its own name.

Both sign in the name of others as well; what counts is the kind on the forge list.
Source: https://docs.gitea.com/usage/webhooks and https://forgejo.org/docs/latest/user/webhooks/
"""

from dataclasses import replace
from typing import Final

from countersign.dialects.hooks.fates import Fate, parse
from countersign.dialects.hooks.pull_request_event import EVENT, fate_in
from countersign.dialects.hooks.schemes import Delivery, Scheme, id_in, mac_in
from countersign.dialects.shapes import fields_at, text_at


def _scheme(vendor: str) -> Scheme:
    def read(delivery: Delivery) -> Fate | None:
        if delivery.headers.get(f"x-{vendor}-event") != EVENT:
            return None
        payload = parse(delivery.body)
        fate = fate_in(payload)
        if fate is None or fate.head_branch != f"refs/pull/{fate.number}/head":
            return fate
        # Its branch was deleted, which closes it; only the label still has the name.
        head = fields_at(payload, "pull_request", "head")
        return replace(fate, head_branch=text_at(head, "label"))

    return Scheme(
        is_authentic=mac_in(f"x-{vendor}-signature"),
        read_fate=read,
        delivery_id=id_in(f"x-{vendor}-delivery"),
    )


GITEA: Final = _scheme("gitea")
FORGEJO: Final = _scheme("forgejo")
