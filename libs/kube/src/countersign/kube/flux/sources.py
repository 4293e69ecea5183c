"""Sources, and the state of an application in the light of its own.

An application says nothing of a source that fails, or of a newer revision that waits; and of a
chart it records the version in a form of its own, while the source says what was resolved.
Source: https://fluxcd.io/flux/components/source/
"""

from dataclasses import replace
from typing import Final

from countersign.contracts.messages import Content, EnvironmentCondition
from countersign.contracts.revision import is_tag, parse_revision
from countersign.kube.flux.applications import App, AppState, Source, sentence
from countersign.kube.flux.changes import CHANGES, page_in, read_changes
from countersign.kube.flux.conditions import condition
from countersign.kube.objects import Manifest, ObjectKey, integer, key_of, moment, text

SOURCE_GROUP: Final = "source.toolkit.fluxcd.io"
SOURCE_KINDS: Final = frozenset({"GitRepository", "OCIRepository", "Bucket", "ExternalArtifact"})
# https://github.com/opencontainers/image-spec/blob/main/annotations.md
_CREATED: Final = "org.opencontainers.image.created"
_SOURCE: Final = "org.opencontainers.image.source"
_HELM_RELEASE: Final = "HelmRelease"


def read_source(manifest: Manifest) -> Source:
    ready = condition(manifest, "Ready")
    generation = integer(manifest, "metadata", "generation")
    is_of_now = ready.observed_generation in {None, generation}
    return Source(
        key=key_of(manifest),
        artifact_revision=text(manifest, "status", "artifact", "revision"),
        url=text(manifest, "spec", "url"),
        created_at=moment(manifest, "status", "artifact", "metadata", _CREATED),
        source_page=page_in(text(manifest, "status", "artifact", "metadata", _SOURCE)),
        stated_changes=read_changes(text(manifest, "status", "artifact", "metadata", CHANGES)),
        failing=(ready.message or ready.reason) if ready.is_false and is_of_now else "",
    )


def source_key(ref: Manifest, *, of: ObjectKey) -> ObjectKey | None:
    """Return the source that an application refers to, in its own namespace where none is named."""
    kind, name = text(ref, "kind"), text(ref, "name")
    if not (kind and name):
        return None
    namespace = text(ref, "namespace") or of.namespace
    return ObjectKey(group=SOURCE_GROUP, kind=kind, namespace=namespace, name=name)


def settle(app: App, *, source: Source | None) -> AppState:
    """Return the state in the light of the source."""
    state = _settled(app, source=source)
    if state.content is None or source is None:
        return state
    return replace(
        state,
        created_at=source.created_at,
        source_page=source.source_page,
        stated_changes=source.stated_changes,
    )


def _settled(app: App, *, source: Source | None) -> AppState:
    state, key = app.state, app.source
    if key is None or state.condition is not EnvironmentCondition.HEALTHY:
        return state
    if source is not None and source.failing:
        why = f"its source {key} fails: {source.failing}"
        return _unsettled(app, EnvironmentCondition.FAILED, why)
    if app.key.kind == _HELM_RELEASE:
        return _settle_release(app, key=key, source=source)
    if source is None or not source.artifact_revision:
        why = f"its source {key} cannot be read, so its revision may be stale"
        return _unsettled(app, EnvironmentCondition.UNKNOWN, why)
    if state.content is not None and source.artifact_revision != state.content.revision.recorded:
        why = f"its source is at {source.artifact_revision}, which is not applied yet"
        return _unsettled(app, EnvironmentCondition.PROGRESSING, why)
    return state


def _settle_release(app: App, *, key: ObjectKey, source: Source | None) -> AppState:
    """Take over the tag that the source resolved: the version tells neither prefix nor metadata."""
    content = app.state.content
    if content is None or not content.revision.digest:
        return app.state
    if source is None or not source.artifact_revision:
        return _unwritable(app, f"its source {key} cannot be read, and so not the tag")
    resolved = parse_revision(source.artifact_revision)
    if resolved.digest != content.revision.digest:
        why = f"its source is at {source.artifact_revision}, which is not installed yet"
        return _unsettled(app, EnvironmentCondition.PROGRESSING, why)
    if not is_tag(resolved.tag):
        # Asked for by its digest, which is what is promoted then.
        return app.state
    recorded = content.revision.recorded
    revision = parse_revision(recorded, digest=content.revision.digest, tag=resolved.tag)
    return replace(app.state, content=Content(identity=content.identity, revision=revision))


def _unwritable(app: App, why: str) -> AppState:
    if app.state.not_promotable:
        return app.state
    return replace(app.state, not_promotable=sentence(app.key.kind, app.key.name, why))


def _unsettled(app: App, found: EnvironmentCondition, why: str) -> AppState:
    message = sentence(app.key.kind, app.key.name, why)
    return replace(app.state, condition=found, message=message, content=None, since=None)
