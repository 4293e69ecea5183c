"""Objects of a real API server as the watcher's source sees them."""

import asyncio

import pytest
from apiserver import ApiServer
from doubles.kube_proxy import kube_proxy
from doubles.made_up_kinds import names
from doubles.observed_cluster import eyes, path_of, put, true_pipeline, true_release

from countersign.kube.access.http_api import HttpClusterApi

RELEASES = "/apis/helm.toolkit.fluxcd.io/v2/helmreleases"
MANY = 1203
PAGES = 3
AT_ONCE = 32


# Pipelines that are older than the HelmReleases of their cluster name a version that it has not.
@pytest.mark.parametrize("version", ["v2", "v2beta1"])
async def test_pipeline_and_its_release_are_seen_as_they_are(
    flux: ApiServer, api: HttpClusterApi, space: str, version: str
) -> None:
    pipeline = true_pipeline(space, "dev", "prod")
    pipeline["spec"]["appRef"]["apiVersion"] = f"helm.toolkit.fluxcd.io/{version}"
    await put(api, pipeline)
    await put(api, true_release(space, "6.8.4"))

    async with eyes(flux.settings()) as seen:
        await seen.until(lambda: seen.revision(space) == "6.8.4")
        first = seen.taken[0]

    assert first.complete
    assert seen.findings(space) == {}
    assert {key.kind for key in first.changed if key.namespace == space} == {
        "Pipeline",
        "HelmRelease",
    }


async def test_change_and_deletion_are_seen(
    flux: ApiServer, api: HttpClusterApi, space: str
) -> None:
    await put(api, true_pipeline(space, "dev"))
    await put(api, true_release(space, "6.8.4"))

    async with eyes(flux.settings()) as seen:
        await seen.until(lambda: seen.revision(space) == "6.8.4")
        await put(api, true_release(space, "6.9.0", phase="progressing"))
        await seen.until(lambda: seen.condition(space) == "PROGRESSING")
        await put(api, true_release(space, "6.9.0"))
        await seen.until(lambda: seen.revision(space) == "6.9.0")
        await api.call("DELETE", path_of(true_release(space, "6.9.0")))
        await seen.until(lambda: seen.condition(space) == "MISSING")
        await api.call("DELETE", path_of(true_pipeline(space, "dev")))
        await seen.until(lambda: seen.pipeline(space) is None)


async def test_more_objects_than_a_page_are_all_read(
    flux: ApiServer, api: HttpClusterApi, space: str
) -> None:
    await put(api, true_pipeline(space, "dev"))
    limit = asyncio.Semaphore(AT_ONCE)

    async def make(number: int) -> None:
        manifest = true_release(space, "6.8.4", name=f"app-{number}")
        del manifest["status"]
        async with limit:
            await put(api, manifest)

    async with asyncio.TaskGroup() as tasks:
        for number in range(MANY):
            tasks.create_task(make(number))
    async with kube_proxy(flux) as proxy, eyes(proxy.settings) as seen:
        await seen.until(lambda: len(seen.keys(space)) == MANY + 1)

    assert proxy.asked[f"list {RELEASES}"] >= PAGES


async def test_kind_is_watched_from_when_it_is_named_until_nothing_names_it(
    flux: ApiServer, api: HttpClusterApi, space: str
) -> None:
    await put(api, true_release(space, "6.8.4"))

    async with eyes(flux.settings()) as seen:
        await put(api, true_pipeline(space, "dev"))
        await seen.until(lambda: seen.revision(space) == "6.8.4")
        await put(api, names(true_pipeline(space, "dev"), "Widget"))
        await seen.until(lambda: "kind_not_installed" in seen.findings(space))


async def test_suspended_and_outdated_releases_say_so(
    flux: ApiServer, api: HttpClusterApi, space: str
) -> None:
    await put(api, true_pipeline(space, "dev"))
    await put(api, true_release(space, "6.8.4"))

    async with eyes(flux.settings()) as seen:
        await seen.until(lambda: seen.condition(space) == "HEALTHY")
        behind = true_release(space, "6.9.0")
        del behind["status"]
        await put(api, behind)
        await seen.until(lambda: seen.condition(space) == "PROGRESSING")
        behind["spec"]["suspend"] = True
        await put(api, behind)
        await seen.until(lambda: seen.condition(space) == "SUSPENDED")

    found = seen.environment(space)
    assert found is not None
    assert "is suspended" in found.message


async def test_missing_release_is_missing(flux: ApiServer, api: HttpClusterApi, space: str) -> None:
    await put(api, true_pipeline(space, "dev"))

    async with eyes(flux.settings()) as seen:
        await seen.until(lambda: seen.condition(space) == "MISSING")

    found = seen.environment(space)
    assert found is not None
    assert f"HelmRelease {space}/podinfo" in found.message
