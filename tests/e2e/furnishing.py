"""What the forge holds beside the demonstration: for each kind of bad input, an application.

Each has two environments, `dev` with something newer than the other, and is named by its case.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from e2e.systems import REPOSITORY

from countersign.local.demo.layout import Layout, Ports
from countersign.local.demo.manifests import BOT_SECRET, NAMESPACE, NEW, OLD
from countersign.local.demo.running import Running
from countersign.local.demo.seeding import WRITERS, seed
from countersign.messaging.administration.local_server import LocalServer

ODD_NAME: Final = "Prod EU/west.1 größer 日本"
LARGE_BYTES: Final = 5 * 1024 * 1024
TOO_LARGE_BYTES: Final = 9 * 1024 * 1024
BOM: Final = b"\xef\xbb\xbf"
SPECIAL: Final = "{6.9.0}:#'@!&%?"
NUMBER: Final = "1e3"

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Application:
    name: str
    # Its pull requests are opened by the bot as soon as they can be; else by who promotes.
    stored: bool = False
    environment: str = "prod"
    version: str = NEW
    repository: str = REPOSITORY
    branch: str = "main"

    @property
    def path(self) -> str:
        return f"apps/{self.name}/prod/release.yaml"

    @property
    def dev_path(self) -> str:
        return f"apps/{self.name}/dev/release.yaml"

    @property
    def pipeline_path(self) -> str:
        return f"pipelines/{self.name}.yaml"

    def pipeline(self, forge_url: str) -> Json:
        ask: Json = {
            "type": "github",
            "url": f"{forge_url}/{self.repository}.git",
            "baseBranch": self.branch,
            "path": f"apps/{self.name}",
        }
        if self.stored:
            ask["secretRef"] = {"name": BOT_SECRET}
        return {
            "apiVersion": "pipelines.weave.works/v1alpha1",
            "kind": "Pipeline",
            "metadata": {"name": self.name, "namespace": NAMESPACE},
            "spec": {
                "appRef": {
                    "apiVersion": "helm.toolkit.fluxcd.io/v2",
                    "kind": "HelmRelease",
                    "name": self.name,
                },
                "promotion": {"strategy": {"pull-request": ask}},
                "environments": [
                    {"name": "dev", "targets": [{"namespace": f"{self.name}-dev"}]},
                    {"name": self.environment, "targets": [{"namespace": f"{self.name}-prod"}]},
                ],
            },
        }

    def release(self, stage: str, version: str, *, marker: str = "") -> str:
        return _RELEASE.format(
            name=self.name, stage=stage, version=json.dumps(version), marker=marker
        )

    @property
    def marker(self) -> str:
        key = f"{NAMESPACE}:{self.name}:{self.environment}"
        return "# " + json.dumps({"$promotion": key}, ensure_ascii=False)


APPLICATIONS: Final = {
    one.name: one
    for one in (
        Application(name="odd", environment=ODD_NAME),
        Application(name="typo"),
        Application(name="mapping", stored=True),
        Application(name="special", stored=True, version=SPECIAL),
        Application(name="number", stored=True, version=NUMBER),
        Application(name="crlf", stored=True),
        Application(name="large", stored=True),
        Application(name="beside", stored=True),
        Application(name="empty", stored=True, repository=f"{NAMESPACE}/empty"),
        Application(name="baseless", stored=True, branch="release-2"),
        Application(name="none"),
        Application(name="nameless"),
        Application(name="double"),
        Application(name="by-hand"),
        Application(name="taken"),
        Application(name="readonly"),
        Application(name="signing"),
        Application(name="misled"),
        Application(name="redeeming"),
        Application(name="sixfold"),
        Application(name="page"),
        Application(name="poison"),
        Application(name="back", stored=True),
    )
}
_RELEASE: Final = """apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: {name}
  namespace: {name}-{stage}
