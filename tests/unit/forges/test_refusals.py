"""Vendors' words when they make no commit: what passes by itself, what stays, and what to do.

One table for each kind but GitHub, which has its own tests.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import Forge
from countersign.contracts.secret import Secret
from countersign.dialects.refusals import ForgeRefusal as Is
from countersign.dialects.repositories.contents import NewCommit, Place, Replacement
from countersign.forges.clients import repository_client
from countersign.forges.http import ForgeHttp

PLACE = Place(owner="acme", repository="fleet", base_branch="main")
NEW = NewCommit(
    branch="countersign/shop/checkout/prod/abc",
    parent="a" * 40,
    headline="Promote",
    files={"prod.yaml": Replacement(body=b"tag: 6.9.1\n", replaces="b" * 40)},
)


@dataclass(frozen=True, kw_only=True)
class Said:
    """A forge's answer to a commit, and its meaning."""

    status: int
    body: Any
    reason: Is
    # What a person reads; of what passes, when it is tried again.
    advice: str = ""
    after_s: float | None = None
    headers: dict[str, str] = field(default_factory=dict)


def bitbucket(message: str, **more: Any) -> dict[str, Any]:
    return {"type": "error", "error": {"message": message, **more}}


# Sources: the vendors' descriptions of their APIs (403, 404, 422, 423, and Forgejo's 413), and
# modules/git/error.go, models/error.go, routers/api/v1/repo/file.go in their repositories.
GITEA = {
    "limit of a proxy": Said(status=429, body={}, reason=Is.RATE_LIMITED, after_s=7,
                             headers={"retry-after": "7"}),
    "limit without a time": Said(status=429, body={}, reason=Is.RATE_LIMITED, after_s=60),
    "restarting": Said(status=503, body={}, reason=Is.FORGE_UNAVAILABLE),
    "changed": Said(status=422, body={"message": "sha does not match [given: a, expected: b]"},
                    reason=Is.CONFLICT, advice="was changed meanwhile"),
    "removed": Said(status=404, body={"message": "object does not exist [id: , rel_path: p]"},
                    reason=Is.CONFLICT, advice="was removed meanwhile"),
    "protected": Said(status=403, body={"message": "branch is protected branch [name: c]"},
                      reason=Is.REFUSED, advice="let the user push to those of that folder"),
    "scope": Said(status=403, body={"message": "token does not have at least one of required "
                                    "scope(s): [write:repository]"},
                  reason=Is.FORBIDDEN, advice="needs the scope write:repository"),
    "archived": Said(status=423, body={"message": "Repo is archived."}, reason=Is.FORBIDDEN,
                     advice="Repo is archived."),
    "quota": Said(status=413, body={"message": "quota exceeded"}, reason=Is.REFUSED,
                  advice="quota exceeded"),
    "expired": Said(status=401, body={"message": "token is expired"}, reason=Is.UNAUTHORIZED),
}  # fmt: skip
# Sources: https://docs.gitlab.com/administration/maintenance_mode/#rest-api,
# https://docs.gitlab.com/api/project_repository_storage_moves/,
# https://docs.gitlab.com/security/rate_limits/, https://docs.gitlab.com/user/project/repository/push_rules/,
# lib/gitlab/git_access.rb and app/services/files in the vendor's repository.
GITLAB = {
    "limit": Said(status=429, body={}, reason=Is.RATE_LIMITED, after_s=30,
                  headers={"retry-after": "30"}),
    "limit of one endpoint": Said(
        status=429, body={"message": {"error": "This endpoint has been requested too many times."}},
        reason=Is.RATE_LIMITED, after_s=60),
    "maintenance": Said(
        status=403, body={"message": "You cannot perform write operations on a read-only instance"},
        reason=Is.FORGE_UNAVAILABLE, after_s=60, advice="read-only for a while"),
    "moved to another storage": Said(
        status=403,
        body={"message": "The repository is temporarily read-only. Please try again later."},
        reason=Is.FORGE_UNAVAILABLE, after_s=60, advice="read-only for a while"),
    "deployment": Said(status=502, body={}, reason=Is.FORGE_UNAVAILABLE),
    "single sign-on": Said(
        status=403, body={"message": "403 Forbidden - SAML SSO session required"},
        reason=Is.SIGN_ON_WANTED, advice="sign in to it at GitLab"),
    "scope": Said(
        status=403,
        body={"error": "insufficient_scope", "scope": "api", "error_description": "The request "
              "requires higher privileges than provided by the access token."},
        reason=Is.FORBIDDEN, advice="needs the scope api"),
    "role": Said(status=403, body={"message": "403 Forbidden - You are not allowed to push into "
                                   "this branch"},
                 reason=Is.FORBIDDEN, advice="allow those of that folder"),
    "archived": Said(status=403, body={"message": "You can't push code to an archived project."},
                     reason=Is.FORBIDDEN, advice="archived"),
    "push rule": Said(
        status=400,
        body={"message": "Commit message does not follow the pattern 'PROJ-[0-9]+'"},
        reason=Is.REFUSED, advice="does not follow the pattern 'PROJ-[0-9]+'"),
    "hook": Said(status=400, body={"message": "GL-HOOK-ERR: freeze until Monday"},
                 reason=Is.REFUSED, advice="freeze until Monday"),
    "changed": Said(status=400, body={"message": "You are attempting to update a file that has "
                                      "changed since you started editing it."},
                    reason=Is.CONFLICT, advice="was changed meanwhile"),
    "revoked": Said(status=401, body={"error": "invalid_token", "error_description": "Token was "
                                      "revoked."}, reason=Is.UNAUTHORIZED),
}  # fmt: skip
# Sources: https://developer.atlassian.com/cloud/bitbucket/rest/intro/#standardized-error-responses,
# https://support.atlassian.com/bitbucket-cloud/docs/api-request-limits/,
# https://support.atlassian.com/bitbucket-cloud/kb/bitbucket-cloud-rate-limit-troubleshooting/
BITBUCKET_CLOUD = {
    "limit": Said(status=429,
                  body=bitbucket("Rate limit for this resource has been exceeded"),
                  reason=Is.RATE_LIMITED, after_s=60),
    "too slow": Said(status=555, body={}, reason=Is.FORGE_UNAVAILABLE),
    "restarting": Said(status=503, body={}, reason=Is.FORGE_UNAVAILABLE),
    "scope": Said(status=403,
                  body=bitbucket("Your credentials lack one or more required privilege scopes.",
                                 detail={"granted": ["repository"], "required": ["x:write"]}),
                  reason=Is.FORBIDDEN, advice="lack one or more required privilege scopes"),
    "address": Said(status=403, body=bitbucket("To access this repository, an admin must whitelist "
                                               "your IP."),
                    reason=Is.FORBIDDEN, advice="must whitelist your IP"),
    "branch restriction": Said(
        status=400, body=bitbucket("Branch restriction", detail="Only the team may create it"),
        reason=Is.REFUSED, advice="Only the team may create it"),
    "no such repository": Said(status=404, body=bitbucket("Repository acme/fleet not found"),
                               reason=Is.NOT_FOUND, advice="not found"),
    "changed": Said(status=409, body=bitbucket("Conflict"), reason=Is.CONFLICT),
    "expired": Said(status=401, body=bitbucket("Token is invalid, expired, or not supported"),
                    reason=Is.UNAUTHORIZED),
}  # fmt: skip
TABLES = {
    "gitea": GITEA, "forgejo": GITEA, "gitlab": GITLAB, "bitbucket-cloud": BITBUCKET_CLOUD,
}  # fmt: skip
ORIGINS = {"bitbucket-cloud": "https://bitbucket.org"}


