"""Sign-in as Entra ID's pages describe it, at an origin of its own, for one tenant."""

from typing import Any

from doubles.forge.oauth import Code, SmallOAuth

TENANT = "7f3c1f8e-0b6d-4a52-9a35-3f1f1c5f9d10"
RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798"


class EntraOAuth(SmallOAuth):
    authorize_path = f"/{TENANT}/oauth2/v2.0/authorize"
    token_path = f"/{TENANT}/oauth2/v2.0/token"
    expires_in_s = 4000

    def authorize(self, query: dict[str, str], *, login: str) -> str:
        # Without `offline_access` there is nothing to refresh with.
        assert query["scope"] == f"{RESOURCE}/vso.code_write"
        return super().authorize({**query, "scope": "vso.code_write"}, login=login)

    def token_answer(self, token: str, code: Code) -> Any:
        told = super().token_answer(token, code)
        return {**told, "scope": f"{RESOURCE}/{code.scope}", "ext_expires_in": 4000}
