"""Says to a person what stands between two environments; one sentence for each reason."""

from collections.abc import Mapping
from typing import Final

from countersign.contracts.messages import GateReason
from countersign.contracts.revision import short
from countersign.watcher.model import Judgement, Stage

SENTENCES: Final[Mapping[GateReason, str]] = {
    GateReason.SAME_CONTENT: "{above} runs {running}, as {below} does",
    GateReason.READY: "{wanted} is ready for {above}",
    GateReason.UNDER_WAY: "{wanted} is on its way to {above}",
    GateReason.INVALID_PIPELINE: "the Pipeline has errors that must be fixed first",
    GateReason.NO_STRATEGY: "{detail}",
    GateReason.NO_TARGETS: "{above} has no targets; name a namespace",
    GateReason.NOT_REPRODUCIBLE: "{detail}",
    GateReason.OWN_REPOSITORY: (
        "this Kustomization is applied from the repository that a promotion would write to"
    ),
    GateReason.TARGETS_DISAGREE: "{hindered_by} runs different revisions in its targets{because}",
    GateReason.PROGRESSING: "{hindered_by} is progressing{because}",
    GateReason.UNHEALTHY: "{hindered_by} is not healthy{because}",
    GateReason.SUSPENDED: "{hindered_by} is suspended{because}",
    GateReason.UNKNOWN: "{hindered_by} cannot be read{because}",
    GateReason.MISSING: "{hindered_by} runs nothing{because}",
    GateReason.TRY_ENDED: (
        "the last attempt to promote {wanted} to {above} did not succeed: {detail}"
    ),
    GateReason.OPEN_FOR_LONG: (
        "the pull request with {wanted} for {above} has been open for a long time; if it was "
        "merged or closed, ask again or give up"
    ),
    GateReason.NOT_ARRIVED: (
        "{wanted} was merged for {above} but has not arrived; {above} runs {instead}. Ask "
        "again, or give up"
    ),
    GateReason.VERSION_NOT_TAKEN: (
        "{above} only takes versions {detail}, and {wanted} is not one of them"
    ),
    GateReason.TRIED_AND_FAILED: "{above} has already tried {wanted}, and it failed{because}",
}


def sentence_of(judgement: Judgement, *, below: Stage, above: Stage) -> str:
    wanted = judgement.wanted or below.content
    detail = judgement.detail
    # Names and what Flux says are values, never templates.
    return SENTENCES[judgement.reason].format(
        above=above.name,
        below=below.name,
        running=short(above.current),
        wanted=short(wanted.revision) if wanted else "",
        hindered_by=judgement.hindered_by,
        detail=detail,
        instead=short(judgement.running) or "nothing healthily",
        because=f": {detail}" if detail else "",
    )
