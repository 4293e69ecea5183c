"""The token that a consent sheet offers, and its warnings and refusals. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import (
    EnvironmentCondition,
    PipelineObserved,
    PromotionRequested,
)
from countersign.dialects.capabilities import Reach
from countersign.dialects.delegation.fitness import refuse_unaccepted
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.kinds import has_device_flow, kind_of
from countersign.gateway.gates.hindrances import is_blocked
from countersign.gateway.text.lettering import alike, hidden

REACH_WORDS: Final = {
    Reach.ONE_REPOSITORY: (
        "A token of yours for this repository only, which can read and write code and pull requests"
    ),
    Reach.REPOSITORIES: (
        "A token of yours that can read and write code and pull requests in every repository that"
        " you can write to at {forge}, because it offers nothing narrower"
    ),
    Reach.EVERYTHING: (
        "A token of yours that can do everything you can do at {forge}, because it offers nothing"
        " narrower"
    ),
}
LABELLING_WORDS: Final = ". It can read issues there too, which it takes to set labels"

REFUSAL_WORDS: Final = {
    DelegationRefusal.NO_CLIENT: (
        "Nobody can sign in at {forge} yet: the administrator needs to register an application"
        " there and add it to the forge list."
    ),
    DelegationRefusal.TOO_STRONG: (
        "Tokens of {forge} can do more than a promotion needs, and the administrator has not"
        " accepted that (`broadTokens` on the forge list)."
    ),
}


@dataclass(frozen=True, kw_only=True)
class Delegation:
    """The token that a person would delegate."""

    reach: str
    end: str
    # Why nobody can delegate one; empty if it can be done.
    refusal: str = ""
    # Whether they may type a code at the forge instead of going there.
    by_code: bool = False


def delegation_at(forge: Forge) -> Delegation:
    """Describe the token by what that kind of forge can do and the administrator accepted."""
    can, refusal = kind_of(forge).capabilities, refusal_at(forge)
    return Delegation(
        reach=reach_at(forge),
        end="revoked after use"
        if can.revocable
        else f"then forgotten; it ends by itself, because {forge.name} cannot revoke it",
        refusal=REFUSAL_WORDS[refusal].format(forge=forge.name) if refusal else "",
        by_code=has_device_flow(forge),
    )


def reach_at(forge: Forge) -> str:
    """Say what a person's token could do, by what the administrator wants of pull requests."""
    can = kind_of(forge).capabilities
    reads_issues = can.labels_take_issues and forge.pull_requests.labels
    words = REACH_WORDS[can.reach] + (LABELLING_WORDS if reads_issues else "")
    return words.format(forge=forge.name)


def refusal_at(forge: Forge) -> DelegationRefusal | None:
    """Return the reason that approval would refuse to send anybody there; none if it would not."""
    row = kind_of(forge)
    if not forge.client_id:
        return DelegationRefusal.NO_CLIENT
    try:
        refuse_unaccepted(row.capabilities, forge)
    except Rejected:
        return DelegationRefusal.TOO_STRONG
    return None


def obstacle(observed: PipelineObserved | None, request: PromotionRequested) -> str:
    """Say what speaks against promoting it now: a person must confirm that they want to."""
    environments = observed.environments if observed else ()
    names = [e.name for e in environments]
    if request.promotion.environment not in names[1:]:
        return ""
    index = names.index(request.promotion.environment)
    below, here = environments[index - 1], environments[index]
    runs_it = below.content is not None and below.content.identity == request.content.identity
    if below.condition is not EnvironmentCondition.HEALTHY or not runs_it:
        return f"{below.name} does not run this healthily now."
    if is_blocked(here.gate, request.promotion.promotion_id):
        return f"The way into {here.name} is blocked."
    return ""


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """Something on the sheet that may not be what it looks like."""

    what: str
    characters: tuple[str, ...]


def deceptions(request: PromotionRequested) -> tuple[Doubt, ...]:
    """Find hidden characters where no honest name has them; such a promotion is not offered."""
    return _doubts(hidden, _places(request))


def doubts(request: PromotionRequested) -> tuple[Doubt, ...]:
    """Find what a person should look at twice: hidden characters, and letters that look alike."""
    names = _names(request)
    return _doubts(hidden, names) + _doubts(alike, {**_places(request), **names})


def _places(request: PromotionRequested) -> dict[str, str]:
    to = request.destination
    return {
        "The repository": f"{to.owner}/{to.repository}",
        "The branch": to.base_branch,
        "The path": to.path,
    }


def _names(request: PromotionRequested) -> dict[str, str]:
    ref, revision = request.promotion, request.content.revision
    return {
        "The name of the pipeline": f"{ref.pipeline.namespace}/{ref.pipeline.name}",
        "The name of the environment": ref.environment,
        "The revision": revision.recorded if revision else "",
    }


def _doubts(find: Callable[[str], tuple[str, ...]], texts: dict[str, str]) -> tuple[Doubt, ...]:
    found = ((what, find(text)) for what, text in texts.items())
    return tuple(Doubt(what=what, characters=c) for what, c in found if c)
