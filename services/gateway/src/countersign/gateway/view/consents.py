"""The token that a consent sheet offers, and its warnings and refusals. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import PromotionRequested
from countersign.dialects.capabilities import Reach, Revoker
from countersign.dialects.kinds import KINDS
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


@dataclass(frozen=True, kw_only=True)
class Delegation:
    """The token that a person would delegate."""

    reach: str
    end: str
    # Why nobody can delegate one; empty if it can be done.
    refusal: str = ""


def delegation_at(forge: Forge) -> Delegation | None:
    """Describe the token by what that kind of forge can do; none if the kind is not known."""
    kind = KINDS.get(forge.forge_kind)
    if kind is None:
        return None
    can = kind.capabilities
    revoked = can.revoked_by is not Revoker.NOBODY
    end = "revoked after use" if revoked else f"then forgotten: {forge.name} cannot revoke it"
    refusal = ""
    if kind.oauth is None or not kind.opens_pulls:
        refusal = f"Promoting as yourself does not work with {kind.title} yet."
    elif not forge.client_id:
        refusal = (
            f"Nobody can sign in at {forge.name} yet: the administrator needs to register an "
            "application there and add it to the forge list."
        )
    elif can.wants_acceptance and forge.broad_tokens != "accept":
        refusal = (
            f"Tokens of {forge.name} can do more than a promotion needs, and the administrator has "
            "not accepted that (`broadTokens` on the forge list)."
        )
    return Delegation(
        reach=REACH_WORDS[can.reach].format(forge=forge.name), end=end, refusal=refusal
    )


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
