"""Single questions to the API server of the cluster that a service runs in.

Token and address are where the kubelet puts them. Token and `ca.crt` are read for each question,
because the kubelet replaces them while the service runs.
Source: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
"""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Self, cast

import httpx2
from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from countersign.contracts.bounds.bodies import ACCEPTED, BodyError, BoundedBody
from countersign.contracts.errors import Retryable
from countersign.kube.access.api import CALL_TIMEOUT_S, encoded, refuse
from countersign.kube.objects import Manifest, mapping
from countersign.kube.refusals import ClusterRefusal
from countersign.process.faults.connections import Unreachable

IN_CLUSTER: Final = "in-cluster"
ACCOUNT_DIR: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CONNECTIONS_MAX: Final = 8
# A Secret or an access review has a few KiB; etcd takes 1.5 MiB.
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
_JSON: Final = "application/json"
# https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches
_METADATA: Final = f"{_JSON};as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


class KubeSettings(BaseSettings):
    """The cluster to use; without an address there is none."""

    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_KUBE_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    url: str = Field(
        default="",
        description="address of the API server; in-cluster means the one this service runs in, "
        "empty that there is none",
    )
    account_dir: Path = Field(
        default=ACCOUNT_DIR, description="folder with the service account's token and ca.crt"
    )

    @property
    def in_use(self) -> bool:
        return bool(self.url)

    @property
    def address(self) -> str:
        if self.url != IN_CLUSTER:
            return self.url.rstrip("/")
        host = os.environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
        port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"

    @model_validator(mode="after")
    def _is_reachable(self) -> Self:
        if not self.in_use:
            return self
        if not self.address.startswith("https://"):
            raise ValueError(
                "COUNTERSIGN_KUBE_URL is neither in-cluster nor like https://host:6443"
            )
        for name in ("token", "ca.crt"):
            if not (self.account_dir / name).is_file():
                raise ValueError(
                    f"there is no file {str(self.account_dir / name)!r}: a Pod has it unless "
                    "automountServiceAccountToken is false; elsewhere set "
                    "COUNTERSIGN_KUBE_ACCOUNT_DIR"
                )
        return self


class Trust:
    """The authorities that vouch for the API server, as `ca.crt` has them now.

    Authorities are added while the service runs; those of before are believed until it restarts.
    """

    def __init__(self, settings: KubeSettings) -> None:
        self._file = settings.account_dir / "ca.crt"
        self._read = self._file.read_bytes()
        self._context = ssl.create_default_context(cafile=str(self._file))

    def context(self) -> ssl.SSLContext:
        """Return the TLS context, with the authorities of this moment.

        Raises:
            OSError: the file is none.

        """
        now = self._file.read_bytes()
        if now != self._read:
            self._context.load_verify_locations(cafile=str(self._file))
            self._read = now
        return self._context


class HttpClusterApi:
    """A `ClusterApi`; use it through `cluster_api`."""

    def __init__(self, settings: KubeSettings, client: httpx2.AsyncClient, *, trust: Trust) -> None:
        self._settings = settings
        self._client = client
        self._trust = trust

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = _JSON,
    ) -> Manifest:
        request = self._client.build_request(
            method,
            self._settings.address + path,
            params=dict(query or {}),
            content=None if body is None else encoded(body),
            headers={"Accept": _JSON, "Content-Type": content_type},
        )
        return await self._ask(request, asked=f"{method} {path}")

    async def metadata(self, path: str) -> Manifest:
        request = self._client.build_request(
            "GET", self._settings.address + path, headers={"Accept": _METADATA}
        )
        return mapping(await self._ask(request, asked=f"GET {path}"), "metadata")

    async def _ask(self, request: httpx2.Request, *, asked: str) -> Manifest:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                status, answer, retry_after = await self._exchange(request)
        except TimeoutError:
            raise Unreachable(ClusterRefusal.UNAVAILABLE, asked, TimeoutError()) from None
        except (OSError, httpx2.HTTPError, BodyError) as error:
            # Not chained: its request carries the token.
            raise Unreachable(ClusterRefusal.UNAVAILABLE, asked, error) from None
        if not httpx2.codes.is_success(status):
            refuse(status, answer, asked=asked, retry_after=retry_after)
        try:
            return mapping(json.loads(answer))
        except (ValueError, RecursionError):
            raise Retryable(
                ClusterRefusal.UNAVAILABLE, f"{asked}: the answer is not JSON"
            ) from None

    async def _exchange(self, request: httpx2.Request) -> tuple[int, bytes, str]:
        self._trust.context()
        token = (self._settings.account_dir / "token").read_text("ascii").strip()
        request.headers["Authorization"] = f"Bearer {token}"
        answer = await self._client.send(request, stream=True)
        try:
            encoding = answer.headers.get("content-encoding")
            body = BoundedBody(encoding, bytes_max=ANSWER_BYTES_MAX)
            async for chunk in cast("httpx2.AsyncByteStream", answer.stream):
                body.feed(chunk)
            return answer.status_code, body.whole(), answer.headers.get("retry-after", "")
        finally:
            await answer.aclose()


@asynccontextmanager
async def cluster_api(settings: KubeSettings) -> AsyncIterator[HttpClusterApi]:
    """The API server that the settings name, with connections that are kept."""
    trust = Trust(settings)
    async with httpx2.AsyncClient(
        verify=trust.context(),
        trust_env=False,
        follow_redirects=False,
        timeout=CALL_TIMEOUT_S,
        limits=httpx2.Limits(max_connections=CONNECTIONS_MAX),
        headers={"User-Agent": "countersign", "Accept-Encoding": ACCEPTED},
    ) as client:
        yield HttpClusterApi(settings, client, trust=trust)
