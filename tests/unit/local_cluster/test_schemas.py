"""Every state that is played is one that the vendor's own schema takes."""

from collections.abc import Iterator
from datetime import UTC, datetime

import jsonschema
import pytest
import reference
import yaml

from countersign.local.cluster.control import Control, Failure, Fate
from countersign.local.cluster.controllers import kustomize, planning
from countersign.local.cluster.controllers.attempt import Pace
from countersign.local.cluster.controllers.building import build
from countersign.local.cluster.objects import Json, Key, Moment, Phase

NOW = datetime(2026, 11, 23, 6, 2, 12, tzinfo=UTC)
FATES = [Fate.SUCCEED, Fate.FAIL, Fate.ROLLBACK, Fate.NEVER_READY, Fate.MISSING]
REVISION = f"main@sha1:{'a' * 40}"


def schema(file: str, version: str) -> Json:
    definition = yaml.safe_load((reference.skip_without("crds") / file).read_text())
    versions = definition["spec"]["versions"]
    found = next(v for v in versions if v["name"] == version)
    whole: Json = found["schema"]["openAPIV3Schema"]
    return _closed(whole)


def _closed(node: Json) -> Json:
    """An API server drops fields that the schema does not name; here they are errors."""
    closed = {k: _closed(v) if isinstance(v, dict) else v for k, v in node.items()}
    if node.get("properties") and isinstance(node["properties"], dict) and "type" in node:
        closed.setdefault("additionalProperties", node.get("additionalProperties", False))
    return closed


def played(manifest: Json, phases: Iterator[Phase]) -> Iterator[Json]:
    for phase in phases:
        moment = Moment(manifest["metadata"]["generation"], NOW)
        manifest = {**manifest, "status": phase.change(manifest["status"], moment)}
        yield manifest


def release(version: str, generation: int, status: Json) -> Json:
    remediation = {"retries": 1, "remediateLastFailure": True}
    return {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": "podinfo", "namespace": "dev", "generation": generation},
        "spec": {
            "interval": "1m",
            "chart": {
                "spec": {
                    "chart": "podinfo",
                    "version": version,
                    "sourceRef": {"kind": "HelmRepository", "name": "charts"},
                }
            },
            "upgrade": {"remediation": remediation},
        },
        "status": status,
    }


def attempt(manifest: Json, fate: Fate) -> list[Json]:
    chart = planning.chart_of(manifest, _nothing)
    assert chart is not None
    control = Control(fail=(Failure(how=fate),))
    return list(played(manifest, planning.release_phases(manifest, chart, control, Pace())))


def _nothing(_: Key) -> None:
    """No sources are there."""


@pytest.mark.parametrize("fate", FATES)
def test_states_of_a_release_fit_the_schema(fate: Fate) -> None:
    validator = jsonschema.Draft202012Validator(
        _without_metadata(schema("helmreleases.yaml", "v2"))
    )

    first = attempt(release("6.8.4", 1, {"observedGeneration": -1}), Fate.SUCCEED)
    second = attempt(release("6.9.0", 2, first[-1]["status"]), fate)
    failed_install = attempt(release("6.8.4", 1, {"observedGeneration": -1}), fate)

    for state in (*first, *second, *failed_install):
        validator.validate(state)


def test_schema_refuses_a_field_that_it_does_not_name() -> None:
    validator = jsonschema.Draft202012Validator(
        _without_metadata(schema("helmreleases.yaml", "v2"))
    )

    with pytest.raises(jsonschema.ValidationError, match="madeUp"):
        validator.validate(release("6.8.4", 1, {"madeUp": 1}))


@pytest.mark.parametrize("fate", FATES)
def test_states_of_a_kustomization_fit_the_schema(fate: Fate) -> None:
    validator = jsonschema.Draft202012Validator(
        _without_metadata(schema("kustomizations.yaml", "v1"))
    )
    manifest = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "dev", "generation": 1},
        "spec": {
            "interval": "1m",
            "prune": True,
            "wait": True,
            "sourceRef": {"kind": "GitRepository", "name": "apps"},
        },
        "status": {"observedGeneration": -1},
    }
    made = build({}, {"app.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\n"})
    one = kustomize.application_of(manifest, revision=REVISION, build=made, fate=fate, pace=Pace())

    for state in played(manifest, kustomize.phases(manifest, one)):
        validator.validate(state)


def _without_metadata(whole: Json) -> Json:
    """The API server's own part is no business of the definition."""
    return {**whole, "properties": {**whole["properties"], "metadata": True}}
