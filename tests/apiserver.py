"""A real API server with its etcd: 3 seconds to start, 300 MB, on loopback.

The programs come from `KUBEBUILDER_ASSETS`, as envtest calls it, or from the reference material.
"""

import json
import os
import secrets
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import reference
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from countersign.kube.access.http_api import KubeSettings
from countersign.local.demo.layout import free_port

ASSETS: Final = "KUBEBUILDER_ASSETS"
PROGRAMS: Final = ("kube-apiserver", "etcd", "kubectl")
# What the services' own accounts asked for, and whether they might; nothing of what is in objects.
_AUDIT: Final = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  userGroups: ["system:serviceaccounts:countersign"]
- level: None
"""
START_S: Final = 60.0
# An API server that somebody watches does not end by itself: it is killed, as by any eviction.
STOP_S: Final = 2.0
LOOK_S: Final = 0.1
RIGHTS_LOOK_S: Final = 0.01
_ADMIN: Final = "made-up-admin-token"
_ISSUER: Final = "https://kubernetes.default.svc"
_RBAC: Final = "rbac.authorization.k8s.io"
# A new server makes it a moment after it says that it is ready.
_PLACE: Final = "/api/v1/namespaces/default"

Json = dict[str, Any]


def has_programs(folder: Path | None) -> bool:
    return folder is not None and all((folder / name).is_file() for name in PROGRAMS)


def programs(directory: Path) -> Path:
    """The folder with the programs; skips with the reason where there are none."""
    named = os.environ.get(ASSETS)
    if named and has_programs(Path(named)):
        return Path(named)
    cluster = reference.skip_without("cluster/cluster")
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["bash", cluster, "assets", directory], check=True, capture_output=True)
    return directory


@dataclass
class ApiServer:
    """Without controllers: no Pods, no garbage collection; a Namespace does not finish deleting.

    RBAC, CRDs with CEL, server-side apply, tokens and access reviews work.
    """

    directory: Path
    programs: Path
    port: int = field(default_factory=free_port)
    flags: tuple[str, ...] = ()
    _etcd_port: int = field(default_factory=free_port)
    _peer_port: int = field(default_factory=free_port)
    _processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca(self) -> Path:
        return self.directory / "pki" / "apiserver.crt"

    @property
    def audit_log(self) -> Path:
        return self.directory / "audit.log"

    def start(self) -> None:
        """Also again, after a stop; what was stored is still there."""
        (self.directory / "pki").mkdir(parents=True, exist_ok=True)
        self._make_key()
        (self.directory / "tokens.csv").write_text(f'{_ADMIN},admin,admin,"system:masters"\n')
        (self.directory / "audit.yaml").write_text(_AUDIT)
        self._run("etcd", *self._etcd_flags())
        self._run("kube-apiserver", *self._flags(), *self.flags)
        self._wait()

    def stop(self, *, only: str = "") -> None:
        for name in ("kube-apiserver", "etcd"):
            if only in {"", name} and (process := self._processes.pop(name, None)):
                process.terminate()
                try:
                    process.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def account(self, token: str = _ADMIN) -> Path:
        """A folder as the kubelet mounts it; of an administrator unless a token is given."""
        folder = Path(tempfile.mkdtemp(dir=self.directory))
        (folder / "token").write_text(token)
        shutil.copy(self.ca, folder / "ca.crt")
        return folder

    def settings(self, token: str = _ADMIN) -> KubeSettings:
        return KubeSettings(url=self.url, account_dir=self.account(token))

    def kubeconfig(self, token: str = _ADMIN) -> str:
        return f"""\
