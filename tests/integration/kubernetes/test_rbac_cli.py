"""`countersign-rbac` as an administrator runs it."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from apiserver import ApiServer
from doubles.service_accounts import make_account, settings_of
from doubles.watched import pipeline_manifest
from reference import ROOT

from countersign.kube.access.http_api import HttpClusterApi, KubeSettings

PROGRAM = Path(sys.executable).with_name("countersign-rbac")


@pytest.fixture(autouse=True)
def crd(apiserver: ApiServer) -> None:
    """Without that of GitopsClusters, which not everybody has."""
    crds = ROOT / "k8s" / "crds"
    apiserver.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(crds))
    apiserver.kubectl("wait", "--for=condition=Established", "crd/pipelines.pipelines.weave.works")


def run(*arguments: str, settings: KubeSettings) -> "subprocess.CompletedProcess[str]":
    environment = {
        "COUNTERSIGN_KUBE_URL": settings.url,
        "COUNTERSIGN_KUBE_ACCOUNT_DIR": str(settings.account_dir),
    }
    return subprocess.run(
        [PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=60,
    )


async def test_roles_for_a_whole_cluster_are_printed_and_applied_twice(
    apiserver: ApiServer, namespace: str
) -> None:
    for number in range(3):
        made = pipeline_manifest("dev", "prod", ask={"secretRef": {"name": f"bot-{number}"}})
        made["metadata"] = {"name": f"p-{number}", "namespace": namespace}
        apiserver.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(made))

    printed = run("--cluster", settings=apiserver.settings())
    apiserver.kubectl("apply", "-f", "-", stdin=printed.stdout)
    again = apiserver.kubectl("apply", "-f", "-", stdin=printed.stdout)

    here = [
        r for r in yaml.safe_load_all(printed.stdout) if r["metadata"]["namespace"] == namespace
    ]
    assert printed.returncode == 0
    assert here[0]["rules"][0]["resourceNames"] == ["bot-0", "bot-1", "bot-2"]
    assert all(line.endswith("unchanged") for line in again.splitlines())


async def test_who_may_not_list_pipelines_is_told(
    apiserver: ApiServer, admin: HttpClusterApi, namespace: str
) -> None:
    await make_account(admin, namespace, "nobody")
    settings = await settings_of(admin, apiserver, "nobody", namespace=namespace)

    refused = run("--cluster", settings=settings)

    assert refused.returncode == 1
    assert "cannot list resource" in refused.stderr
    assert refused.stdout == ""


def test_help_says_how_it_is_used(apiserver: ApiServer) -> None:
    shown = run("--help", settings=apiserver.settings())

    assert shown.returncode == 0
    assert "| countersign-rbac | kubectl apply -f -" in shown.stdout
