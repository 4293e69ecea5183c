"""A sign-in at Gitea by hand, as any client does it: forms, a code, PKCE, the token."""

import secrets
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx2
from forges_real.gitea_server import PASSWORD

from countersign.contracts.secret import Secret
from countersign.dialects.delegation.oauth import challenge_of
from countersign.local.demo.walk.browsing import forms_of


@dataclass(frozen=True, kw_only=True)
class Client:
    """An application, confidential."""

    id: str
    secret: str
    redirect_uri: str


async def consent_by_hand(origin: str, client: Client, *, login: str, scope: str) -> str:
    """Sign in, consent, exchange the code; the access token."""
    verifier = secrets.token_urlsafe(32)
    query = {
        "client_id": client.id,
        "redirect_uri": client.redirect_uri,
        "response_type": "code",
        "scope": scope,
        "state": "made-up",
        "code_challenge": challenge_of(Secret(verifier)),
        "code_challenge_method": "S256",
    }
    back = await authorize(f"{origin}/login/oauth/authorize?{urlencode(query)}", login=login)
    form = {
        "grant_type": "authorization_code",
        "client_id": client.id,
        "client_secret": client.secret,
        "code": back["code"],
        "code_verifier": verifier,
        "redirect_uri": client.redirect_uri,
    }
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as http:
        answer = await http.post(f"{origin}/login/oauth/access_token", data=form)
    assert answer.status_code == httpx2.codes.OK, answer.text
    return str(answer.json()["access_token"])


async def authorize(url: str, *, login: str) -> dict[str, str]:
    """Sign in and consent in a browser; what it is sent back with."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    headers = {"origin": origin, "sec-fetch-site": "same-origin"}
    async with httpx2.AsyncClient(trust_env=False, timeout=30, headers=headers) as browser:
        said = {"user_name": login, "password": PASSWORD}
        answer = await browser.post(f"{origin}/user/login", data=said)
        assert answer.is_redirect, answer.text
        answer = await browser.get(url)
        if not answer.is_redirect:
            form = next(f for f in forms_of(answer.text) if f.leads_to("/login/oauth/grant"))
            granted = {**form.fields, "granted": "true"}
            answer = await browser.post(urljoin(origin, form.action), data=granted)
    assert answer.is_redirect, answer.text
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    return {name: values[0] for name, values in back.items()}
