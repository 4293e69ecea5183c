"""Our CRD takes the place of Weave's, and gives it back, without an object being lost."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import reference
import yaml
from apiserver import ApiServer, running
from integration.kubernetes.corpus import (
    documented,
    environment,
    generated,
    generated_statuses,
    odd,
    pipeline,
    pull_request,
    sprinkled,
)

from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.access.http_api import HttpClusterApi, cluster_api
from countersign.kube.objects import Manifest
from countersign.kube.pipelines.fields import unknown_fields
from countersign.kube.pipelines.pipeline import read_pipeline

OURS: Final = Path(__file__).parents[3] / "k8s" / "crds" / "pipelines.yaml"
PATH: Final = "/apis/pipelines.weave.works/v1alpha1/namespaces/default/pipelines"
WAIT_S: Final = 30.0
Json = dict[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One of its own: others need the CRD to stay as it is."""
    started = running(tmp_path_factory.mktemp("crds"))
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
async def api(server: ApiServer) -> AsyncIterator[HttpClusterApi]:
    async with cluster_api(server.settings()) as made:
        yield made


def weaves() -> Path:
    return reference.skip_without("crds") / "pipelines.yaml"


def schema_of(path: Path) -> Json:
    version: Json = yaml.safe_load(path.read_text())["spec"]["versions"][0]
    schema: Json = version["schema"]["openAPIV3Schema"]
    return schema


async def install(server: ApiServer, api: HttpClusterApi, path: Path) -> None:
    """As the documents say; a new schema is in use a moment later."""
    server.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(path))
    ours = path == OURS
    probe = pipeline("probe", promotion={"strategy": {"pull-request": pull_request("gitea")}})
    deadline_s = time.monotonic() + WAIT_S
    while (await outcome(api, probe)) != ("" if ours else "invalid"):
        assert time.monotonic() < deadline_s, "the CRD is not in use"
        await asyncio.sleep(0.1)


async def outcome(api: HttpClusterApi, body: Json, *, validation: str = "Strict") -> str:
    """Empty where it would be accepted, else why not."""
    query = {"dryRun": "All", "fieldValidation": validation}
    return await answer(api, "POST", PATH, query=query, body=body)


async def answer(api: HttpClusterApi, method: str, path: str, **more: Any) -> str:
    try:
        await api.call(method, path, **more)
    except (Rejected, Retryable) as refusal:
        return refusal.reason
    return ""


async def outcomes(
    api: HttpClusterApi, bodies: list[Json], *, validation: str = "Strict"
) -> dict[str, str]:
    return {
        body["metadata"]["name"]: await outcome(api, body, validation=validation) for body in bodies
    }


async def test_everything_that_weave_accepts_is_accepted(
    server: ApiServer, api: HttpClusterApi
) -> None:
    corpus = [*documented(), *odd()]
    made = generated(schema_of(weaves()), count=300, seed=7)

    await install(server, api, weaves())
    before = await outcomes(api, [*corpus, *made])
    await install(server, api, OURS)
    after = await outcomes(api, [*corpus, *made])

    assert {before[body["metadata"]["name"]] for body in corpus} == {""}
    assert_none_is_lost(before, after)


async def test_what_weave_dropped_from_an_object_is_no_reason_to_refuse_it(
    server: ApiServer, api: HttpClusterApi
) -> None:
    """A client that validates nothing may always have sent fields that are ours today."""
    made = generated(schema_of(weaves()), count=200, seed=8)
    added = names_in(schema_of(OURS)["properties"]["spec"])
    added -= names_in(schema_of(weaves())["properties"]["spec"])
    bodies = sprinkled([*documented(), *odd(), *made], added, seed=9)

    await install(server, api, weaves())
    before = await outcomes(api, bodies, validation="Ignore")
    await install(server, api, OURS)
    after = await outcomes(api, bodies, validation="Ignore")

    assert added == {
        *("approvals", "soloMode", "reasonRequired", "semver", "autoMerge"),
        *("credential", "path"),
    }
    assert_none_is_lost(before, after)


async def test_every_status_that_weave_accepts_is_accepted(
    server: ApiServer, api: HttpClusterApi
) -> None:
    statuses = generated_statuses(schema_of(weaves()), count=200, seed=10)

    await install(server, api, weaves())
    made = await api.call("POST", PATH, body=pipeline("told", environment("dev", "a")))
    before = await outcomes_of(api, statuses, of=made)
    await install(server, api, OURS)
    after = await outcomes_of(api, statuses, of=made)

    assert_none_is_lost(before, after)


async def outcomes_of(api: HttpClusterApi, statuses: list[Json], *, of: Manifest) -> dict[str, str]:
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    path = f"{PATH}/{of['metadata']['name']}/status"
    return {
        str(number): await answer(api, "PUT", path, query=query, body={**of, "status": status})
        for number, status in enumerate(statuses)
    }


def assert_none_is_lost(before: dict[str, str], after: dict[str, str]) -> None:
    accepted = {name for name, why in before.items() if not why}
    assert {name: after[name] for name in accepted if after[name]} == {}
    assert len(before) / 2 < len(accepted) < len(before)


def names_in(schema: Json) -> set[str]:
    """Of all fields, at any depth."""
    properties: Json = schema.get("properties", {})
    inner = [*properties.values(), schema.get("items", {})]
    return {*properties}.union(*(names_in(part) for part in inner if part))


async def test_unknown_type_of_forge_is_refused_by_both(
    server: ApiServer, api: HttpClusterApi
) -> None:
    body = pipeline("odd", promotion={"strategy": {"pull-request": pull_request("sourcehut")}})

    for path in (weaves(), OURS):
        await install(server, api, path)
        assert await outcome(api, body) == "invalid"


