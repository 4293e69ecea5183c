"""Sign-in as Bitbucket Cloud's pages describe it: the consumer has its scopes by itself."""

from typing import Any

from doubles.forge.oauth import Code, SmallOAuth


class BitbucketCloudOAuth(SmallOAuth):
    authorize_path = "/site/oauth2/authorize"
    token_path = "/site/oauth2/access_token"
    expires_in_s = 7200
    uses_pkce = False

    def authorize(self, query: dict[str, str], *, login: str) -> str:
        assert "scope" not in query
        return super().authorize({**query, "scope": "account pullrequest:write"}, login=login)

    def token_answer(self, token: str, code: Code) -> Any:
        return {**super().token_answer(token, code), "scope": code.scope}
