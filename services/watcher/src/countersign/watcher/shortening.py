"""Makes texts fit without harm: half of a command would be another command. Pure."""

from typing import Final

_MORE: Final = "…"
_ELSEWHERE: Final = "… see status.findings"


def shortened(text: str, *, bytes_max: int) -> str:
    """On one line; what stands in backquotes stays whole, or is left out with all that follows."""
    flat = " ".join(text.split())
    if len(flat.encode()) <= bytes_max:
        return flat
    kept = _start_of(flat, bytes_max - len(_MORE.encode()))
    if kept.count("`") % 2 == 0:
        return kept + _MORE
    before = kept.rpartition("`")[0]
    return _start_of(before, bytes_max - len(_ELSEWHERE.encode())).rstrip() + _ELSEWHERE


def _start_of(text: str, bytes_max: int) -> str:
    return text.encode()[:bytes_max].decode(errors="ignore")
