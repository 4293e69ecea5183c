"""Secrets of a real API server, read by name as a service account."""

import shlex

import pytest
from apiserver import ApiServer
from doubles.service_accounts import (
    make_account,
    rotate_secret,
    secrets_path,
    settings_of,
    store_secret,
)

from countersign.contracts.errors import Rejected
from countersign.kube.access.http_api import HttpClusterApi, cluster_api
from countersign.kube.access.stored_secrets import read_secret, secret_version

TOKEN = "ghp_madeup0123456789"


async def test_values_are_decoded_and_not_shown(admin: HttpClusterApi, namespace: str) -> None:
    await store_secret(admin, namespace, "fleet", {"token": f"{TOKEN}\n", "username": "robot"})

    found = await read_secret(admin, namespace=namespace, name="fleet")

    assert {key: value.reveal() for key, value in found.keys.items()} == {
        "token": f"{TOKEN}\n",
        "username": "robot",
    }
    assert "robot" not in repr(found)


async def test_version_changes_with_the_value_alone(admin: HttpClusterApi, namespace: str) -> None:
    await store_secret(admin, namespace, "fleet", {"token": TOKEN})
    first = await secret_version(admin, namespace=namespace, name="fleet")
    again = await secret_version(admin, namespace=namespace, name="fleet")
    await rotate_secret(admin, namespace, "fleet", {"token": "ghp_madeup9876543210"})
    found = await read_secret(admin, namespace=namespace, name="fleet")

    assert first == again != found.version
    assert found.keys["token"].reveal() == "ghp_madeup9876543210"


async def test_metadata_hold_nothing_of_the_value(admin: HttpClusterApi, namespace: str) -> None:
    await store_secret(admin, namespace, "fleet", {"token": TOKEN})

    metadata = await admin.metadata(secrets_path(namespace, "fleet"))

    assert metadata["name"] == "fleet"
    assert "data" not in metadata


async def test_secret_made_again_has_another_version(admin: HttpClusterApi, namespace: str) -> None:
    await store_secret(admin, namespace, "fleet", {"token": TOKEN})
    first = await read_secret(admin, namespace=namespace, name="fleet")
    await admin.call("DELETE", secrets_path(namespace, "fleet"))
    await store_secret(admin, namespace, "fleet", {"token": TOKEN})
    second = await read_secret(admin, namespace=namespace, name="fleet")

    assert first.version != second.version
    assert first.changed_at <= second.changed_at


@pytest.mark.parametrize("name", ["absent", "../configmaps/x", "UPPER", "a/b", ""])
async def test_absent_secret_and_name_of_none_are_missing(
    admin: HttpClusterApi, namespace: str, name: str
) -> None:
    with pytest.raises(Rejected) as refused:
        await read_secret(admin, namespace=namespace, name=name)

    assert refused.value.reason == "secret_missing"


async def test_refusal_has_the_line_that_grants(
    apiserver: ApiServer, admin: HttpClusterApi, namespace: str
) -> None:
    await store_secret(admin, namespace, "fleet", {"token": TOKEN})
    await make_account(admin, namespace, "countersign-pr-writer")
    settings = await settings_of(admin, apiserver, "countersign-pr-writer", namespace=namespace)

    async with cluster_api(settings) as api:
        with pytest.raises(Rejected) as refused:
            await read_secret(api, namespace=namespace, name="fleet")
        line = refused.value.message.partition("`kubectl ")[2].rstrip("`")
        for command in line.split(" && kubectl "):
            apiserver.kubectl(*shlex.split(command))
        found = await read_secret(api, namespace=namespace, name="fleet")
        with pytest.raises(Rejected, match="secret_forbidden"):
            await read_secret(api, namespace=namespace, name="other")

    assert refused.value.reason == "secret_forbidden"
    assert found.keys["token"].reveal() == TOKEN
