"""Gitea and Forgejo, each by the headers that have its own name.

Both send GitHub's and Gitea's headers as well; what counts is the kind on the forge list.
Source: https://docs.gitea.com/usage/webhooks and https://forgejo.org/docs/latest/user/webhooks/
"""

from dataclasses import replace
from typing import Final

from countersign.kube.objects import mapping, text
from countersign.watcher.pulls.fates import Fate, parse
from countersign.watcher.pulls.webhooks.github import EVENT, fate_in
from countersign.watcher.pulls.webhooks.interface import Delivery, Scheme, id_in
from countersign.watcher.pulls.webhooks.macs import mac_in


def _scheme(vendor: str) -> Scheme:
    def read(delivery: Delivery) -> Fate | None:
        if delivery.headers.get(f"x-{vendor}-event") != EVENT:
            return None
        payload = parse(delivery.body)
        fate = fate_in(payload)
        if fate is None or fate.head_branch != f"refs/pull/{fate.number}/head":
            return fate
        # Its branch was deleted, which closes it; only the label still has the name.
        head = mapping(payload, "pull_request", "head")
        return replace(fate, head_branch=text(head, "label"))

    return Scheme(
        is_authentic=mac_in(f"x-{vendor}-signature"),
        read_fate=read,
        delivery_id=id_in(f"x-{vendor}-delivery"),
    )


GITEA: Final = _scheme("gitea")
FORGEJO: Final = _scheme("forgejo")
