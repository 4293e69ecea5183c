"""Those who hold a right, by bindings or else by the groups that are listed; else unknown."""

from typing import Any

import pytest

from countersign.contracts.errors import Rejected, Retryable
from countersign.gateway.access.holdings import EVERYBODY, ClusterReviewer
from countersign.gateway.interfaces import Evidence, Holder
from countersign.gateway.model import GateKey, PipelineKey
from countersign.gateway.refusals import Delay
from countersign.kube.objects import Manifest
from countersign.kube.refusals import ClusterRefusal

GATE = GateKey(PipelineKey("shop", "checkout"), "prod")


class Api:
    """Nobody may read bindings; some groups may promote."""

    def __init__(self, *, promoters: frozenset[str], reviews: bool = True) -> None:
        self._promoters = promoters
        self._reviews = reviews

    async def call(
        self, method: str, path: str, *, body: Manifest | None = None, **_: Any
    ) -> Manifest:
        if method == "GET" or body is None or not self._reviews:
            raise Rejected(ClusterRefusal.FORBIDDEN, path)
        (group,) = body["spec"]["groups"]
        asked = body["spec"]["resourceAttributes"]
        promotes = asked["verb"] == "promote" and asked.get("subresource") == "prod"
        return {"status": {"allowed": promotes and group in self._promoters}}


async def test_groups_are_asked_about_where_bindings_cannot_be_read() -> None:
    reviewer = ClusterReviewer(Api(promoters=frozenset({"platform"})), groups=("platform", "qa"))

    reach = await reviewer.reach(GATE, ("flux-bot",))

    assert reach.promoters.evidence is Evidence.GROUPS
    assert reach.promoters.holders == (Holder(kind="Group", name="platform"),)
    assert reach.readers["flux-bot"].holders == ()


async def test_right_of_everybody_who_signed_in_is_noticed() -> None:
    reviewer = ClusterReviewer(Api(promoters=frozenset({EVERYBODY})), groups=())

    reach = await reviewer.reach(GATE, ())

    assert [h.name for h in reach.promoters.holders] == [EVERYBODY]


async def test_who_cannot_be_asked_about_is_unknown_and_not_nobody() -> None:
    reviewer = ClusterReviewer(Api(promoters=frozenset(), reviews=False), groups=("platform",))

    reach = await reviewer.reach(GATE, ("flux-bot",))

    assert reach.promoters.evidence is Evidence.UNKNOWN
    assert reach.readers["flux-bot"].evidence is Evidence.UNKNOWN


async def test_api_server_that_is_away_is_no_answer() -> None:
    class Away:
        async def call(self, *_: Any, **__: Any) -> Manifest:
            raise Retryable(ClusterRefusal.UNAVAILABLE, "no answer")

    with pytest.raises(Retryable) as caught:
        await ClusterReviewer(Away(), groups=()).reach(GATE, ())

    assert caught.value.reason is Delay.ACCESS_UNKNOWN
