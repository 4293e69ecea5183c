"""Of what is known, what one has to have rights for: for all of it, or for one pipeline. Pure."""

import re
from typing import Final

from countersign.gateway.interfaces import Wanted
from countersign.gateway.model import GateKey, PipelineKey
from countersign.gateway.projection import Projection

# As namespaces are named: nobody is asked about what cannot be one.
_NAMESPACE: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def wanted_everywhere(projection: Projection) -> Wanted:
    """For pages that show all that one may see."""
    gates, asking = [], []
    for track in projection.tracks():
        for gate in track.gates:
            key = GateKey(track.key, gate.environment)
            gates.append(key)
            if gate.needs_right:
                asking.append(key)
    named = {key.namespace for key in projection.pipelines}
    named |= {key.namespace for key in projection.credentials}
    named |= {gate.pipeline.namespace for gate in projection.gates}
    return Wanted(namespaces=frozenset(named), gates=tuple(gates), asking=tuple(asking))


def wanted_at(projection: Projection, key: PipelineKey, *, environment: str = "") -> Wanted:
    """For a page of one pipeline, which need not exist; an environment need not be of it still."""
    if not _NAMESPACE.fullmatch(key.namespace):
        return Wanted(namespaces=frozenset())
    track = projection.track(key)
    names = dict.fromkeys(g.environment for g in track.gates) if track else {}
    gates = tuple(
        GateKey(key, name) for name in ({**names, environment: None} if environment else names)
    )
    return Wanted(namespaces=frozenset({key.namespace}), gates=gates, asking=gates)
