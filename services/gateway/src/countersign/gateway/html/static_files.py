"""Our scripts, styles and icons, read once and named by what they hold."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

# Only what is listed is served, under exactly this type.
_TYPES: Final = {
    "board.css": "text/css; charset=utf-8",
    "board.js": "text/javascript; charset=utf-8",
    "icons.svg": "image/svg+xml",
    "favicon.svg": "image/svg+xml",
    "vendor/htmx.min.js": "text/javascript; charset=utf-8",
    "vendor/hx-sse.min.js": "text/javascript; charset=utf-8",
}


@dataclass(frozen=True, kw_only=True)
class StaticFile:
    """One file, also compressed."""

    body: bytes
    compressed: bytes
    content_type: str
    digest: str


@dataclass(frozen=True)
class StaticFiles:
    """All of them, by the name in their address."""

    by_name: Mapping[str, StaticFile]

    def address(self, name: str) -> str:
        """Changes with the content, so that it may be kept for a year."""
        return f"/static/{name}?v={self.by_name[name].digest}"


def read_static_files() -> StaticFiles:
    folder = files("countersign.gateway") / "static"
    found = {}
    for name, content_type in _TYPES.items():
        body = folder.joinpath(*name.split("/")).read_bytes()
        found[name] = StaticFile(
            body=body,
            compressed=gzip.compress(body, 9, mtime=0),
            content_type=content_type,
            digest=hashlib.sha256(body).hexdigest()[:16],
        )
    return StaticFiles(found)
