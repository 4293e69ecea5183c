"""What goes wrong between the watcher and an API server, and what is seen afterwards."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web
from apiserver import ApiServer
from doubles.kube_proxy import Fault, KubeProxy, kube_proxy
from doubles.observed_cluster import (
    FAST,
    eyes,
    make_namespace,
    path_of,
    put,
    true_pipeline,
    true_release,
)

from countersign.kube.access.http_api import HttpClusterApi
from countersign.kube.pipelines.findings import FindingCode

RETRY_AFTER_S = 1
# Longer than a busy machine stands still.
SLOW_S = 20.0


def lists(request: web.Request) -> bool:
    return "limit" in request.query and "helmreleases" in request.path


def watches(request: web.Request) -> bool:
    return "watch" in request.query and "helmreleases" in request.path


@pytest.fixture
async def space(api: HttpClusterApi, space: str) -> str:
    await put(api, true_pipeline(space, "dev"))
    await put(api, true_release(space, "6.8.4"))
    return space


@pytest.fixture
async def proxy(flux: ApiServer) -> AsyncIterator[KubeProxy]:
    async with kube_proxy(flux) as found:
        yield found


async def test_cut_watch_goes_on_where_it_was(
    api: HttpClusterApi, proxy: KubeProxy, space: str
) -> None:
    async with eyes(proxy.settings) as seen:
        await seen.until(lambda: seen.revision(space) == "6.8.4")
        listed = proxy.asked["list"]
        await proxy.cut()
        await put(api, true_release(space, "6.9.0"))
        await seen.until(lambda: seen.revision(space) == "6.9.0")

        assert proxy.asked["list"] == listed
        gaps = [gap for changes in seen.taken for gap in changes.gaps or ()]
        assert not [
            gap for gap in gaps if gap.code is FindingCode.CLUSTER_UNREACHABLE and not gap.cluster
        ]


@pytest.mark.parametrize("how", ["answer", "event"])
async def test_what_was_deleted_before_a_second_list_is_gone(
    api: HttpClusterApi, proxy: KubeProxy, space: str, how: str
) -> None:
    async with eyes(proxy.settings) as seen:
        await seen.until(lambda: seen.revision(space) == "6.8.4")
        expired = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n'
        body = expired if how == "event" else b""
        await proxy.cut()
        proxy.passing.clear()
        await api.call("DELETE", path_of(true_release(space, "6.8.4")))
        proxy.faults.append(Fault(watches, status=410, body=body))
        proxy.passing.set()
        await seen.until(lambda: seen.condition(space) == "MISSING")


async def test_list_that_expires_in_the_middle_begins_anew(proxy: KubeProxy, space: str) -> None:
    proxy.faults.append(Fault(lists, status=410, times=2))

    async with eyes(proxy.settings) as seen:
        await seen.until(lambda: seen.revision(space) == "6.8.4")


async def test_server_that_asks_for_time_gets_it(proxy: KubeProxy, space: str) -> None:
    proxy.faults.append(
        Fault(lists, status=429, headers={"Retry-After": str(RETRY_AFTER_S)}, times=1)
    )
    began = time.monotonic()

    async with eyes(proxy.settings) as seen:
        await seen.until(lambda: seen.revision(space) == "6.8.4")

    assert time.monotonic() - began >= RETRY_AFTER_S


async def test_slow_kind_hinders_no_other(
    api: HttpClusterApi, proxy: KubeProxy, space: str
) -> None:
    other = await make_namespace(api)
    # Elsewhere, Pipelines that other tests left may name that kind: then it was read before.
    async with eyes(proxy.settings, namespaces=frozenset({space, other})) as seen:
        await seen.until(lambda: seen.revision(space) == "6.8.4")
        proxy.faults.append(Fault(lambda r: "kustomize" in r.path, delay_s=SLOW_S, times=9))
        pipeline = true_pipeline(other, "dev", kind="Kustomization")
        await put(api, pipeline)
        await seen.until(lambda: seen.condition(other) == "UNKNOWN")
        began = time.monotonic()
        await put(api, true_release(space, "6.9.0"))
        await seen.until(lambda: seen.revision(space) == "6.9.0")

        assert time.monotonic() - began < SLOW_S
        found = seen.environment(other)
        assert found is not None
        assert found.message.startswith("Kustomization ")


async def test_silent_connection_is_given_up(
    api: HttpClusterApi, proxy: KubeProxy, space: str
) -> None:
    silent = FAST.__class__(first_s=0.05, longest_s=0.4, away_s=9, silence_s=0.5)

    async with eyes(proxy.settings, pauses=silent) as seen:
        await seen.until(lambda: seen.revision(space) == "6.8.4")
        asked = proxy.asked["watch"]
        await proxy.until(lambda: proxy.asked["watch"] >= asked + 3)
        await put(api, true_release(space, "6.9.0"))
        await seen.until(lambda: seen.revision(space) == "6.9.0")


async def test_server_away_for_long_makes_unknown_and_comes_back(
    proxy: KubeProxy, space: str
) -> None:
    async with eyes(proxy.settings) as seen:
        await seen.until(lambda: seen.revision(space) == "6.8.4")
        await proxy.cut()
        proxy.passing.clear()
        await seen.until(lambda: seen.condition(space) == "UNKNOWN")
        findings = seen.findings(space)
        assert "the API server" in findings["cluster_unreachable"]
        assert not seen.taken[-1].removed
        assert seen.cluster.not_ready() is None
        proxy.passing.set()
        # Each kind comes back by itself.
        await seen.until(lambda: seen.revision(space) == "6.8.4" and not seen.findings(space))


async def test_token_is_used_from_when_it_is_rotated(flux: ApiServer, space: str) -> None:
    async with kube_proxy(flux, token="made-up-and-expired") as proxy:
        right = flux.account()
        async with eyes(proxy.settings) as seen:
            await proxy.until(lambda: "nauthorized" in (seen.cluster.not_ready() or ""))
            assert seen.taken == []
            (proxy.account_dir / "token").write_bytes((right / "token").read_bytes())
            await seen.until(lambda: seen.revision(space) == "6.8.4")
            (proxy.account_dir / "token").write_text("made-up-and-expired")
            await proxy.cut()
            await seen.until(lambda: seen.condition(space) == "UNKNOWN")
            (proxy.account_dir / "token").write_bytes((right / "token").read_bytes())
            await seen.until(lambda: seen.revision(space) == "6.8.4")


async def test_restarted_server_that_forgot_its_history_is_listed_again(
    flux: ApiServer, api: HttpClusterApi, proxy: KubeProxy, space: str
) -> None:
    async with eyes(proxy.settings) as seen:
        await seen.until(lambda: seen.revision(space) == "6.8.4")
        listed = proxy.asked["list"]
        await proxy.cut()
        proxy.passing.clear()
        await api.call("DELETE", path_of(true_release(space, "6.8.4")))
        await asyncio.to_thread(flux.stop, only="kube-apiserver")
        await asyncio.to_thread(flux.start)
        proxy.passing.set()
        await seen.until(lambda: seen.condition(space) == "MISSING")
        assert proxy.asked["list"] > listed


async def test_server_restored_from_a_backup_is_listed_again(
    flux: ApiServer, api: HttpClusterApi, proxy: KubeProxy, space: str, tmp_path: Path
) -> None:
    def stop_and(copy: Callable[[Path, Path], object]) -> None:
        flux.stop()
        copy(flux.directory / "etcd", tmp_path / "backup")
        flux.start()

    def restore(etcd: Path, backup: Path) -> None:
        shutil.rmtree(etcd)
        shutil.copytree(backup, etcd)

    await asyncio.to_thread(stop_and, shutil.copytree)
    async with eyes(proxy.settings) as seen:
        await seen.until(lambda: seen.revision(space) == "6.8.4")
        for version in ("6.8.5", "6.8.6", "6.9.0"):
            await put(api, true_release(space, version))
        await seen.until(lambda: seen.revision(space) == "6.9.0")
        proxy.passing.clear()
        await proxy.cut()
        await asyncio.to_thread(stop_and, restore)
        proxy.passing.set()

        await seen.until(lambda: seen.revision(space) == "6.8.4")
