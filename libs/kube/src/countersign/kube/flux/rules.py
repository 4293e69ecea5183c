"""The table of kinds and the rules that read them."""

from dataclasses import replace

from countersign.kube.flux import helm_releases, kustomizations, sources
from countersign.kube.flux.applications import App, Source
from countersign.kube.flux.other_kinds import read_other_kind
from countersign.kube.flux.revision_paths import DEFAULT, NO_PATHS, RevisionPaths
from countersign.kube.objects import Manifest, key_of
from countersign.kube.pipelines.pipeline import GROUP as PIPELINES
from countersign.kube.pipelines.pipeline import KIND as PIPELINE
from countersign.kube.pipelines.pipeline import Pipeline, read_pipeline

Record = Pipeline | App | Source


def placed_in(cluster: str, record: Record) -> Record:
    """Return the record as that of an object in another cluster."""
    key = replace(record.key, cluster=cluster)
    if isinstance(record, App) and record.source is not None:
        return replace(record, key=key, source=replace(record.source, cluster=cluster))
    return replace(record, key=key)


def read_object(manifest: Manifest, *, paths: RevisionPaths = NO_PATHS) -> Record:
    """Read any object that a source of objects hands over.

    `paths` say where kinds without a rule of their own tell their revision.

    Raises:
        Rejected: `not_an_object`.

    """
    key = key_of(manifest)
    match key.group, key.kind:
        case (group, kind) if group == PIPELINES and kind == PIPELINE:
            return read_pipeline(manifest)
        case helm_releases.GROUP, helm_releases.KIND:
            return helm_releases.read_helm_release(manifest)
        case kustomizations.GROUP, kustomizations.KIND:
            return kustomizations.read_kustomization(manifest)
        case sources.SOURCE_GROUP, kind if kind in sources.SOURCE_KINDS:
            return sources.read_source(manifest)
        case _:
            path = paths.get((key.group, key.kind), DEFAULT)
            return read_other_kind(manifest, path=path)
