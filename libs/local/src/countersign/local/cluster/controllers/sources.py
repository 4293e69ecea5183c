"""The phases of sources: GitRepository, OCIRepository, HelmRepository. Pure."""

from collections.abc import Iterator

from countersign.local.cluster.objects import (
    Change,
    Condition,
    Json,
    Moment,
    Phase,
    conditioned,
    digest_of,
    is_true,
    observed,
    stamp,
)


def git_phases(manifest: Json, *, revision: str, commit: str) -> Iterator[Phase]:
    """Plan the way from a new upstream revision, or a changed spec, to the artifact in storage."""
    stored = f"stored artifact for revision '{revision}'"
    name = f"gitrepository/{_place(manifest)}/{commit}.tar.gz"
    yield from _phases(manifest, revision=revision, stored=stored, place=name)


def oci_phases(manifest: Json, *, revision: str) -> Iterator[Phase]:
    stored = f"stored artifact for digest '{revision}'"
    name = f"ocirepository/{_place(manifest)}/{revision.rpartition('@')[2]}.tar.gz"
    yield from _phases(manifest, revision=revision, stored=stored, place=name)


def helm_phases(manifest: Json) -> Iterator[Phase]:
    digest = digest_of(manifest["spec"])
    stored = f"stored artifact: revision '{digest}'"
    name = f"helmrepository/{_place(manifest)}/index-{digest.removeprefix('sha256:')}.yaml"
    yield from _phases(manifest, revision=digest, stored=stored, place=name)


def git_failure(manifest: Json, problem: str) -> Iterator[Phase]:
    """The repository or the commit cannot be had; the artifact before stays."""
    message = f"failed to checkout and determine revision: {problem}"
    wanted = (
        Condition("Reconciling", "True", "ProgressingWithRetry", message),
        Condition("Ready", "False", "GitOperationFailed", message),
        Condition("FetchFailed", "True", "GitOperationFailed", message),
    )
    yield from _new_generation(manifest)
    yield Phase(lambda status, moment: conditioned(status, moment, *wanted))


def suspended(manifest: Json) -> Iterator[Phase]:
    yield Phase(observed(manifest["metadata"]["generation"]))


def oci_revision(manifest: Json) -> str:
    """Make up the digest that a registry would answer, from the address and the tag."""
    spec = manifest["spec"]
    ref = spec.get("ref") or {}
    if ref.get("digest"):
        return str(ref["digest"])
    tag = str(ref.get("tag") or "latest")
    return f"{tag}@{digest_of([spec.get('url'), tag])}"


def _phases(manifest: Json, *, revision: str, stored: str, place: str) -> Iterator[Phase]:
    generation = manifest["metadata"]["generation"]
    before = (manifest.get("status", {}).get("artifact") or {}).get("revision")
    yield from _new_generation(manifest)
    if before != revision:
        yield Phase(_building(revision, outdated=before is not None))
    done = (
        Condition("Ready", "True", "Succeeded", stored),
        Condition("ArtifactInStorage", "True", "Succeeded", stored),
    )
    transient = ("Reconciling", "ArtifactOutdated", "FetchFailed")

    def kept(status: Json, moment: Moment) -> Json:
        artifact = status.get("artifact")
        if before != revision:
            artifact = _artifact(revision, place, moment)
        return {**status, "artifact": artifact, "observedGeneration": generation}

    yield Phase(lambda status, moment: conditioned(status, moment, *done, drop=transient))
    yield Phase(kept)


def _new_generation(manifest: Json) -> Iterator[Phase]:
    generation = manifest["metadata"]["generation"]
    status = manifest.get("status", {})
    seen = status.get("observedGeneration", -1)
    if seen == generation:
        return
    message = f"processing object: new generation {seen} -> {generation}"
    wanted = [Condition("Reconciling", "True", "Progressing", message)]
    if not is_true(status, "Ready"):
        wanted.append(Condition("Ready", "Unknown", "Progressing", message))
    yield Phase(lambda status, moment: conditioned(status, moment, *wanted))


def _building(revision: str, *, outdated: bool) -> Change:
    message = f"building artifact: new upstream revision '{revision}'"
    wanted = [
        Condition("Reconciling", "True", "Progressing", message),
        Condition("Ready", "Unknown", "Progressing", message),
    ]
    if outdated:
        news = f"new upstream revision '{revision}'"
        wanted.append(Condition("ArtifactOutdated", "True", "NewRevision", news))
    return lambda status, moment: conditioned(status, moment, *wanted)


def _artifact(revision: str, place: str, moment: Moment) -> Json:
    return {
        "digest": digest_of(revision),
        "lastUpdateTime": stamp(moment.now),
        "path": place,
        "revision": revision,
        "size": len(place),
        "url": f"http://source-controller.flux-system.svc.cluster.local./{place}",
    }


def _place(manifest: Json) -> str:
    metadata = manifest["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}"
