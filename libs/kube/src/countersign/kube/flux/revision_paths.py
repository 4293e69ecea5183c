"""The fields that name the revision of objects of other kinds than Flux's, as a setting has them.

`Kind.group=.status.path`, several separated by commas. A path is fields with dots between them,
each with the number of an entry behind it where it is a list: `.status.components[0].version`.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from countersign.kube.flux import helm_releases, kustomizations, sources
from countersign.kube.objects import Manifest
from countersign.kube.pipelines import pipeline as pipelines

# Beginning of what the object tells; what its `spec` wants is not what runs.
_STATUS: Final = "status"
_KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")
_GROUP = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\[(\d{1,4})\]")
_PATH = re.compile(rf"(?:{_STEP.pattern})+")
PATHS_MAX: Final = 100
DEFAULT: Final = ".status.lastAppliedRevision"
_OWN_RULES: Final = frozenset(
    {
        (pipelines.GROUP, pipelines.KIND),
        (helm_releases.GROUP, helm_releases.KIND),
        (kustomizations.GROUP, kustomizations.KIND),
        *((sources.SOURCE_GROUP, kind) for kind in sources.SOURCE_KINDS),
    }
)

# Group and kind, and the path as it is written.
RevisionPaths = Mapping[tuple[str, str], str]
NO_PATHS: Final[RevisionPaths] = {}


def parse_revision_paths(written: str) -> RevisionPaths:
    """Parse the setting.

    Raises:
        ValueError: with the entry that is wrong and what is expected.

    """
    found: dict[tuple[str, str], str] = {}
    for entry in filter(None, (part.strip() for part in written.split(","))):
        name, _, path = (part.strip() for part in entry.partition("="))
        kind, _, group = name.partition(".")
        if not (_KIND.fullmatch(kind) and _GROUP.fullmatch(group)):
            raise ValueError(f"{entry!r} does not begin with Kind.group=")
        if not _PATH.fullmatch(path) or _steps(path)[0] != _STATUS or len(_steps(path)) == 1:
            raise ValueError(f"{entry!r} has no path like .status.version or .status.list[0].name")
        if (group, kind) in _OWN_RULES:
            raise ValueError(f"{entry!r}: {kind} has a rule of its own")
        if (group, kind) in found:
            raise ValueError(f"{entry!r}: {name} is named twice")
        found[group, kind] = path
    if len(found) > PATHS_MAX:
        raise ValueError(f"more than {PATHS_MAX} kinds")
    return found


def text_at(manifest: Manifest, path: str) -> str:
    """The text there; empty when there is none, or something else."""
    found: Any = manifest
    for step in _steps(path):
        if isinstance(step, str):
            found = found.get(step) if isinstance(found, Mapping) else None
        else:
            found = found[step] if isinstance(found, list) and step < len(found) else None
    return found if isinstance(found, str) else ""


def _steps(path: str) -> tuple[str | int, ...]:
    return tuple(field or int(index) for field, index in _STEP.findall(path))
