"""A pipeline as a track: its environments from left to right, a gate before each but the first."""

from collections.abc import Sequence

from countersign.contracts.messages import (
    EnvironmentObserved,
    Finding,
    FindingLevel,
    ObjectRef,
    PipelineObserved,
)
from countersign.contracts.revision import short
from countersign.gateway.gates.gates import revision_in
from countersign.gateway.gates.sentences import cause_of
from countersign.gateway.model import (
    EnvironmentView,
    GateView,
    Moment,
    Part,
    PipelineKey,
    Sentence,
    TargetView,
    Track,
    When,
    condition_look,
)
from countersign.gateway.text import ages


def track_view(observed: PipelineObserved, gates: Sequence[GateView | None]) -> Track:
    environments = tuple(
        _environment(e, gate, observed.app)
        for e, gate in zip(observed.environments, gates, strict=True)
    )
    return Track(
        key=PipelineKey(observed.pipeline.namespace, observed.pipeline.name),
        app=observed.app,
        environments=environments,
        findings=observed.findings,
        manifest=observed.manifest,
        observed_at=observed.observed_at,
        search_text=_search_text(observed, environments),
        gates=tuple(gate for gate in gates if gate is not None),
        chips=frozenset(chip for gate in gates if gate is not None for chip in gate.chips),
    )


def broken_track(observed: PipelineObserved) -> Track:
    """A pipeline that cannot be shown, because of a bug of ours: its name, and that."""
    mistake = Finding(
        level=FindingLevel.ERROR,
        code="not_shown",
        message="Countersign cannot show this pipeline. This is our mistake; it has been logged.",
    )
    return Track(
        key=PipelineKey(observed.pipeline.namespace, observed.pipeline.name),
        app=observed.app,
        environments=(),
        findings=(mistake,),
        manifest=observed.manifest,
        observed_at=observed.observed_at,
        search_text=f"{observed.pipeline.namespace}/{observed.pipeline.name}".lower(),
        gates=(),
        chips=frozenset(),
    )


def _environment(
    observed: EnvironmentObserved, gate: GateView | None, app: ObjectRef
) -> EnvironmentView:
    targets = tuple(
        TargetView(
            cluster=t.cluster,
            namespace=t.namespace,
            look=condition_look(t.condition),
            message=t.message,
            revision=t.revision,
        )
        for t in observed.targets
    )
    return EnvironmentView(
        name=observed.name,
        look=condition_look(observed.condition),
        message=observed.message,
        cause=cause_of(observed.message, app)
        if any(t.message for t in targets)
        else observed.message,
        revision=revision_in(observed),
        since=observed.since,
        targets=targets,
        gate=gate,
    )


def _search_text(observed: PipelineObserved, environments: Sequence[EnvironmentView]) -> str:
    words = [
        f"{observed.pipeline.namespace}/{observed.pipeline.name}",
        observed.app.kind,
        observed.app.name,
    ]
    for e in environments:
        words += [e.name, short(e.revision), e.revision.recorded if e.revision else ""]
        if e.gate is not None:
            words += [plain(e.gate.sentence), short(e.gate.revision), e.gate.look.word]
    return "\n".join(words).lower()


def plain(sentence: Sentence) -> str:
    """A sentence as text; moments are left to whoever knows the time."""
    return "".join(_plain(part) for part in sentence).strip()


def _plain(part: Part) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, When):
        return ""
    return ages.clock(part.at) if isinstance(part, Moment) else part.text