class Refusing(httpx2.AsyncBaseTransport):
    """Says its one thing to whoever writes; no branch is there."""

    def __init__(self, said: Said) -> None:
        self._said = said

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        status, body = (
            (404, {}) if request.method == "GET" else (self._said.status, self._said.body)
        )
        headers = {"content-type": "application/json", **self._said.headers}
        stream = httpx2.ByteStream(json.dumps(body).encode())
        return httpx2.Response(status, stream=stream, headers=headers)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        pytest.param(kind, said, id=f"{kind}: {name}")
        for kind, table in TABLES.items()
        for name, said in table.items()
    ],
)
async def test_refusal_passes_or_stays_and_says_what_to_do(kind: str, said: Said) -> None:
    forge = Forge(name="F", kind=kind, origin=ORIGINS.get(kind, "https://forge.example"))
    passes = said.reason in {Is.RATE_LIMITED, Is.FORGE_UNAVAILABLE}

    async with ForgeHttp(forge, transport=Refusing(said)) as http:
        with pytest.raises((Retryable, Rejected)) as caught:
            await repository_client(http, Secret("made-up-token")).commit(PLACE, NEW)

    error = caught.value
    assert isinstance(error, Retryable if passes else Rejected)
    assert error.reason is said.reason
    assert said.advice in error.message
    if isinstance(error, Retryable):
        assert error.after_s == said.after_s
