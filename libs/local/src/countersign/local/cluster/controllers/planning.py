"""Decide which objects need work now, and in which phases. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, TypeAlias

from countersign.contracts.errors import Rejected
from countersign.local.cluster.control import Control, Fate
from countersign.local.cluster.controllers import helm, kustomize, sources
from countersign.local.cluster.controllers.attempt import Pace, attempt_of, config_digest
from countersign.local.cluster.controllers.building import Build
from countersign.local.cluster.controllers.history import Chart
from countersign.local.cluster.objects import Json, Key, Phase, condition, is_true, key_of
from countersign.local.refusals import LocalRefusal

Find: TypeAlias = Callable[[Key], Json | None]
_RANGE_CHARACTERS: Final = frozenset("<>=~^*| xX,")


def source_key(manifest: Json) -> Key:
    """The source of a Kustomization, or of a HelmRelease with a `chartRef`."""
    spec = manifest["spec"]
    ref = spec.get("sourceRef") or spec.get("chartRef") or {}
    namespace = ref.get("namespace") or manifest["metadata"]["namespace"]
    return Key(str(ref.get("kind", "")), namespace, str(ref.get("name", "")))


def artifact_revision(manifest: Json | None) -> str:
    status = (manifest or {}).get("status") or {}
    return str((status.get("artifact") or {}).get("revision") or "")


def is_new(manifest: Json) -> bool:
    seen = (manifest.get("status") or {}).get("observedGeneration")
    return bool(seen != manifest["metadata"]["generation"])


def paced(pace: Pace, control: Control) -> Pace:
    return replace(pace, action_s=pace.action_s + control.slow_s)


def chart_of(manifest: Json, find: Find) -> Chart | None:
    """The chart that the object asks for; none while its source has no artifact.

    Raises:
        Rejected: `unsupported`.

    """
    spec = manifest["spec"]
    digest = config_digest(spec)
    if "chartRef" in spec:
        key = source_key(manifest)
        revision = artifact_revision(find(key))
        tag, _, oci = revision.rpartition("@")
        if not revision:
            return None
        short = oci.removeprefix("sha256:")[:12]
        version = f"{tag or '0.0.0'}+{short}"
        return Chart(name=key.name, version=version, config_digest=digest, oci_digest=oci)
    asked = (spec.get("chart") or {}).get("spec") or {}
    version = str(asked.get("version") or "")
    if not version or _RANGE_CHARACTERS & set(version):
        raise Rejected(
            LocalRefusal.UNSUPPORTED, f"{_title(manifest)}: chart version {version!r} is a range"
        )
    return Chart(name=str(asked.get("chart")), version=version, config_digest=digest)


def release_needs_work(manifest: Json, chart: Chart, control: Control) -> bool:
    key = key_of(manifest)
    if manifest["spec"].get("suspend"):
        return is_new(manifest)
    status = manifest.get("status") or {}
    attempted = (status.get("lastAttemptedRevision"), status.get("lastAttemptedConfigDigest"))
    return (
        is_new(manifest)
        or is_true(status, "Reconciling")
        or attempted != (chart.version, chart.config_digest)
        # Its workload went bad, or came back: as `flux reconcile helmrelease --force` would find.
        or (control.is_unhealthy(key) and is_true(status, "Ready"))
        or (control.fate(key, chart.version) is Fate.SUCCEED and is_true(status, "Stalled"))
    )


def release_phases(manifest: Json, chart: Chart, control: Control, pace: Pace) -> Iterator[Phase]:
    fate = control.fate(key_of(manifest), chart.version)
    attempt = attempt_of(manifest, chart, fate=fate, pace=paced(pace, control))
    yield from helm.phases(manifest, attempt)


def application_needs_work(manifest: Json, revision: str, control: Control) -> bool:
    if manifest["spec"].get("suspend"):
        return is_new(manifest)
    status = manifest.get("status") or {}
    waits = bool(manifest["spec"].get("wait") or manifest["spec"].get("healthChecks"))
    return (
        is_new(manifest)
        or not is_true(status, "Ready")
        or is_true(status, "Reconciling")
        or status.get("lastAttemptedRevision") != revision
        or (waits and control.is_unhealthy(key_of(manifest)))
    )


def application_phases(
    manifest: Json, build: Build, revision: str, control: Control, pace: Pace
) -> Iterator[Phase]:
    one = kustomize.application_of(
        manifest,
        revision=revision,
        build=build,
        fate=control.fate(key_of(manifest), revision),
        pace=paced(pace, control),
    )
    yield from kustomize.phases(manifest, one)


def source_phases(manifest: Json) -> Iterator[Phase]:
    """Plan the sources that need no network here."""
    if manifest["spec"].get("suspend"):
        yield from sources.suspended(manifest)
    elif manifest["kind"] == "OCIRepository":
        yield from sources.oci_phases(manifest, revision=sources.oci_revision(manifest))
    else:
        yield from sources.helm_phases(manifest)


def waiting_message(manifest: Json, find: Find) -> str:
    """Why a Kustomization cannot start."""
    key = source_key(manifest)
    if key.kind != "GitRepository":
        return f"a source of kind {key.kind!r} is not played"
    if find(key) is None:
        return f'{key.kind}.source.toolkit.fluxcd.io "{key.name}" not found'
    return "Source artifact not found, retrying in 30s"


def says_already(manifest: Json, message: str) -> bool:
    return bool(condition(manifest.get("status") or {}, "Ready").get("message") == message)


def _title(manifest: Json) -> str:
    metadata = manifest["metadata"]
    return f"{manifest['kind']} {metadata['namespace']}/{metadata['name']}"
