"""Names and paths of the cluster that documents show are those that the manifests bring."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import sources
import yaml
from apiserver import ApiServer
from reference import ROOT

K8S = ROOT / "k8s"
BUILT = (*K8S.glob("overlays/*"), K8S / "bridge", K8S / "record")
DOCUMENTS = [p for p in sources.tracked("*.md") if "docs/adr" not in sources.name(p)]
LINES = [*DOCUMENTS, *sources.tracked("k8s/*.yaml")]

COMMAND = re.compile(r"kubectl (?:[^`\n\\]|\\\n|\\.)*")
NAMESPACE = re.compile(r"(?:-n |--namespace[= ]|serviceaccount:|namespace: )(countersign[a-z-]*)")
OBJECT = re.compile(
    r"(?<!create )\b(deploy(?:ment)?|statefulset|service|job|cronjob|configmap|secret)"
    r"[/ ]([a-z][a-z0-9-]*[a-z0-9])(?![\w$<…-])"
)
CREATED = re.compile(r"create (secret) generic ([a-z][a-z0-9-]*[a-z0-9])(?![\w$<…-])")
KINDS = {"deploy": "deployment"}
LABEL = re.compile(r"app\.kubernetes\.io/name(?:=([a-z-]+)| in \(([a-z, -]+)\))")
ADDRESS = re.compile(r"(\w+)://([a-z-]+)\.countersign:(\d+)")
PATH = re.compile(r"/(?:etc|var/run)/countersign/[\w./-]*\w")
FIELD = re.compile(r"\b(\w+(?:File|FILE))\b(?:: |=)(/\S+)")
# Where a field of the forge list, or a setting, finds its file.
HELD_BY = {
    "clientSecretFile": "countersign-client-secrets",
    "webhookSecretFile": "countersign-webhook-secrets",
    "secretFile": "countersign-webhook-secrets",
    "appKeyFile": "countersign-app-keys",
    "caFile": "countersign-forges",
    "COUNTERSIGN_OIDC_CLIENT_SECRET_FILE": "countersign-oidc",
}


@dataclass(frozen=True)
class Mount:
    """A volume where containers see it; `keys` are the files in it, where that is laid down."""

    path: PurePosixPath
    holder: str
    keys: frozenset[str] | None


class Installed:
    """All that any of the overlays brings."""

    def __init__(self, manifests: list[dict[str, Any]]) -> None:
        self.manifests = manifests
        self.names = {(m["kind"].lower(), m["metadata"]["name"]) for m in manifests}
        self.mounts = {mount for pod in self._pods() for mount in self._mounts(pod)}
        self.secrets = {
            name
            for m in manifests
            if m["kind"] == "Role"
            for rule in m["rules"]
            if "secrets" in rule["resources"]
            for name in rule.get("resourceNames", ())
        } | {mount.holder for mount in self.mounts}

    def _pods(self) -> Iterator[dict[str, Any]]:
        for manifest in self.manifests:
            spec = manifest.get("spec", {})
            template = spec.get("jobTemplate", {"spec": spec})["spec"].get("template", {})
            if "containers" in template.get("spec", {}):
                yield template["spec"]

    def _mounts(self, pod: dict[str, Any]) -> Iterator[Mount]:
        volumes = {volume["name"]: volume for volume in pod.get("volumes", ())}
        for container in pod["containers"]:
            for mount in container.get("volumeMounts", ()):
                volume = volumes.get(mount["name"], {})
                secret, config = volume.get("secret"), volume.get("configMap")
                if secret is not None:
                    items = secret.get("items")
                    keys = frozenset(i["path"] for i in items) if items else None
                    yield Mount(PurePosixPath(mount["mountPath"]), secret["secretName"], keys)
                elif config is not None:
                    keys = frozenset(self._keys(config["name"]))
                    yield Mount(PurePosixPath(mount["mountPath"]), config["name"], keys)

    def _keys(self, config_map: str) -> set[str]:
        return {
            key
            for m in self.manifests
            if (m["kind"], m["metadata"]["name"]) == ("ConfigMap", config_map)
            for key in m["data"]
        }

    def has(self, kind: str, name: str) -> bool:
        if kind == "secret":
            return name in self.secrets
        return (KINDS.get(kind, kind), name) in self.names

    def has_label(self, value: str) -> bool:
        return any(
            m["metadata"].get("labels", {}).get("app.kubernetes.io/name") == value
            for m in self.manifests
        )

    def serves(self, service: str, port: int) -> bool:
        return any(
            (m["kind"], m["metadata"]["name"]) == ("Service", service)
            and port in {p["port"] for p in m["spec"]["ports"]}
            for m in self.manifests
        )

    def holders(self, path: PurePosixPath) -> set[str]:
        """Tell in which Secrets or ConfigMaps such a file is, or, as a certificate, may be."""
        return {
            mount.holder
            for mount in self.mounts
            if path.parent == mount.path
            and (mount.keys is None or path.name in mount.keys or path.suffix == ".pem")
        }


@pytest.fixture(scope="module", name="installed")
def installed_fixture(apiserver: ApiServer) -> Installed:
    built = [apiserver.kubectl("kustomize", str(folder)) for folder in BUILT]
    return Installed([m for text in built for m in yaml.safe_load_all(text) if m])


def commands(path: Path) -> Iterator[str]:
    """Every `kubectl …` of a document that is about our own namespace."""
    for line in COMMAND.findall(path.read_text()):
        if re.search(r"-n countersign\b", line):
            yield line


def found_in(paths: list[Path], pattern: re.Pattern[str]) -> set[tuple[str, tuple[str, ...]]]:
    return {
        (sources.name(path), match.groups() or (match[0],))
        for path in paths
        for match in pattern.finditer(path.read_text())
    }


def test_namespace_of_a_document_is_there(installed: Installed) -> None:
    found = found_in(DOCUMENTS, NAMESPACE)

    assert len(found) > 3
    assert {one for one in found if ("namespace", one[1][0]) not in installed.names} == set()


def test_object_of_a_command_is_there(installed: Installed) -> None:
    found = [
        (sources.name(path), kind, name)
        for path in LINES
        for line in commands(path)
        for kind, name in (*OBJECT.findall(line), *CREATED.findall(line))
    ]

    assert len(found) > 20
    assert [one for one in found if not installed.has(*one[1:])] == []


def test_label_of_a_command_is_there(installed: Installed) -> None:
    found = [
        value
        for path in LINES
        for line in commands(path)
        for values in LABEL.findall(line)
        for value in re.split(", *", "".join(values))
    ]

    assert found != []
    assert [value for value in found if not installed.has_label(value)] == []


def test_address_within_the_cluster_is_served(installed: Installed) -> None:
    """And the bus by TLS alone."""
    found = found_in(DOCUMENTS, ADDRESS)

    assert len(found) > 3
    for _, (scheme, service, port) in found:
        assert installed.serves(service, int(port)), service
        assert (scheme == "tls") is (service == "nats"), found


def test_path_within_a_pod_is_mounted(installed: Installed) -> None:
    found = found_in(DOCUMENTS, PATH)

    assert len(found) > 10
    assert {one for one in found if not installed.holders(PurePosixPath(one[1][0]))} == set()


def test_file_of_a_setting_is_where_it_is_held(installed: Installed) -> None:
    found = {one for one in found_in(DOCUMENTS, FIELD) if one[1][0] in HELD_BY}

    assert {one[1][0] for one in found} == set(HELD_BY)
    for where, (field, path) in found:
        assert HELD_BY[field] in installed.holders(PurePosixPath(path)), (where, field, path)
