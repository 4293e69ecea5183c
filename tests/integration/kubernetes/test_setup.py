"""An installation's Secrets, made by the very account that the manifests give."""

import base64
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from apiserver import ApiServer
from doubles.service_accounts import make_account, secrets_path, settings_of

from countersign.contracts.errors import Rejected
from countersign.kube.access.http_api import HttpClusterApi, cluster_api
from countersign.setup.keys import AUTHORITY, CERTIFICATE, CONFIGURATION, READERS, SESSIONS, Setup
from countersign.setup.refusals import SetupRefusal
from countersign.setup.settings import Settings

MANIFESTS = Path(__file__).parents[3] / "k8s" / "bus"


@dataclass(frozen=True)
class Installation:
    admin: HttpClusterApi
    setup: Setup
    namespace: str

    async def secret(self, name: str) -> dict[str, bytes]:
        found = await self.admin.call("GET", secrets_path(self.namespace, name))
        return {key: base64.b64decode(value) for key, value in found["data"].items()}


def _manifests(file: str) -> dict[str, Any]:
    return {m["kind"]: m for m in yaml.safe_load_all((MANIFESTS / file).read_text())}


@pytest.fixture(name="installation")
async def installation_fixture(
    apiserver: ApiServer, admin: HttpClusterApi, namespace: str
) -> AsyncIterator[Installation]:
    await make_account(admin, namespace, "countersign-setup")
    ours = _manifests("setup.yaml")
    role, binding = ours["Role"], ours["RoleBinding"]
    role["metadata"]["namespace"] = binding["metadata"]["namespace"] = namespace
    binding["subjects"][0]["namespace"] = namespace
    apiserver.kubectl("apply", "-f", "-", stdin="\n---\n".join(map(json.dumps, (role, binding))))
    kube = await settings_of(admin, apiserver, "countersign-setup", namespace=namespace)
    settings = Settings(kube=kube, namespace=namespace)
    async with cluster_api(kube) as api:
        setup = Setup(
            api=api,
            settings=settings,
            now=lambda: datetime.now(UTC),
            dice=secrets.token_bytes,
        )
        yield Installation(admin, setup, namespace)


async def _bus(admin: HttpClusterApi, namespace: str) -> str:
    path = f"/apis/apps/v1/namespaces/{namespace}/statefulsets"
    manifest = _manifests("nats.yaml")["StatefulSet"]
    manifest["metadata"]["namespace"] = namespace
    await admin.call("POST", path, body=manifest)
    return f"{path}/nats"


async def test_setup_makes_what_is_missing_and_nothing_twice(installation: Installation) -> None:
    made = await installation.setup.make()
    seeds = await installation.secret("countersign-nkey-watcher")

    again = await installation.setup.make()

    assert {AUTHORITY, CERTIFICATE, CONFIGURATION, "countersign-nkey-pr-writer", SESSIONS} <= set(
        made
    )
    assert again == []
    assert await installation.secret("countersign-nkey-watcher") == seeds


async def test_lost_seed_is_made_anew_and_the_bus_told(installation: Installation) -> None:
    await installation.setup.make()
    path = await _bus(installation.admin, installation.namespace)
    before = await installation.secret(CONFIGURATION)
    lost = secrets_path(installation.namespace, "countersign-nkey-auditor")
    await installation.admin.call("DELETE", lost)

    changed = await installation.setup.make()

    assert set(changed) == {"countersign-nkey-auditor", CONFIGURATION}
    assert await installation.secret(CONFIGURATION) != before
    bus = await installation.admin.call("GET", path)
    assert "countersign/configuration" in bus["spec"]["template"]["metadata"]["annotations"]


async def test_listed_readers_get_keys_and_lose_them_when_they_are_taken_out(
    installation: Installation, tmp_path: Path
) -> None:
    listed = tmp_path / "readers.yaml"
    listed.write_text("readers: [{name: chat, namespaces: [shop]}, {name: archive}]")
    settings = installation.setup.settings.model_copy(update={"readers_file": listed})
    setup = replace(installation.setup, settings=settings)
    await setup.make()
    await _bus(installation.admin, installation.namespace)
    before = await installation.secret(READERS)

    again = await setup.make()
    listed.write_text("readers: [{name: archive}]")
    changed = await setup.make()

    assert set(before) == {"chat.nk", "archive.nk"}
    assert again == []
    assert set(changed) == {READERS, CONFIGURATION}
    assert await installation.secret(READERS) == {"archive.nk": before["archive.nk"]}
    told = (await installation.secret(CONFIGURATION))["nats.conf"].decode()
    assert "READER_archive" in told
    assert "READER_chat" not in told


async def test_certificate_is_renewed_and_its_authority_kept(installation: Installation) -> None:
    await installation.setup.make()
    await _bus(installation.admin, installation.namespace)
    before = await installation.secret(CERTIFICATE)
    late = replace(installation.setup, now=lambda: datetime(2029, 1, 1, tzinfo=UTC))

    changed = await late.make()
    after = await installation.secret(CERTIFICATE)

    assert changed == [CERTIFICATE]
    assert after["ca.crt"] == before["ca.crt"]
    assert after["tls.crt"] != before["tls.crt"]


async def test_bus_of_one_node_does_not_become_one_of_three(installation: Installation) -> None:
    """NATS would start without the streams that the one node holds."""
    await installation.setup.make()
    before = await installation.secret(CONFIGURATION)
    settings = installation.setup.settings.model_copy(update={"bus_nodes": 3})

    with pytest.raises(Rejected) as refused:
        await replace(installation.setup, settings=settings).make()

    assert refused.value.reason is SetupRefusal.BUS_DIFFERS
    assert await installation.secret(CONFIGURATION) == before
