"""Comparison of repository URLs, however they are spelled."""

import re
from typing import Final

from countersign.contracts.messages import Destination

_SCP_LIKE: Final = re.compile(r"(?:[^@/]+@)?([^:/]+):(?!/)(.+)")
_URL: Final = re.compile(r"[a-z+]+://(?:[^@/]+@)?([^/:]+)(?::([0-9]+))?/(.+)", re.IGNORECASE)
_USUAL_PORTS: Final = frozenset({"", "22", "80", "443"})


def _place(url: str) -> tuple[str, str, str] | None:
    """Host, unusual port and path, in one spelling; none for what is no URL of a server."""
    if match := _URL.fullmatch(url):
        host, port, path = match[1], match[2] or "", match[3]
    elif match := _SCP_LIKE.fullmatch(url):
        host, port, path = match[1], "", match[2]
    else:
        return None
    path = path.strip("/").removesuffix(".git").lower()
    return host.lower(), "" if port in _USUAL_PORTS else port, path


def is_destination(url: str, to: Destination) -> bool:
    """Tell whether a source's URL is the repository that pull requests go to."""
    found = _place(url)
    ours = _place(f"{to.origin}/{to.owner}/{to.repository}")
    if found is None or ours is None:
        return False
    # ssh and https of one forge listen on different ports, so a port only tells between two http.
    same_port = found[1] == ours[1] or not url.lower().startswith("http")
    return found[0] == ours[0] and found[2] == ours[2] and same_port
