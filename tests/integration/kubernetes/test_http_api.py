"""Single questions to a real API server."""

from pathlib import Path
from typing import Any

import pytest
from apiserver import ApiServer
from doubles.tls_front import certificate

from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.access.http_api import HttpClusterApi, KubeSettings, cluster_api
from countersign.kube.watches.watching_api import watching_api
from countersign.process.faults.connections import ConnectionFault, Unreachable


def path_of(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps{'/' if name else ''}{name}"


async def test_object_is_made_and_read(admin: HttpClusterApi, namespace: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}}

    await admin.call("POST", path_of(namespace), body=body)
    found = await admin.call("GET", path_of(namespace, "a"))

    assert found["data"] == {"k": "v"}


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("absent", None, "not_found"),
        ("", {"apiVersion": "v1", "kind": "ConfigMap"}, "invalid"),
        ("", {"nonsense": True}, "invalid"),
    ],
)
async def test_refusal_has_a_reason_and_says_what_was_asked(
    admin: HttpClusterApi, namespace: str, name: str, body: Any, reason: str
) -> None:
    path = path_of(namespace, name)

    with pytest.raises(Rejected) as refused:
        await admin.call("POST" if body else "GET", path, body=body)

    assert refused.value.reason == reason
    assert path in refused.value.message


async def test_token_is_read_for_each_question(apiserver: ApiServer, namespace: str) -> None:
    settings = apiserver.settings()
    async with cluster_api(settings) as api:
        token = (settings.account_dir / "token").read_text()
        (settings.account_dir / "token").write_text("made-up-and-wrong")
        with pytest.raises(Retryable, match="unauthorized") as refused:
            await api.call("GET", path_of(namespace))
        (settings.account_dir / "token").write_text(token)
        await api.call("GET", path_of(namespace))

    assert "made-up-and-wrong" not in str(refused.value)


async def test_absent_server_may_come_back(apiserver: ApiServer) -> None:
    settings = KubeSettings(url="https://127.0.0.1:9", account_dir=apiserver.account())

    async with cluster_api(settings) as api:
        with pytest.raises(Retryable, match="cluster_unavailable"):
            await api.call("GET", "/version")


def test_missing_account_is_said_when_settings_are_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="automountServiceAccountToken"):
        KubeSettings(url="in-cluster", account_dir=tmp_path)


async def test_authority_is_believed_from_when_the_file_names_it(
    apiserver: ApiServer, tmp_path: Path
) -> None:
    settings = apiserver.settings()
    ca = settings.account_dir / "ca.crt"
    right = ca.read_bytes()
    ca.write_text(certificate(tmp_path))

    async with cluster_api(settings) as single, watching_api(settings) as long:
        with pytest.raises(Unreachable) as of_single:
            await single.call("GET", "/api")
        with pytest.raises(Unreachable) as of_long:
            await long.get("/api")
        ca.write_bytes(right)

        assert of_single.value.fault is of_long.value.fault is ConnectionFault.NOT_TRUSTED
        assert (await single.call("GET", "/api"))["kind"] == "APIVersions"
        assert b"APIVersions" in await long.get("/api")
