"""Who may promote, as a real API server and its RBAC say it."""

import json
import shlex
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from apiserver import ApiServer, running
from doubles.approval_house import Clock, House, failed, requested, settle
from doubles.github_oauth import GitHubDouble
from doubles.kubectl_lines import run_line
from doubles.service_accounts import make_account, settings_of
from reference import ROOT

from countersign.approval.consent.rights import ByAccessReview
from countersign.approval.model import NotPermitted
from countersign.contracts import messages as m
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.identity import consent_digest
from countersign.contracts.promotion import Promotion, State
from countersign.kube.access.http_api import HttpClusterApi, cluster_api
from countersign.kube.objects import Manifest

ADA = m.Person(id="oidc:ada", name="Ada", groups=("oidc:shop",))


def waiting(namespace: str, environment: str, name: str = "checkout") -> Promotion:
    pipeline = m.PipelineRef(namespace=namespace, name=name, uid="uid-1")
    ref = m.PromotionRef(
        promotion_id="p" * 16, pipeline=pipeline, environment=environment, attempt=1
    )
    return Promotion(request=requested(promotion=ref), state=State.WAITING)


def role(namespace: str, *resources: str, names: tuple[str, ...] = ()) -> Manifest:
    rule: Manifest = {
        "apiGroups": ["pipelines.weave.works"],
        "resources": list(resources),
        "verbs": ["promote"],
    }
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "promote", "namespace": namespace},
        "rules": [{**rule, "resourceNames": list(names)} if names else rule],
    }


def binding(namespace: str, *, kind: str = "User", name: str = ADA.id) -> Manifest:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "promote", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "promote"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}],
    }


def allow(server: ApiServer, *made: Manifest) -> None:
    server.kubectl("apply", "-f", "-", stdin="\n---\n".join(map(json.dumps, made)))


def withdraw(server: ApiServer, namespace: str) -> None:
    server.kubectl("-n", namespace, "delete", "rolebinding", "promote")


