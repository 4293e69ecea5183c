"""A GitHub App's user tokens: web and device flow, narrowing to one repository, revocation. Pure.

Source: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
"""

from typing import Any, Final, Literal
from urllib.parse import urlencode

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import ForgeUser, TokenKind
from countersign.contracts.secret import Secret
from countersign.dialects.conversation import Conversation, ask
from countersign.dialects.delegation import device, token_answers
from countersign.dialects.delegation.device import DeviceCode, Pending
from countersign.dialects.delegation.device_flow import ASK, BEGIN
from countersign.dialects.delegation.oauth import (
    Challenge,
    Delegated,
    Grant,
    Narrowed,
    OAuthDialect,
    Registration,
    SignInByCode,
    Target,
)
from countersign.dialects.exchange import Answer, Request, Sent
from countersign.dialects.github import oauth_answers as answers

# A narrowed token reaches one installation; whoever sees more than this is refused anyway.
INSTALLATIONS_MAX: Final = 10
_TIMEOUT_S: Final = 5.0
_HEADERS: Final = {"X-GitHub-Api-Version": "2022-11-28"}
_JSON: Final = "application/vnd.github+json"
_TOKEN_PATH: Final = "/login/oauth/access_token"  # noqa: S105 - a path
# The application's own answers are read here: 404 there means a token that is not valid.
_READ_HERE: Final = frozenset({401, 403, 404, 422})


def _issuers(forge: Forge) -> frozenset[str]:
    # RFC 9207 wants an issuer identifier; GitHub is seen to name its OAuth root.
    return frozenset({forge.origin, f"{forge.origin}/login/oauth"})


def _authorize_url(at: Registration, challenge: Challenge) -> str:
    query = {
        "client_id": at.client_id,
        "redirect_uri": at.redirect_uri,
        "state": challenge.state,
        "code_challenge": challenge.code_challenge,
        "code_challenge_method": "S256",
    }
    return f"{at.forge.origin}/login/oauth/authorize?{urlencode(query)}"


def _exchange(at: Registration, grant: Grant) -> Conversation[Delegated]:
    form: dict[str, str | Secret] = {
        "client_id": at.client_id,
        "client_secret": at.secret(),
        "code": grant.code,
        "code_verifier": grant.verifier,
        "redirect_uri": at.redirect_uri,
    }
    answer = yield from _sign_in(at, _TOKEN_PATH, form, name="exchange the code")
    return answers.delegated(answer, where=at.where)


def _begin_device(at: Registration) -> Conversation[DeviceCode]:
    """Begin it; the application's secret is no part of it.

    Source: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app#using-the-device-flow-to-generate-a-user-access-token
    """
    form: dict[str, str | Secret] = {"client_id": at.client_id}
    answer = yield from _sign_in(at, "/login/device/code", form, name=BEGIN)
    body = token_answers.object_of(answer, where=at.where)
    return device.code_in(body, origin=at.forge.origin, where=at.where)


def _poll_device(at: Registration, code: Secret) -> Conversation[Delegated | Pending]:
    form: dict[str, str | Secret] = {
        "client_id": at.client_id,
        "device_code": code,
        "grant_type": device.GRANT_TYPE,
    }
    answer = yield from _sign_in(at, _TOKEN_PATH, form, name=ASK)
    body = token_answers.object_of(answer, where=at.where)
    pending = device.pending_in(body, where=at.where)
    return pending or answers.delegated(answer, where=at.where)


def _sign_in(
    at: Registration, path: str, form: dict[str, str | Secret], *, name: str
) -> Conversation[Answer]:
    request = Request(
        name=name,
        method="POST",
        url=f"{at.forge.origin}{path}",
        form=form,
        passes=_READ_HERE | {400},
        timeout_s=_TIMEOUT_S,
    )
    answer = yield from ask(request)
    answers.postpone_limited(answer, where=at.where)
    return answer


def _whose(at: Registration, token: Secret, _owner: str) -> Conversation[ForgeUser]:
    answer = yield from ask(_get("/user", name="ask whose token it is"), token)
    return answers.user(answer, where=at.where)


def _narrow(at: Registration, token: Secret, target: Target) -> Conversation[Narrowed]:
    """Make a token for one repository, and have GitHub prove that it reaches no other.

    Raises:
        Rejected: `cannot_write`, `token_too_strong`, `token_too_long_lived`, `denied`.

    """
    body = {
        "access_token": token,
        "target": target.owner,
        "repositories": [target.repository],
        "permissions": answers.PERMISSIONS,
    }
    answer = yield from _application(at, "POST", "/token/scoped", body, name="narrow the token")
    child = answers.child(answer, token=token, name=target.name, where=at.where)
    try:
        expires_at = answers.refuse_wide(child, target, where=at.where)
        yield from _prove(at, child.token, name=target.name)
    except BaseException:
        # It was never handed out; it ends by itself where this fails.
        yield from _forget(at, child.token)
        raise
    return Narrowed(token=child.token, expires_at=expires_at)


def _prove(at: Registration, token: Secret, *, name: str) -> Conversation[None]:
    """Have the forge itself list all that the token reaches: this repository alone."""
    path = f"/user/installations?per_page={INSTALLATIONS_MAX}"
    answer = yield from ask(_get(path, name="list installations"), token)
    listed = answers.installations(answer, at_most=INSTALLATIONS_MAX, where=at.where)
    pages = yield tuple(
        Sent(
            request=_get(
                f"/user/installations/{number}/repositories?per_page=2",
                name="list what the token reaches",
            ),
            token=token,
        )
        for number in listed
    )
    answers.refuse_other_repositories(pages, name=name, where=at.where)


def _revoke(at: Registration, token: Secret) -> Conversation[None]:
    body = {"access_token": token}
    answer = yield from _application(at, "DELETE", "/token", body, name="revoke the token")
    if answer.status == answers.INVALID:
        # It may say this of a token that is already dead; the check says which.
        answer = yield from _application(at, "POST", "/token", body, name="check the token")
    answers.refuse_alive(answer, where=at.where)


def _forget(at: Registration, token: Secret) -> Conversation[None]:
    try:
        yield from _revoke(at, token)
    except (Rejected, Retryable):
        return


def _application(
    at: Registration,
    method: Literal["POST", "DELETE"],
    path: str,
    body: dict[str, Any],
    *,
    name: str,
) -> Conversation[Answer]:
    request = Request(
        name=name,
        method=method,
        url=f"/applications/{at.client_id}{path}",
        json=body,
        basic=at.credentials,
        accept=_JSON,
        headers=_HEADERS,
        passes=_READ_HERE,
        timeout_s=_TIMEOUT_S,
    )
    answer = yield from ask(request)
    answers.postpone_limited(answer, where=at.where)
    return answer


def _get(url: str, *, name: str) -> Request:
    return Request(
        name=name, method="GET", url=url, accept=_JSON, headers=_HEADERS, timeout_s=_TIMEOUT_S
    )


OAUTH: Final = OAuthDialect(
    issuers=_issuers,
    authorize_url=_authorize_url,
    exchange=_exchange,
    whose=_whose,
    narrow=_narrow,
    by_code=SignInByCode(begin=_begin_device, poll=_poll_device),
    revoke=_revoke,
    permissions=frozenset(f"{name}:{access}" for name, access in answers.PERMISSIONS.items()),
    token_kind=TokenKind.APP_USER,
    advice="register a GitHub App with expiring user tokens instead of an OAuth app",
)
