"""Makes texts fit without harm: half of a command would be another command. Pure."""

from typing import Final

_MORE: Final = "…"
# Where the whole text is.
FINDINGS: Final = "status.findings"
BOARD: Final = "the board"


def shortened(text: str, *, bytes_max: int, whole: str) -> str:
    """Shorten to one line; what stands in backquotes stays whole, or goes with all that follows."""
    flat = " ".join(text.split())
    if len(flat.encode()) <= bytes_max:
        return flat
    kept = _start_of(flat, bytes_max - len(_MORE.encode()))
    if kept.count("`") % 2 == 0:
        return kept + _MORE
    before = kept.rpartition("`")[0]
    elsewhere = f"{_MORE} see {whole}"
    return _start_of(before, bytes_max - len(elsewhere.encode())).rstrip() + elsewhere


def _start_of(text: str, bytes_max: int) -> str:
    return text.encode()[:bytes_max].decode(errors="ignore")
