"""The small forge's sign-in: people always consent, and a code gives one token."""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

from doubles.gitea.state import SmallForge

EXPIRES_IN_S: Final = 3600


@dataclass(frozen=True)
class Code:
    login: str
    scope: str
    redirect_uri: str
    challenge: str


@dataclass
class SmallOAuth:
    """
    Args:
        forge: whose people and tokens.
        client_id: of the one application.
        client_secret: the same.
        grants: scope that a person consented to first, which stays.

    """

    forge: SmallForge
    client_id: str
    client_secret: str
    grants: dict[str, str] = field(default_factory=dict)
    _codes: dict[str, Code] = field(default_factory=dict)

    def authorize(self, query: dict[str, str], *, login: str) -> str:
        """Consent; the address that the browser is sent back to."""
        assert query["client_id"] == self.client_id
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        scope = self.grants.setdefault(login, query.get("scope", ""))
        code = f"example-code-{len(self._codes)}"
        self._codes[code] = Code(login, scope, query["redirect_uri"], query["code_challenge"])
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def exchange(self, body: bytes) -> tuple[int, Any]:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        code = self._codes.get(form["code"])
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        fits = (
            code is not None
            and (form["client_id"], form["client_secret"]) == (self.client_id, self.client_secret)
            and (code.challenge, code.redirect_uri) == (challenge, form["redirect_uri"])
        )
        if not fits or code is None:
            return 400, {"error": "unauthorized_client", "error_description": "no"}
        del self._codes[form["code"]]
        token = self.forge.token(code.login, *code.scope.split())
        return 200, {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": EXPIRES_IN_S,
            "refresh_token": "example-refresh-token",
        }

    def introspect(self, body: bytes, *, authorization: str) -> tuple[int, Any]:
        scheme, _, encoded = authorization.partition(" ")
        if scheme != "Basic" or base64.b64decode(encoded).decode() != (
            f"{self.client_id}:{self.client_secret}"
        ):
            return 401, None
        token = self.forge.tokens.get(parse_qs(body.decode())["token"][0])
        if token is None:
            return 401, None
        told = {"active": True, "username": token.login, "aud": [self.client_id]}
        scope = " ".join(sorted(token.scopes))
        return 200, {**told, "scope": scope} if scope else told
