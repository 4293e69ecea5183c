"""An example of each answer and body, shown in the description of the API."""

from typing import Any, Final

from pydantic import BaseModel

from countersign.gateway.api import shapes

_AT: Final = "2026-11-23T14:02:00Z"
_ID: Final = "k3v5q7x2m4n6p8r1"
_PULL: Final = "https://github.com/acme/gitops/pull/41"
_FRAME: Final = {"position": "4711.212.38", "current": True, "total": 1}
_GATE: Final = {
    "state": "waiting",
    "word": "waiting",
    "sentence": "6.9.0 has been ready for prod",
    "fix": "",
    "promotionId": _ID,
    "revision": "6.9.0",
    "since": "2026-11-23T13:50:00Z",
    "mayPromote": True,
}
_PIPELINE: Final = {
    "namespace": "shop",
    "name": "checkout",
    "appKind": "HelmRelease",
    "appName": "podinfo",
    "environments": [
        {
            "name": "staging",
            "condition": "healthy",
            "revision": "6.9.0",
            "recorded": "6.9.0+702cabdc4401",
            "since": "2026-11-21T09:00:00Z",
        },
        {
            "name": "prod",
            "condition": "healthy",
            "revision": "6.8.4",
            "recorded": "6.8.4",
            "since": "2026-11-14T14:09:00Z",
            "gate": _GATE,
        },
    ],
    "findings": [],
    "observedAt": _AT,
}
_DECISION: Final = {
    "approvalId": "a9c2",
    "outcome": "granted",
    "personId": "oidc:grace",
    "person": "Grace Hopper",
    "forgeLogin": "grace",
    "at": "2026-11-23T13:58:40Z",
    "attempt": 1,
    "consentDigest": "9b1f" * 16,
}
_PROMOTION: Final = {
    "promotionId": _ID,
    "namespace": "shop",
    "pipeline": "checkout",
    "environment": "prod",
    "fromEnvironment": "staging",
    "revision": "6.9.0",
    "current": "6.8.4",
    "state": "deploying",
    "attempt": 1,
    "mode": "delegated",
    "repository": "https://github.com/acme/gitops",
    "baseBranch": "main",
    "pullRequest": _PULL,
    "pullRequestNumber": 41,
    "author": "grace",
    "mergedBy": "ada-l",
    "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
    "requestedAt": "2026-11-23T13:50:00Z",
    "openedAt": "2026-11-23T13:58:50Z",
    "mergedAt": _AT,
    "changedAt": _AT,
    "decisions": [_DECISION],
    "moments": [
        {
            "kind": "opened",
            "text": "pull request #41 opened",
            "who": "grace",
            "at": "2026-11-23T13:58:50Z",
            "attempt": 1,
        }
    ],
}
_CREDENTIAL: Final = {
    "namespace": "shop",
    "secret": "flux-bot",
    "owner": "flux-bot",
    "kind": "classic token",
    "origin": "https://github.com",
    "validity": "valid",
    "risk": "high",
    "scopes": ["repo", "workflow"],
    "expiryKnown": True,
    "lastUsedByUsAt": "2026-11-23T13:55:00Z",
    "checkedAt": "2026-11-23T13:42:00Z",
    "nextCheckAt": "2026-11-23T19:42:00Z",
    "findings": ["never expires"],
    "usedBy": ["shop/cart/prod"],
}
_RAN: Final = {
    "revision": "6.8.4",
    "recorded": "6.8.4",
    "since": "2026-11-14T14:09:00Z",
    "running": True,
    "how": "promotion",
    "people": ["Grace Hopper"],
    "mergedBy": "ada-l",
    "promotionId": _ID,
    "pullRequest": "https://github.com/acme/gitops/pull/31",
}
EXAMPLES: Final[dict[type[BaseModel], Any]] = {
    shapes.SessionShape: {
        "personId": "oidc:grace",
        "person": "Grace Hopper",
        "groups": ["developers"],
        "formToken": "IjRiZjky",
    },
    shapes.PipelineShape: _PIPELINE,
    shapes.PipelineList: {**_FRAME, "items": [_PIPELINE]},
    shapes.HistoryList: {**_FRAME, "items": [_RAN]},
    shapes.PromotionShape: _PROMOTION,
    shapes.PromotionList: {**_FRAME, "items": [_PROMOTION]},
    shapes.CredentialShape: _CREDENTIAL,
    shapes.CredentialList: {**_FRAME, "items": [_CREDENTIAL]},
    shapes.RecordList: {
        **_FRAME,
        "items": [
            {
                "promotionId": _ID,
                "attempt": 1,
                "namespace": "shop",
                "pipeline": "checkout",
                "environment": "prod",
                "fromEnvironment": "staging",
                "requestedAt": "2026-11-23T13:57:02Z",
                "change": {
                    "revisionFrom": "6.8.4",
                    "revisionTo": "6.9.0",
                    "content": "6.9.0",
                    "marker": "shop:checkout:prod",
                    "origin": "https://github.com",
                    "repository": "acme/gitops",
                    "branch": "main",
                },
                "credential": "delegated",
                "approvalsNeeded": 1,
                "decisions": [
                    {
                        "approvalId": "a9c2",
                        "outcome": "granted",
                        "by": {"id": "oidc:grace", "name": "Grace Hopper"},
                        "at": "2026-11-23T13:58:40Z",
                        "credential": "delegated",
                        "delegation": {
                            "account": {"id": "7", "login": "grace"},
                            "kind": "app_user",
                            "scopes": ["contents:write", "metadata:read", "pull_requests:write"],
                            "oneRepository": True,
                        },
                    }
                ],
                "pullRequest": {"number": 41, "url": _PULL},
                "state": "open",
                "asOf": 8131,
            }
        ],
    },
    shapes.BeginShape: {
        "promotionId": _ID,
        "approvalId": "a9c2",
        "granted": False,
        "authorizeUrl": "",
        "userCode": {"code": "WDJB-MJHT", "url": "https://github.com/login/device"},
        "expiresAt": "2026-11-23T14:12:00Z",
    },
    shapes.DoneShape: {"promotionId": _ID, "attempt": 2},
    shapes.BeginBody: {"reason": "the fix for the checkout", "device": True},
    shapes.PromoteBody: {"reason": "the fix for the checkout", "despiteBlocked": True},
    shapes.ReasonBody: {"reason": "wait for the fix"},
    shapes.ProblemShape: {
        "type": "urn:countersign:problem:not_waiting",
        "title": "This promotion has moved on",
        "status": 409,
        "detail": "It is in pull request by now. Its page shows where it stands.",
        "code": "not_waiting",
        "instance": f"/promotions/{_ID}",
    },
}
