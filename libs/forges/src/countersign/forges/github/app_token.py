"""Installation tokens of a GitHub App: minted for one repository, used, revoked.

Source: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation
"""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import Forge
from countersign.contracts.secret import Secret
from countersign.dialects import shapes
from countersign.dialects.exchange import Request
from countersign.dialects.github.oauth_answers import PERMISSIONS
from countersign.dialects.github.rest import rest_path
from countersign.dialects.inspection import is_sendable
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import Place
from countersign.forges.http import ForgeHttp

ASSERTION_S: Final = 300  # GitHub takes at most ten minutes
ASKED: Final = {"contents": "write", "pull_requests": "write"}
CLOCK_SKEW_S: Final = 60  # GitHub's own advice for `iat`


@asynccontextmanager
async def installation_token(http: ForgeHttp, place: Place) -> AsyncIterator[Secret]:
    """Mint a token for the one repository, and revoke it at the end.

    Raises:
        Rejected: `credential_missing`, `not_found` where the App is not installed.

    """
    assertion = _assertion(http.forge, now_s=int(http.clocks.wall().timestamp()))
    finding = Request(
        name="find the installation", method="GET", url=f"{rest_path(place)}/installation"
    )
    found = await http.send(finding, assertion)
    with shapes.reading(finding.name):
        number = shapes.row_id(found.json_of(finding.name), "id")
    minting = Request(
        name="mint an installation token",
        method="POST",
        url=f"/app/installations/{number}/access_tokens",
        json={"repositories": [place.repository], "permissions": ASKED},
        passes=frozenset(),
    )
    minted = await http.send(minting, assertion)
    with shapes.reading(minting.name):
        token = Secret(shapes.text(minted.json_of(minting.name), "token"))
    # A line break in a header would end up in an error's text.
    if not is_sendable(token):
        message = f"{minting.name}: GitHub's answer has no usable 'token'"
        raise Rejected(ForgeRefusal.BAD_ANSWER, message)
    try:
        _refuse_wide(minted.json_of(minting.name), place, call=minting.name)
        yield token
    finally:
        await _revoke(http, token)


def _refuse_wide(body: Any, place: Place, *, call: str) -> None:
    """Refuse a token that may do more than was asked, as GitHub itself describes it.

    Raises:
        Rejected: `bad_answer`.

    """
    with shapes.reading(call):
        permissions = shapes.fields(body, "permissions")
        names = [
            shapes.text(one, "full_name").lower() for one in shapes.items(body, "repositories")
        ]
    beyond = {name for name, level in permissions.items() if PERMISSIONS.get(name) != level}
    if beyond or names != [f"{place.owner}/{place.repository}".lower()]:
        raise Rejected(
            ForgeRefusal.BAD_ANSWER,
            f"{call}: GitHub's token is not one for '{place.owner}/{place.repository}' alone, with "
            "contents and pull_requests and nothing else",
        )


async def _revoke(http: ForgeHttp, token: Secret) -> None:
    request = Request(name="revoke the token", method="DELETE", url="/installation/token")
    try:
        await http.send(request, token)
    except (Rejected, Retryable):
        # It dies by itself within the hour; the pull request is what was asked for.
        return


def _assertion(forge: Forge, *, now_s: int) -> Secret:
    """Make a JSON web token signed with the App's key, RS256."""
    if not forge.app_id or not forge.app_key_file:
        raise _missing(f"forge {forge.name!r} has no appId and appKeyFile of an App")
    try:
        key = serialization.load_pem_private_key(
            Path(forge.app_key_file).read_bytes(), password=None
        )
    except (OSError, ValueError, TypeError) as error:
        raise _missing(f"forge {forge.name!r}: appKeyFile is no private key") from error
    if not isinstance(key, RSAPrivateKey):
        raise _missing(f"forge {forge.name!r}: appKeyFile is no RSA key")
    claims = {"iat": now_s - CLOCK_SKEW_S, "exp": now_s + ASSERTION_S, "iss": forge.app_id}
    signed = f"{_encoded({'alg': 'RS256', 'typ': 'JWT'})}.{_encoded(claims)}"
    signature = key.sign(signed.encode(), PKCS1v15(), hashes.SHA256())
    return Secret(f"{signed}.{_base64(signature)}")


def _missing(message: str) -> Rejected:
    return Rejected(ForgeRefusal.CREDENTIAL_MISSING, message)


def _encoded(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
