"""Service accounts of a real API server, and Secrets that they may or may not read."""

import base64
from collections.abc import Mapping

from apiserver import ApiServer

from countersign.kube.access import reviews
from countersign.kube.access.http_api import HttpClusterApi, KubeSettings

HOME = "countersign"


def secrets_path(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/secrets{'/' if name else ''}{name}"


async def make_account(admin: HttpClusterApi, namespace: str, name: str) -> None:
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    await admin.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", body=body)


async def settings_of(
    admin: HttpClusterApi, apiserver: ApiServer, name: str, *, namespace: str = HOME
) -> KubeSettings:
    """Of a service that runs as this account."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    made = await admin.call("POST", path, body=body)
    return apiserver.settings(made["status"]["token"])


def let_read(server: ApiServer, namespace: str, account: str, *secrets: str) -> None:
    """These Secrets alone, as `countersign-rbac` grants it."""
    names = [f"--resource-name={name}" for name in secrets]
    role = ("create", "role", account, "--verb=get", "--resource=secrets", *names)
    server.kubectl("-n", namespace, *role)
    who = f"--serviceaccount={namespace}:{account}"
    server.kubectl("-n", namespace, "create", "rolebinding", account, f"--role={account}", who)


async def store_secret(
    admin: HttpClusterApi, namespace: str, name: str, keys: Mapping[str, str]
) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in keys.items()},
    }
    await admin.call("POST", secrets_path(namespace), body=body)


async def rotate_secret(
    admin: HttpClusterApi, namespace: str, name: str, keys: Mapping[str, str]
) -> None:
    body = {"data": {key: base64.b64encode(text.encode()).decode() for key, text in keys.items()}}
    content_type = "application/merge-patch+json"
    path = secrets_path(namespace, name)
    await admin.call("PATCH", path, body=body, content_type=content_type)


async def may_do(
    api: HttpClusterApi, person: reviews.Subject, *, namespace: str
) -> tuple[bool, bool, bool]:
    """Whether they may see Pipelines there, see what is known of tokens, and promote."""
    see = reviews.Act(verb="get", namespace=namespace)
    look = reviews.Act(verb="get", subresource=reviews.CREDENTIALS, namespace=namespace)
    return (
        await reviews.may(api, person, see),
        await reviews.may(api, person, look),
        await reviews.may_promote(api, person, "prod", namespace=namespace, name="x"),
    )
