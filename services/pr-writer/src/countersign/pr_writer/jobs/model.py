"""Jobs: what is to be done at a forge, decided from a promotion's life. Pure."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.identity import consent_digest, head_branch
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalGranted,
    CredentialMode,
    ForgeUser,
    Person,
    PromotionRequested,
    PromotionRetried,
)
from countersign.contracts.promotion import Approval, Promotion, State
from countersign.contracts.revision import parse_revision
from countersign.pr_writer.jobs.outcomes import Known
from countersign.pr_writer.jobs.refusals import JobRefusal

# The vault lets the same job redeem three times.
DELEGATED_TRIES_MAX: Final = 3
STORED_TRIES_MAX: Final = 5
PREVIOUS_MAX: Final = 5


class ClusterAddress(BaseModel):
    """The API server that Secrets are read from, and the folder with the account to do it as."""

    model_config = ConfigDict(frozen=True)

    url: str
    account_dir: str


class SecretSource(BaseModel):
    """The source of Secrets: the cluster, or else a folder."""

    model_config = ConfigDict(frozen=True)

    cluster: ClusterAddress | None = None
    folder: str = ""


class Access(BaseModel):
    """The way to the forge: with which kind of credential, and where a stored one is."""

    model_config = ConfigDict(frozen=True)

    mode: CredentialMode
    forge: Forge
    secrets: SecretSource = SecretSource()


class Consent(BaseModel):
    """Somebody's consent, and where the delegation that came with it can be redeemed."""

    model_config = ConfigDict(frozen=True)

    digest: str
    approval_id: str = ""
    approver: Person | None = None
    delegate: ForgeUser | None = None
    replica: str = ""
    # Ids of all who delegated for this promotion: an earlier one may have committed.
    delegates: tuple[str, ...] = ()


class _Job(BaseModel):
    """One try, as it goes to an executor. It holds no secret."""

    model_config = ConfigDict(frozen=True)

    request: PromotionRequested
    attempt: int
    tries: int = 1
    access: Access

    @property
    def branch(self) -> str:
        prefix = self.access.forge.pull_requests.branch_prefix
        return head_branch(self.request, attempt=self.attempt, prefix=prefix)

    @property
    def merges_itself(self) -> bool:
        return self.access.forge.pull_requests.merges_itself(self.request.auto_merge)

    @property
    def revision(self) -> str:
        return self.request.content.revision.recorded

    @property
    def name(self) -> str:
        """Names the attempt, not the try."""
        return f"{self.request.promotion.promotion_id}.{self.attempt}"

    def to_json(self) -> bytes:
        return self.model_dump_json(by_alias=True).encode()


class OpenJob(_Job):
    """Open a pull request, or find the one that an earlier try opened."""

    kind: Literal["open"] = "open"
    consent: Consent
    # Numbers of older pull requests of the same pipeline and environment.
    previous: tuple[int, ...] = ()
    known: Known = Known()
    # What an earlier try sent may take so long; what it did is found, and nothing new is opened.
    opens_in_s: float = 0.0
    # Branches of the lane whose pull request may have opened with nobody left who could look.
    uncertain: tuple[str, ...] = ()


class LookJob(_Job):
    """Say what the forge shows of a promotion, and close what is open if it is over."""

    kind: Literal["look"] = "look"
    # Of pull requests of which the stream tells.
    numbers: tuple[int, ...] = ()
    closes: bool = False
    reason: str = ""
    # Said at what is open, and left open.
    warning: str = ""


class FollowJob(_Job):
    """Ask what became of a pull request since the version that was seen last."""

    kind: Literal["follow"] = "follow"
    number: int
    since: str = ""


Job = OpenJob | LookJob | FollowJob
JOBS: Final[TypeAdapter[Job]] = TypeAdapter(Annotated[Job, Field(discriminator="kind")])


def refuse_unconsented(job: Job) -> None:
    """Look, before there is a token, whether the job is what was consented to.

    The digest covers what was recorded; the parts that markers get must follow from that.

    Raises:
        Rejected: `consent_mismatch`.

    """
    request = job.request
    content, origin = request.content, request.destination.origin
    revision = content.revision
    sound = not isinstance(job, OpenJob) or (
        consent_digest(request, merges_itself=job.merges_itself) == job.consent.digest
        and revision == parse_revision(revision.recorded, digest=revision.digest, tag=revision.tag)
        and revision.digest in f"{content.identity} {revision.recorded}"
    )
    if not sound or job.access.forge.origin != origin:
        raise Rejected(
            JobRefusal.CONSENT_MISMATCH,
            "what was consented to is not what was asked for; ask again",
        )


def tries_max(mode: CredentialMode) -> int:
    return DELEGATED_TRIES_MAX if mode is CredentialMode.DELEGATED else STORED_TRIES_MAX


def mode_to_open(promotion: Promotion, event: Message) -> CredentialMode | None:
    """Return the credential by which this event asks for a pull request; none if it does not.

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


def opening(promotion: Promotion, *, access: Access, approval: Approval | None) -> OpenJob:
    """Make the job of opening a promotion's pull request."""
    merges_itself = access.forge.pull_requests.merges_itself(promotion.request.auto_merge)
    consent = Consent(digest=consent_digest(promotion.request, merges_itself=merges_itself))
    if approval is not None:
        consent = Consent(
            digest=approval.consent_digest,
            approval_id=approval.approval_id,
            approver=approval.by,
            delegate=approval.forge_user,
            replica=approval.replica,
        )
    return OpenJob(
        request=promotion.request, attempt=promotion.attempt, access=access, consent=consent
    )


def may_use_stored(mode: CredentialMode) -> bool:
    """Return whether more may be done at the forge afterwards, with nobody asked."""
    return mode in {CredentialMode.STORED, CredentialMode.APP}
