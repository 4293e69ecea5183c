"""A cluster with real Pods, by kubectl, and an installation in it."""

import base64
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from reference import ROOT

HOME: Final = "countersign"
# The command before what is to run in the node.
ON_NODE: Final = "COUNTERSIGN_ON_NODE"
READY_S: Final = 240
CALL_S: Final = 300.0
FORWARDED_S: Final = 20.0
SAID_BYTES_MAX: Final = 65_536
# What the overlay says; on a machine where these are taken, others are put in their places.
BOARD_PORT, FORGE_PORT = 8080, 3000
Json = dict[str, Any]


class Failed(AssertionError):
    """A command that did not do what it was told; says what it said."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The cluster that `KUBECONFIG` names."""

    board_port: int
    forge_port: int

    def kubectl(self, *arguments: str, stdin: str = "", timeout_s: float = CALL_S) -> str:
        done = self.attempt(*arguments, stdin=stdin, timeout_s=timeout_s)
        if done.returncode:
            raise Failed(f"kubectl {' '.join(arguments)}: {done.stderr.strip()} {done.stdout}")
        return done.stdout

    def attempt(
        self, *arguments: str, stdin: str = "", timeout_s: float = CALL_S
    ) -> "subprocess.CompletedProcess[str]":
        """The same, where a refusal may be what is looked for."""
        where = () if arguments[0] == "apply" else ("-n", HOME)
        return subprocess.run(
            ["kubectl", *where, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def json(self, *arguments: str) -> Json:
        return dict(json.loads(self.kubectl(*arguments, "-o", "json")))

    def tree(self, folder: Path) -> Path:
        """Copy `k8s`, with the ports of this machine; returns where it is."""
        found = folder / "k8s"
        shutil.copytree(ROOT / "k8s", found, ignore=shutil.ignore_patterns("__pycache__"))
        furnish = "/app/bin/countersign-furnish"
        more = f"--port={self.board_port}, --forge-port={self.forge_port}"
        for path in (found / "overlays" / "dev").rglob("*.yaml"):
            text = path.read_text()
            text = text.replace(f"127.0.0.1:{BOARD_PORT}", f"127.0.0.1:{self.board_port}")
            text = re.sub(rf"\b{FORGE_PORT}\b", str(self.forge_port), text)
            path.write_text(text.replace(f"[{furnish},", f"[{furnish}, {more},"))
        return found

    def manifests(self, overlay: str) -> str:
        """An overlay as it would be applied, with the ports of this machine."""
        with tempfile.TemporaryDirectory() as folder:
            tree = self.tree(Path(folder))
            return self.kubectl("kustomize", str(tree / "overlays" / overlay))

    def wait_available(self) -> None:
        """Until every Deployment is, and every Job has ended."""
        wait = ("wait", f"--timeout={READY_S}s")
        self.kubectl(*wait, "--for=condition=Complete", "job", "--all")
        self.kubectl(*wait, "--for=condition=Available", "deployment", "--all")
        self.kubectl("rollout", "status", "statefulset/nats", f"--timeout={READY_S}s")

    def pods(self, name: str) -> list[Json]:
        """Those of one service that are not ending."""
        found = self.json("get", "pods", "-l", f"app.kubernetes.io/name={name}")["items"]
        return [p for p in found if "deletionTimestamp" not in p["metadata"]]

    def run_in(self, service: str, code: str, *, container: str = "") -> str:
        """Run Python as that service's process could; returns what it prints."""
        target = f"deployment/countersign-{service}"
        chosen = container or service
        return self.kubectl(
            "exec", "-i", target, "-c", chosen, "--", "/app/bin/python", "-", stdin=code
        )

    def secret(self, name: str, key: str, *, namespace: str = HOME) -> bytes:
        found = json.loads(
            self.kubectl("get", "secret", name, f"--namespace={namespace}", "-o", "json")
        )
        return base64.b64decode(found["data"][key])

    @contextmanager
    def cut_off(self, pod: str, *others: str) -> Iterator[None]:
        """Drop what goes between one Pod and others, connections that are open included.

        A NetworkPolicy judges new ones alone, so it is done at the node.
        """
        alone, *rest = (self._address(name) for name in (pod, *others))
        between = f"{{ {', '.join(rest)} }}"
        on_node("nft", "add table ip cut")
        chain = "{ type filter hook forward priority -10; policy accept; }"
        on_node("nft", f"add chain ip cut forward {chain}")
        on_node("nft", f"add rule ip cut forward ip saddr {alone} ip daddr {between} counter drop")
        on_node("nft", f"add rule ip cut forward ip daddr {alone} ip saddr {between} counter drop")
        try:
            yield
            dropped = re.findall(r"counter packets (\d+)", on_node("nft", "list table ip cut"))
            if sum(map(int, dropped)) == 0:
                raise Failed(f"nothing went between {pod} and the others, so nothing was cut")
        finally:
            on_node("nft", "delete table ip cut")

    def _address(self, pod: str) -> str:
        return str(self.json("get", "pod", pod)["status"]["podIP"])

    @contextmanager
    def forwarded(self, target: str, here: int, there: int) -> Iterator[None]:
        """Hand connections to a port of this machine on to a Service's or Deployment's Pod."""
        with tempfile.TemporaryFile() as said:
            process = _forwarding(target, f"{here}:{there}", said)
            try:
                yield
            finally:
                process.terminate()
                process.wait()


def on_node(*command: str) -> str:
    """Run a command as root in the cluster's one node; returns what it prints."""
    run = [*shlex.split(os.environ[ON_NODE]), *command]
    done = subprocess.run(run, capture_output=True, text=True, timeout=CALL_S, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(run)}: {done.stderr.strip()}")
    return done.stdout


def _forwarding(target: str, ports: str, said: IO[bytes]) -> "subprocess.Popen[bytes]":
    """Start it, again while somebody else has the port; it listens when it says so."""
    command = ["kubectl", "-n", HOME, "port-forward", "--address=127.0.0.1", target, ports]
    deadline_s = time.monotonic() + FORWARDED_S
    while True:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        while process.poll() is None:
            text = os.pread(said.fileno(), SAID_BYTES_MAX, 0)
            if b"Forwarding from" in text:
                return process
            if time.monotonic() > deadline_s:
                process.kill()
                process.wait()
                raise Failed(f"{' '.join(command)}: {text.decode()}")
            time.sleep(0.1)
        if time.monotonic() > deadline_s:
            text = os.pread(said.fileno(), SAID_BYTES_MAX, 0)
            raise Failed(f"{' '.join(command)}: {text.decode()}")


def say(*words: object) -> None:
    """Tell who waits how far it is; minutes pass."""
    line = " ".join(map(str, (time.strftime("%H:%M:%S"), *words)))
    sys.__stderr__.write(f"{line}\n") if sys.__stderr__ else None


def git_of_the_forge(machine: Machine, folder: Path) -> Path:
    """Copy the bare repository that promotions are written to; returns where it is."""
    command = ["kubectl", "-n", HOME, "exec", "deployment/forge", "-c", "forge", "--"]
    inside = ["tar", "-C", "/state/forge/repositories", "-cf", "-", "shop/gitops.git"]
    packed = subprocess.run([*command, *inside], capture_output=True, check=True, timeout=CALL_S)
    subprocess.run(["tar", "-C", folder, "-xf", "-"], input=packed.stdout, check=True)
    return folder / "shop" / "gitops.git"


def memory_peaks(machine: Machine, services: Sequence[str]) -> dict[str, int]:
    """The most that each service's container ever held, in MiB, as its own cgroup counts."""
    code = (
        "import pathlib\n"
        "for p in ('/sys/fs/cgroup/memory.peak', "
        "'/sys/fs/cgroup/memory/memory.max_usage_in_bytes'):\n"
        "    if pathlib.Path(p).exists(): print(pathlib.Path(p).read_text()); break\n"
    )
    peaks = {}
    for service in services:
        text = machine.run_in(service, code).strip()
        peaks[service] = int(text) // 2**20 if text.isdigit() else -1
    return peaks


def chosen_ports() -> tuple[int, int]:
    """The usual ones where they are free."""
    return _free(BOARD_PORT), _free(FORGE_PORT)


def _free(port: int) -> int:
    with socket.socket() as probe:
        taken = not probe.connect_ex(("127.0.0.1", port))
    if not taken:
        return port
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        return int(other.getsockname()[1])


def has_cluster() -> bool:
    return bool(os.environ.get("KUBECONFIG"))
