"""Sign-in by an incoming link, as Bitbucket Data Center's pages describe it; no scope is told."""

from typing import Any

from doubles.forge.oauth import Code, SmallOAuth


class BitbucketServerOAuth(SmallOAuth):
    authorize_path = "/rest/oauth2/latest/authorize"
    token_path = "/rest/oauth2/latest/token"
    expires_in_s = 3600

    def token_answer(self, token: str, code: Code) -> Any:
        return {**super().token_answer(token, code), "created_at": 1_796_000_000}
