"""What each kind of forge sends when a pull request ends, in as few fields as tell it.

The names of fields and headers are the vendors' own; the values are made up.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from countersign.contracts import messages as m

Json = dict[str, Any]
Headers = dict[str, str]
KEY = "made-up-webhook-key"
SIGNING_TOKEN = "whsec_" + base64.b64encode(b"made-up-signing-key-of-32-bytes!").decode()
# Monday 2026-11-23 09:00 UTC.
NOW_S = 1795424400
COMMIT = "c" * 40
BRANCH = "countersign/x"
MERGED_AT, CLOSED_AT = "2026-11-23T08:59:00Z", "2026-11-23T08:58:00Z"
DELIVERY = "0b7f7a3e-6b0c-4c57-9d3e-6a1f4a2b8c10"


@dataclass(frozen=True, kw_only=True)
class Sender:
    """A forge with one repository and pull request 7 in it, opened by us, ended by Ada."""

    name: str
    kind: str
    secret: str
    repository_id: str
    # Headers beside the proof, and the body.
    write: Callable[..., tuple[Headers, Json]]
    prove: Callable[[bytes, str], Headers]
    by: m.ForgeUser | None

    def send(self, *, merged: bool, **changes: Any) -> tuple[Headers, bytes]:
        headers, payload = self.write(merged=merged)
        body = json.dumps({**payload, **changes}).encode()
        return {**headers, **self.prove(body, self.secret)}, body


def mac(body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def mac_header(name: str, prefix: str = "") -> Callable[[bytes, str], Headers]:
    return lambda body, secret: {name: prefix + mac(body, secret)}


def signing_token(body: bytes, secret: str, *, now_s: int = NOW_S, key_of: str = "") -> Headers:
    key = base64.b64decode((key_of or secret).removeprefix("whsec_") + "==")
    text = f"{DELIVERY}.{now_s}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, text, "sha256")).decode()
    return {
        "webhook-id": DELIVERY,
        "webhook-timestamp": str(now_s),
        "webhook-signature": f"v1,{signature}",
    }


def basic(_body: bytes, secret: str) -> Headers:
    return {"authorization": "Basic " + base64.b64encode(secret.encode()).decode()}


def github_pull(*, merged: bool) -> Json:
    repository = {"id": 55}
    return {
        "action": "closed",
        "repository": repository,
        "sender": {"id": 1001, "login": "ada"},
        "pull_request": {
            "number": 7,
            "merged": merged,
            "merged_at": MERGED_AT if merged else None,
            "closed_at": MERGED_AT if merged else CLOSED_AT,
            "merge_commit_sha": COMMIT if merged else None,
            "merged_by": {"id": 1001, "login": "ada"} if merged else None,
            "head": {"ref": BRANCH, "label": BRANCH, "repo": repository},
        },
    }


def like_github(vendor: str) -> Callable[..., tuple[Headers, Json]]:
    headers = {f"x-{vendor}-event": "pull_request", f"x-{vendor}-delivery": DELIVERY}
    return lambda *, merged: (dict(headers), github_pull(merged=merged))


def gitlab(*, merged: bool) -> tuple[Headers, Json]:
    headers = {"x-gitlab-event": "Merge Request Hook", "idempotency-key": DELIVERY}
    return headers, {
        "object_kind": "merge_request",
        "user": {"id": 1001, "username": "ada", "name": "Ada"},
        "project": {"id": 55},
        "object_attributes": {
            "id": 90210,
            "iid": 7,
            "action": "merge" if merged else "close",
            "state": "merged" if merged else "closed",
            "source_branch": BRANCH,
            "source_project_id": 55,
            "target_project_id": 55,
            "merge_commit_sha": COMMIT if merged else None,
            "updated_at": MERGED_AT if merged else "2026-11-23 08:58:00 UTC",
        },
    }


UUID = "{6d1f1c9a-0f5e-4a53-8f59-0f2b5e9f7a55}"
ADA = "{1b2c3d4e-5f60-4718-92a3-b4c5d6e7f801}"


def bitbucket_cloud(*, merged: bool) -> tuple[Headers, Json]:
    event = "pullrequest:fulfilled" if merged else "pullrequest:rejected"
    headers = {"x-event-key": event, "x-request-uuid": DELIVERY}
    return headers, {
        "actor": {"uuid": ADA, "nickname": "ada"},
        "repository": {"uuid": UUID},
        "pullrequest": {
            "id": 7,
            "state": "MERGED" if merged else "DECLINED",
            "source": {"branch": {"name": BRANCH}, "repository": {"uuid": UUID}},
            "destination": {"branch": {"name": "main"}, "repository": {"uuid": UUID}},
            "merge_commit": {"hash": COMMIT} if merged else None,
            "closed_by": {"uuid": ADA, "nickname": "ada"},
            "updated_on": MERGED_AT if merged else CLOSED_AT,
        },
    }


def bitbucket_server(*, merged: bool) -> tuple[Headers, Json]:
    event = "pr:merged" if merged else "pr:declined"
    repository = {"id": 55, "slug": "gitops"}
    pull = {
        "id": 7,
        "state": "MERGED" if merged else "DECLINED",
        "closedDate": (NOW_S - (60 if merged else 120)) * 1000,
        "fromRef": {"id": f"refs/heads/{BRANCH}", "repository": repository},
        "toRef": {"id": "refs/heads/main", "repository": repository},
        "properties": {"mergeCommit": {"id": COMMIT}} if merged else {},
    }
    return {"x-event-key": event, "x-request-id": DELIVERY}, {
        "eventKey": event,
        "date": "2026-11-23T18:59:00+1000",
        "actor": {"id": 1001, "name": "ada"},
        "pullRequest": pull,
    }


GUID = "2f3d611a-f012-4b39-b157-8db63f380055"


def azure_devops(*, merged: bool) -> tuple[Headers, Json]:
    return {}, {
        "id": DELIVERY,
        "notificationId": 3,
        "eventType": "git.pullrequest.merged" if merged else "git.pullrequest.updated",
        "resource": {
            "pullRequestId": 7,
            "status": "completed" if merged else "abandoned",
            "mergeStatus": "succeeded",
            "repository": {"id": GUID},
            "sourceRefName": f"refs/heads/{BRANCH}",
            "targetRefName": "refs/heads/main",
            "lastMergeCommit": {"commitId": COMMIT},
            "closedDate": "2026-11-23T08:59:00.0000000Z" if merged else CLOSED_AT,
            "closedBy": {"id": ADA.strip("{}"), "uniqueName": "ada@example.com"},
        },
    }


NUMBERED = m.ForgeUser(id="1001", login="ada")
SENDERS = (
    Sender(
        name="github",
        kind="github",
        secret=KEY,
        repository_id="55",
        write=like_github("github"),
        prove=mac_header("x-hub-signature-256", "sha256="),
        by=NUMBERED,
    ),
    Sender(
        name="gitea",
        kind="gitea",
        secret=KEY,
        repository_id="55",
        write=like_github("gitea"),
        prove=mac_header("x-gitea-signature"),
        by=NUMBERED,
    ),
    Sender(
        name="forgejo",
        kind="forgejo",
        secret=KEY,
        repository_id="55",
        write=like_github("forgejo"),
        prove=mac_header("x-forgejo-signature"),
        by=NUMBERED,
    ),
    Sender(
        name="gitlab",
        kind="gitlab",
        secret=SIGNING_TOKEN,
        repository_id="55",
        write=gitlab,
        prove=signing_token,
        by=NUMBERED,
    ),
    Sender(
        name="gitlab-secret-token",
        kind="gitlab",
        secret=KEY,
        repository_id="55",
        write=gitlab,
        prove=lambda _, secret: {"x-gitlab-token": secret},
        by=NUMBERED,
    ),
    Sender(
        name="bitbucket-cloud",
        kind="bitbucket-cloud",
        secret=KEY,
        repository_id=UUID,
        write=bitbucket_cloud,
        prove=mac_header("x-hub-signature", "sha256="),
        by=m.ForgeUser(id=ADA, login="ada"),
    ),
    Sender(
        name="bitbucket-server",
        kind="bitbucket-server",
        secret=KEY,
        repository_id="55",
        write=bitbucket_server,
        prove=mac_header("x-hub-signature", "sha256="),
        by=NUMBERED,
    ),
    Sender(
        name="azure-devops",
        kind="azure-devops",
        secret="countersign:" + KEY,
        repository_id=GUID,
        write=azure_devops,
        prove=basic,
        by=m.ForgeUser(id=ADA.strip("{}"), login="ada@example.com"),
    ),
)
