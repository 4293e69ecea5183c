"""How many questions the API server is asked, and what becomes of its answers."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import Person
from countersign.gateway.access.cluster_access import (
    DECISIONS_PER_PERSON_MAX,
    FRESH_S,
    HELD_S,
    NAMED_MAX,
    SEEN_BY_NAME_MAX,
    ClusterAccess,
)
from countersign.gateway.interfaces import Scope
from countersign.gateway.model import GateKey, PipelineKey
from countersign.kube.objects import Manifest
from countersign.kube.refusals import ClusterRefusal

GRACE = Person(id="grace", name="Grace Hopper", groups=("developers",))
CHECKOUT = PipelineKey("ns-1", "p-1")
GATES = tuple(
    GateKey(PipelineKey(f"ns-{i % 20}", f"p-{i}"), e) for i in range(200) for e in ("qa", "prod")
)
WANTED = Scope(
    namespaces=frozenset(g.pipeline.namespace for g in GATES),
    pipelines=tuple(sorted({g.pipeline for g in GATES})),
    environments=frozenset((g.pipeline.namespace, g.environment) for g in GATES),
    asking=GATES,
)


class Server:
    """An API server that decides by a function, or fails."""

    def __init__(self, decide: Callable[[Mapping[str, str]], bool]) -> None:
        self.decide = decide
        self.asked: list[Mapping[str, Any]] = []
        self.failure: Exception | None = None

    async def call(
        self, method: str, path: str, *, body: Manifest | None = None, **how: Any
    ) -> Manifest:
        del method, path, how
        assert body is not None
        self.asked.append(body["spec"])
        if self.failure is not None:
            raise self.failure
        return {"status": {"allowed": self.decide(body["spec"]["resourceAttributes"])}}


class Watch:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def wanted() -> Scope:
    return WANTED


async def test_administrator_costs_three_questions_and_none_while_they_are_fresh() -> None:
    server, watch = Server(lambda _: True), Watch()
    access = ClusterAccess(server, elapsed=watch)

    await access.learn(GRACE, wanted)
    await access.learn(GRACE, wanted)

    assert len(server.asked) == 3
    assert all(s["user"] == "grace" and s["groups"] == ["developers"] for s in server.asked)
    assert all(access.may_promote(GRACE, g) for g in GATES)


async def test_viewer_of_one_namespace_is_asked_about_its_gates_alone() -> None:
    server = Server(lambda a: a["verb"] == "get" and a.get("namespace") == "ns-3")
    access = ClusterAccess(server, elapsed=Watch())

    await access.learn(GRACE, wanted)

    named = [s["resourceAttributes"] for s in server.asked if "name" in s["resourceAttributes"]]
    assert {a["namespace"] for a in named if a["verb"] == "promote"} == {"ns-3"}
    assert len(server.asked) < 120 + SEEN_BY_NAME_MAX
    assert access.may_see(GRACE, PipelineKey("ns-3", "p-3"))
    assert not access.may_see(GRACE, PipelineKey("ns-4", "p-4"))
    assert not any(access.may_promote(GRACE, g) for g in GATES)


async def test_pipelines_that_are_seen_by_name_are_asked_about_up_to_a_bound() -> None:
    """Beyond it the page of one, which wants nothing but that one, asks for itself."""
    server, watch = Server(lambda a: a["verb"] == "get" and a.get("name", "") > "p"), Watch()
    access = ClusterAccess(server, elapsed=watch)
    many = [PipelineKey("shop", f"p-{i:04}") for i in range(1_000)]
    namespaces = frozenset({"shop"})

    await access.learn(GRACE, lambda: Scope(namespaces=namespaces, pipelines=tuple(many)))
    shown = [p for p in many if access.may_see(GRACE, p)]
    asked = len(server.asked)
    await access.learn(GRACE, lambda: Scope(namespaces=namespaces, pipelines=(many[-1],)))
    of_one = len(server.asked) - asked
    watch.now_s += FRESH_S + 1
    await access.learn(GRACE, lambda: Scope(namespaces=namespaces, pipelines=(many[0],)))

    assert shown == many[:SEEN_BY_NAME_MAX]
    assert asked < SEEN_BY_NAME_MAX + 20
    assert access.may_see(GRACE, many[-1])
    assert of_one == 1
    assert len(server.asked) == asked + of_one + 1


async def test_questions_by_name_are_bounded() -> None:
    server = Server(lambda a: a["verb"] == "get")
    access = ClusterAccess(server, elapsed=Watch())
    many = tuple(GateKey(PipelineKey("shop", f"p-{i}"), "prod") for i in range(NAMED_MAX * 3))

    def all_of_them() -> Scope:
        return Scope(
            namespaces=frozenset({"shop"}),
            pipelines=tuple(sorted({g.pipeline for g in many})),
            environments=frozenset({("shop", "prod")}),
            asking=many,
        )

    await access.learn(GRACE, all_of_them)

    assert len(server.asked) <= 2 * NAMED_MAX + 20


async def test_viewer_of_very_many_namespaces_sees_them_all() -> None:
    server = Server(lambda a: a["verb"] == "get" and not {"namespace", "subresource"} & set(a))
    access = ClusterAccess(server, elapsed=Watch())
    keys = tuple(PipelineKey(f"ns-{i}", "p") for i in range(5_000))
    environments = {(k.namespace, e) for k in keys for e in ("qa", "prod")}
    wanted = Scope(
        namespaces=frozenset(k.namespace for k in keys),
        pipelines=keys,
        environments=frozenset(environments),
    )

    await access.learn(GRACE, lambda: wanted)

    assert len(server.asked) > DECISIONS_PER_PERSON_MAX
    assert all(access.may_see(GRACE, key) for key in keys)


async def test_answer_is_believed_for_seconds_while_nobody_answers_and_no_longer() -> None:
    server, watch = Server(lambda _: True), Watch()
    access = ClusterAccess(server, elapsed=watch)
    await access.learn(GRACE, wanted)
    audience = access.audience(GRACE)

    server.failure = Retryable(ConsentRefusal.CLUSTER_UNAVAILABLE, "POST: ConnectError")
    watch.now_s += FRESH_S + 1
    with pytest.raises(Retryable, match="access_unknown"):
        await access.learn(GRACE, wanted)
    held = access.may_see(GRACE, CHECKOUT), access.audience(GRACE) == audience
    watch.now_s += HELD_S

    assert held == (True, True)
    assert not access.may_see(GRACE, CHECKOUT)
    assert not any(access.may_promote(GRACE, g) for g in GATES)
    assert access.audience(GRACE) != audience


async def test_a_yes_is_asked_about_again_much_sooner_than_a_no() -> None:
    """What can be taken away counts, with hundreds of gates that somebody may only look at."""
    server, watch = Server(lambda a: a["verb"] == "get"), Watch()
    access = ClusterAccess(server, elapsed=watch)
    await access.learn(GRACE, wanted)
    first = len(server.asked)

    watch.now_s += FRESH_S + 1
    await access.learn(GRACE, wanted)
    second = len(server.asked) - first
    watch.now_s += WANTED.denial_s
    await access.learn(GRACE, wanted)

    assert second == 2
    assert len(server.asked) - first - second == first


async def test_gateway_that_may_not_ask_allows_nothing() -> None:
    server = Server(lambda _: True)
    server.failure = Rejected(ClusterRefusal.FORBIDDEN, "subjectaccessreviews is forbidden")
    access = ClusterAccess(server, elapsed=Watch())

    with pytest.raises(Retryable, match="access_unknown"):
        await access.learn(GRACE, wanted)

    assert not access.may_see(GRACE, CHECKOUT)


async def test_people_with_the_same_rights_are_one_audience() -> None:
    access = ClusterAccess(Server(lambda a: a["verb"] == "get"), elapsed=Watch())
    ada = Person(id="ada", name="Ada Lovelace")
    for person in (GRACE, ada):
        await access.learn(person, wanted)

    assert access.audience(GRACE) == access.audience(ada)


async def test_audience_is_another_with_each_right_that_comes_or_goes() -> None:
    server, watch = Server(lambda a: a["verb"] == "get"), Watch()
    access = ClusterAccess(server, elapsed=watch)
    found = [access.audience(GRACE)]

    async def learn() -> str:
        watch.now_s += WANTED.denial_s + 1
        await access.learn(GRACE, wanted)
        found.append(access.audience(GRACE))
        return found[-1]

    looks = await learn()
    assert await learn() == looks
    server.decide = lambda a: a["verb"] == "get" or a.get("namespace") == "ns-3"
    assert await learn() not in {looks, found[0]}
    server.decide = lambda a: a["verb"] == "get"
    assert await learn() == looks
    server.decide = lambda _: False
    assert await learn() == found[0]


async def test_same_name_with_other_groups_is_somebody_else() -> None:
    server = Server(lambda _: True)
    access = ClusterAccess(server, elapsed=Watch())
    await access.learn(GRACE, wanted)

    without = Person(id="grace", name="Grace Hopper")

    assert not access.may_see(without, CHECKOUT)


@pytest.mark.parametrize(
    "person",
    [
        Person(id=" ", name="Nobody"),
        Person(id="system:admin", name="Root"),
        Person(id="grace", name="Grace", groups=("system:masters",)),
        Person(id="grace", name="Grace", groups=("",)),
    ],
)
async def test_empty_and_reserved_names_are_nobody(person: Person) -> None:
    server = Server(lambda _: True)
    access = ClusterAccess(server, elapsed=Watch())

    with pytest.raises(Rejected, match="bad_identity"):
        await access.learn(person, wanted)

    assert server.asked == []
