"""Who may promote: by the cluster's word, and where there is no cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from doubles import stories

from countersign.approval.consent.rights import (
    ANSWERS_KEPT_S,
    ANSWERS_MAX,
    GROUPS_MAX,
    ByAccessReview,
    EverybodySignedIn,
)
from countersign.approval.model import NotPermitted
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import Person
from countersign.contracts.promotion import Promotion, State
from countersign.kube.objects import Manifest
from countersign.kube.refusals import ClusterRefusal

WAITING = Promotion(request=stories.requested(), state=State.WAITING)
ADA = Person(id="ada", groups=("developers",))


@dataclass
class Cluster:
    """An API server that knows one rule: who may what."""

    may: set[tuple[str, str]] = field(default_factory=set)
    failure: Rejected | Retryable | None = None
    status: Manifest | None = None
    asked: list[Manifest] = field(default_factory=list)

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        assert (method, query, content_type) == ("POST", None, "application/json")
        assert path == "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        assert body is not None
        spec = body["spec"]
        self.asked.append(spec)
        if self.failure:
            raise self.failure
        subresource = spec["resourceAttributes"]["subresource"]
        allowed = any((name, subresource) in self.may for name in (spec["user"], *spec["groups"]))
        return {"status": {"allowed": allowed} if self.status is None else self.status}


@dataclass
class Clock:
    now_s: float = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reviews(cluster: Cluster, clock: Clock) -> ByAccessReview:
    return ByAccessReview(cluster, monotonic_s=clock)


async def refused(authorizer: ByAccessReview | EverybodySignedIn, person: Person) -> str:
    with pytest.raises(NotPermitted) as caught:
        await authorizer.refuse(person, WAITING)
    assert caught.value.reason == "not_allowed"
    return caught.value.message


@pytest.mark.parametrize(
    "person",
    [
        pytest.param(Person(id="ada"), id="somebody"),
        pytest.param(Person(id="ada", groups=("admins",)), id="of any group"),
    ],
)
async def test_everybody_may_promote_where_there_is_no_cluster(person: Person) -> None:
    await EverybodySignedIn().refuse(person, WAITING)


@pytest.mark.parametrize(
    "person",
    [
        pytest.param(Person(id=" "), id="nobody"),
        pytest.param(Person(id="eve", groups=("admins", "viewers")), id="who only looks"),
    ],
)
async def test_nobody_and_who_only_looks_may_not_even_there(person: Person) -> None:
    assert "only look" in await refused(EverybodySignedIn(), person)


async def test_cluster_is_asked_with_name_groups_and_the_environment(
    cluster: Cluster, reviews: ByAccessReview
) -> None:
    cluster.may.add(("developers", "prod"))

    await reviews.refuse(ADA, WAITING)

    (spec,) = cluster.asked
    assert spec["user"] == "ada"
    assert spec["groups"] == ["developers"]
    assert spec["resourceAttributes"] == {
        "verb": "promote",
        "group": "pipelines.weave.works",
        "resource": "pipelines",
        "subresource": "prod",
        "namespace": "shop",
        "name": "checkout",
    }


async def test_right_for_every_environment_is_asked_for_by_its_name(
    cluster: Cluster, reviews: ByAccessReview
) -> None:
    cluster.may.add(("ada", "*"))

    await reviews.refuse(ADA, WAITING)

    assert [s["resourceAttributes"]["subresource"] for s in cluster.asked] == ["prod", "*"]


async def test_refusal_names_who_what_and_the_role_that_would_allow_it(
    reviews: ByAccessReview,
) -> None:
    person = Person(id="oidc:o'ada@example.org", groups=tuple("abcdefg"))

    message = await refused(reviews, person)

    assert "(a, b, c, d, e, …) may not promote shop/checkout into 'prod'" in message
    role = "promote-checkout-prod-oidc=3Ao=27ada=40example=2Eorg"
    assert (
        f"`kubectl -n shop create role {role} --verb=promote "
        "--resource=pipelines.pipelines.weave.works/prod --resource-name=checkout && "
        f"kubectl -n shop create rolebinding {role} "
        f"--role={role} --user='oidc:o'\"'\"'ada@example.org'`"
    ) in message


@pytest.mark.parametrize(
    "person",
    [
        Person(id="   "),
        Person(id=" ada"),
        Person(id="system:admin"),
        Person(id="system:serviceaccount:shop:robot"),
        Person(id="ada", groups=("",)),
        Person(id="ada", groups=("developers", " ")),
        Person(id="ada", groups=("system:masters",)),
        Person(id="ada\n"),
        Person(id="a\u202eda"),
        Person(id="a" * 513),
        Person(id="ada", groups=("g\x00",)),
        Person(id="ada", groups=("g",) * GROUPS_MAX),
    ],
    ids=lambda p: repr((p.id[:20], p.groups[:2])),
)
async def test_name_that_is_empty_reserved_or_odd_is_refused_before_anybody_is_asked(
    cluster: Cluster, reviews: ByAccessReview, person: Person
) -> None:
    cluster.status = {"allowed": True}

    assert "unusable name or group" in await refused(reviews, person)
    assert cluster.asked == []


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"allowed": "true"},
        {"allowed": 1},
        {"allowed": False, "evaluationError": "no such role"},
        {"allowed": True, "denied": True},
    ],
)
async def test_anything_but_a_plain_yes_is_a_no(
    cluster: Cluster, reviews: ByAccessReview, status: Manifest
) -> None:
    cluster.status = status

    await refused(reviews, ADA)


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (Retryable(ClusterRefusal.UNAVAILABLE, "POST /x: ConnectError"), "cannot be asked now"),
        (Retryable(ClusterRefusal.UNAUTHORIZED, "POST /x: 401"), "cannot be asked now"),
        (
            Rejected(ClusterRefusal.FORBIDDEN, "POST /x: 403"),
            "create subjectaccessreviews.authorization.k8s.io",
        ),
    ],
)
async def test_nobody_may_while_the_cluster_cannot_be_asked(
    cluster: Cluster, reviews: ByAccessReview, failure: Rejected | Retryable, told: str
) -> None:
    cluster.failure = failure

    with pytest.raises(Retryable, match=told) as caught:
        await reviews.refuse(ADA, WAITING)

    assert caught.value.reason == "cluster_unavailable"


async def test_no_answer_is_remembered_as_none(cluster: Cluster, reviews: ByAccessReview) -> None:
    cluster.may.add(("ada", "prod"))
    cluster.failure = Retryable(ClusterRefusal.UNAVAILABLE, "away")
    with pytest.raises(Retryable):
        await reviews.refuse(ADA, WAITING)
    cluster.failure = None

    await reviews.refuse(ADA, WAITING)


async def test_answer_holds_for_seconds_and_no_longer(
    cluster: Cluster, reviews: ByAccessReview, clock: Clock
) -> None:
    cluster.may.add(("ada", "prod"))
    await reviews.refuse(ADA, WAITING)
    cluster.may.clear()

    await reviews.refuse(ADA, WAITING)
    clock.now_s += ANSWERS_KEPT_S

    await refused(reviews, ADA)


async def test_fresh_question_takes_no_remembered_answer_and_replaces_it(
    cluster: Cluster, reviews: ByAccessReview
) -> None:
    cluster.may.add(("ada", "prod"))
    await reviews.refuse(ADA, WAITING)
    cluster.may.clear()

    with pytest.raises(NotPermitted):
        await reviews.refuse(ADA, WAITING, fresh=True)

    await refused(reviews, ADA)


async def test_answer_for_one_person_is_none_for_another(
    cluster: Cluster, reviews: ByAccessReview
) -> None:
    cluster.may.add(("developers", "prod"))
    await reviews.refuse(ADA, WAITING)

    await refused(reviews, Person(id="ada"))
    await refused(reviews, Person(id="grace"))


async def test_answers_that_are_remembered_are_bounded(
    cluster: Cluster, reviews: ByAccessReview
) -> None:
    cluster.status = {"allowed": True}
    for number in range(ANSWERS_MAX + 10):
        await reviews.refuse(Person(id=f"p{number}"), WAITING)

    assert len(reviews._answers) == ANSWERS_MAX
