"""The lines with which somebody looks at an object in a terminal. Pure."""

import shlex

from countersign.contracts.messages import ObjectRef
from countersign.kube.objects import group_of

_FLUX = ".toolkit.fluxcd.io"


def look_lines(app: ObjectRef, *, namespace: str) -> tuple[str, ...]:
    """Return what shows an application's object; Flux's own tool only knows its own kinds.

    Which context leads to a cluster is known to the reader alone, so no line names one.
    """
    group, kind = group_of(app.api_version), app.kind.lower()
    resource = f"{kind}.{group}" if group else kind
    parts = ["kubectl", "-n", namespace, "describe", f"{resource}/{app.name}"]
    lines = [shlex.join(parts)]
    if group.endswith(_FLUX):
        lines.append(shlex.join(["flux", "-n", namespace, "get", f"{kind}s", app.name]))
    return tuple(lines)