class Seconds:
    """They pass with every look, so that no answer is remembered."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 10
        return self.now_s


@pytest.fixture
async def reviews(
    apiserver: ApiServer, admin: HttpClusterApi, namespace: str
) -> AsyncIterator[ByAccessReview]:
    """As the approval service asks: its account may create access reviews, and nothing else."""
    await make_account(admin, namespace, "countersign-approval")
    account = f"{namespace}:countersign-approval"
    apiserver.kubectl(
        "create", "clusterrole", f"reviews-{namespace}", "--verb=create",
        "--resource=subjectaccessreviews.authorization.k8s.io",
    )  # fmt: skip
    apiserver.kubectl(
        "create", "clusterrolebinding", f"reviews-{namespace}",
        f"--clusterrole=reviews-{namespace}", f"--serviceaccount={account}",
    )  # fmt: skip
    settings = await settings_of(admin, apiserver, "countersign-approval", namespace=namespace)
    async with cluster_api(settings) as api:
        yield ByAccessReview(api, monotonic_s=Seconds())


async def refusal(reviews: ByAccessReview, promotion: Promotion, who: m.Person = ADA) -> str:
    with pytest.raises(NotPermitted) as caught:
        await reviews.refuse(who, promotion)
    return caught.value.message


async def test_team_promotes_into_staging_and_not_into_prod(
    apiserver: ApiServer, namespace: str, reviews: ByAccessReview
) -> None:
    bound = binding(namespace, kind="Group", name="oidc:shop")
    allow(apiserver, role(namespace, "pipelines/staging"), bound)

    await reviews.refuse(ADA, waiting(namespace, "staging"))
    await reviews.refuse(ADA, waiting(namespace, "staging", name="other"))

    await refusal(reviews, waiting(namespace, "prod"))
    await refusal(reviews, waiting("default", "staging"))
    await refusal(reviews, waiting(namespace, "staging"), m.Person(id="oidc:ada"))


async def test_right_may_be_for_one_pipeline(
    apiserver: ApiServer, namespace: str, reviews: ByAccessReview
) -> None:
    only = role(namespace, "pipelines/prod", names=("checkout",))
    allow(apiserver, only, binding(namespace))

    await reviews.refuse(ADA, waiting(namespace, "prod"))

    await refusal(reviews, waiting(namespace, "prod", name="catalog"))


@pytest.mark.parametrize("environment", ["dev", "prod", "Prod EU/1", "*"])
async def test_asterisk_is_every_environment(
    apiserver: ApiServer, namespace: str, reviews: ByAccessReview, environment: str
) -> None:
    allow(apiserver, role(namespace, "pipelines/*"), binding(namespace))

    await reviews.refuse(ADA, waiting(namespace, environment))


@pytest.mark.parametrize("resources", [("pipelines",), ("pipelines/status",), ("pipelines/Prod",)])
async def test_right_to_something_else_is_none(
    apiserver: ApiServer, namespace: str, reviews: ByAccessReview, resources: tuple[str, ...]
) -> None:
    allow(apiserver, role(namespace, *resources), binding(namespace))

    await refusal(reviews, waiting(namespace, "prod"))


@pytest.mark.parametrize("environment", ["prod", "Prod EU/1", "größer"])
async def test_commands_of_a_refusal_make_the_role_that_is_missing(
    apiserver: ApiServer, namespace: str, reviews: ByAccessReview, environment: str
) -> None:
    promotion = waiting(namespace, environment)
    message = await refusal(reviews, promotion)

    with_resource(apiserver)
    run_line(apiserver, message)

    await reviews.refuse(ADA, promotion)
    eve = m.Person(id="oidc:eve")
    run_line(apiserver, await refusal(reviews, promotion, eve))
    await reviews.refuse(eve, promotion)


def with_resource(apiserver: ApiServer) -> None:
    """`kubectl create role` looks the resource up."""
    crd = ROOT / "k8s" / "crds"
    apiserver.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(crd))
    apiserver.kubectl(
        "wait",
        "--for=condition=Established",
        "crd/pipelines.pipelines.weave.works",
        "--timeout=20s",
    )


async def test_example_of_the_documentation_allows_staging_and_not_prod(
    apiserver: ApiServer, namespace: str, reviews: ByAccessReview
) -> None:
    text = (ROOT / "docs" / "permissions.md").read_text()
    manifests = text.partition("```yaml\n")[2].partition("```")[0]
    try_out = text.partition("```console\n")[2].partition("```")[0]
    with_resource(apiserver)
    apiserver.kubectl("apply", "-f", "-", stdin=manifests.replace("shop\n", f"{namespace}\n"))
    who = m.Person(id="oidc:ada", groups=("oidc:shop-developers",))

    await reviews.refuse(who, waiting(namespace, "staging"))
    await refusal(reviews, waiting(namespace, "prod"), who)

    arguments = [namespace if a == "shop" else a for a in shlex.split(try_out)[1:]]
    assert apiserver.kubectl(*arguments) == "yes\n"


async def test_service_that_may_not_ask_says_what_it_lacks(
    apiserver: ApiServer, admin: HttpClusterApi, namespace: str
) -> None:
    await make_account(admin, namespace, "powerless")
    settings = await settings_of(admin, apiserver, "powerless", namespace=namespace)
    async with cluster_api(settings) as api:
        powerless = ByAccessReview(api, monotonic_s=Seconds())

        with pytest.raises(Retryable) as caught:
            await powerless.refuse(ADA, waiting(namespace, "prod"))

    assert "subjectaccessreviews" in caught.value.message
    assert caught.value.reason == "cluster_unavailable"


@pytest.fixture
def house(reviews: ByAccessReview) -> House:
    clock = Clock()
    house = House(clock=clock, forge=GitHubDouble(now=clock))
    house.authorizer = reviews  # type: ignore[assignment]  # the real one, not its double
    return house


async def shop_request(house: House, namespace: str) -> m.PromotionRequested:
    ref = waiting(namespace, "prod").request.promotion
    return await house.request(promotion=ref)


async def test_right_withdrawn_between_consent_and_redemption_revokes_the_token(
    apiserver: ApiServer, namespace: str, house: House
) -> None:
    allow(apiserver, role(namespace, "pipelines/prod"), binding(namespace, name="ada"))
    async with house.running("approval-0") as (approval,):
        event = await shop_request(house, namespace)
        begun = await house.grant(approval)
        withdraw(apiserver, namespace)

        redemption = house.redemption(begun.approval_id, consent_digest=consent_digest(event))
        with pytest.raises(Rejected, match=r"kubectl -n \S+ create role") as caught:
            await house.redeem(approval, redemption)
        await settle(approval)
        told = failed(m.FailureReason.NOT_ALLOWED).model_copy(
            update={"promotion": event.promotion, "message": caught.value.message}
        )
        await house.stream.publish(told, message_id="failed")

        assert house.forge.tokens
        assert house.forge.living == []
        assert {e.reason for e in house.stream.of(m.ApprovalRevoked)} == {"withdrawn"}
        assert house.state(approval) == "failed"


async def test_right_withdrawn_while_signing_in_grants_nothing(
    apiserver: ApiServer, namespace: str, house: House
) -> None:
    allow(apiserver, role(namespace, "pipelines/prod"), binding(namespace, name="ada"))
    async with house.running("approval-0") as (approval,):
        await shop_request(house, namespace)
        begun = await house.begin(approval)
        withdraw(apiserver, namespace)

        done = await house.complete(approval, house.forge.sign_in(begun.authorize_url, "ada"))

        assert done.problem is not None
        assert done.problem.code == "not_allowed"
        assert house.forge.tokens == {}


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ApiServer]:
    server = running(tmp_path)
    try:
        yield server
    finally:
        server.stop()


async def test_stopped_api_server_allows_nobody_and_works_again_once_it_is_back(
    own_server: ApiServer,
) -> None:
    async with cluster_api(own_server.settings()) as api:
        allow(own_server, role("default", "pipelines/prod"), binding("default"))
        reviews = ByAccessReview(api, monotonic_s=Seconds())
        promotion = waiting("default", "prod")
        await reviews.refuse(ADA, promotion)

        own_server.stop(only="kube-apiserver")
        with pytest.raises(Retryable, match="cluster_unavailable"):
            await reviews.refuse(ADA, promotion)
        own_server.start()

        await reviews.refuse(ADA, promotion)
