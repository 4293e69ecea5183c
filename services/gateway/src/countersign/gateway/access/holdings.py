"""Those who hold a right: by the bindings of the cluster, or by the groups that are listed."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import Person
from countersign.contracts.subjects import encode_free
from countersign.gateway.access.people import VIEWERS
from countersign.gateway.interfaces import Evidence, Holder, Holders, Reach
from countersign.gateway.model import GateKey
from countersign.gateway.refusals import Delay
from countersign.kube.access.api import ClusterApi
from countersign.kube.access.bindings import Bindings, Wanted, read_bindings
from countersign.kube.access.reviews import EVERY_ENVIRONMENT, GROUP, PROMOTE, RESOURCE, group_may

REACH_TIMEOUT_S: Final = 10.0
# What the API server says of everybody who has signed in to it.
EVERYBODY: Final = "system:authenticated"
GROUPS_MAX: Final = 50
# Who may list or watch Secrets reads them all.
_READING: Final = ("get", "list", "watch")


class ClusterReviewer:
    """Reads bindings where that is granted, and asks about listed groups where it is not.

    Args:
        api: as this service's account.
        groups: that the administrator wants to be asked about.

    """

    def __init__(self, api: ClusterApi, *, groups: Sequence[str]) -> None:
        self._api = api
        self._groups = tuple(dict.fromkeys((*groups, EVERYBODY)))[:GROUPS_MAX]

    async def reach(self, gate: GateKey, secrets: Sequence[str]) -> Reach:
        promoting = _promoting(gate)
        reading = {secret: _reading(secret) for secret in secrets}
        try:
            async with asyncio.timeout(REACH_TIMEOUT_S):
                bindings = await self._bindings(gate.pipeline.namespace)
                if bindings is not None:
                    return Reach(
                        promoters=_bound(bindings, promoting),
                        readers={s: _bound(bindings, acts) for s, acts in reading.items()},
                    )
                namespace = gate.pipeline.namespace
                return Reach(
                    promoters=await self._asked(promoting, namespace=namespace),
                    readers={
                        s: await self._asked(acts, namespace=namespace)
                        for s, acts in reading.items()
                    },
                )
        except TimeoutError:
            raise Retryable(Delay.ACCESS_UNKNOWN, "the API server answers too slowly") from None
        except Retryable as error:
            raise Retryable(Delay.ACCESS_UNKNOWN, error.message) from None

    async def _bindings(self, namespace: str) -> Bindings | None:
        try:
            return await read_bindings(self._api, namespace=namespace)
        except Rejected:
            return None

    async def _asked(self, acts: tuple[Wanted, ...], *, namespace: str) -> Holders:
        try:
            found = [g for g in self._groups if await self._may(g, acts, namespace=namespace)]
        except Rejected:
            return Holders(evidence=Evidence.UNKNOWN)
        holders = tuple(Holder(kind="Group", name=group) for group in found)
        return Holders(evidence=Evidence.GROUPS, holders=holders)

    async def _may(self, group: str, acts: tuple[Wanted, ...], *, namespace: str) -> bool:
        for act in acts:
            resource, _, subresource = act.resource.partition("/")
            attributes: Mapping[str, str] = {
                "verb": act.verb,
                "group": act.group,
                "resource": resource,
                "subresource": subresource,
                "namespace": namespace,
                "name": act.name,
            }
            if await group_may(self._api, group, attributes):
                return True
        return False


class LocalReviewer:
    """The reviewer without a cluster: everybody who may sign in, but members of `viewers`."""

    def __init__(self, people: Sequence[Person]) -> None:
        self._people = tuple(people)

    async def reach(self, gate: GateKey, secrets: Sequence[str]) -> Reach:
        del gate
        holders = tuple(
            Holder(kind="User", name=p.id) for p in self._people if VIEWERS not in p.groups
        )
        unknown = Holders(evidence=Evidence.UNKNOWN)
        return Reach(
            promoters=Holders(evidence=Evidence.LOCAL, holders=holders),
            readers=dict.fromkeys(secrets, unknown),
        )


def _promoting(gate: GateKey) -> tuple[Wanted, ...]:
    name = gate.pipeline.name
    return tuple(
        Wanted(verb=PROMOTE, group=GROUP, resource=f"{RESOURCE}/{part}", name=name)
        for part in (encode_free(gate.environment), EVERY_ENVIRONMENT)
    )


def _reading(secret: str) -> tuple[Wanted, ...]:
    return tuple(Wanted(verb=v, group="", resource="secrets", name=secret) for v in _READING)


def _bound(bindings: Bindings, acts: tuple[Wanted, ...]) -> Holders:
    found = bindings.holders(*acts)
    holders = (
        Holder(kind=h.kind, name=h.name, namespace=h.namespace, through=h.through) for h in found
    )
    return Holders(evidence=Evidence.BINDINGS, holders=tuple(holders))
