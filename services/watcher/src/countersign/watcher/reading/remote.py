"""A cluster that a GitopsCluster names: the way to it, and what is read there.

Whatever is wrong with it makes what it holds unknown, says so, and hinders nobody else.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import ObjectRef
from countersign.kube.access.api import ClusterApi
from countersign.kube.access.stored_secrets import read_secret
from countersign.kube.flux.rules import Record, placed_in
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.findings import FindingCode
from countersign.kube.refusals import ClusterRefusal
from countersign.kube.watches.kubeconfigs import read_kubeconfig, remote_api
from countersign.kube.watches.pauses import Pauses
from countersign.kube.watches.reflections import Api, Standing, Update
from countersign.telemetry.logs import get_logger
from countersign.watcher.gaps import Gap, secret_subject
from countersign.watcher.reading.cluster import ClusterReading
from countersign.watcher.reading.gitops_clusters import (
    GitopsCluster,
    kubeconfig_in,
    subject_of_cluster,
)
from countersign.watcher.reading.kind import Reader, Told
from countersign.watcher.reading.wants import Kind

log = get_logger()

# However often something asks for it, a Secret is read no more often than that.
LOOK_LEAST_S: Final = 1.0
_CODES: Final = {
    ClusterRefusal.SECRET_FORBIDDEN: FindingCode.SECRET_FORBIDDEN,
    ClusterRefusal.SECRET_MISSING: FindingCode.SECRET_MISSING,
    ClusterRefusal.BAD_KUBECONFIG: FindingCode.BAD_KUBECONFIG,
}
_OF_ITS_SECRET: Final = frozenset(
    {FindingCode.SECRET_FORBIDDEN, FindingCode.SECRET_MISSING, FindingCode.BAD_KUBECONFIG}
)


class SwitchedApi:
    """The connection as it is now; whoever asks while there is none waits."""

    def __init__(self) -> None:
        self._api: Api | None = None
        self._switched = asyncio.Event()

    def switch(self, api: Api | None) -> None:
        self._api = api
        self._switched.set()

    @property
    def is_connected(self) -> bool:
        return self._api is not None

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        return await (await self._connected()).get(path, query)

    @asynccontextmanager
    async def lines(
        self, path: str, query: Mapping[str, str], *, silence_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        async with (await self._connected()).lines(path, query, silence_s=silence_s) as lines:
            yield lines

    async def _connected(self) -> Api:
        while self._api is None:
            self._switched.clear()
            await self._switched.wait()
        return self._api


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The place of kubeconfigs of other clusters, and whether they may name a program to run."""

    secrets: ClusterApi
    may_exec: bool = False


class RemoteCluster:
    def __init__(
        self,
        name: str,
        *,
        ways: Ways,
        read: Callable[[dict[str, Any]], Record],
        tell: Told,
        pauses: Pauses,
    ) -> None:
        self.name = name
        self._ways = ways
        self._read_object = read
        self._tell = tell
        self._reread_s = pauses.reread_s
        self._sleep = pauses.clocks.sleep
        self._switch = SwitchedApi()
        self._connection = AsyncExitStack()
        self._version = ""
        self._described: GitopsCluster | None = None
        self._wake = asyncio.Event()
        self._gap: Gap | None = Gap(cluster=name, message=f"cluster {name} is not looked at yet")
        self._reading = ClusterReading(
            self._switch,
            Reader(cluster=name, read=self._read, tell=self._told, pauses=pauses),
            everywhere=True,
        )

    @property
    def known(self) -> frozenset[ObjectKey]:
        return self._reading.known

    def want(self, kinds: Mapping[Kind, frozenset[str]]) -> None:
        self._reading.want(kinds)

    def describe(self, cluster: GitopsCluster | None) -> None:
        """Its GitopsCluster as it is now."""
        if self._described != cluster:
            self._described = cluster
            self._wake.set()

    def gaps(self) -> Iterator[Gap]:
        if self._gap is not None:
            yield self._gap
        else:
            yield from self._reading.gaps()

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._reading.run())
            tasks.create_task(self._stay_connected())

    def _read(self, manifest: dict[str, Any]) -> Record:
        return placed_in(self.name, self._read_object(manifest))

    async def _told(self, cluster: str, update: Update[Record | GitopsCluster]) -> None:
        if update.reason == ClusterRefusal.UNAUTHORIZED:
            self._wake.set()
        await self._tell(cluster, update)

    async def _stay_connected(self) -> None:
        try:
            while True:
                self._wake.clear()
                await self._look()
                await self._sleep(LOOK_LEAST_S)
                try:
                    async with asyncio.timeout(self._reread_s):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            self._switch.switch(None)
            await self._connection.aclose()

    async def _look(self) -> None:
        """Look whether the way to it is still the one in use."""
        before = self._gap
        try:
            await self._connect()
            self._gap = None
        except Retryable as error:
            if not self._switch.is_connected:
                self._gap = self._trouble(FindingCode.CLUSTER_UNREACHABLE, error.message)
        except Rejected as refusal:
            code = _code_of(refusal.reason)
            if code is not FindingCode.SECRET_FORBIDDEN:
                # Who takes the way to it away does not want it to be used any longer.
                await self._use(AsyncExitStack(), None, version="")
            self._gap = self._trouble(code, refusal.message)
        if self._gap != before:
            reason = self._gap.code or "" if self._gap else ""
            log.info("remote_cluster.changed", cluster=self.name, reason=reason)
            await self._tell(self.name, Update(standing=Standing.READ))

    def _trouble(self, code: FindingCode, message: str) -> Gap:
        return Gap(
            cluster=self.name,
            code=code,
            message=f"cluster {self.name}: {message}",
            subject=self._subject(code),
        )

    def _subject(self, code: FindingCode) -> ObjectRef:
        """The object that somebody has to mend."""
        described = self._described
        if described is not None and described.secret and code in _OF_ITS_SECRET:
            return secret_subject(described.key.namespace, described.secret)
        return subject_of_cluster(self.name)

    async def _connect(self) -> None:
        described = self._described
        if described is None:
            raise Rejected(FindingCode.CLUSTER_MISSING, "there is no such GitopsCluster; make it")
        namespace, name = described.key.namespace, described.secret
        if not name:
            raise Rejected(
                FindingCode.CLUSTER_INCOMPLETE,
                "its GitopsCluster names no Secret; set spec.secretRef",
            )
        where = f"its Secret {namespace}/{name}"
        try:
            stored = await read_secret(self._ways.secrets, namespace=namespace, name=name)
        except Rejected as refusal:
            raise Rejected(refusal.reason, f"{where}: {refusal.message}") from None
        if stored.version == self._version and self._switch.is_connected:
            return
        body = kubeconfig_in(stored.keys)
        if body is None:
            raise Rejected(FindingCode.BAD_KUBECONFIG, f"{where} has no key kubeconfig or value")
        config = read_kubeconfig(body, may_exec=self._ways.may_exec)
        connection = AsyncExitStack()
        api = await connection.enter_async_context(remote_api(config))
        log.info("remote_cluster.connected", cluster=self.name)
        await self._use(connection, api, version=stored.version)

    async def _use(self, connection: AsyncExitStack, api: Api | None, *, version: str) -> None:
        before, self._connection = self._connection, connection
        self._version = version
        self._switch.switch(api)
        self._reading.forget_position()
        await before.aclose()


def _code_of(reason: StrEnum) -> FindingCode:
    if isinstance(reason, FindingCode):
        return reason
    known = _CODES.get(reason) if isinstance(reason, ClusterRefusal) else None
    return known or FindingCode.CLUSTER_UNREACHABLE
