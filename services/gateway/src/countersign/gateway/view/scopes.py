"""The objects that a page needs rights for: everything that is known, or one pipeline. Pure."""

import re
from typing import Final

from countersign.gateway.interfaces import Scope
from countersign.gateway.model import GateKey, PipelineKey
from countersign.gateway.view.projection import Position, Projection

# Who was refused looks at that page again as soon as the right was given.
SOON_S: Final = 3.0
# As namespaces are named: nobody is asked about what cannot be one.
_NAMESPACE: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class WholeScope:
    """The scope of everything known, worked out once for each position of the projection."""

    def __init__(self) -> None:
        self._position: Position | None = None
        self._scope = Scope(namespaces=frozenset())

    def scope(self, projection: Projection) -> Scope:
        """Return the scope of pages that show all that one may see."""
        if self._position != projection.position:
            self._scope = _whole(projection)
            self._position = projection.position
        return self._scope


def _whole(projection: Projection) -> Scope:
    environments, asking = set(), []
    for track in projection.tracks():
        for gate in track.gates:
            environments.add((track.key.namespace, gate.environment))
            if gate.needs_right:
                asking.append(GateKey(track.key, gate.environment))
    # Of one that is gone there is still a history.
    pipelines = {*projection.pipelines, *(gate.pipeline for gate in projection.gates)}
    named = {key.namespace for key in (*pipelines, *projection.credentials)}
    return Scope(
        namespaces=frozenset(named),
        pipelines=tuple(sorted(pipelines)),
        environments=frozenset(environments),
        asking=tuple(asking),
    )


def scope_at(projection: Projection, key: PipelineKey, *, environment: str = "") -> Scope:
    """Return the scope of a page of one pipeline; it and its environment may be gone."""
    if not _NAMESPACE.fullmatch(key.namespace):
        return Scope(namespaces=frozenset())
    track = projection.track(key)
    names = [g.environment for g in track.gates] if track else []
    gates = tuple(GateKey(key, n) for n in dict.fromkeys([*names, environment]) if n)
    return Scope(
        namespaces=frozenset({key.namespace}),
        pipelines=(key,),
        environments=frozenset((key.namespace, g.environment) for g in gates),
        asking=gates,
        denial_s=SOON_S,
    )