apiVersion: v1
kind: Config
clusters: [{{name: it, cluster: {{server: "{self.url}", certificate-authority: "{self.ca}"}}}}]
users: [{{name: me, user: {{token: "{token}"}}}}]
contexts: [{{name: it, context: {{cluster: it, user: me}}}}]
current-context: it
"""

    def kubectl(self, *arguments: str, stdin: str = "", token: str = _ADMIN) -> str:
        """What it prints; a failure is an error with what it complained of."""
        config = self.directory / f"kubeconfig-{abs(hash(token))}"
        config.write_text(self.kubeconfig(token))
        done = subprocess.run(
            [self.programs / "kubectl", f"--kubeconfig={config}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
            env={"HOME": str(self.directory), "PATH": os.environ["PATH"]},
        )
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        if _writes_rights(*arguments, stdin):
            self.until_rights_count()
        return done.stdout

    def until_rights_count(self) -> None:
        """Wait until what was granted and withdrawn so far counts.

        The API server hears of its own Roles by four watches, a moment later, each in its order:
        once it has heard of the last, it has heard of all.
        """
        last = f"last-{secrets.token_hex(4)}"
        for scope in ("", "Cluster"):
            for manifest in _granting(last, scope):
                place = "" if scope else "namespaces/default/"
                path = f"/apis/{_RBAC}/v1/{place}{manifest['kind'].lower()}s/last"
                self._call("PATCH", f"{path}?fieldManager=tests&force=true", manifest)
        deadline_s = time.monotonic() + START_S
        while not (self._may(last, "get") and self._may(last, "list")):
            if time.monotonic() > deadline_s:
                raise TimeoutError("the API server does not hear of its own Roles")
            time.sleep(RIGHTS_LOOK_S)

    def _may(self, user: str, verb: str) -> bool:
        asked = {"namespace": "default", "verb": verb, "resource": "configmaps"}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": {**asked, "name": user}},
        }
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        return bool(self._call("POST", path, review)["status"]["allowed"])

    def _call(self, method: str, path: str, body: Json) -> Json:
        kind = "apply-patch+yaml" if method == "PATCH" else "json"
        headers = {"Authorization": f"Bearer {_ADMIN}", "Content-Type": f"application/{kind}"}
        request = urllib.request.Request(  # noqa: S310
            self.url + path, json.dumps(body).encode(), headers, method=method
        )
        tls = ssl.create_default_context(cafile=str(self.ca))
        with urllib.request.urlopen(request, timeout=START_S, context=tls) as answer:  # noqa: S310
            found: Json = json.load(answer)
            return found

    def _make_key(self) -> None:
        path = self.directory / "pki" / "sa.key"
        if not path.exists():
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            path.write_bytes(
                key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
            )

    def _run(self, name: str, *flags: str) -> None:
        if name in self._processes:
            return
        with (self.directory / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [self.programs / name, *flags], stdout=log, stderr=log, cwd=self.directory
            )

    def _etcd_flags(self) -> tuple[str, ...]:
        client = f"http://127.0.0.1:{self._etcd_port}"
        peers = f"http://127.0.0.1:{self._peer_port}"
        return (
            f"--data-dir={self.directory / 'etcd'}",
            "--unsafe-no-fsync",
            "--log-level=warn",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peers}",
        )

    def _flags(self) -> tuple[str, ...]:
        pki = self.directory / "pki"
        return (
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.port}",
            "--endpoint-reconciler-type=none",
            f"--cert-dir={pki}",
            "--service-cluster-ip-range=10.99.0.0/24",
            f"--service-account-issuer={_ISSUER}",
            f"--api-audiences={_ISSUER}",
            f"--service-account-key-file={pki / 'sa.key'}",
            f"--service-account-signing-key-file={pki / 'sa.key'}",
            "--authorization-mode=RBAC",
            f"--audit-policy-file={self.directory / 'audit.yaml'}",
            f"--audit-log-path={self.audit_log}",
            f"--token-auth-file={self.directory / 'tokens.csv'}",
            "--disable-admission-plugins=ServiceAccount",
            "--profiling=false",
        )

    def _wait(self) -> None:
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s:
            if self.ca.exists() and all(map(self._answers, ("/readyz", _PLACE))):
                self.until_rights_count()
                return
            for name, process in self._processes.items():
                if process.poll() is not None:
                    log = (self.directory / f"{name}.log").read_text()[-2000:]
                    raise RuntimeError(f"{name} ended with {process.returncode}: {log}")
            time.sleep(LOOK_S)
        raise TimeoutError("the API server is not ready")

    def _answers(self, path: str) -> bool:
        tls = ssl.create_default_context(cafile=str(self.ca))
        request = urllib.request.Request(  # noqa: S310
            self.url + path, headers={"Authorization": f"Bearer {_ADMIN}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=2, context=tls):  # noqa: S310
                return True
        except urllib.error.HTTPError as error:
            error.close()
            return False
        except OSError:
            return False


def _writes_rights(*said: str) -> bool:
    reads = {"get", "describe", "auth"} & set(said)
    return not reads and any("role" in text.lower() for text in said)


def _granting(user: str, scope: str) -> tuple[Json, Json]:
    """A Role and its binding, or those of the cluster, that let only this user do something."""
    head = {"apiVersion": f"{_RBAC}/v1", "metadata": {"name": "last"}}
    verbs = ["list"] if scope else ["get"]
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs, "resourceNames": [user]}
    subject = {"apiGroup": _RBAC, "kind": "User", "name": user}
    ref = {"apiGroup": _RBAC, "kind": f"{scope}Role", "name": "last"}
    return (
        {**head, "kind": f"{scope}Role", "rules": [rule]},
        {**head, "kind": f"{scope}RoleBinding", "subjects": [subject], "roleRef": ref},
    )


def running(directory: Path, *flags: str) -> ApiServer:
    """One that is started; whoever asks stops it."""
    server = ApiServer(directory, programs(directory / "bin"), flags=flags)
    try:
        server.start()
    except BaseException:
        server.stop()
        raise
    return server