spec:
  interval: 5m
  chart:
    spec:
      chart: podinfo
      version: {version} {marker}
      sourceRef: {{kind: HelmRepository, name: podinfo, namespace: flux-system}}
"""


def furnish(layout: Layout, ports: Ports) -> None:
    """Write all this into what the forge imports at its first start."""
    folder = layout.seed / "gitops"
    for one in APPLICATIONS.values():
        for path, body in _files(one, ports.forge_url).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(body)
    seed(layout, ports)
    _amend(layout.forges_file, _allow_all_of_the_owner)
    _amend(layout.seed_file, _add_empty_repository)


def _files(one: Application, forge_url: str) -> dict[str, bytes]:
    release = one.release("prod", OLD, marker=one.marker)
    files = {
        one.dev_path: one.release("dev", one.version).encode(),
        one.path: release.encode(),
    }
    manifest = one.pipeline(forge_url)
    environments = manifest["spec"]["environments"]
    if one.name == "typo":
        manifest["spec"]["promotion"]["strategy"]["pull-request"]["basebranch"] = "main"
    elif one.name == "none":
        environments.clear()
    elif one.name == "nameless":
        environments[1]["name"] = ""
    elif one.name == "double":
        environments[1]["name"] = "dev"
    elif one.name == "mapping":
        plain = one.release("prod", OLD)
        files[one.path] = plain.replace("  chart:\n", f"  chart: {one.marker}\n", 1).encode()
    elif one.name == "crlf":
        files[one.path] = BOM + release.replace("\n", "\r\n").encode()
    elif one.name in {"large", "beside"}:
        is_marked = one.name == "large"
        marker = one.marker if is_marked else ""
        size_bytes = TOO_LARGE_BYTES if is_marked else LARGE_BYTES
        large = "text: " + "x" * size_bytes + f"\nversion: {OLD} {marker}\n"
        files[f"apps/{one.name}/prod/large.yaml"] = large.encode()
    if one.name == "large":
        files[one.path] = one.release("prod", OLD).encode()
    if one.name != "by-hand":
        files[one.pipeline_path] = _text(manifest)
    return files


def _text(manifest: Json) -> bytes:
    return yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True).encode()


def pipeline_text(started: Running, name: str) -> bytes:
    """The Pipeline as it should be."""
    return _text(APPLICATIONS[name].pipeline(started.ports.forge_url))


def _amend(path: Path, change: Any) -> None:
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def _allow_all_of_the_owner(forges: Json) -> None:
    forges["forges"][0]["repositories"] = {NAMESPACE: [f"{NAMESPACE}/*"]}


def _add_empty_repository(forge: Json) -> None:
    empty = {"owner": NAMESPACE, "name": "empty", "private": True, "writers": list(WRITERS)}
    forge["repositories"].append(empty)


def commit(started: Running, files: dict[str, bytes]) -> None:
    """As a team does it: clone, commit, push; past the protection, straight into the repository."""
    bare = started.layout.forge / "repositories" / f"{REPOSITORY}.git"
    work = started.layout.root / "work"
    if not work.exists():
        _git("clone", "--quiet", "--no-local", str(bare), str(work))
    _git("-C", str(work), "pull", "--quiet", "--rebase")
    for path, body in files.items():
        (work / path).write_bytes(body)
    _git("-C", str(work), "add", "--all")
    _git("-C", str(work), *GRACE, "commit", "--quiet", "--message", "Change by hand")
    _git("-C", str(work), "push", "--quiet", "origin", "HEAD:main")


GRACE: Final = ("-c", "user.name=Grace Hopper", "-c", "user.email=grace@example.invalid")


def _git(*arguments: str) -> None:
    done = subprocess.run(["git", *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def bus_of(started: Running) -> LocalServer:
    """Not to be started: it says where the bus is, and with which keys."""
    return LocalServer(started.layout.bus, port=started.ports.bus)


def log_of(started: Running, service: str) -> list[Json]:
    lines = (started.layout.logs / f"{service}.log").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]
