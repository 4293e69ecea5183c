"""What a kubeconfig in a Secret may say, and what it may not make us do."""

import asyncio
import base64
import json
import sys
from typing import Any

import pytest
import yaml
from kubernetes_asyncio.client import Configuration

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.secret import Secret
from countersign.kube.watches.kubeconfigs import read_kubeconfig, remote_api

TOKEN = "made-up-token"


def kubeconfig(*, cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None) -> Any:
    return {
        "clusters": [{"name": "c", "cluster": {"server": "https://far:6443", **(cluster or {})}}],
        "users": [{"name": "u", "user": {"token": TOKEN} if user is None else user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }


def secret(document: Any) -> Secret:
    return Secret(yaml.safe_dump(document))


def test_token_and_certificate_are_read() -> None:
    ca = base64.b64encode(b"made up").decode()

    found = read_kubeconfig(
        secret(kubeconfig(cluster={"certificate-authority-data": ca})), may_exec=False
    )

    assert found.server == "https://far:6443"
    assert found.ca == "made up"
    assert found.token is not None
    assert found.token.reveal() == f"Bearer {TOKEN}"
    assert TOKEN not in repr(found)


REFUSED = [
    ({"tokenFile": "/etc/hostname"}, {}, "tokenFile"),
    ({"client-key": "/etc/hostname"}, {}, "client-key"),
    ({}, {"certificate-authority": "/etc/hostname"}, "certificate-authority"),
    ({}, {"insecure-skip-tls-verify": True}, "insecure-skip-tls-verify"),
    ({}, {"server": "http://far"}, "https://"),
    ({}, {"proxy-url": "http://169.254.169.254"}, "proxy-url"),
    ({"exec": {"command": "/bin/true"}}, {}, "COUNTERSIGN_KUBECONFIG_EXEC"),
    ({"auth-provider": {"name": "gcp"}}, {}, "auth-provider"),
    ({"client-key-data": TOKEN + "!"}, {}, "client-key-data"),
]


@pytest.mark.parametrize(("user", "cluster", "word"), REFUSED, ids=[word for *_, word in REFUSED])
def test_what_would_harm_us_is_refused_by_name(
    user: dict[str, Any], cluster: dict[str, Any], word: str
) -> None:
    with pytest.raises(Rejected) as refused:
        read_kubeconfig(secret(kubeconfig(user=user, cluster=cluster)), may_exec=False)

    assert refused.value.reason == "bad_kubeconfig"
    assert word in refused.value.message
    assert TOKEN not in refused.value.message


NO_KUBECONFIGS = ["", "{", "[]", "a: [*b]", "current-context: x\ncontexts: 1", "[" * 1_000_000]


@pytest.mark.parametrize("body", NO_KUBECONFIGS, ids=[body[:20] for body in NO_KUBECONFIGS])
def test_what_is_no_kubeconfig_is_refused(body: str) -> None:
    with pytest.raises(Rejected, match="bad_kubeconfig"):
        read_kubeconfig(Secret(body), may_exec=False)


async def test_certificate_that_is_none_is_refused() -> None:
    ca = base64.b64encode(b"made up").decode()
    document = kubeconfig(cluster={"certificate-authority-data": ca})

    with pytest.raises(Rejected, match="certificates"):
        async with remote_api(read_kubeconfig(secret(document), may_exec=False)):
            pass


async def test_program_gives_the_token_where_that_is_allowed() -> None:
    version = "client.authentication.k8s.io/v1"
    status = {"token": TOKEN}
    given = json.dumps({"kind": "ExecCredential", "apiVersion": version, "status": status})
    program = {
        "apiVersion": version,
        "command": sys.executable,
        "args": ["-c", f"print({given!r})"],
    }
    config = read_kubeconfig(secret(kubeconfig(user={"exec": program})), may_exec=True)

    async with remote_api(config) as api:
        configuration: Configuration = api._client.configuration
        assert await configuration.get_api_key_with_prefix("BearerToken") == f"Bearer {TOKEN}"
    await asyncio.sleep(0)


async def test_program_that_fails_is_tried_again_later() -> None:
    program = {"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/false"}
    config = read_kubeconfig(secret(kubeconfig(user={"exec": program})), may_exec=True)

    with pytest.raises(Retryable, match="exec_failed"):
        async with remote_api(config):
            pass


def test_name_that_is_not_there_is_not_repeated() -> None:
    with pytest.raises(Rejected, match="contexts") as refused:
        read_kubeconfig(Secret(f"current-context: {TOKEN}"), may_exec=False)

    assert TOKEN not in refused.value.message


@pytest.mark.parametrize("body", ['!!int ""', "!!bool foo", "!!timestamp foo"])
def test_value_that_is_not_what_its_tag_says_is_refused(body: str) -> None:
    with pytest.raises(Rejected, match="bad_kubeconfig"):
        read_kubeconfig(Secret(body), may_exec=False)


@pytest.mark.parametrize("server", ["https://u:p@127.0.0.1:1", f"https://{'a' * 70}.example"])
async def test_address_that_can_be_none_makes_its_cluster_unreachable(server: str) -> None:
    config = read_kubeconfig(secret(kubeconfig(cluster={"server": server})), may_exec=False)

    async with remote_api(config) as api:
        with pytest.raises(Retryable, match="cluster_unavailable"):
            await api.get("/version")
