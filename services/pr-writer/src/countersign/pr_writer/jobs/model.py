"""Jobs: what is to be done at a forge, decided from a promotion's life. Pure."""

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.identity import consent_digest, head_branch
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalGranted,
    CredentialMode,
    FailureReason,
    ForgeUser,
    OpeningStep,
    Person,
    PromotionRequested,
    PromotionRetried,
    PullRequestRef,
)
from countersign.contracts.promotion import Approval, Promotion, State
from countersign.contracts.revision import parse_revision

# The vault lets the same job redeem three times.
DELEGATED_TRIES_MAX: Final = 3
STORED_TRIES_MAX: Final = 5
PREVIOUS_MAX: Final = 5


class Known(BaseModel):
    """Memory of a repository.

    `markers` says by object id which markers a file, or all below a folder, holds; `files` are
    paths of files that held any.
    """

    model_config = ConfigDict(frozen=True)

    markers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)


class ClusterAddress(BaseModel):
    """Of the API server that Secrets are read from, and the folder with the account to do it as."""

    model_config = ConfigDict(frozen=True)

    url: str
    account_dir: str


class Job(BaseModel):
    """One try at one pull request, as it goes to an executor. It holds no secret."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    kind: Literal["open", "close", "follow"]
    request: PromotionRequested
    attempt: int
    tries: int = 1
    # An earlier executor of this very job is known to be dead.
    recover: bool = False
    mode: CredentialMode
    forge: Forge
    # Where Secrets are: in the cluster, or else in a folder.
    cluster: ClusterAddress | None = None
    secrets_dir: str = ""
    approval_id: str = ""
    approver: Person | None = None
    delegate: ForgeUser | None = None
    consent_digest: str = ""
    replica: str = ""
    # Numbers of older pull requests of the same pipeline and environment.
    previous: tuple[int, ...] = ()
    # For `close` and `follow`.
    pull_number: int = 0
    reason: str = ""
    etag: str = ""
    known: Known = Known()

    @property
    def branch(self) -> str:
        return head_branch(self.request, attempt=self.attempt)

    @property
    def revision(self) -> str:
        return self.request.content.revision.recorded

    def to_json(self) -> bytes:
        return self.model_dump_json(by_alias=True).encode()


class Progress(BaseModel):
    """A report of an executor on its way."""

    model_config = ConfigDict(frozen=True)

    step: OpeningStep | None = None
    # Name, host, status, and start and end in nanoseconds since 1970, of one call to the forge.
    call: tuple[str, str, int, int, int] | None = None
    # The forge took the token (and whose it is), or answered 401.
    user: ForgeUser | None = None
    refused: bool = False
    # A key to seal the delegation to.
    public_key: str = ""


class Outcome(BaseModel):
    """The end of a job. `retryable` failures may be tried again after `after_s` seconds."""

    model_config = ConfigDict(frozen=True)

    failure: FailureReason = FailureReason.UNSPECIFIED
    message: str = ""
    step: OpeningStep = OpeningStep.UNSPECIFIED
    retryable: bool = False
    after_s: float | None = None
    found: bool = False
    pull_request: PullRequestRef | None = None
    author: ForgeUser | None = None
    files: tuple[str, ...] = ()
    closed: tuple[int, ...] = ()
    learned: Known = Known()
    # For `follow`: `open`, `merged`, `closed`, or empty when nothing changed.
    state: str = ""
    by: ForgeUser | None = None
    merge_commit: str = ""
    summary: str = ""
    etag: str = ""

    @property
    def failed(self) -> bool:
        return self.failure is not FailureReason.UNSPECIFIED


def refuse_unconsented(job: Job) -> None:
    """Look, before there is a token, whether the job is what was consented to.

    The digest covers what was recorded; the parts that markers get must follow from that.

    Raises:
        Rejected: `consent_mismatch`.

    """
    request = job.request
    content, origin = request.content, request.destination.origin
    revision = content.revision
    sound = job.kind != "open" or (
        consent_digest(request) == job.consent_digest
        and revision == parse_revision(revision.recorded, digest=revision.digest)
        and revision.digest in f"{content.identity} {revision.recorded}"
    )
    if not sound or job.forge.origin != origin:
        raise Rejected(
            "consent_mismatch", "what was consented to is not what was asked for; ask again"
        )


def failure_of(reason: str) -> FailureReason:
    """The contract's word for one of our errors."""
    return _FAILURES.get(reason, FailureReason.INTERNAL)


_FAILURES: Final[Mapping[str, FailureReason]] = {
    **{r.name.lower(): r for r in FailureReason if r is not FailureReason.UNSPECIFIED},
    "in_flight": FailureReason.CONFLICT,
    "pull_exists": FailureReason.CONFLICT,
    "not_supported": FailureReason.NOT_PROMOTABLE,
    "refused": FailureReason.CONFLICT,
    "no_responder": FailureReason.DELEGATION_EXPIRED,
    "timeout": FailureReason.DELEGATION_EXPIRED,
    "bus_unavailable": FailureReason.DELEGATION_EXPIRED,
    "cluster_unavailable": FailureReason.DELEGATION_EXPIRED,
    "repository_empty": FailureReason.NOT_FOUND,
}


def tries_max(mode: CredentialMode) -> int:
    return DELEGATED_TRIES_MAX if mode is CredentialMode.DELEGATED else STORED_TRIES_MAX


def mode_to_open(promotion: Promotion, event: Message) -> CredentialMode | None:
    """With which credential this event asks for a pull request now; none if it does not.

    The state decides, not the event alone: an event that comes again, or late, asks for nothing.
    """
    if promotion.state is not State.OPENING:
        return None
    mode = promotion.request.mode
    if isinstance(event, ApprovalGranted):
        granted = any(a.approval_id == event.approval_id for a in promotion.granted)
        return event.mode if granted and event.promotion.attempt == promotion.attempt else None
    if promotion.needs_consent:
        return None
    if isinstance(event, PromotionRetried):
        return mode if event.promotion.attempt == promotion.attempt else None
    return mode if isinstance(event, PromotionRequested) else None


def opening(
    promotion: Promotion, *, mode: CredentialMode, approval: Approval | None, forge: Forge
) -> Job:
    """The job of opening a promotion's pull request."""
    digest = consent_digest(promotion.request)
    return Job(
        kind="open",
        request=promotion.request,
        attempt=promotion.attempt,
        mode=mode,
        forge=forge,
        approval_id=approval.approval_id if approval else "",
        approver=approval.by if approval else None,
        delegate=approval.forge_user if approval else None,
        consent_digest=approval.consent_digest if approval else digest,
        replica=approval.replica if approval else "",
    )


def may_use_stored(mode: CredentialMode) -> bool:
    """Return whether more may be done at the forge afterwards, with nobody asked."""
    return mode in {CredentialMode.STORED, CredentialMode.APP}


def afterwards(
    promotion: Promotion,
    *,
    kind: Literal["close", "follow"],
    pull: PullRequestRef,
    mode: CredentialMode,
    forge: Forge,
) -> Job:
    """A job about a pull request that is there."""
    return Job(
        kind=kind,
        request=promotion.request,
        attempt=promotion.attempt,
        mode=mode,
        forge=forge,
        pull_number=pull.number,
        reason=promotion.reason,
    )
