"""The device flow, as far as forges have it alike. Pure.

Source: https://www.rfc-editor.org/rfc/rfc8628
"""

from dataclasses import dataclass
from typing import Final

from countersign.contracts.secret import Secret
from countersign.dialects.conversation import Conversation, ask
from countersign.dialects.delegation import device, token_answers
from countersign.dialects.delegation.code_flow import REFUSED, TIMEOUT_S, CodeFlow
from countersign.dialects.delegation.device import DeviceCode, Pending
from countersign.dialects.delegation.oauth import Delegated, Registration
from countersign.dialects.exchange import Answer, Request

BEGIN: Final = "begin a sign-in by code"
ASK: Final = "ask whether the code was typed"


@dataclass(frozen=True, kw_only=True)
class DeviceFlow:
    """One kind's flow: what it begins ends where the kind gives tokens for codes of browsers.

    Args:
        code_flow: the kind's other flow; base, scopes and the endpoint that gives tokens.
        begin_path: below the base.
        proves_itself: our secret goes along at the beginning; it always does with the questions.
        pages: that take codes, besides those at the base.

    """

    code_flow: CodeFlow
    begin_path: str
    proves_itself: bool = True
    pages: frozenset[str] = frozenset()

    def begin(self, at: Registration) -> Conversation[DeviceCode]:
        """Begin it.

        Raises:
            Rejected: `no_client`, `forge_unavailable`.

        """
        form: dict[str, str | Secret] = {
            "client_id": at.client_id,
            "scope": " ".join(sorted(self.code_flow.scopes_at(at.forge))),
        }
        if self.proves_itself:
            form["client_secret"] = at.secret()
        answer = yield from self._send(at, self.begin_path, form, name=BEGIN)
        body = token_answers.object_of(answer, where=at.where)
        origin = self.code_flow.origin(at)
        return device.code_in(body, origin=origin, pages=self.pages, where=at.where)

    def poll(self, at: Registration, code: Secret) -> Conversation[Delegated | Pending]:
        """Ask, once, whether the person has typed it.

        Raises:
            Rejected: `expired`, `denied`, `no_client`, `forge_unavailable`.

        """
        form: dict[str, str | Secret] = {
            "grant_type": device.GRANT_TYPE,
            "client_id": at.client_id,
            "client_secret": at.secret(),
            "device_code": code,
        }
        answer = yield from self._send(at, self.code_flow.exchange_path, form, name=ASK)
        body = token_answers.object_of(answer, where=at.where)
        pending = device.pending_in(body, where=at.where)
        return pending or self.code_flow.delegated(at, answer)

    def _send(
        self, at: Registration, path: str, form: dict[str, str | Secret], *, name: str
    ) -> Conversation[Answer]:
        request = Request(
            name=name,
            method="POST",
            url=f"{self.code_flow.base(at)}{path}",
            form=form,
            passes=REFUSED,
            timeout_s=TIMEOUT_S,
        )
        return (yield from ask(request))
