"""Sign-in as Gitea and Forgejo were recorded to do it."""

from urllib.parse import parse_qs

from doubles.forge.asgi import Call, Reply
from doubles.forge.oauth import SmallOAuth


class GiteaOAuth(SmallOAuth):
    authorize_path = "/login/oauth/authorize"
    token_path = "/login/oauth/access_token"
    keeps_first_scope = True

    def refusal(self, *, client_known: bool) -> Reply:
        del client_known
        return Reply(400, {"error": "unauthorized_client", "error_description": "no"})

    def answer_besides(self, call: Call) -> Reply | None:
        return self._introspect(call) if call.path == "/login/oauth/introspect" else None

    def _introspect(self, call: Call) -> Reply:
        found = parse_qs(call.body.decode()).get("token", [""])[0]
        token = self.forge.tokens.get(found)
        if found and token is None:
            # Before it looks at who asks.
            plain = "text/plain; charset=utf-8"
            return Reply(401, text="Failed to authenticate user\n", content_type=plain)
        if "authorization" not in call.headers or not self.knows(call):
            asks = (("www-authenticate", 'Basic realm="Gitea OAuth2"'),)
            plain = "text/plain;charset=utf-8"
            return Reply(401, text="no valid authorization", headers=asks, content_type=plain)
        if token is None:
            return Reply(200, {"active": False})
        told = {"active": True, "username": token.login, "aud": [self.client_id]}
        scope = " ".join(sorted(token.scopes))
        return Reply(200, {**told, "scope": scope} if scope else told)
