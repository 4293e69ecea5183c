"""As a new user tries it: a fresh API server, Flux, Countersign, and an example of Weave's."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from doubles.observed_cluster import put, true_release
from e2e.clusters import Scene, scene, until
from e2e.people import Person, person
from integration.kubernetes.corpus import documented

from countersign.kube.access.http_api import cluster_api
from countersign.local.demo.manifests import NAMESPACE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

LOCAL, REMOTE = "podinfo-01", "podinfo-02"
# An old name for what Flux serves today as v2.
NAMED: Final = "helm.toolkit.fluxcd.io/v2beta1"
VERSION: Final = "6.9.0"
UNLISTED: Final = "forge 'https://github.com' is not on the forge list"
NOT_INSTALLED: Final = (
    "dev: cluster shop/dev: the kind GitopsCluster (gitops.weave.works) is not installed"
)
ASK: Final = "ask the administrator to add it"
_TRACK: Final = re.compile(
    rf'<article class="track [^>]* aria-label="{NAMESPACE}/([^"]+)">(.*?)</article>', re.DOTALL
)
_ENVIRONMENT: Final = re.compile(
    r'<span class="environment-name"[^>]*>(.*?)</span>.*?<span class="runs">(.*?)'
    r'<span class="line"[^>]*>(.*?)</li>',
    re.DOTALL,
)
Rows = dict[str, list[tuple[str, str, str]]]


async def test_documented_example_is_on_the_board_with_its_real_state(tmp_path: Path) -> None:
    examples = [e for e in documented() if e["metadata"]["name"] in {LOCAL, REMOTE}]
    assert {e["spec"]["appRef"]["apiVersion"] for e in examples} == {NAMED}
    async with scene(tmp_path) as on, person("ada", on.started.ports) as ada:
        assert await on.kubectl("get", "pipelines,helmreleases", "-A") == ""
        assert _rows(await ada.sees("/")) == {}

        await on.kubectl("-n", NAMESPACE, "apply", "-f", "-", stdin=_list(examples))

        nothing = "nothing yet"
        unknown = [(name, nothing, "unknown") for name in ("dev", "test", "prod")]
        missing = [(name, nothing, "missing") for name in ("dev", "prod")]
        await _until_board(ada, {LOCAL: missing, REMOTE: unknown})

        await _run(on, phase="progressing")
        progressing = [("dev", "6.8.4", "progressing"), missing[1]]
        await _until_board(ada, {LOCAL: progressing, REMOTE: unknown})

        await _run(on, phase="healthy")
        healthy = [("dev", VERSION, "healthy"), missing[1]]
        await _until_board(ada, {LOCAL: healthy, REMOTE: unknown})
        # Their forge is somebody else's, whom nobody has told Countersign of.
        await until(lambda: ada.sees("/"), lambda page: UNLISTED in page)
        rows = await until(
            lambda: _rows_of_kubectl(on),
            lambda rows: "Failed" in rows[LOCAL] and rows[REMOTE][3].startswith(NOT_INSTALLED),
        )

    app = ["HelmRelease", "podinfo", "False"]
    absent = "prod: HelmRelease podinfo-prod/podinfo does not exist"
    assert rows[LOCAL] == [*app, absent, VERSION, "prod", "Failed", f"{UNLISTED}; {ASK}"]
    assert rows[REMOTE][:3] == app


async def _rows_of_kubectl(on: Scene) -> dict[str, list[str]]:
    """What `kubectl get pl` prints of each, without its age."""
    printed = await on.kubectl("-n", NAMESPACE, "get", "pl", "--no-headers")
    rows = [re.split(r" {2,}", line.rstrip()) for line in printed.splitlines()]
    return {name: [kind, app, *more] for name, kind, app, _, *more in rows}


def _list(items: list[dict[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


async def _run(on: Scene, *, phase: str) -> None:
    """What the example names, as today's Flux writes it."""
    namespace = "podinfo-dev"
    if namespace not in await on.kubectl("get", "namespaces", "-o", "name"):
        await on.kubectl("create", "namespace", namespace)
    async with cluster_api(on.server.settings()) as api:
        await put(api, true_release(namespace, VERSION, phase=phase))


async def _until_board(one: Person, wanted: Rows) -> None:
    await until(lambda: _board(one), lambda shown: shown == wanted)


async def _board(one: Person) -> Rows:
    return _rows(await one.sees("/"))


def _rows(page: str) -> Rows:
    """Each pipeline's environments, what runs there, and in which condition, as text."""
    return {name: list(_environments(track)) for name, track in _TRACK.findall(page)}


def _environments(track: str) -> Iterator[tuple[str, str, str]]:
    for name, runs, condition in _ENVIRONMENT.findall(track):
        yield _text(name), _text(runs.partition('<span class="muted age">')[0]), _text(condition)


def _text(markup: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split())
