"""The web application flow, and the end of the device flow: codes for tokens.

Sources:
    https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
    https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hmac import compare_digest
from urllib.parse import urlencode

from countersign.contracts.secret import Secret
from countersign.local.forge.state import device, tokens
from countersign.local.forge.state.model import App, AppKind, Code, Consent, Token, TokenKind
from countersign.local.forge.state.store import Store, sha256
from countersign.local.forge.state.tokens import REFRESH_TOKEN_S, USER_TOKEN_S, Terms

CODE_S = 600
CHALLENGE_CHARACTERS = 43
ERRORS_PAGE = "https://docs.github.com/apps/managing-oauth-apps/troubleshooting"
DESCRIPTIONS = {
    "incorrect_client_credentials": "The client_id and/or client_secret passed are incorrect.",
    "redirect_uri_mismatch": "The redirect_uri MUST match the registered callback URL for this"
    " application.",
    "bad_verification_code": "The code passed is incorrect or expired.",
    "bad_refresh_token": "The refresh token passed is incorrect or expired.",
    "unsupported_grant_type": "The grant type is not supported.",
    "authorization_pending": "The authorization request is still pending.",
    "slow_down": "Too many requests have been made in the same timeframe.",
    "expired_token": "The device code has expired.",
    "incorrect_device_code": "The device_code provided is not valid.",
    "device_flow_disabled": "Device Flow must be explicitly enabled for this App",
    "access_denied": "The user has denied your application access.",
    "invalid_request": "PKCE takes a code_challenge of method S256 and no other.",
}


@dataclass(frozen=True, kw_only=True)
class Wish:
    """The request for authorization that an application sends a browser with."""

    app: App
    redirect_uri: str
    redirect_uri_sent: bool
    state: str
    scopes: tuple[str, ...]
    challenge: str

    def back(self, **answer: str) -> str:
        """Return the address that takes the answer back; `state` goes along as it came."""
        answer |= {"state": self.state} if self.state else {}
        mark = "&" if "?" in self.redirect_uri else "?"
        return self.redirect_uri + mark + urlencode(answer)

    def back_with_error(self, error: str) -> str:
        return self.back(
            error=error, error_description=DESCRIPTIONS[error], error_uri=f"{ERRORS_PAGE}/#{error}"
        )


@dataclass(frozen=True)
class Misled:
    """The request is wrong; `location` is where GitHub sends the browser, empty for nowhere."""

    location: str


def read_wish(store: Store, query: Mapping[str, str]) -> Wish | Misled:
    app = store.apps.get(query.get("client_id", ""))
    if app is None or not app.callbacks:
        return Misled("")
    sent = query.get("redirect_uri", "")
    wish = Wish(
        app=app,
        redirect_uri=sent or app.callbacks[0],
        redirect_uri_sent=bool(sent),
        state=query.get("state", ""),
        # A GitHub App has permissions instead of scopes.
        scopes=_scopes(query) if app.kind is AppKind.OAUTH_APP else (),
        challenge=query.get("code_challenge", ""),
    )
    if sent and sent not in app.callbacks:
        registered = Wish(**{**wish.__dict__, "redirect_uri": app.callbacks[0]})
        return Misled(registered.back_with_error("redirect_uri_mismatch"))
    method = query.get("code_challenge_method", "")
    usable = method == "S256" and len(wish.challenge) == CHALLENGE_CHARACTERS
    if (wish.challenge or method) and not usable:
        return Misled(wish.back_with_error("invalid_request"))
    return wish


def _scopes(query: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(set(query.get("scope", "").replace(",", " ").split())))


def consented(store: Store, wish: Wish, login: str) -> bool:
    """Tell if the person allowed the application before and is not asked again, as at GitHub."""
    found = store.consents.get(f"{wish.app.client_id} {login}")
    return found is not None and set(wish.scopes) <= set(found.scopes)


def consent(store: Store, wish: Wish, login: str) -> None:
    record = Consent(client_id=wish.app.client_id, login=login, scopes=wish.scopes)
    store.consents.put(f"{wish.app.client_id} {login}", record)


def grant_code(store: Store, wish: Wish, login: str) -> str:
    """The address that carries a new code back to the application."""
    text = store.new_secret(20)
    code = Code(
        sha256=sha256(text),
        client_id=wish.app.client_id,
        login=login,
        redirect_uri=wish.redirect_uri,
        redirect_uri_sent=wish.redirect_uri_sent,
        scopes=wish.scopes,
        challenge=wish.challenge,
        created_at=store.clock(),
    )
    for old in store.codes:
        if old.created_at + timedelta(seconds=CODE_S) <= store.clock():
            store.codes.delete(old.sha256)
    store.codes.put(code.sha256, code)
    return wish.back(code=text)


def failure(error: str) -> dict[str, str]:
    """GitHub answers errors with status 200."""
    return {
        "error": error,
        "error_description": DESCRIPTIONS[error],
        "error_uri": f"{ERRORS_PAGE}/#{error.replace('_', '-')}",
    }


def exchange(store: Store, form: Mapping[str, str]) -> dict[str, object]:
    """A code, or a refresh token, for tokens."""
    app = store.apps.get(form.get("client_id", ""))
    if app is not None and form.get("grant_type") == device.GRANT_TYPE:
        return _exchange_device_code(store, app, form.get("device_code", ""))
    client_secret = Secret(form.get("client_secret", ""))
    if app is None or not tokens.secret_matches(app, client_secret):
        return {**failure("incorrect_client_credentials")}
    grant_type = form.get("grant_type", "authorization_code")
    if grant_type == "refresh_token":
        return _refresh(store, app, Secret(form.get("refresh_token", "")))
    if grant_type != "authorization_code":
        return {**failure("unsupported_grant_type")}
    return _exchange_code(store, app, form)


def _exchange_code(store: Store, app: App, form: Mapping[str, str]) -> dict[str, object]:
    code = _take_code(store, form.get("code", ""))
    if code is None or code.client_id != app.client_id or not _verified(code, form):
        return {**failure("bad_verification_code")}
    sent = form.get("redirect_uri", "")
    if sent and sent != code.redirect_uri:
        return {**failure("redirect_uri_mismatch")}
    return _tokens(store, app, code.login, code.scopes)


def _exchange_device_code(store: Store, app: App, secret: str) -> dict[str, object]:
    """Answer as the person has decided; the application's secret is not asked for."""
    if not app.device_flow:
        return {**failure("device_flow_disabled")}
    found = device.poll(store, app, secret)
    if isinstance(found, str):
        return _tokens(store, app, found, ())
    return {**failure(str(found["error"])), **found}


