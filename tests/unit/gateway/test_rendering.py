"""How what services say becomes HTML."""

import html

from countersign.gateway.html.templates import prose, unquoted
from countersign.kube.grants import secret_line

WORDS = "<it> may not be read; this allows it: "


def test_line_for_kubectl_is_code_however_long_its_names_are() -> None:
    line = secret_line(namespace="n" * 63, secret="s" * 253, refusal="")

    assert prose(f"{WORDS}`{line}`") == f"{html.escape(WORDS)}<code>{html.escape(line)}</code>"
    assert unquoted(f"{WORDS}`{line}`") == f"{WORDS}{line}"
