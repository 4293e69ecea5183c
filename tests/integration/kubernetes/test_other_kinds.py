"""A kind of somebody else's, whose revision is where the setting says."""

import secrets
from collections.abc import AsyncIterator
from functools import partial

import pytest
from apiserver import ApiServer
from doubles.made_up_kinds import CRDS, application, crd, names, put_patiently
from doubles.observed_cluster import eyes, make_namespace, put, true_pipeline
from integration.kubernetes.test_watching_clusters import gitops_cluster, secret

from countersign.kube.access.http_api import HttpClusterApi
from countersign.kube.flux.revision_paths import parse_revision_paths
from countersign.kube.flux.rules import read_object


@pytest.fixture
async def kind(api: HttpClusterApi) -> AsyncIterator[str]:
    name = f"Made{secrets.token_hex(3)}"
    await api.call("POST", CRDS, body=crd(name))
    yield name
    await api.call("DELETE", f"{CRDS}/{name.lower()}s.example.org")


async def test_revision_at_a_path_of_ones_own_is_seen_here_and_in_another_cluster(
    flux: ApiServer, api: HttpClusterApi, kind: str
) -> None:
    space, far = await make_namespace(api), await make_namespace(api)
    ref = {"kind": "GitopsCluster", "name": "far"}
    targets = {"prod": [{"namespace": far, "clusterRef": ref}]}
    await put(api, secret(space, flux))
    await put(api, gitops_cluster(space))
    await put(api, names(true_pipeline(space, "dev", "prod", targets=targets), kind))
    await put_patiently(api, application(kind, space, parts=[{"version": "1.1.0"}]))
    await put(api, application(kind, far, parts=[{"version": "1.0.0"}]))
    paths = parse_revision_paths(f"{kind}.example.org=.status.parts[0].version")

    async with eyes(flux.settings(), read=partial(read_object, paths=paths)) as seen:
        await seen.until(lambda: seen.revision(space) == "1.1.0")
        await seen.until(lambda: seen.revision(space, "prod") == "1.0.0")
        promised = seen.findings(space)["health_not_checked"]
        await put(api, application(kind, space, lastAppliedRevision="1.2.0"))
        await seen.until(lambda: seen.condition(space) == "PROGRESSING")
        missed = seen.environment(space)
        await put(api, application(kind, space, parts=[{"version": "1.2.0"}]))
        await seen.until(lambda: seen.revision(space) == "1.2.0")

    assert "the health of what it brought is not known" in promised
    assert missed is not None
    assert ".status.parts[0].version" in missed.message
