"""Sign-in as GitLab's pages describe it."""

from dataclasses import replace
from typing import Any

from doubles.forge.asgi import Call, Reply
from doubles.forge.oauth import Code, SmallOAuth, form_of


class GitLabOAuth(SmallOAuth):
    authorize_path = "/oauth/authorize"
    token_path = "/oauth/token"
    expires_in_s = 7200

    def token_answer(self, token: str, code: Code) -> Any:
        created = int(self.forge.clock().timestamp())
        return {**super().token_answer(token, code), "scope": code.scope, "created_at": created}

    def answer_besides(self, call: Call) -> Reply | None:
        return self._revoke(call) if call.path == "/oauth/revoke" else None

    def _revoke(self, call: Call) -> Reply:
        if not self.knows(call):
            return Reply(403, {"error": "unauthorized_client", "error_description": "no"})
        token = form_of(call)["token"]
        if token in self.forge.tokens:
            self.forge.tokens[token] = replace(self.forge.tokens[token], ended="revoked")
            self.ended.append(token)
        return Reply(200, {})
