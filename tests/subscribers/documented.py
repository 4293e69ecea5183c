"""The programs of docs/subscribe.md, as they stand there."""

import re

from reference import ROOT

DOCUMENT = ROOT / "docs/subscribe.md"
_PROGRAM = re.compile(r"<!-- ([a-z]+\.[a-z]+) -->\n```[a-z]+\n(.*?)```\n", re.DOTALL)


def programs() -> dict[str, str]:
    """Each program by the name in the comment before it."""
    return dict(_PROGRAM.findall(DOCUMENT.read_text()))
