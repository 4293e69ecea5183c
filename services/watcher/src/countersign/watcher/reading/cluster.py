"""The kinds in use of one cluster, each from when it is first named until nothing names it."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Final

from countersign.kube.objects import ObjectKey
from countersign.kube.watches.reflections import Api, Standing, Update
from countersign.watcher.gaps import Gap
from countersign.watcher.reading.kind import KindReading, Reader
from countersign.watcher.reading.wants import Kind

# More than any cluster installs; each costs a connection.
KINDS_MAX: Final = 100


class ClusterReading:
    """`everywhere` says whether a kind may be read in all namespaces at once."""

    def __init__(self, api: Api, reader: Reader, *, everywhere: bool) -> None:
        self._api = api
        self._reader = reader
        self._everywhere = everywhere
        self._readings: dict[Kind, KindReading] = {}
        self._tasks: dict[Kind, asyncio.Task[None]] = {}
        self._ended: list[KindReading] = []
        self._changed = asyncio.Event()

    def want(self, kinds: Mapping[Kind, frozenset[str]]) -> None:
        """Begin and end readings; what is begun counts as unread until it is read."""
        for kind in sorted(kinds)[:KINDS_MAX]:
            reading = self._readings.get(kind)
            if reading is None:
                reading = self._readings[kind] = KindReading(self._api, kind, self._reader)
                self._changed.set()
            reading.want(kinds[kind], everywhere=self._everywhere)
        for kind in self._readings.keys() - kinds.keys():
            self._ended.append(self._readings.pop(kind))
            if task := self._tasks.pop(kind, None):
                task.cancel()
            self._changed.set()

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._changed.clear()
                for kind in [k for k in self._readings if k not in self._tasks]:
                    self._tasks[kind] = tasks.create_task(self._readings[kind].run())
                ended, self._ended = self._ended, []
                gone = frozenset(key for reading in ended for key in reading.known)
                if gone:
                    read = Standing.READ
                    await self._reader.tell(
                        self._reader.cluster, Update(standing=read, removed=gone)
                    )
                await self._changed.wait()

    def forget_position(self) -> None:
        for reading in self._readings.values():
            reading.forget_position()

    @property
    def known(self) -> frozenset[ObjectKey]:
        return frozenset(key for reading in self._readings.values() for key in reading.known)

    @property
    def is_settled(self) -> bool:
        return all(reading.is_settled for reading in self._readings.values())

    def is_read(self, kind: Kind) -> bool:
        reading = self._readings.get(kind)
        return reading is not None and reading.is_read

    def gaps(self) -> Iterator[Gap]:
        for kind in sorted(self._readings):
            yield from self._readings[kind].gaps()
