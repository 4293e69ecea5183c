"""Roles for the Secrets that Pipelines name, and the command that prints them."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from countersign.kube.rbac import cli
from countersign.kube.rbac.secret_roles import named_secrets, secret_roles

URL = "https://github.com/shop/gitops"


def pull_request(**more: Any) -> dict[str, Any]:
    ask = {"type": "github", "url": URL, "baseBranch": "main", **more}
    return {"strategy": {"pull-request": ask}}


def pipeline(
    *environments: dict[str, Any], promotion: dict[str, Any] | None = None, namespace: str = "shop"
) -> dict[str, Any]:
    return {
        "apiVersion": "pipelines.weave.works/v1alpha1",
        "kind": "Pipeline",
        "metadata": {"name": "checkout", "namespace": namespace},
        "spec": {
            "appRef": {
                "apiVersion": "helm.toolkit.fluxcd.io/v2",
                "kind": "HelmRelease",
                "name": "checkout",
            },
            "promotion": promotion or {},
            "environments": [
                {"name": f"e{number}", "targets": [{"namespace": "x"}], **environment}
                for number, environment in enumerate(environments)
            ],
        },
    }


def rights(*manifests: dict[str, Any]) -> dict[tuple[str, str], list[str]]:
    """Names of Secrets by service account and namespace."""
    roles = secret_roles(named_secrets(manifests))
    return {
        (binding["subjects"][0]["name"], role["metadata"]["namespace"]): role["rules"][0][
            "resourceNames"
        ]
        for role, binding in zip(roles[::2], roles[1::2], strict=True)
    }


def test_role_allows_get_of_the_named_secrets_and_nothing_else() -> None:
    promotion = pull_request(secretRef={"name": "bot"})
    role, binding, *_ = secret_roles(named_secrets([pipeline({}, {}, promotion=promotion)]))

    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["bot"], "verbs": ["get"]}
    ]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"][0]["namespace"] == "countersign"


def test_writer_gets_what_it_uses_and_auditor_what_is_named() -> None:
    one = {"promotion": pull_request(secretRef={"name": "used"})}
    two = {"promotion": pull_request(secretRef={"name": "kept"}, credential="delegated")}

    assert rights(pipeline({}, one, two)) == {
        ("countersign-auditor", "shop"): ["kept", "used"],
        ("countersign-pr-writer", "shop"): ["used"],
    }


def test_secret_of_the_first_environment_alone_is_not_needed() -> None:
    first = {"promotion": pull_request(secretRef={"name": "bot"})}

    assert rights(pipeline(first, {})) == {}


def test_strategy_that_is_not_understood_gives_no_right() -> None:
    wrong = {"promotion": pull_request(type="subversion", secretRef={"name": "bot"})}

    assert rights(pipeline({}, wrong)) == {}


def test_watcher_gets_keys_of_hooks_and_kubeconfigs_of_clusters_in_use() -> None:
    target = {"namespace": "x", "clusterRef": {"kind": "GitopsCluster", "name": "eu"}}
    there = {"namespace": "x", "clusterRef": {**target["clusterRef"], "namespace": "fleet"}}  # type: ignore[dict-item]
    hook = {"strategy": {"secretRef": {"name": "hook"}}}
    cluster = {"apiVersion": "gitops.weave.works/v1alpha1", "kind": "GitopsCluster"}
    by_secret = {
        **cluster,
        "metadata": {"name": "eu", "namespace": "shop"},
        "spec": {"secretRef": {"name": "eu-access"}},
    }
    by_capi = {
        **cluster,
        "metadata": {"name": "eu", "namespace": "fleet"},
        "spec": {"capiClusterRef": {"name": "eu"}},
    }
    unused = {**by_secret, "metadata": {"name": "us", "namespace": "shop"}}
    named = pipeline({"targets": [target, there]}, {}, promotion=hook)

    assert rights(unused, by_secret, named, by_capi) == {
        ("countersign-watcher", "fleet"): ["eu-kubeconfig"],
        ("countersign-watcher", "shop"): ["eu-access", "hook"],
    }


def test_what_is_printed_does_not_depend_on_the_order() -> None:
    promotion = pull_request(secretRef={"name": "bot"})
    one = pipeline({}, {}, promotion=promotion)
    two = pipeline({}, {}, promotion=pull_request(secretRef={"name": "a"}), namespace="a")

    assert secret_roles(named_secrets([one, two])) == secret_roles(named_secrets([two, one]))


def test_other_objects_and_broken_ones_are_passed_over() -> None:
    broken = {"apiVersion": "pipelines.weave.works/v1alpha1", "kind": "Pipeline"}

    assert named_secrets([{}, {"kind": "Secret"}, broken]).pipelines == 0


def run(
    monkeypatch: pytest.MonkeyPatch, body: str, *arguments: str, encoding: str = "utf-8"
) -> int:
    stdin = io.TextIOWrapper(io.BytesIO(body.encode(encoding)))
    monkeypatch.setattr("sys.stdin", stdin)
    return cli.main(arguments)


@pytest.mark.parametrize("form", ["list", "documents", "json"])
def test_command_reads_what_kubectl_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    made = pipeline({}, {}, promotion=pull_request(secretRef={"name": "bot"}))
    listed = {"apiVersion": "v1", "kind": "List", "items": [made]}
    body = {
        "list": yaml.safe_dump(listed),
        "documents": yaml.safe_dump_all([made, None]),
        "json": json.dumps(listed),
    }[form]

    code = run(monkeypatch, body, "--namespace", "elsewhere")
    printed = capsys.readouterr().out

    assert code == 0
    assert printed.startswith("# What 1 Pipeline names")
    roles = list(yaml.safe_load_all(printed))
    assert [role["kind"] for role in roles] == ["Role", "RoleBinding"] * 2
    assert roles[1]["subjects"][0]["namespace"] == "elsewhere"


def test_command_reads_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "pipelines.yaml"
    file.write_text(yaml.safe_dump(pipeline({}, {}, promotion=pull_request())))

    assert cli.main([str(file)]) == 0
    assert (
        capsys.readouterr().out == "# 1 Pipeline read; no Secret is named, so no right is needed.\n"
    )


@pytest.mark.parametrize(
    ("body", "encoding", "why"),
    [
        ("a: [", "utf-8", "standard input is no YAML in line 2"),
        ("[" * 100_000, "utf-8", "nested more than"),
        ("day: 2026-13-99", "utf-8", "is no YAML"),
        ("a: ü", "latin-1", "cannot read"),
    ],
    ids=["cut off", "deep", "no day", "no text"],
)
def test_command_says_what_it_cannot_read(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    body: str,
    encoding: str,
    why: str,
) -> None:
    assert run(monkeypatch, body, encoding=encoding) != 0
    complaint = capsys.readouterr().err
    assert why in complaint
    assert complaint.count("\n") == 1


def test_command_says_that_it_knows_no_cluster(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COUNTERSIGN_KUBE_URL", raising=False)

    assert run(monkeypatch, "", "--cluster") != 0
    assert "COUNTERSIGN_KUBE_URL" in capsys.readouterr().err
