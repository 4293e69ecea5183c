"""A GitHub App's user tokens: the web flow, narrowing to one repository, revocation.

Source: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import ForgeUser
from countersign.contracts.secret import Secret
from countersign.dialects.exchange import Answer, Basic, Request
from countersign.dialects.github import oauth_answers as answers
from countersign.dialects.oauth import LIFETIME_S_MAX, Client, Delegated, Narrowed
from countersign.forges.http import ForgeHttp

PERMISSIONS: Final = {"contents": "write", "pull_requests": "write", "metadata": "read"}
# A narrowed token reaches one installation; whoever sees more than this is refused anyway.
INSTALLATIONS_MAX: Final = 10
_TIMEOUT_S: Final = 5.0
_HEADERS: Final = {"X-GitHub-Api-Version": "2022-11-28"}
_JSON: Final = "application/vnd.github+json"
# The application's own answers are read here: 404 there means a token that is not valid.
_READ_HERE: Final = frozenset({401, 403, 404, 422})


class GitHubOAuth:
    """The dialect of one GitHub, for one registered App."""

    def __init__(self, http: ForgeHttp, *, client: Client, now: Callable[[], datetime]) -> None:
        self._http = http
        self._client = client
        self._now = now
        self._origin = http.forge.origin
        self._where = http.forge.name
        # RFC 9207 wants an issuer identifier; GitHub is seen to name its OAuth root.
        self.issuers = frozenset({self._origin, f"{self._origin}/login/oauth"})

    def authorize_url(self, *, state: str, challenge: str) -> str:
        query = {
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect_uri,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._origin}/login/oauth/authorize?{urlencode(query)}"

    async def exchange(self, *, code: Secret, verifier: Secret) -> Delegated:
        """
        Raises:
            Rejected: `expired` (the code), `no_client` (our registration is wrong), `denied`,
                `bad_answer`.

        """
        form: dict[str, str | Secret] = {
            "client_id": self._client.client_id,
            "client_secret": self._client.secret(),
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": self._client.redirect_uri,
        }
        answer = await self._send(
            Request(
                name="exchange the code",
                method="POST",
                url=f"{self._origin}/login/oauth/access_token",
                form=form,
                passes=_READ_HERE | {400},
                timeout_s=_TIMEOUT_S,
            )
        )
        return answers.delegated(answer, where=self._where)

    def refuse_unfit(self, delegated: Delegated) -> None:
        """
        Raises:
            Rejected: `token_too_long_lived`.

        """
        answers.refuse_unfit(delegated, where=self._where)

    async def whose(self, token: Secret) -> ForgeUser:
        answer = await self._send(_get("/user", name="ask whose token it is"), token)
        return answers.user(answer, where=self._where)

    async def narrow(self, token: Secret, *, owner: str, repository: str) -> Narrowed:
        """
        Raises:
            Rejected: `cannot_write`, `token_too_strong`, `token_too_long_lived`, `denied`.

        """
        body = {
            "access_token": token,
            "target": owner,
            "repositories": [repository],
            "permissions": PERMISSIONS,
        }
        answer = await self._application("POST", "/token/scoped", body, name="narrow the token")
        name = f"{owner}/{repository}"
        child = answers.child(answer, token=token, name=name, where=self._where)
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self._forget, child.token)
            expires_at = self._refuse_wide(child, name=name)
            await self._prove(child.token, name=name)
            undo.pop_all()
        return Narrowed(token=child.token, expires_at=expires_at)

    def _refuse_wide(self, child: answers.Child, *, name: str) -> datetime:
        latest = self._now() + timedelta(seconds=LIFETIME_S_MAX)
        if child.expires_at is None or child.expires_at > latest:
            raise Rejected(
                "token_too_long_lived",
                f"{self._where}: the token for {name!r} does not end in time",
            )
        beyond = {k: v for k, v in child.permissions.items() if PERMISSIONS.get(k) != v}
        if beyond or not child.selected:
            raise Rejected(
                "token_too_strong",
                f"{self._where}: the token for {name!r} may do more than was asked",
            )
        missing = sorted(PERMISSIONS.keys() - child.permissions.keys() - {"metadata"})
        if missing:
            raise Rejected(
                "cannot_write",
                f"{self._where}: the App may not write {', '.join(missing)} in {name!r}; "
                "ask its owner to grant that",
            )
        return child.expires_at

    async def _prove(self, token: Secret, *, name: str) -> None:
        """Have the forge itself list all that the token reaches: this repository alone."""
        listed = answers.installations(
            await self._send(
                _get(
                    f"/user/installations?per_page={INSTALLATIONS_MAX}", name="list installations"
                ),
                token,
            ),
            at_most=INSTALLATIONS_MAX,
            where=self._where,
        )
        pages = await asyncio.gather(
            *(
                self._send(
                    _get(
                        f"/user/installations/{number}/repositories?per_page=2",
                        name="list what the token reaches",
                    ),
                    token,
                )
                for number in listed
            )
        )
        answers.refuse_other_repositories(pages, name=name, where=self._where)

    async def revoke(self, token: Secret) -> None:
        body = {"access_token": token}
        answer = await self._application("DELETE", "/token", body, name="revoke the token")
        if answer.status == answers.INVALID:
            # It may say this of a token that is already dead; the check says which.
            answer = await self._application("POST", "/token", body, name="check the token")
        answers.refuse_alive(answer, where=self._where)

    async def _forget(self, token: Secret) -> None:
        """End a token that was never handed out; it ends by itself where this fails."""
        try:
            await self.revoke(token)
        except (Rejected, Retryable):
            return

    async def _application(
        self, method: Any, path: str, body: dict[str, Any], *, name: str
    ) -> Answer:
        basic = Basic(user=self._client.client_id, password=self._client.secret())
        return await self._send(
            Request(
                name=name,
                method=method,
                url=f"/applications/{self._client.client_id}{path}",
                json=body,
                basic=basic,
                accept=_JSON,
                headers=_HEADERS,
                passes=_READ_HERE,
                timeout_s=_TIMEOUT_S,
            )
        )

    async def _send(self, request: Request, token: Secret | None = None) -> Answer:
        """Send; what the forge's own trouble is called towards a person is the same for all."""
        try:
            return await self._http.send(request, token)
        except Retryable as error:
            raise Retryable("forge_unavailable", error.message, after_s=error.after_s) from None
        except Rejected as error:
            word = (
                "denied" if error.reason in {"unauthorized", "forbidden"} else "forge_unavailable"
            )
            raise Rejected(word, error.message) from None


def _get(url: str, *, name: str) -> Request:
    return Request(
        name=name, method="GET", url=url, accept=_JSON, headers=_HEADERS, timeout_s=_TIMEOUT_S
    )
