"""The fields of forms that our own pages gave out."""

from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from countersign.contracts.errors import Rejected
from countersign.gateway.access.sessions import Sessions
from countersign.gateway.refusals import Refusal

FIELDS_MAX: Final = 20
# No form of ours has files, so nothing else is parsed.
_URL_ENCODED: Final = "application/x-www-form-urlencoded"


async def read_form(sessions: Sessions, request: Request) -> dict[str, str]:
    """Read a form that one of our pages gave to this very session.

    Raises:
        Rejected: `bad_form`.

    """
    fields = parse_form(await request.body(), kind=request.headers.get("content-type", ""))
    session_id = request.scope["state"]["session_id"]
    if not sessions.is_form_token(fields.get("form_token", ""), session_id):
        raise Rejected(Refusal.BAD_FORM, "the form does not belong to this session")
    return fields


def parse_form(body: bytes, *, kind: str) -> dict[str, str]:
    """The last value of each field.

    Source: https://url.spec.whatwg.org/#application/x-www-form-urlencoded

    Raises:
        Rejected: `bad_form`; it is no form, or has too many fields.

    """
    if kind.partition(";")[0].strip().lower() != _URL_ENCODED:
        raise Rejected(Refusal.BAD_FORM, f"a form is sent as {_URL_ENCODED}")
    try:
        text = body.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="replace")
    except ValueError:
        raise Rejected(Refusal.BAD_FORM, "the form could not be read") from None
    return dict(pairs)
