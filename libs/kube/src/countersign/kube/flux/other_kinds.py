"""Applications of any other kind: a `Ready` condition, and a revision somewhere in the status.

The promise is weaker than Rules H and K: such a revision is what the object says it is ready with,
and nothing is known of the health of what it brought.
"""

from countersign.contracts.messages import Content, EnvironmentCondition
from countersign.contracts.revision import parse_revision
from countersign.kube.flux.applications import App, AppState, sentence
from countersign.kube.flux.conditions import condition
from countersign.kube.flux.revision_paths import DEFAULT, text_at
from countersign.kube.objects import Manifest, integer, key_of, mapping, text


def read_other_kind(manifest: Manifest, *, path: str = DEFAULT) -> App:
    key = key_of(manifest)
    ready = condition(manifest, "Ready")
    applied = text_at(manifest, path)
    generation = integer(manifest, "metadata", "generation")
    observed = integer(manifest, "status", "observedGeneration")
    current = ready.observed_generation in {None, generation} and observed in {None, generation}
    if mapping(manifest, "metadata").get("deletionTimestamp"):
        found, message = EnvironmentCondition.MISSING, "is being deleted"
    elif mapping(manifest, "spec").get("suspend") is True:
        found, message = EnvironmentCondition.SUSPENDED, "is suspended"
    elif ready.is_true and current and not condition(manifest, "Reconciling").is_true:
        found = EnvironmentCondition.HEALTHY if applied else EnvironmentCondition.PROGRESSING
        message = "" if applied else f"is ready, and tells no revision in {path}"
    elif ready.is_false and current:
        found, message = EnvironmentCondition.FAILED, ready.message
    else:
        found, message = EnvironmentCondition.PROGRESSING, "is being reconciled"
    revision = parse_revision(applied) if applied else None
    healthy = found is EnvironmentCondition.HEALTHY and revision is not None
    return App(
        key=key,
        state=AppState(
            condition=found,
            message="" if healthy else sentence(key.kind, key.name, message),
            content=Content(identity=applied, revision=revision) if healthy and revision else None,
            last=revision,
            attempted=text(manifest, "status", "lastAttemptedRevision"),
            since=ready.since,
            checked=False,
        ),
    )
