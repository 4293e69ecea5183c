"""GitHub.com and GitHub Enterprise Server.

Source: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries and
https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request
"""

from typing import Final

from countersign.dialects.hooks.fates import Fate, parse
from countersign.dialects.hooks.pull_request_event import EVENT, fate_in
from countersign.dialects.hooks.schemes import HUB_PREFIX, Delivery, Scheme, id_in, mac_in


def _read(delivery: Delivery) -> Fate | None:
    if delivery.headers.get("x-github-event") != EVENT:
        return None
    return fate_in(parse(delivery.body))


SCHEME: Final = Scheme(
    is_authentic=mac_in("x-hub-signature-256", prefix=HUB_PREFIX),
    read_fate=_read,
    delivery_id=id_in("x-github-delivery"),
)
