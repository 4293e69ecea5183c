"""The strategy of an environment: the `promotion` of a Pipeline, or of one environment.

What cannot be understood is refused as a whole: to guess how many people must approve, or with
whose token, would be worse than not to promote.
"""

from dataclasses import dataclass
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import KIND_BY_NAME
from countersign.contracts.messages import AutoMerge, CredentialMode, Destination, SecretRef
from countersign.dialects.kind import Kind
from countersign.dialects.kinds import KINDS
from countersign.dialects.pages import repository_page
from countersign.kube.objects import Manifest, integer, mapping, text
from countersign.kube.pipelines.versions import is_range
from countersign.kube.refusals import ClusterRefusal

_ALSO_CALLED: Final = {"bitbucket": "bitbucket-cloud"}
# More people than that never look at one change; the number is shown and counted everywhere.
APPROVALS_MAX: Final = 20
_MODES: Final = {
    "delegated": CredentialMode.DELEGATED,
    "stored": CredentialMode.STORED,
    "app": CredentialMode.APP,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequests:
    """The settings for promoting into an environment by pull request.

    `solo`: who asked for another attempt may approve it too, even as the only one.
    `reason_required`: whoever approves or rejects says why. `versions` is the range of versions
    that the environment takes; empty where it takes all.
    """

    destination: Destination
    mode: CredentialMode
    secret: SecretRef | None = None
    manual: bool = False
    approvals: int = 0
    solo: bool = False
    reason_required: bool = False
    versions: str = ""
    auto_merge: AutoMerge = AutoMerge.UNSPECIFIED


def read_strategy(promotion: Manifest, *, namespace: str) -> PullRequests:
    """Read the strategy of an environment.

    Raises:
        Rejected: `no_strategy`, with what a person should change.

    """
    strategy = mapping(promotion, "strategy")
    ask = mapping(strategy, "pull-request")
    if not ask:
        what = "only notifies" if "notification" in strategy else "has no promotion strategy"
        raise Rejected(
            ClusterRefusal.NO_STRATEGY,
            f"this environment {what}; add spec.promotion.strategy.pull-request",
        )
    kind, url, branch = (text(ask, field) for field in ("type", "url", "baseBranch"))
    kind = _ALSO_CALLED.get(kind, kind)
    if kind not in KIND_BY_NAME:
        known = ", ".join(sorted(KIND_BY_NAME))
        raise Rejected(
            ClusterRefusal.NO_STRATEGY, f"pull-request.type {kind!r} is not one of {known}"
        )
    if not branch:
        raise Rejected(
            ClusterRefusal.NO_STRATEGY, "pull-request.baseBranch is missing; name the branch"
        )
    path = _own(ask, "path")
    for field, value in (("baseBranch", branch), ("path", path)):
        # No honest name has them, and a person who consents cannot see them.
        if not value.isprintable():
            raise Rejected(
                ClusterRefusal.NO_STRATEGY,
                f"pull-request.{field} {value!r} has hidden characters; write it anew",
            )
    secret, row = text(ask, "secretRef", "name"), KINDS[KIND_BY_NAME[kind]]
    approvals = _approvals(promotion)
    return PullRequests(
        destination=destination(kind=kind, url=url, base_branch=branch, path=path),
        mode=_mode(_own(ask, "credential"), secret=secret, kind=row),
        secret=SecretRef(namespace=namespace, name=secret) if secret else None,
        # Who says how many must approve says that somebody must.
        manual=mapping(promotion).get("manual") is True or approvals > 0,
        approvals=approvals,
        solo=_flag(promotion, "soloMode"),
        reason_required=_flag(promotion, "reasonRequired"),
        versions=_versions(promotion),
        auto_merge=_auto_merge(promotion, kind=row),
    )


def destination(*, kind: str, url: str, base_branch: str, path: str = "") -> Destination:
    """Return where a pull request goes, by the kind's name and the repository's clone URL.

    Raises:
        Rejected: `bad_repository_url`.

    """
    forge_kind = KIND_BY_NAME[kind]
    origin, owner, repository = KINDS[forge_kind].addresses.place_of(url)
    found = Destination(
        kind=forge_kind,
        origin=origin,
        owner=owner,
        repository=repository,
        base_branch=base_branch,
        path=path.strip("/"),
    )
    return found.model_copy(update={"url": repository_page(found)})


def _own(ask: Manifest, field: str) -> str:
    """A field that the API server does not look at: to leave it out would promote otherwise."""
    if ask.get(field) is not None and not isinstance(ask[field], str):
        raise Rejected(
            ClusterRefusal.NO_STRATEGY, f"pull-request.{field} is not a text; mend or remove it"
        )
    return text(ask, field)


def _approvals(promotion: Manifest) -> int:
    if mapping(promotion).get("approvals") is None:
        return 0
    approvals = integer(promotion, "approvals")
    if approvals is None or not 1 <= approvals <= APPROVALS_MAX:
        raise Rejected(
            ClusterRefusal.NO_STRATEGY,
            f"promotion.approvals is not a number from 1 to {APPROVALS_MAX}; say how many people "
            "must approve, or leave it out",
        )
    return approvals


def _flag(promotion: Manifest, field: str) -> bool:
    flag = mapping(promotion).get(field)
    if flag is not None and not isinstance(flag, bool):
        raise Rejected(
            ClusterRefusal.NO_STRATEGY, f"promotion.{field} is neither true nor false; choose one"
        )
    return flag is True


def _auto_merge(promotion: Manifest, *, kind: Kind) -> AutoMerge:
    """Read the Pipeline's word; to say nothing leaves it to the forge list."""
    wanted = _flag(promotion, "autoMerge")
    if wanted and not kind.capabilities.auto_merges:
        raise Rejected(
            ClusterRefusal.NO_STRATEGY,
            f"promotion.autoMerge is true, but {kind.title} merges nothing by itself that surely "
            "waits for a check; take it out",
        )
    if mapping(promotion).get("autoMerge") is None:
        return AutoMerge.UNSPECIFIED
    return AutoMerge.WANTED if wanted else AutoMerge.UNWANTED


def _versions(promotion: Manifest) -> str:
    written = mapping(promotion).get("semver")
    if written is None:
        return ""
    if not isinstance(written, str) or not is_range(written):
        raise Rejected(
            ClusterRefusal.NO_STRATEGY,
            "promotion.semver is not a range of versions; write one as in '>=1.0.0 <2.0.0', "
            "or '*' for all but pre-releases",
        )
    return written


def _mode(word: str, *, secret: str, kind: Kind) -> CredentialMode:
    """The field decides; without it a named Secret means what it meant before: use it."""
    if not word:
        return CredentialMode.STORED if secret else CredentialMode.DELEGATED
    if word not in _MODES:
        known = ", ".join(_MODES)
        raise Rejected(
            ClusterRefusal.NO_STRATEGY, f"pull-request.credential {word!r} is not one of {known}"
        )
    if word == "stored" and not secret:
        raise Rejected(
            ClusterRefusal.NO_STRATEGY,
            "pull-request.credential is stored, but secretRef is missing",
        )
    mode = _MODES[word]
    if mode is CredentialMode.APP and not kind.capabilities.app_tokens:
        raise Rejected(
            ClusterRefusal.NO_STRATEGY,
            f"pull-request.credential is app, but {kind.title} has no tokens of applications; "
            "choose delegated or stored",
        )
    return mode
