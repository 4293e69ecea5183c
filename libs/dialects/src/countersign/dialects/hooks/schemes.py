"""Webhooks as every forge sends them: a delivery, its proof, and the news in it."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from countersign.contracts.secret import Secret
from countersign.dialects.hooks.fates import Fate

HUB_PREFIX: Final = "sha256="


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A request as it came; `headers` has names in lower case, or does not mind."""

    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> bytes:
        """Return a header as it was sent; ASGI servers hand headers over in Latin-1."""
        return self.headers.get(name, "").encode("latin-1", "replace")


# Whether the forge sent it, in constant time; the number is now, in seconds since 1970.
Check = Callable[[Delivery, Secret, float], bool]


def no_flaw(_: Secret) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """One kind of forge. Nothing of a delivery is read before it `is_authentic`.

    `read_fate` gives None for news of anything but the end of a pull request, and raises
    `Rejected` (`malformed`) for what the forge would not send. `delivery_id` is empty where the
    forge gives none that is new for each piece of news. `flaw` says why a secret cannot be one.
    """

    is_authentic: Check
    read_fate: Callable[[Delivery], Fate | None]
    delivery_id: Callable[[Delivery], str]
    flaw: Callable[[Secret], str] = no_flaw


def id_in(header: str) -> Callable[[Delivery], str]:
    return lambda delivery: delivery.headers.get(header, "")


def mac_in(header: str, *, prefix: str = "") -> Check:
    """Check that a header has the HMAC-SHA256 of the raw body, in hexadecimal."""

    def is_signed(delivery: Delivery, secret: Secret, _now_s: float) -> bool:
        digest = hmac.new(secret.reveal().encode(), delivery.body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(f"{prefix}{digest}".encode(), delivery.header(header))

    return is_signed
