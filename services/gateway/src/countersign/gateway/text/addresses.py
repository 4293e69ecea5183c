"""Addresses of our own pages, for names that may be any string."""

import hashlib
import re
from typing import Final
from urllib.parse import unquote

from countersign.gateway.model import PipelineKey

# `=XX` instead of `%XX`: servers and browsers decode `%2F` and remove `%2E%2E` before we see them.
_PLAIN = re.compile(r"[A-Za-z0-9_-]")
_ESCAPED = re.compile(r"(?:=[0-9A-F]{2})+")
_LOCAL_PATH = re.compile(r"/(?![/\\])[\x21-\x7e]*")
RETURN_CHARACTERS_MAX: Final = 2_000


def segment(text: str) -> str:
    """Any text as one segment of a path. A dot stays inside a name, as in `podinfo.v2`."""
    plain = "".join(
        c if _PLAIN.fullmatch(c) or (c == "." and 0 < i < len(text) - 1) else _escape(c)
        for i, c in enumerate(text)
    )
    return plain.replace("..", "=2E=2E")


def _escape(character: str) -> str:
    return "".join(f"={byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def text_of(segment_text: str) -> str:
    """Undo `segment`; other text stays as it is."""

    def plain(match: re.Match[str]) -> str:
        return bytes.fromhex(match[0].replace("=", "")).decode("utf-8", "replace")

    return _ESCAPED.sub(plain, segment_text)


def pipeline(key: PipelineKey) -> str:
    return f"/p/{segment(key.namespace)}/{segment(key.name)}"


def gate(key: PipelineKey, environment: str) -> str:
    return f"{pipeline(key)}/{segment(environment)}"


def access(key: PipelineKey, environment: str) -> str:
    return f"{gate(key, environment)}/access"


def consent(key: PipelineKey, environment: str) -> str:
    return f"{gate(key, environment)}/promote"


def history(key: PipelineKey, environment: str) -> str:
    return f"{gate(key, environment)}/history"


def history_json(key: PipelineKey, environment: str) -> str:
    parts = (segment(p) for p in (*key, environment))
    return "/api/v1/pipelines/{}/{}/environments/{}/history".format(*parts)


def promotion(promotion_id: str) -> str:
    return f"/promotions/{segment(promotion_id)}"


def credential(namespace: str, secret: str) -> str:
    return f"/credentials/{segment(namespace)}/{segment(secret)}"


def dom_id(prefix: str, *names: str) -> str:
    """An id for an element that stands for names of any kind."""
    digest = hashlib.sha256("\x00".join(names).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{prefix}-{digest[:12]}"


def local_path(text: str) -> str:
    """Return a path of ours to go to after signing in; anything else becomes the board."""
    once = unquote(text)
    fits = len(text) <= RETURN_CHARACTERS_MAX
    safe = _LOCAL_PATH.fullmatch(text) and not once.startswith(("//", "/\\"))
    return text if fits and safe and "\\" not in once else "/"
