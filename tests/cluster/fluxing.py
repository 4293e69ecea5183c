"""Flux beside the cluster: its controllers as processes, and a registry that they and we reach."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import yaml
from cluster.flux_programs import Programs
from cluster.machine import Failed, Json, Machine
from reference import ROOT

from countersign.local.demo.layout import free_port

SYSTEM: Final = "flux-system"
NAME: Final = "countersign"
EXAMPLE: Final = ROOT / "k8s" / "examples" / "flux.yaml"
STARTED_S: Final = 30.0
LOOK_S: Final = 0.5
CALL_S: Final = 600.0
# A transparency log is on the Internet.
_NO_LOG: Final = ("--tlog-upload=false", "--use-signing-config=false", "--yes")


@dataclass(frozen=True, kw_only=True)
class Flux:
    """A person who uses Flux, and types the commands of our documents."""

    machine: Machine
    programs: Programs
    registry: str
    folder: Path

    def push(self, tree: Path, tag: str, *, signed: bool = True) -> str:
        """Push a folder of manifests as a release does; returns its digest."""
        said = self.run(
            "flux",
            *("push", "artifact", f"oci://{self._repository}:{tag}", f"--path={tree}"),
            *("--source=https://example.org/countersign.git", f"--revision=v{tag}@sha1:{'0' * 40}"),
            "--output=json",
        )
        digest = str(json.loads(said)["digest"])
        if signed:
            key = f"--key={self.folder / 'cosign.key'}"
            self.run("cosign", "sign", key, *_NO_LOG, f"{self._repository}@{digest}")
        return digest

    def make_key(self) -> None:
        """Make the key of who releases, and give its public half to the cluster."""
        self.run("cosign", "generate-key-pair")
        public = f"--from-file={self.folder / 'cosign.pub'}"
        self.kubectl("delete", "secret", "countersign-cosign", "--ignore-not-found")
        self.kubectl("create", "secret", "generic", "countersign-cosign", public)

    def example(self, tag: str) -> tuple[Json, Json]:
        """Our example, with the address of this registry."""
        source, applied = yaml.safe_load_all(EXAMPLE.read_text())
        source["spec"] |= {"url": f"oci://{self._repository}", "insecure": True}
        source["spec"]["ref"] = {"tag": tag}
        return source, applied

    def build(self, tree: Path, applied: Json) -> dict[tuple[str, str], Json]:
        """Return the objects that a Kustomization would apply of a folder, by kind and name."""
        file = tree.parent / "kustomization.json"
        file.write_text(json.dumps(applied))
        said = self.run(
            "flux",
            *("build", "kustomization", NAME, "--dry-run", f"--kustomization-file={file}"),
            *(f"--path={tree / applied['spec']['path']}", "--strict-substitute"),
        )
        objects = filter(None, yaml.safe_load_all(said))
        return {(each["kind"], each["metadata"]["name"]): each for each in objects}

    def apply(self, *objects: Json) -> None:
        self.machine.kubectl("apply", "-f", "-", stdin="---\n".join(map(json.dumps, objects)))

    def reconcile(self) -> None:
        """Have it look at once, and wait until all is as it should be."""
        self.run("flux", "reconcile", "kustomization", NAME, "--with-source", "--timeout=9m")

    def wait(self, tag: str) -> None:
        """Wait until that version is applied, and everything in it is well."""
        until = time.monotonic() + CALL_S
        while not is_ready(found := self.get("kustomization"), tag):
            if time.monotonic() > until:
                raise Failed(f"{tag} after {CALL_S:g} s: {json.dumps(found.get('status'))}")
            time.sleep(LOOK_S)

    def done(self) -> Json:
        """Return by object the last thing that the controller did with it, as its log says."""
        log = (self.folder / "kustomize-controller.log").read_text()
        said = [line for line in log.splitlines() if "server-side apply completed" in line]
        return dict(json.loads(said[-1])["output"])

    def forget(self) -> None:
        """Take our objects away when nobody is left who would do it, and leave what they made."""
        free = '{"metadata": {"finalizers": null}}'
        for kind in ("kustomization", "ocirepository"):
            self.kubectl("delete", kind, NAME, "--ignore-not-found", "--wait=false")
            patch = ("patch", kind, NAME, "--type=merge", f"--patch={free}")
            self.machine.attempt(f"--namespace={SYSTEM}", *patch)

    def get(self, kind: str) -> Json:
        return dict(json.loads(self.kubectl("get", kind, NAME, "-o", "json")))

    def kubectl(self, *arguments: str) -> str:
        return self.machine.kubectl(f"--namespace={SYSTEM}", *arguments, timeout_s=CALL_S)

    def run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            (self.programs.path(program), *arguments),
            cwd=self.folder,
            env={**os.environ, "COSIGN_PASSWORD": ""},
            capture_output=True,
            text=True,
            timeout=CALL_S,
            check=False,
        )
        if done.returncode:
            raise Failed(f"{program} {' '.join(arguments)}: {done.stderr.strip()} {done.stdout}")
        return done.stdout

    @property
    def _repository(self) -> str:
        return f"{self.registry}/countersign/manifests"


def is_ready(applied: Json, tag: str) -> bool:
    status: dict[str, Any] = applied.get("status", {})
    return (
        status.get("observedGeneration") == applied["metadata"]["generation"]
        and str(status.get("lastAppliedRevision", "")).startswith(f"{tag}@")
        and condition(applied, "Ready").get("status") == "True"
    )


def condition(found: Json, kind: str) -> Json:
    conditions = found.get("status", {}).get("conditions", ())
    return next((dict(each) for each in conditions if each["type"] == kind), {})


@contextmanager
def started(machine: Machine, programs: Programs, folder: Path) -> Iterator[Flux]:
    """Start a registry and both controllers, for what stands in `flux-system`.

    Elsewhere are objects whose Flux is played.
    """
    registry, storage = (f"127.0.0.1:{free_port()}" for _ in range(2))
    quiet = ("--metrics-addr=0", "--health-addr=0", "--watch-all-namespaces=false")
    store = (
        f"--storage-path={folder / 'storage'}",
        f"--storage-addr={storage}",
        f"--storage-adv-addr={storage}",
    )
    (folder / "storage").mkdir()
    crane = programs.path("crane")
    flux = Flux(machine=machine, programs=programs, registry=registry, folder=folder)
    with ExitStack() as running:
        running.callback(flux.forget)
        for program, *arguments in (
            (crane, "registry", "serve", f"--address={registry}"),
            (programs.path("source-controller"), *quiet, *store),
            (programs.path("kustomize-controller"), *quiet),
        ):
            running.enter_context(_process(folder, program, *arguments))
        _wait_answering(f"http://{registry}/v2/")
        yield flux


@contextmanager
def _process(folder: Path, program: str, *arguments: str) -> Iterator[None]:
    with (
        (folder / f"{Path(program).name}.log").open("w") as log,
        subprocess.Popen(
            (program, *arguments),
            cwd=folder,
            env={**os.environ, "RUNTIME_NAMESPACE": SYSTEM},
            stdout=log,
            stderr=log,
            # An interruption is for the test, which still needs it.
            start_new_session=True,
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


def _wait_answering(url: str) -> None:
    until = time.monotonic() + STARTED_S
    with httpx2.Client(trust_env=False) as client:
        while True:
            try:
                client.get(url).raise_for_status()
            except httpx2.HTTPError:
                if time.monotonic() > until:
                    raise
                time.sleep(LOOK_S)
            else:
                return