def _tokens(store: Store, app: App, login: str, scopes: tuple[str, ...]) -> dict[str, object]:
    if app.kind is AppKind.GITHUB_APP:
        return _user_tokens(store, app, login)
    terms = Terms(kind=TokenKind.OAUTH, owner=login, app_id=app.id, scopes=scopes)
    issued = tokens.issue(store, terms)
    scope = ",".join(scopes)
    return {"access_token": issued.text.reveal(), "scope": scope, "token_type": "bearer"}


def _take_code(store: Store, text: str) -> Code | None:
    """A code can be tried once, whether the rest of the request is right or not."""
    code = store.codes.get(sha256(text))
    if code is None:
        return None
    store.codes.delete(code.sha256)
    return code if code.created_at + timedelta(seconds=CODE_S) > store.clock() else None


def _verified(code: Code, form: Mapping[str, str]) -> bool:
    if not code.challenge:
        return True
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    made = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return compare_digest(made, code.challenge)


def _user_tokens(store: Store, app: App, login: str) -> dict[str, object]:
    user, refresh = tokens.issue_user_tokens(store, app, login)
    return {
        "access_token": user.text.reveal(),
        "expires_in": USER_TOKEN_S,
        "refresh_token": refresh.text.reveal(),
        "refresh_token_expires_in": REFRESH_TOKEN_S,
        "scope": "",
        "token_type": "bearer",
    }


def _refresh(store: Store, app: App, text: Secret) -> dict[str, object]:
    """New tokens for a refresh token, which with the pair's user tokens ends here."""
    token = tokens.find(store, text)
    if token is None or token.kind is not TokenKind.REFRESH or token.app_id != app.id:
        return {**failure("bad_refresh_token")}
    for old in store.tokens:
        if _of_same_pair(token, old):
            tokens.revoke(store, old)
    return _user_tokens(store, app, token.owner)


def _of_same_pair(refresh: Token, other: Token) -> bool:
    same = other.app_id == refresh.app_id and other.owner == refresh.owner
    return same and other.created_at == refresh.created_at
