"""The addresses that browsers use, as far as they can be judged without one. Pure."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from countersign.checks.model import Fault, Finding, Subject
from countersign.contracts.forge_list import Forge
from countersign.process.http.loopback import is_loopback

# Names that the cluster's own DNS makes.
_INSIDE: Final = (".svc", ".cluster.local", ".local.")


def check_addresses(public_url: str, forges: tuple[Forge, ...]) -> Iterator[Finding]:
    """Judge the board's address and the forges', and say the callbacks to be registered."""
    yield _judged("COUNTERSIGN_PUBLIC_URL", public_url)
    for forge in forges:
        yield _judged(forge.name, forge.origin)
        if forge.client_id and public_url:
            callback = f"{public_url.rstrip('/')}/oauth/callback/{forge.slug}"
            yield Finding(
                subject=Subject.ADDRESS, name=forge.name, detail=f"its callback is {callback}"
            )


def _judged(name: str, url: str) -> Finding:
    host = urlsplit(url).hostname or ""
    fault = None
    if not host:
        fault = Fault.NOT_SET
    elif not url.startswith("https://") and not (is_loopback(host) or host == "localhost"):
        fault = Fault.NOT_ENCRYPTED
    elif host.endswith(_INSIDE) or ("." not in host and host != "localhost" and ":" not in host):
        fault = Fault.ONLY_INSIDE
    return Finding(subject=Subject.ADDRESS, name=name, fault=fault, detail=url)
