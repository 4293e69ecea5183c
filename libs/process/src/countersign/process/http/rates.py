"""Limits how many requests may come from one place."""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from countersign.contracts.bounds.dictionaries import BoundedDict

# More are forgotten, the one not heard of for longest first.
PLACES_MAX: Final = 4096
WINDOW_S: Final = 30.0
# What one household or one virtual machine gets; it may use any address of it.
_V6_PREFIX: Final = 64

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(slots=True)
class _Window:
    ends: float
    taken: int = 0


class RateLimit:
    """Counts in fixed windows, each begun by its first request."""

    def __init__(self, *, requests_max: int, clock: Callable[[], float]) -> None:
        self._requests_max = requests_max
        self._clock = clock
        self._windows: BoundedDict[str, _Window] = BoundedDict(PLACES_MAX)

    def take(self, place: str) -> float:
        """Seconds to wait; 0 when the request may be answered."""
        now = self._clock()
        window = self._windows.get(place)
        if window is None or window.ends <= now:
            window = _Window(ends=now + WINDOW_S)
        self._windows[place] = window
        if window.taken >= self._requests_max:
            return window.ends - now
        window.taken += 1
        return 0.0


def networks_in(text: str) -> tuple[Network, ...]:
    """Return the networks of a list with commas.

    Raises:
        ValueError: something in it is none.

    """
    written = (part.strip() for part in text.split(","))
    return tuple(ipaddress.ip_network(part) for part in written if part)


def place_of(remote: str, *, forwarded: str, proxies: Sequence[Network]) -> str:
    """Name what is counted together: an IPv4 address, or the network of an IPv6 one.

    Args:
        remote: whom the connection is from.
        forwarded: `X-Forwarded-For`, to which each proxy adds at the end; anybody can write it.
        proxies: whose additions are believed.

    """
    address = _address(remote)
    hops = forwarded.split(",")
    while hops and address is not None and any(address in network for network in proxies):
        before = _address(hops.pop().strip())
        if before is None:
            break
        address = before
    if address is None:
        return ""
    if address.version == 4:  # noqa: PLR2004 - of the protocol
        return str(address)
    return str(ipaddress.ip_network((address, _V6_PREFIX), strict=False))


def _address(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
