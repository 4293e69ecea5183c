"""Redaction: nothing that looks like a token leaves the process in a log line or a span.

The last net, not the first: tokens are `contracts.secret.Secret` and have no text. Shapes are
those that the forges document, for instance
https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats
and https://docs.gitlab.com/security/tokens/#token-prefixes.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

REDACTED: Final = "[redacted]"
# Deeper or longer values are no log fields of ours; what lies below is not shown at all.
_DEPTH_MAX: Final = 6
_ITEMS_MAX: Final = 100

_SHAPES: Final = (
    r"gh[pousr]_[A-Za-z0-9._-]{20,}",  # GitHub
    r"github_pat_[A-Za-z0-9_]{20,}",
    r"gl[a-z]{1,10}-[A-Za-z0-9_.=-]{16,}",  # GitLab, routable ones hold dots
    r"ATAT[A-Za-z0-9_=-]{16,}",  # Atlassian API tokens
    r"AT[BC][BT][A-Za-z0-9_=-]{16,}",  # Bitbucket app passwords and access tokens
    r"BBDC-[A-Za-z0-9+/=_-]{16,}",  # Bitbucket Data Center
    r"[A-Za-z0-9]{52,76}AZDO[A-Za-z0-9]{4,}",  # Azure DevOps
    r"S[UANOCX][A-Z2-7]{56}",  # NATS seeds
)
_TOKEN: Final = re.compile("|".join(_SHAPES))
# A JWT has three parts. Runs of its characters and dots are looked at as a whole, because an
# expression that begins anew at each `eyJ` would take the square of a text's length.
_RUN: Final = re.compile(r"[A-Za-z0-9_.-]{21,}")
_JWT_BEGINS: Final = "eyJ"
_JWT_PART_CHARACTERS: Final = (9, 6)
# Nothing here may be matched in two ways, and nothing without a bound before what decides.
_AFTER_KEYWORD: Final = re.compile(
    r"(?i)\b((?:authorization|private-token)\s*+[:=]\s*+(?:(?:bearer|basic|token)\s*+)?|bearer\s++"
    r"|[?&](?:code|state|access_token|refresh_token|private_token|client_secret)=)"
    r"[^\s\"'&,;]{6,}"
)
_USER_INFO: Final = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,31}://)[^/\s@\"']++@")
_SECRET_KEYS: Final = frozenset(
    {
        "access_token",
        "authorization",
        "client_secret",
        "code_verifier",
        "cookie",
        "device_code",
        "password",
        "private_token",
        "refresh_token",
        "secret",
        "seed",
        "set-cookie",
        "token",
        "user_code",
    }
)


def redact(text: str) -> str:
    """The text with everything in it that looks like a token replaced."""
    text = _TOKEN.sub(REDACTED, _RUN.sub(_without_jwts, text))
    text = _AFTER_KEYWORD.sub(lambda m: m[1] + REDACTED, text)
    return _USER_INFO.sub(lambda m: m[1] + REDACTED + "@", text)


def _without_jwts(run: re.Match[str]) -> str:
    parts = run[0].split(".")
    kept: list[str] = []
    at = 0
    while at < len(parts):
        begins = _begin_of_jwt(parts, at)
        kept.append(parts[at] if begins is None else parts[at][:begins] + REDACTED)
        at += 1 if begins is None else 3
    return ".".join(kept)


def _begin_of_jwt(parts: Sequence[str], at: int) -> int | None:
    begins = parts[at].find(_JWT_BEGINS)
    head_least, claims_least = _JWT_PART_CHARACTERS
    if begins < 0 or at + 2 >= len(parts):
        return None
    is_long = len(parts[at]) - begins >= head_least and len(parts[at + 1]) >= claims_least
    return begins if is_long else None


def redact_value(value: Any, *, key: str = "", depth: int = 0) -> Any:
    """The same for a field of a log line or span, also inside lists and mappings."""
    if key.lower() in _SECRET_KEYS and value is not None and not isinstance(value, bool | int):
        return REDACTED
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if isinstance(value, Mapping | Sequence | set | frozenset) and not isinstance(value, str):
        return _redact_items(value, depth) if depth < _DEPTH_MAX else "[…]"
    return redact(value if isinstance(value, str) else repr(value))


def _redact_items(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {
            str(k): redact_value(v, key=str(k), depth=depth + 1)
            for k, v in list(value.items())[:_ITEMS_MAX]
        }
    return [redact_value(v, depth=depth + 1) for v in list(value)[:_ITEMS_MAX]]