AZURE = "https://dev.azure.com/acme/fleet/_git/gitops"


@pytest.mark.parametrize(
    "promotion",
    [
        {"strategy": {"pull-request": pull_request(credential="delegated", path="clusters/prod")}},
        {
            "approvals": 2,
            "soloMode": True,
            "reasonRequired": True,
            "semver": "6.x",
            "autoMerge": True,
            "strategy": {"pull-request": pull_request()},
        },
        {
            "strategy": {
                "pull-request": pull_request("azure-devops", credential="stored", url=AZURE)
            }
        },
        {"strategy": {"pull-request": pull_request("bitbucket-cloud", credential="stored")}},
        {"strategy": {"pull-request": pull_request(credential="app")}},
        {"strategy": {"pull-request": pull_request("bitbucket")}},
        {"strategy": {"pull-request": pull_request("gitea")}},
        {"strategy": {"pull-request": {**pull_request("forgejo"), "secretRef": {"name": "x"}}}},
    ],
)
async def test_additions_are_accepted_and_read(
    server: ApiServer, api: HttpClusterApi, promotion: Json
) -> None:
    await install(server, api, OURS)
    body = pipeline("added", environment("a", "b"), environment("c", "d"), promotion=promotion)

    assert await outcome(api, body) == ""
    assert read_pipeline(body).findings == ()


async def test_secret_may_be_left_out_where_people_delegate(
    server: ApiServer, api: HttpClusterApi
) -> None:
    await install(server, api, OURS)
    ask = pull_request()
    del ask["secretRef"]

    assert await outcome(api, pipeline("d", promotion={"strategy": {"pull-request": ask}})) == ""


async def test_objects_and_status_survive_the_upgrade_and_the_way_back(
    server: ApiServer, api: HttpClusterApi
) -> None:
    body = pipeline(
        "stays",
        environment("dev", "a"),
        environment("prod", "b"),
        promotion={"manual": True, "strategy": {"pull-request": pull_request()}},
    )
    status = {
        "observedGeneration": 1,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "ReconciliationSucceeded",
                "message": "All clusters checked",
                "lastTransitionTime": "2026-11-01T10:00:00Z",
            }
        ],
        "environments": {"prod": {"waitingApproval": {"revision": "6.1.0"}}},
    }
    await install(server, api, weaves())
    made = await api.call("POST", PATH, body=body)
    path = f"{PATH}/stays"
    before = await api.call("PUT", f"{path}/status", body={**made, "status": status})

    await install(server, api, OURS)
    upgraded = await api.call("GET", path)
    await install(server, api, weaves())
    returned = await api.call("GET", path)

    assert upgraded == before
    assert returned == before
    assert before["status"] == status


async def test_columns_of_weave_come_first(server: ApiServer, api: HttpClusterApi) -> None:
    theirs, ours = (
        yaml.safe_load(path.read_text())["spec"]["versions"][0]["additionalPrinterColumns"]
        for path in (weaves(), OURS)
    )
    await install(server, api, OURS)

    assert ours[: len(theirs)] == theirs
    await api.call("POST", PATH, body=pipeline("shown", environment("dev", "a")))
    header = server.kubectl("get", "pl", "shown").splitlines()[0]
    assert header.split("  ")[0] == "NAME"
    assert [h.strip() for h in header.split("  ") if h.strip()][1:] == [
        column["name"].upper() for column in ours
    ]


async def test_every_field_is_explained(server: ApiServer, api: HttpClusterApi) -> None:
    await install(server, api, OURS)

    said = await explained(server, "pl.spec.promotion")
    ask = await explained(server, "pl.spec.promotion.strategy.pull-request")

    fields = (
        "approvals",
        "autoMerge",
        "manual",
        "reasonRequired",
        "semver",
        "soloMode",
        "strategy",
    )
    for field in fields:
        assert field in said
    assert "number from 1 to 20: how many different people" in " ".join(said.split())
    assert "One of delegated, stored and app" in " ".join(ask.split())
    assert set(_undescribed(schema_of(OURS), "")) == {".metadata"}


async def explained(server: ApiServer, path: str) -> str:
    """Ask until kubectl knows the short name: discovery is a moment behind the CRD."""
    deadline_s = time.monotonic() + WAIT_S
    while True:
        try:
            return server.kubectl("explain", path, "--recursive=false")
        except RuntimeError:
            assert time.monotonic() < deadline_s, "the short name is not known"
            await asyncio.sleep(0.2)


def _undescribed(schema: Json, path: str) -> Iterator[str]:
    for name, inner in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        if not inner.get("description"):
            yield here
        yield from _undescribed(inner, here)
        items = inner.get("items") or inner.get("additionalProperties") or {}
        yield from _undescribed(items, f"{here}[]")


def test_both_promotions_have_the_same_fields() -> None:
    spec = schema_of(OURS)["properties"]["spec"]["properties"]
    own = spec["environments"]["items"]["properties"]["promotion"]

    for promotion in (own, spec["promotion"]):
        promotion.pop("description")
    assert json.dumps(own) == json.dumps(spec["promotion"])


def test_every_field_is_one_that_we_read() -> None:
    def example(schema: Json) -> Any:
        if schema.get("type") == "object":
            return {k: example(v) for k, v in schema.get("properties", {}).items()}
        return [example(schema["items"])] if schema.get("type") == "array" else "text"

    assert unknown_fields({"spec": example(schema_of(OURS)["properties"]["spec"])}) == ()
