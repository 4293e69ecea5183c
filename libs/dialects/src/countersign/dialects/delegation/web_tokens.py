"""JSON Web Tokens, as far as their readers may look into them without a key.

Whoever gave one says what is in it, and nobody else: nothing here proves it. One that is encrypted
tells nothing.
Source: https://www.rfc-editor.org/rfc/rfc7519 and https://www.rfc-editor.org/rfc/rfc7516
"""

import base64
import json
import re
from typing import Any, Final

from countersign.contracts.secret import Secret

# Three parts where it is signed, five where it is encrypted; a JSON object begins with `eyJ`.
_FORM: Final = re.compile(r"eyJ[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){2}(?:(?:\.[A-Za-z0-9_-]*){2})?")
_SIGNED_DOTS: Final = 2


def is_web_token(token: Secret) -> bool:
    return bool(_FORM.fullmatch(token.reveal()))


def claims_in(token: Secret) -> dict[str, Any]:
    """Return what it says of itself; empty for one that is encrypted, or none at all."""
    text = token.reveal()
    if not _FORM.fullmatch(text) or text.count(".") != _SIGNED_DOTS:
        return {}
    payload = text.split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
