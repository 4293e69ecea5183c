"""A file that is missing is known as the key of a Secret, as the manifests mount it."""

import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from reference import ROOT

from countersign.process.faults.mounts import (
    MOUNTED,
    NAMESPACE,
    Mount,
    missing_key,
    no_file,
    what_to_do,
)

MANIFESTS = ROOT / "k8s/services"


def mounted(workload: str) -> dict[str, str]:
    """Secrets that people make, by the path they are mounted at."""
    found = {}
    for document in yaml.safe_load_all((MANIFESTS / workload).read_text()):
        if document["kind"] not in {"Deployment", "Job"}:
            continue
        pod = document["spec"]["template"]["spec"]
        secrets = {
            volume["name"]: volume["secret"]["secretName"]
            for volume in pod["volumes"]
            if volume.get("secret", {}).get("optional")
        }
        for mount in pod["containers"][0]["volumeMounts"]:
            if mount["name"] in secrets:
                found[mount["mountPath"]] = secrets[mount["name"]]
    return found


def test_mounts_are_those_of_the_manifests() -> None:
    found = {
        path: secret
        for file in sorted(MANIFESTS.glob("*.yaml"))
        if file.name != "kustomization.yaml"
        for path, secret in mounted(file.name).items()
    }

    assert found == {str(MOUNTED / mount): mount.secret for mount in Mount}


def test_check_has_what_services_need_but_private_keys() -> None:
    assert {Path(path).name for path in mounted("check.yaml")} == set(Mount) - {Mount.APPS}


def test_missing_file_is_known_as_the_key_of_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "oidc" / "client-secret"

    missing = missing_key(file, root=tmp_path)

    assert missing is not None
    assert (missing.mount, missing.key, missing.others) == (Mount.OIDC, "client-secret", False)
    assert "countersign-oidc" in no_file(file, root=tmp_path)


def test_secret_with_other_keys_is_added_to_and_not_made_anew(tmp_path: Path) -> None:
    (tmp_path / "clients").mkdir()
    (tmp_path / "clients" / "gitea").write_text("of another forge")
    (tmp_path / "github").write_bytes(b"our\nsecret")

    missing = missing_key(tmp_path / "clients" / "github", root=tmp_path)

    assert missing is not None
    assert missing.others
    # What a shell makes of it: the file's bytes, in the one key.
    words = shlex.split(missing.command.replace("$(", "$ ("))
    assert words[:6] == ["kubectl", "-n", NAMESPACE, "patch", "secret", Mount.CLIENTS.secret]
    told = subprocess.run(
        ["sh", "-c", missing.command.replace("kubectl", "printf '%s|'", 1)],
        cwd=tmp_path, capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    assert told.split("|")[-2] == '{"data":{"github":"b3VyCnNlY3JldA=="}}'


@pytest.mark.parametrize("mounts", [(Mount.CLIENTS,), ()], ids=["known", "any of this Pod"])
def test_path_in_no_mount_is_told_where_it_would_be_sought(
    tmp_path: Path, mounts: tuple[Mount, ...]
) -> None:
    (tmp_path / "clients").mkdir()

    told = what_to_do(Path("/etc/countersign/gitea-secret"), mounts=mounts, root=tmp_path)

    assert told.endswith(f" {tmp_path}/clients/gitea-secret")


def test_machine_without_mounts_tells_no_secret(tmp_path: Path) -> None:
    assert what_to_do(Path("/etc/countersign/gitea-secret"), root=tmp_path) == ""
