"""Connections to clusters that a kubeconfig describes, which somebody put into a Secret.

Whoever writes that Secret decides where we connect, and must not decide more: files of ours are
not read for it, certificates are checked, and programs are run only where that was allowed.
Source: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

import base64
import binascii
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.secret import Secret
from countersign.kube.objects import Manifest, mapping, moment, sequence, text
from countersign.kube.refusals import ClusterRefusal
from countersign.kube.watches.watching_api import WatchingApi, connected
from countersign.kube.yaml_documents import documents
from countersign.process.clocks import MACHINE, Clocks

if TYPE_CHECKING:
    from kubernetes_asyncio.client import Configuration

_FILES: Final = ("tokenFile", "certificate-authority", "client-certificate", "client-key")
# What an exec plugin gives without saying how long it lasts is asked for again after that.
EXEC_LIFE_S: Final = 300.0
EXEC_MARGIN_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubeconfig:
    """The chosen context; what is secret in it is a Secret."""

    server: str
    ca: str = ""
    server_name: str = ""
    token: Secret | None = None
    certificate: str = ""
    key: Secret | None = None
    exec: Manifest | None = None


def read_kubeconfig(body: Secret, *, may_exec: bool) -> Kubeconfig:
    """Read the current context of a kubeconfig.

    Raises:
        Rejected: `bad_kubeconfig`; the message names fields and never repeats their values.

    """
    try:
        document = next(documents(body.reveal()), None)
    except Rejected:
        raise _bad("is no YAML") from None
    context = _named(document, "contexts", text(document, "current-context"), "context")
    cluster = _named(document, "clusters", text(context, "cluster"), "cluster")
    user = _named(document, "users", text(context, "user"), "user")
    for field in _FILES:
        if text(cluster, field) or text(user, field):
            raise _bad(f"names a file in {field}; put the content into it instead")
    if cluster.get("insecure-skip-tls-verify") is True:
        raise _bad("says insecure-skip-tls-verify; give certificate-authority-data instead")
    if not text(cluster, "server").startswith("https://"):
        raise _bad("needs a server that begins with https://")
    if cluster.get("proxy-url"):
        # Whoever writes the Secret would have us speak plain HTTP to any address inside.
        raise _bad("names a proxy-url, which is not supported; give a server that is reachable")
    exec_ = mapping(user, "exec")
    if exec_ and not may_exec:
        raise _bad("runs a program (exec), which COUNTERSIGN_KUBECONFIG_EXEC does not allow")
    if user.get("auth-provider"):
        raise _bad("has an auth-provider, which is not supported; give a token")
    return Kubeconfig(
        server=text(cluster, "server").rstrip("/"),
        ca=_decoded(cluster, "certificate-authority-data"),
        server_name=text(cluster, "tls-server-name"),
        token=_token(user),
        certificate=_decoded(user, "client-certificate-data"),
        key=Secret(_decoded(user, "client-key-data")),
        exec=exec_ or None,
    )


def _bad(what: str) -> Rejected:
    return Rejected(ClusterRefusal.BAD_KUBECONFIG, f"its kubeconfig {what}")


def _named(document: Any, plural: str, name: str, field: str) -> Manifest:
    for entry in sequence(document, plural):
        if text(entry, "name") == name:
            return mapping(entry, field)
    raise _bad(f"names an entry that is not among its {plural}")


def _decoded(entry: Manifest, field: str) -> str:
    try:
        return base64.b64decode(text(entry, field), validate=True).decode()
    except (binascii.Error, ValueError):
        raise _bad(f"has something else than base64 in {field}") from None


def _token(user: Manifest) -> Secret | None:
    if token := text(user, "token"):
        return Secret(f"Bearer {token}")
    name, password = text(user, "username"), text(user, "password")
    if name and password:
        return Secret("Basic " + base64.b64encode(f"{name}:{password}".encode()).decode())
    return None


@asynccontextmanager
async def remote_api(config: Kubeconfig, *, clocks: Clocks = MACHINE) -> AsyncIterator[WatchingApi]:
    """Connect to the cluster that a kubeconfig describes.

    Raises:
        Rejected: `bad_kubeconfig`; its certificates or its key are none.
        Retryable: `exec_failed`.

    """
    from kubernetes_asyncio.client import Configuration  # noqa: PLC0415 - see watching_api

    configuration = Configuration(host=config.server)
    configuration.tls_server_name = config.server_name or None
    if config.token is not None:
        configuration.api_key["BearerToken"] = config.token.reveal()
    if config.exec is not None:
        # Asked once before, so that there is a header to be refreshed.
        plugin = _Plugin(config.exec, clocks=clocks)
        await plugin.refresh(configuration)
        configuration.refresh_api_key_hook = plugin.refresh
    async with AsyncExitStack() as stack:
        # Read while the connection is made, and gone before anything is asked.
        with tempfile.TemporaryDirectory(prefix="countersign-") as folder:
            key = config.key.reveal() if config.key else ""
            configuration.ssl_ca_cert = _file(folder, "ca.crt", config.ca)
            configuration.cert_file = _file(folder, "tls.crt", config.certificate)
            configuration.key_file = _file(folder, "tls.key", key)
            try:
                api = await stack.enter_async_context(connected(configuration))
            except (OSError, ValueError) as error:
                word = type(error).__name__
                raise _bad(f"has certificates that cannot be used: {word}") from None
        yield api


def _file(folder: str, name: str, body: str) -> str | None:
    if not body:
        return None
    path = Path(folder) / name
    path.touch(mode=0o600)
    path.write_text(body)
    return str(path)


class _Plugin:
    """An exec plugin and the token that it gave last."""

    def __init__(self, described: Manifest, *, clocks: Clocks) -> None:
        self._described = described
        self._clocks = clocks
        self._expires_at = 0.0

    async def refresh(self, configuration: "Configuration") -> None:
        from kubernetes_asyncio.config.exec_provider import ExecProvider  # noqa: PLC0415
        from kubernetes_asyncio.config.kube_config import ConfigNode  # noqa: PLC0415

        if self._clocks.wall().timestamp() < self._expires_at - EXEC_MARGIN_S:
            return
        try:
            node = ConfigNode("exec", dict(self._described))
            status = await ExecProvider(node).run()
        except Exception:  # noqa: BLE001 - it raises `Exception`s, with what the program wrote
            message = f"the program {text(self._described, 'command')!r} gave no token"
            raise Retryable(ClusterRefusal.EXEC_FAILED, message) from None
        token = text(status, "token")
        if not token:
            raise Retryable(ClusterRefusal.EXEC_FAILED, "its program gave no token")
        expires_at = moment(status, "expirationTimestamp")
        self._expires_at = (
            expires_at.timestamp() if expires_at else self._clocks.wall().timestamp() + EXEC_LIFE_S
        )
        configuration.api_key["BearerToken"] = f"Bearer {token}"
