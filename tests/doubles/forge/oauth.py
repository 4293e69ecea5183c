"""Sign-in at a small forge: people always consent, and a code gives one token, once."""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

from doubles.forge.asgi import Call, Reply
from doubles.forge.state import SmallForge


@dataclass(frozen=True)
class Code:
    login: str
    scope: str
    redirect_uri: str
    challenge: str


def form_of(call: Call) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(call.body.decode()).items()}


def client_of(call: Call) -> tuple[str, str]:
    """The application's id and secret, in the form or as a user and a password."""
    scheme, _, encoded = call.headers.get("authorization", "").partition(" ")
    if scheme == "Basic":
        user, _, password = base64.b64decode(encoded).decode().partition(":")
        return user, password
    form = form_of(call)
    return form.get("client_id", ""), form.get("client_secret", "")


@dataclass
class SmallOAuth:
    """
    Args:
        forge: whose people and tokens.
        client_id: of the one application.
        client_secret: the same.
        grants: scope that a person consented to first, for forges where it stays.
        ended: tokens that were revoked.

    """

    forge: SmallForge
    client_id: str
    client_secret: str
    grants: dict[str, str] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    _codes: dict[str, Code] = field(default_factory=dict)

    # Of the page where people consent, and of the endpoint that gives tokens.
    authorize_path = ""
    token_path = ""
    expires_in_s = 3600
    uses_pkce = True
    keeps_first_scope = False

    def authorize(self, query: dict[str, str], *, login: str) -> str:
        """Consent; the address that the browser is sent back to."""
        assert query["client_id"] == self.client_id
        assert query["response_type"] == "code"
        assert query.get("code_challenge_method", "") == ("S256" if self.uses_pkce else "")
        scope = query.get("scope", "")
        if self.keeps_first_scope:
            scope = self.grants.setdefault(login, scope)
        code = f"example-code-{len(self._codes)}"
        challenge = query.get("code_challenge", "")
        self._codes[code] = Code(login, scope, query["redirect_uri"], challenge)
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def answer(self, call: Call) -> Reply | None:
        if call.path == self.token_path:
            return self._exchange(call)
        return self.answer_besides(call)

    def answer_besides(self, call: Call) -> Reply | None:
        """Introspection, revocation and the like, where there are any."""
        del call
        return None

    def knows(self, call: Call) -> bool:
        return client_of(call) == (self.client_id, self.client_secret)

    def refusal(self, *, client_known: bool) -> Reply:
        word = "invalid_grant" if client_known else "invalid_client"
        status = 400 if client_known else 401
        return Reply(status, {"error": word, "error_description": "no"})

    def token_answer(self, token: str, code: Code) -> Any:
        del code
        return {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": self.expires_in_s,
            "refresh_token": "example-refresh-token",
        }

    def _exchange(self, call: Call) -> Reply:
        form = form_of(call)
        if not self.knows(call):
            return self.refusal(client_known=False)
        code = self._codes.get(form.get("code", ""))
        if code is None or not self._fits(code, form):
            return self.refusal(client_known=True)
        del self._codes[form["code"]]
        token = self.forge.token(code.login, *code.scope.split())
        return Reply(200, self.token_answer(token, code))

    def _fits(self, code: Code, form: dict[str, str]) -> bool:
        if code.redirect_uri != form.get("redirect_uri"):
            return False
        if not self.uses_pkce:
            return True
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        return code.challenge == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
