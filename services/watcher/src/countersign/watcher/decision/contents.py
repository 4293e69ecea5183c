"""Compares contents, for the two questions that are asked of them.

A HelmRelease is compared by chart version and OCI digest. A Kustomization has two identities: the
digest of the manifests it built tells whether something *changed*, and differs between
environments; the commit tells whether something is *there*.
"""

from countersign.contracts.messages import Content
from countersign.watcher.model import Link


def is_there(wanted: Content, running: Content | None) -> bool:
    """Tell whether an environment that runs `running` runs what was `wanted`."""
    if running is None:
        return False
    if wanted.identity == running.identity:
        return True
    ours, theirs = wanted.revision, running.revision
    if ours.commit or theirs.commit:
        return bool(ours.commit) and ours.commit == theirs.commit
    if ours.digest and theirs.digest:
        return ours.digest == theirs.digest
    # A chart from an OCI registry has a digest, the same version from a classic repository none.
    return bool(ours.version) and ours.version == theirs.version


def is_written(wanted: Content, running: Content | None) -> bool:
    """Tell whether nothing in a file could bring `running` nearer to what was `wanted`.

    An environment may take the same version from a registry of its own, under another digest.
    """
    if is_there(wanted, running):
        return True
    version = wanted.revision.version
    return running is not None and bool(version) and version == running.revision.version


def is_level(below: Content, above: Content | None, link: Link) -> bool:
    """Tell whether nothing of `below` is missing above.

    A commit outside the path moves the revision below but builds the same manifests: as long as
    the environment above still runs what was last promoted, nothing has changed.
    """
    if is_there(below, above):
        return True
    if link.content is None or not is_written(link.content, above):
        return False
    return link.content.identity == below.identity


def is_tried(wanted: Content, attempted: str) -> bool:
    """Tell whether that is the revision Flux works on or tried last."""
    if not attempted:
        return False
    if attempted == wanted.revision.recorded:
        return True
    commit = wanted.revision.commit
    return bool(commit) and attempted.endswith(f"sha1:{commit}")
