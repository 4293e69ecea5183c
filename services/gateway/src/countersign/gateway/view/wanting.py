"""Of what is known, what one has to have rights for: for all of it, or for one pipeline. Pure."""

import re
from typing import Final

from countersign.gateway.interfaces import Wanted
from countersign.gateway.model import GateKey, PipelineKey
from countersign.gateway.view.projection import Position, Projection

# Who was refused looks at that page again as soon as the right was given.
SOON_S: Final = 3.0
# As namespaces are named: nobody is asked about what cannot be one.
_NAMESPACE: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class Everything:
    """All that is known, gone through once for each state of it."""

    def __init__(self) -> None:
        self._position: Position | None = None
        self._wanted = Wanted(namespaces=frozenset())

    def wanted(self, projection: Projection) -> Wanted:
        """For pages that show all that one may see."""
        if self._position != projection.position:
            self._wanted = _wanted_everywhere(projection)
            self._position = projection.position
        return self._wanted


def _wanted_everywhere(projection: Projection) -> Wanted:
    environments, asking = set(), []
    for track in projection.tracks():
        for gate in track.gates:
            environments.add((track.key.namespace, gate.environment))
            if gate.needs_right:
                asking.append(GateKey(track.key, gate.environment))
    # Of one that is gone there is still a history.
    pipelines = {*projection.pipelines, *(gate.pipeline for gate in projection.gates)}
    named = {key.namespace for key in (*pipelines, *projection.credentials)}
    return Wanted(
        namespaces=frozenset(named),
        pipelines=tuple(sorted(pipelines)),
        environments=frozenset(environments),
        asking=tuple(asking),
    )


def wanted_at(projection: Projection, key: PipelineKey, *, environment: str = "") -> Wanted:
    """For a page of one pipeline, which need not exist; an environment need not be of it still."""
    if not _NAMESPACE.fullmatch(key.namespace):
        return Wanted(namespaces=frozenset())
    track = projection.track(key)
    names = [g.environment for g in track.gates] if track else []
    gates = tuple(GateKey(key, n) for n in dict.fromkeys([*names, environment]) if n)
    return Wanted(
        namespaces=frozenset({key.namespace}),
        pipelines=(key,),
        environments=frozenset((key.namespace, g.environment) for g in gates),
        asking=gates,
        denial_s=SOON_S,
    )
