"""Generated from `proto/` by `make generate`. Do not edit."""

from typing import Annotated, Final

from pydantic import Field

from countersign.contracts.message import Bytes, Int32, Message, ProtoEnum, Timestamp
from countersign.contracts.metadata import EventInfo, MethodInfo, Scope


class ForgeKind(ProtoEnum):
    UNSPECIFIED = "FORGE_KIND_UNSPECIFIED"
    GITHUB = "FORGE_KIND_GITHUB"
    GITLAB = "FORGE_KIND_GITLAB"
    BITBUCKET_CLOUD = "FORGE_KIND_BITBUCKET_CLOUD"
    BITBUCKET_SERVER = "FORGE_KIND_BITBUCKET_SERVER"
    AZURE_DEVOPS = "FORGE_KIND_AZURE_DEVOPS"
    GITEA = "FORGE_KIND_GITEA"
    FORGEJO = "FORGE_KIND_FORGEJO"


class CredentialMode(ProtoEnum):
    """The token that a pull request is opened with. There is no falling back from one to another."""

    UNSPECIFIED = "CREDENTIAL_MODE_UNSPECIFIED"
    DELEGATED = "CREDENTIAL_MODE_DELEGATED"
    STORED = "CREDENTIAL_MODE_STORED"
    APP = "CREDENTIAL_MODE_APP"


class Caution(ProtoEnum):
    """Why a person must look at a promotion first, whatever the Pipeline says."""

    UNSPECIFIED = "CAUTION_UNSPECIFIED"
    DOWNGRADE = "CAUTION_DOWNGRADE"
    FOREIGN_CONTENT = "CAUTION_FOREIGN_CONTENT"
    HINDERED = "CAUTION_HINDERED"


class AutoMerge(ProtoEnum):
    """The Pipeline's word on whether its forge merges a pull request by itself once its checks pass."""

    UNSPECIFIED = "AUTO_MERGE_UNSPECIFIED"
    WANTED = "AUTO_MERGE_WANTED"
    UNWANTED = "AUTO_MERGE_UNWANTED"


class ChangeKind(ProtoEnum):
    """The kind of a change, as changelogs sort them."""

    UNSPECIFIED = "CHANGE_KIND_UNSPECIFIED"
    ADDED = "CHANGE_KIND_ADDED"
    CHANGED = "CHANGE_KIND_CHANGED"
    DEPRECATED = "CHANGE_KIND_DEPRECATED"
    REMOVED = "CHANGE_KIND_REMOVED"
    FIXED = "CHANGE_KIND_FIXED"
    SECURITY = "CHANGE_KIND_SECURITY"


class EnvironmentCondition(ProtoEnum):
    UNSPECIFIED = "ENVIRONMENT_CONDITION_UNSPECIFIED"
    HEALTHY = "ENVIRONMENT_CONDITION_HEALTHY"
    PROGRESSING = "ENVIRONMENT_CONDITION_PROGRESSING"
    FAILED = "ENVIRONMENT_CONDITION_FAILED"
    SUSPENDED = "ENVIRONMENT_CONDITION_SUSPENDED"
    UNKNOWN = "ENVIRONMENT_CONDITION_UNKNOWN"
    MISSING = "ENVIRONMENT_CONDITION_MISSING"


class GateReason(ProtoEnum):
    UNSPECIFIED = "GATE_REASON_UNSPECIFIED"
    SAME_CONTENT = "GATE_REASON_SAME_CONTENT"
    READY = "GATE_REASON_READY"
    UNDER_WAY = "GATE_REASON_UNDER_WAY"
    INVALID_PIPELINE = "GATE_REASON_INVALID_PIPELINE"
    NO_STRATEGY = "GATE_REASON_NO_STRATEGY"
    NO_TARGETS = "GATE_REASON_NO_TARGETS"
    NOT_REPRODUCIBLE = "GATE_REASON_NOT_REPRODUCIBLE"
    OWN_REPOSITORY = "GATE_REASON_OWN_REPOSITORY"
    TARGETS_DISAGREE = "GATE_REASON_TARGETS_DISAGREE"
    PROGRESSING = "GATE_REASON_PROGRESSING"
    UNHEALTHY = "GATE_REASON_UNHEALTHY"
    SUSPENDED = "GATE_REASON_SUSPENDED"
    UNKNOWN = "GATE_REASON_UNKNOWN"
    MISSING = "GATE_REASON_MISSING"
    TRIED_AND_FAILED = "GATE_REASON_TRIED_AND_FAILED"
    TRY_ENDED = "GATE_REASON_TRY_ENDED"
    OPEN_FOR_LONG = "GATE_REASON_OPEN_FOR_LONG"
    NOT_ARRIVED = "GATE_REASON_NOT_ARRIVED"
    VERSION_NOT_TAKEN = "GATE_REASON_VERSION_NOT_TAKEN"


class GateState(ProtoEnum):
    UNSPECIFIED = "GATE_STATE_UNSPECIFIED"
    LEVEL = "GATE_STATE_LEVEL"
    BLOCKED = "GATE_STATE_BLOCKED"
    NOT_PROMOTABLE = "GATE_STATE_NOT_PROMOTABLE"
    PENDING = "GATE_STATE_PENDING"


class FindingLevel(ProtoEnum):
    UNSPECIFIED = "FINDING_LEVEL_UNSPECIFIED"
    INFO = "FINDING_LEVEL_INFO"
    WARNING = "FINDING_LEVEL_WARNING"
    ERROR = "FINDING_LEVEL_ERROR"


class TokenUseOutcome(ProtoEnum):
    UNSPECIFIED = "TOKEN_USE_OUTCOME_UNSPECIFIED"
    ACCEPTED = "TOKEN_USE_OUTCOME_ACCEPTED"
    REFUSED = "TOKEN_USE_OUTCOME_REFUSED"
    FORBIDDEN = "TOKEN_USE_OUTCOME_FORBIDDEN"


class TokenChangeKind(ProtoEnum):
    UNSPECIFIED = "TOKEN_CHANGE_KIND_UNSPECIFIED"
    FIRST_CHECKED = "TOKEN_CHANGE_KIND_FIRST_CHECKED"
    VALIDITY = "TOKEN_CHANGE_KIND_VALIDITY"
    REPLACED = "TOKEN_CHANGE_KIND_REPLACED"
    SCOPES = "TOKEN_CHANGE_KIND_SCOPES"
    OWNER = "TOKEN_CHANGE_KIND_OWNER"
    EXPIRY = "TOKEN_CHANGE_KIND_EXPIRY"


class TokenOwnerKind(ProtoEnum):
    UNSPECIFIED = "TOKEN_OWNER_KIND_UNSPECIFIED"
    PERSON = "TOKEN_OWNER_KIND_PERSON"
    BOT = "TOKEN_OWNER_KIND_BOT"


class TokenOwnerStanding(ProtoEnum):
    UNSPECIFIED = "TOKEN_OWNER_STANDING_UNSPECIFIED"
    ACTIVE = "TOKEN_OWNER_STANDING_ACTIVE"
    DEACTIVATED = "TOKEN_OWNER_STANDING_DEACTIVATED"
    NOT_A_MEMBER = "TOKEN_OWNER_STANDING_NOT_A_MEMBER"


class TokenReason(ProtoEnum):
    UNSPECIFIED = "TOKEN_REASON_UNSPECIFIED"
    REFUSED = "TOKEN_REASON_REFUSED"
    NO_TOKEN = "TOKEN_REASON_NO_TOKEN"
    NOT_SENT = "TOKEN_REASON_NOT_SENT"
    NOT_INSPECTED = "TOKEN_REASON_NOT_INSPECTED"
    LIMITED = "TOKEN_REASON_LIMITED"
    FORBIDDEN = "TOKEN_REASON_FORBIDDEN"
    SIGN_ON_WANTED = "TOKEN_REASON_SIGN_ON_WANTED"
    NOT_THE_FORGE = "TOKEN_REASON_NOT_THE_FORGE"
    NOT_UNDERSTOOD = "TOKEN_REASON_NOT_UNDERSTOOD"
    UNAVAILABLE = "TOKEN_REASON_UNAVAILABLE"
    SECRET_MISSING = "TOKEN_REASON_SECRET_MISSING"
    SECRET_FORBIDDEN = "TOKEN_REASON_SECRET_FORBIDDEN"
    NOT_NAMED = "TOKEN_REASON_NOT_NAMED"
    OWNER_DEACTIVATED = "TOKEN_REASON_OWNER_DEACTIVATED"


class TokenRisk(ProtoEnum):
    UNSPECIFIED = "TOKEN_RISK_UNSPECIFIED"
    LOW = "TOKEN_RISK_LOW"
    MEDIUM = "TOKEN_RISK_MEDIUM"
    HIGH = "TOKEN_RISK_HIGH"


class TokenKind(ProtoEnum):
    UNSPECIFIED = "TOKEN_KIND_UNSPECIFIED"
    CLASSIC = "TOKEN_KIND_CLASSIC"
    FINE_GRAINED = "TOKEN_KIND_FINE_GRAINED"
    OAUTH_APP = "TOKEN_KIND_OAUTH_APP"
    APP_USER = "TOKEN_KIND_APP_USER"
    APP_INSTALLATION = "TOKEN_KIND_APP_INSTALLATION"
    OTHER = "TOKEN_KIND_OTHER"
    PERSONAL = "TOKEN_KIND_PERSONAL"
    REPOSITORY = "TOKEN_KIND_REPOSITORY"
    GROUP = "TOKEN_KIND_GROUP"


class TokenValidity(ProtoEnum):
    UNSPECIFIED = "TOKEN_VALIDITY_UNSPECIFIED"
    VALID = "TOKEN_VALIDITY_VALID"
    INVALID = "TOKEN_VALIDITY_INVALID"
    UNKNOWN = "TOKEN_VALIDITY_UNKNOWN"
    MISSING = "TOKEN_VALIDITY_MISSING"


class ExpiryCause(ProtoEnum):
    """Why an approval ended before anything came of it."""

    UNSPECIFIED = "EXPIRY_CAUSE_UNSPECIFIED"
    UNFINISHED = "EXPIRY_CAUSE_UNFINISHED"
    STARTED_AGAIN = "EXPIRY_CAUSE_STARTED_AGAIN"
    UNUSED = "EXPIRY_CAUSE_UNUSED"
    SIGNED_OUT = "EXPIRY_CAUSE_SIGNED_OUT"
    NOT_PERMITTED = "EXPIRY_CAUSE_NOT_PERMITTED"
    CANNOT_WRITE = "EXPIRY_CAUSE_CANNOT_WRITE"
    DENIED = "EXPIRY_CAUSE_DENIED"
    REFUSED = "EXPIRY_CAUSE_REFUSED"
    WITHDRAWN = "EXPIRY_CAUSE_WITHDRAWN"


class RevocationOutcome(ProtoEnum):
    UNSPECIFIED = "REVOCATION_OUTCOME_UNSPECIFIED"
    REVOKED = "REVOCATION_OUTCOME_REVOKED"
    FORGOTTEN = "REVOCATION_OUTCOME_FORGOTTEN"
    FAILED = "REVOCATION_OUTCOME_FAILED"


class OpeningStep(ProtoEnum):
    UNSPECIFIED = "OPENING_STEP_UNSPECIFIED"
    READING = "OPENING_STEP_READING"
    EDITING = "OPENING_STEP_EDITING"
    COMMITTING = "OPENING_STEP_COMMITTING"
    OPENING = "OPENING_STEP_OPENING"


class LabelsAnswer(ProtoEnum):
    UNSPECIFIED = "LABELS_ANSWER_UNSPECIFIED"
    GIVEN = "LABELS_ANSWER_GIVEN"
    FORBIDDEN = "LABELS_ANSWER_FORBIDDEN"
    MISSING = "LABELS_ANSWER_MISSING"
    REFUSED = "LABELS_ANSWER_REFUSED"


class AutoMergeAnswer(ProtoEnum):
    UNSPECIFIED = "AUTO_MERGE_ANSWER_UNSPECIFIED"
    ACCEPTED = "AUTO_MERGE_ANSWER_ACCEPTED"
    REFUSED = "AUTO_MERGE_ANSWER_REFUSED"


class FailureDetail(ProtoEnum):
    UNSPECIFIED = "FAILURE_DETAIL_UNSPECIFIED"
    BRANCH_MISSING = "FAILURE_DETAIL_BRANCH_MISSING"
    MARKER_UNUSABLE = "FAILURE_DETAIL_MARKER_UNUSABLE"
    FILE_TOO_LARGE = "FAILURE_DETAIL_FILE_TOO_LARGE"
    FOLDER_MISSING = "FAILURE_DETAIL_FOLDER_MISSING"
    SECRET_FORBIDDEN = "FAILURE_DETAIL_SECRET_FORBIDDEN"
    CLUSTER_UNAVAILABLE = "FAILURE_DETAIL_CLUSTER_UNAVAILABLE"


class FailureReason(ProtoEnum):
    UNSPECIFIED = "FAILURE_REASON_UNSPECIFIED"
    NO_MARKER = "FAILURE_REASON_NO_MARKER"
    ALREADY_THERE = "FAILURE_REASON_ALREADY_THERE"
    NOT_PROMOTABLE = "FAILURE_REASON_NOT_PROMOTABLE"
    BRANCH_TAKEN = "FAILURE_REASON_BRANCH_TAKEN"
    CONFLICT = "FAILURE_REASON_CONFLICT"
    FORBIDDEN = "FAILURE_REASON_FORBIDDEN"
    NOT_FOUND = "FAILURE_REASON_NOT_FOUND"
    RATE_LIMITED = "FAILURE_REASON_RATE_LIMITED"
    DELEGATION_EXPIRED = "FAILURE_REASON_DELEGATION_EXPIRED"
    FORGE_NOT_LISTED = "FAILURE_REASON_FORGE_NOT_LISTED"
    UNAUTHORIZED = "FAILURE_REASON_UNAUTHORIZED"
    FORGE_UNAVAILABLE = "FAILURE_REASON_FORGE_UNAVAILABLE"
    BAD_ANSWER = "FAILURE_REASON_BAD_ANSWER"
    CONSENT_MISMATCH = "FAILURE_REASON_CONSENT_MISMATCH"
    CREDENTIAL_MISSING = "FAILURE_REASON_CREDENTIAL_MISSING"
    REPOSITORY_NOT_ALLOWED = "FAILURE_REASON_REPOSITORY_NOT_ALLOWED"
    LIMIT_EXCEEDED = "FAILURE_REASON_LIMIT_EXCEEDED"
    INTERNAL = "FAILURE_REASON_INTERNAL"
    NOT_ALLOWED = "FAILURE_REASON_NOT_ALLOWED"
    REFUSED = "FAILURE_REASON_REFUSED"
    SIGN_ON_WANTED = "FAILURE_REASON_SIGN_ON_WANTED"
    NOT_HEALTHY = "FAILURE_REASON_NOT_HEALTHY"


class PipelineRef(Message):
    """The Kubernetes object `pipelines.weave.works/v1alpha1`."""

    namespace: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(min_length=1)]
    uid: Annotated[str, Field(min_length=1)]
    generation: Int32 = 0


class ObjectRef(Message):
    """An object in a cluster, as its manifest names it."""

    kind: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(min_length=1)]
    api_version: str = Field(alias="apiVersion", default="")
    namespace: str = ""


class Revision(Message):
    """The revision of what is deployed, as Flux prints it, and its parts."""

    recorded: Annotated[str, Field(min_length=1)]
    """Exactly what was recorded: `6.9.0`, `6.9.0+702cabdc4401`, `main@sha1:…`."""
    version: str = ""
    tag: str = ""
    commit: str = ""
    """Full commit id, hexadecimal."""
    digest: str = ""
    """OCI digest, `sha256:…`."""


class Destination(Message):
    """The place that a pull request goes to."""

    origin: Annotated[str, Field(min_length=1)]
    """Scheme, host and port, lower case: `https://github.com`."""
    owner: Annotated[str, Field(min_length=1)]
    repository: Annotated[str, Field(min_length=1)]
    base_branch: Annotated[str, Field(min_length=1)] = Field(alias="baseBranch")
    kind: ForgeKind = ForgeKind.UNSPECIFIED
    path: str = ""
    """Only files below this folder are looked at; empty means the whole repository."""
    url: str = ""
    """The repository's page, built from the parts above."""


class StatedChange(Message):
    """A change that an artifact tells of itself; whoever made it wrote that, nobody signs it."""

    description: Annotated[str, Field(min_length=1)]
    kind: ChangeKind = ChangeKind.UNSPECIFIED
    page: str = ""
    """The web page that says more."""


class SecretRef(Message):
    """A Secret that a Pipeline names."""

    namespace: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(min_length=1)]


class Person(Message):
    """Somebody who signed in at the gateway."""

    id: Annotated[str, Field(min_length=1)]
    name: str = ""
    groups: tuple[str, ...] = ()


class ForgeUser(Message):
    """An account at a forge. `id` never changes, `login` may."""

    id: Annotated[str, Field(min_length=1)]
    login: Annotated[str, Field(min_length=1)]


class PullRequestRef(Message):
    """A pull request at a forge. Links are built from these parts, never taken from an answer."""

    origin: Annotated[str, Field(min_length=1)]
    owner: Annotated[str, Field(min_length=1)]
    repository: Annotated[str, Field(min_length=1)]
    number: Annotated[Int32, Field(ge=1)]
    kind: ForgeKind = ForgeKind.UNSPECIFIED
    repository_id: str = Field(alias="repositoryId", default="")
    head_branch: str = Field(alias="headBranch", default="")
    head_commit: str = Field(alias="headCommit", default="")
    head_repository_id: str = Field(alias="headRepositoryId", default="")
    base_branch: str = Field(alias="baseBranch", default="")
    url: str = ""
    """Its page, built from the parts above."""


class DeadLetter(Message):
    """A message that could not be handled, kept for a person to look at."""

    stream: Annotated[str, Field(min_length=1)]
    consumer: Annotated[str, Field(min_length=1)]
    subject: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    """A stable word; behind `internal` also the type of the error."""
    sequence: Int32 = 0
    """Sequence in the stream it came from."""
    deliveries: Int32 = 0
    died_at: Timestamp | None = Field(alias="diedAt", default=None)
    body: Bytes = b""


class Problem(Message):
    """Why a request was not carried out. Absent means it was."""

    code: Annotated[str, Field(min_length=1)]
    """Stable, for instance `unknown_promotion`, `state_mismatch`, `token_too_strong`."""
    message: Annotated[str, Field(min_length=1)]
    """The failure, the object, and what to do, in words."""
    retry_after_s: Int32 = Field(alias="retryAfterS", default=0)
    """After so many seconds it may work; 0 where that is not known."""


class UserCode(Message):
    """A person types it at the forge. The session that began it alone is shown it."""

    code: Annotated[str, Field(min_length=1)]
    url: Annotated[str, Field(min_length=1)]
    """The page of the forge that takes it."""


class PollRequest(Message):
    replica: Annotated[str, Field(min_length=1)]
    approval_id: Annotated[str, Field(min_length=1)] = Field(alias="approvalId")
    session: Annotated[str, Field(min_length=1)]


class RedeemRequest(Message):
    replica: Annotated[str, Field(min_length=1)]
    approval_id: Annotated[str, Field(min_length=1)] = Field(alias="approvalId")
    promotion_id: Annotated[str, Field(min_length=1)] = Field(alias="promotionId")
    attempt: Annotated[Int32, Field(ge=1)]
    consent_digest: Annotated[str, Field(min_length=1)] = Field(alias="consentDigest")
    public_key: Annotated[Bytes, Field(min_length=1)] = Field(alias="publicKey")
    """X25519 public key made for this redemption, 32 bytes."""
    nonce: Annotated[Bytes, Field(min_length=1)]
    """Random, used once, 16 bytes."""
    signed_at: Timestamp = Field(alias="signedAt")
    reply: Annotated[str, Field(min_length=1)]
    """The subject that the answer is to go to; signed, so that nobody can steer it elsewhere."""
    signature: Annotated[Bytes, Field(min_length=1)]
    """Ed25519 by the pr-writer's nkey over the canonical bytes of all fields above."""


class RevokeResponse(Message):
    revoked: Int32 = 0


class PingRequest(Message):
    replica: Annotated[str, Field(min_length=1)]


class PingResponse(Message):
    replica: Annotated[str, Field(min_length=1)]


class SessionEnded(Message):
    """A person ended all sessions of theirs at the board."""

    person: Annotated[str, Field(min_length=1)]
    """A digest of the person's id, so that nothing here says who signs in."""
    ended_at: Timestamp = Field(alias="endedAt")
    """Sessions that began before are of no use any more."""


class Content(Message):
    """The unit of comparison and promotion. Two environments that run the same content need no promotion."""

    identity: Annotated[str, Field(min_length=1)]
    """HelmRelease: chart version and OCI digest. Kustomization: digest of the built manifests, or the commit where no digest is recorded."""
    revision: Revision


class PromotionRef(Message):
    """One try at a promotion, as every later event names it."""

    promotion_id: Annotated[str, Field(min_length=1)] = Field(alias="promotionId")
    pipeline: PipelineRef
    environment: Annotated[str, Field(min_length=1)]
    attempt: Int32 = 0
    """Counts from 1."""
    url: str = ""
    """Its page on the board; empty where the installation was not told the board's address."""
    revision: Revision | None = None
    """The revision that is promoted."""
    purl: str = ""
    """The package that is promoted, as a package URL (https://github.com/package-url/purl-spec): `pkg:helm/podinfo@6.9.0`; empty where that is not known."""


class CredentialUse(Message):
    secret: SecretRef
    environment: str = ""
    destination: Destination | None = None
    mode: CredentialMode = CredentialMode.UNSPECIFIED


class TargetObserved(Message):
    cluster: str = ""
    """Empty for the cluster the watcher runs in."""
    namespace: str = ""
    condition: EnvironmentCondition = EnvironmentCondition.UNSPECIFIED
    message: str = ""
    revision: Revision | None = None
    """The content that it last ran healthily, even if it no longer does."""
    code: str = ""
    """Why it cannot be read, by the code of the finding that says the same; empty where it can."""


class Gate(Message):
    """The gate between two environments: what stands in the way, or how far the promotion is."""

    state: GateState = GateState.UNSPECIFIED
    message: str = ""
    promotion_id: str = Field(alias="promotionId", default="")
    """The promotion that is current at this gate, if there is one."""
    manual: bool = False
    mode: CredentialMode = CredentialMode.UNSPECIFIED
    destination: Destination | None = None
    reason: GateReason = GateReason.UNSPECIFIED
    """Why the gate is in its state; `message` says the same to a person."""
    hindered_by: str = Field(alias="hinderedBy", default="")
    """The environment whose condition hinders, where one does: this one or the one before."""
    cause: str = ""
    """Flux's own words about it; a part of `message`."""
    cautions: tuple[Caution, ...] = ()
    """Those of the promotion that is current, or of what would be requested."""
    running: Revision | None = None
    """The content that the environment runs instead of what was merged, and since when; with NOT_ARRIVED."""
    running_since: Timestamp | None = Field(alias="runningSince", default=None)


class Finding(Message):
    code: Annotated[str, Field(min_length=1)]
    """Stable, for instance `duplicate_environment`."""
    message: Annotated[str, Field(min_length=1)]
    """The fault, the object, and what to do, in words."""
    level: FindingLevel = FindingLevel.UNSPECIFIED
    subject: ObjectRef | None = None
    """The object that it is about; absent for the Pipeline or the credential itself."""
    path: str = ""
    """Field of the object, `spec.environments[1].promotion`; empty where it is about the whole."""
    remedy: str = ""
    """The next step for a person, where `message` does not say so itself."""


class PipelineDeleted(Message):
    """The Pipeline is gone."""

    pipeline: PipelineRef
    deleted_at: Timestamp | None = Field(alias="deletedAt", default=None)


class TokenChange(Message):
    """One entry of the past of a credential."""

    at: Timestamp
    kind: TokenChangeKind = TokenChangeKind.UNSPECIFIED
    validity: TokenValidity = TokenValidity.UNSPECIFIED
    """As it was from then on."""
    why: TokenReason = TokenReason.UNSPECIFIED
    owner: ForgeUser | None = None


class BeginRequest(Message):
    promotion_id: Annotated[str, Field(min_length=1)] = Field(alias="promotionId")
    person: Person
    session: Annotated[str, Field(min_length=1)]
    """SHA-256 of the browser session's id; `Complete` must come with the same."""
    despite_blocked: bool = Field(alias="despiteBlocked", default=False)
    """The person confirmed that the gate is blocked, and wants it all the same."""
    reason: str = ""
    """Why; needed where the promotion says `reason_required`."""
    device: bool = False
    """Sign in by a code that is typed at the forge (RFC 8628), where its entry turns that on."""


class BeginResponse(Message):
    problem: Problem | None = None
    approval_id: str = Field(alias="approvalId", default="")
    replica: str = ""
    authorize_url: str = Field(alias="authorizeUrl", default="")
    """The address that the browser goes to next; empty when it was granted at once, or by a code."""
    expires_at: Timestamp | None = Field(alias="expiresAt", default=None)
    granted: bool = False
    user_code: UserCode | None = Field(alias="userCode", default=None)


class CompleteRequest(Message):
    replica: Annotated[str, Field(min_length=1)]
    state: Annotated[str, Field(min_length=1)]
    session: Annotated[str, Field(min_length=1)]
    person: Person
    code: str = ""
    """Exactly one of `code` and `error` comes from the forge."""
    error: str = ""
    iss: str = ""
    """RFC 9207; empty where the forge sends none."""
    forge: str = ""
    """Of the address that the browser came back to: `github` of `/oauth/callback/github`."""


class PollResponse(Message):
    problem: Problem | None = None
    granted: bool = False
    expires_at: Timestamp | None = Field(alias="expiresAt", default=None)
    user_code: UserCode | None = Field(alias="userCode", default=None)
    """Absent where the person signs in without one."""


class ApproveRequest(Message):
    promotion_id: Annotated[str, Field(min_length=1)] = Field(alias="promotionId")
    person: Person
    despite_blocked: bool = Field(alias="despiteBlocked", default=False)
    """As in `BeginRequest`."""
    reason: str = ""


class ApproveResponse(Message):
    problem: Problem | None = None
    approval_id: str = Field(alias="approvalId", default="")


class RejectRequest(Message):
    promotion_id: Annotated[str, Field(min_length=1)] = Field(alias="promotionId")
    person: Person
    reason: str = ""


class RejectResponse(Message):
    problem: Problem | None = None


class RetryRequest(Message):
    promotion_id: Annotated[str, Field(min_length=1)] = Field(alias="promotionId")
    person: Person


class RetryResponse(Message):
    problem: Problem | None = None
    attempt: Int32 = 0


class RedeemResponse(Message):
    problem: Problem | None = None
    sealed: Bytes = b""
    """HPKE (RFC 9180) encapsulated key and ciphertext."""
    forge_user: ForgeUser | None = Field(alias="forgeUser", default=None)
    expires_at: Timestamp | None = Field(alias="expiresAt", default=None)


class RevokeRequest(Message):
    person: Person
    session: str = ""
    """Only what this browser session delegated; empty means all of the person's."""
    promotion_id: str = Field(alias="promotionId", default="")
    """Only for this promotion; empty means for all."""
    delegations: bool = False
    """With `promotion_id`: what was delegated for it, too, not only sign-ins under way."""
    sessions_before: Timestamp | None = Field(alias="sessionsBefore", default=None)
    """Also the sessions of the person at every gateway that began before; absent: none."""


class CheckRequest(Message):
    credential: SecretRef
    person: Person
    """The person who asks."""


class CheckResponse(Message):
    problem: Problem | None = None
    asked_again_at: Timestamp | None = Field(alias="askedAgainAt", default=None)
    """The forge may not be asked before this; absent: it was asked."""


class EnvironmentObserved(Message):
    name: Annotated[str, Field(min_length=1)]
    condition: EnvironmentCondition = EnvironmentCondition.UNSPECIFIED
    message: str = ""
    """One sentence, for instance `HelmRelease podinfo: upgrade retries exhausted`."""
    content: Content | None = None
    """The content that all targets run healthily; absent while they do not agree."""
    since: Timestamp | None = None
    targets: tuple[TargetObserved, ...] = ()
    gate: Gate | None = None
    """Between the environment before and this one; absent for the first."""


class TokenUsed(Message):
    """We used a token at a forge. For a delegation the credential is `<namespace>/.delegated`."""

    credential: SecretRef
    mode: CredentialMode = CredentialMode.UNSPECIFIED
    origin: str = ""
    user: ForgeUser | None = None
    promotion: PromotionRef | None = None
    used_at: Timestamp | None = Field(alias="usedAt", default=None)
    outcome: TokenUseOutcome = TokenUseOutcome.UNSPECIFIED


class TokenChecked(Message):
    """A stored credential was checked."""

    credential: SecretRef
    origin: str = ""
    forge_kind: ForgeKind = Field(alias="forgeKind", default=ForgeKind.UNSPECIFIED)
    kind: TokenKind = TokenKind.UNSPECIFIED
    owner: ForgeUser | None = None
    validity: TokenValidity = TokenValidity.UNSPECIFIED
    reason: str = ""
    """Why it is not valid or not known, for a person."""
    scopes: tuple[str, ...] = ()
    expires_at: Timestamp | None = Field(alias="expiresAt", default=None)
    """Absent: does not expire, or the forge does not tell; `expiry_known` says which."""
    expiry_known: bool = Field(alias="expiryKnown", default=False)
    checked_at: Timestamp | None = Field(alias="checkedAt", default=None)
    next_check_at: Timestamp | None = Field(alias="nextCheckAt", default=None)
    last_used_by_us_at: Timestamp | None = Field(alias="lastUsedByUsAt", default=None)
    """The last use by Countersign; absent: none since its records begin."""
    last_used_for: PromotionRef | None = Field(alias="lastUsedFor", default=None)
    last_used_reported_at: Timestamp | None = Field(alias="lastUsedReportedAt", default=None)
    """The last use by anybody, as the forge says; most forges do not tell."""
    findings: tuple[Finding, ...] = ()
    uses: tuple[CredentialUse, ...] = ()
    why: TokenReason = TokenReason.UNSPECIFIED
    """Why it is not valid or not known, for programs; `reason` says it to people."""
    detail: str = ""
    """Further words of the forge or of the way to it, if there are any."""
    risk: TokenRisk = TokenRisk.UNSPECIFIED
    """The attention that it needs, by its findings."""
    owner_kind: TokenOwnerKind = Field(alias="ownerKind", default=TokenOwnerKind.UNSPECIFIED)
    owner_standing: TokenOwnerStanding = Field(
        alias="ownerStanding", default=TokenOwnerStanding.UNSPECIFIED
    )
    """The standing of the owner's account; most forges do not tell."""
    created_at: Timestamp | None = Field(alias="createdAt", default=None)
    """The time at which it was made; most forges do not tell."""
    written_at: Timestamp | None = Field(alias="writtenAt", default=None)
    """The time at which its Secret was last written: the token has not been renewed since."""
    shared_with: tuple[SecretRef, ...] = Field(alias="sharedWith", default=())
    """Other Secrets of this namespace that hold the same token. They are compared inside of the auditor; nothing by which a token could be guessed leaves it."""
    used_elsewhere_at: Timestamp | None = Field(alias="usedElsewhereAt", default=None)
    """The forge tells of a use at this time, and it was none of ours."""
    history: tuple[TokenChange, ...] = ()
    """Changes from one check to the next, oldest first; at most 50."""
    repositories: tuple[str, ...] = ()
    """The only repositories that it reaches, `owner/name`; empty where it reaches others or the forge does not tell."""
    shared_elsewhere: Int32 = Field(alias="sharedElsewhere", default=0)
    """The number of Secrets of other namespaces that hold the same token. Their names are not for who may read here."""


class ApprovalBegun(Message):
    """A person was sent to the forge to sign in."""

    promotion: PromotionRef
    approval_id: Annotated[str, Field(min_length=1)] = Field(alias="approvalId")
    by: Person
    replica: str = ""
    begun_at: Timestamp | None = Field(alias="begunAt", default=None)
    expires_at: Timestamp | None = Field(alias="expiresAt", default=None)
    device: bool = False
    """The person types a code at the forge, on this or another device."""


class ApprovalGranted(Message):
    """A person consented. With a delegation, `replica` holds it until `expires_at`."""

    promotion: PromotionRef
    approval_id: Annotated[str, Field(min_length=1)] = Field(alias="approvalId")
    by: Person
    consent_digest: Annotated[str, Field(min_length=1)] = Field(alias="consentDigest")
    """Lower-case hexadecimal SHA-256 of what was consented to."""
    mode: CredentialMode = CredentialMode.UNSPECIFIED
    forge_user: ForgeUser | None = Field(alias="forgeUser", default=None)
    """The account whose token it is; absent when nothing was delegated."""
    replica: str = ""
    granted_at: Timestamp | None = Field(alias="grantedAt", default=None)
    expires_at: Timestamp | None = Field(alias="expiresAt", default=None)
    narrowed: bool = False
    """The forge cut the token down to the one repository."""
    count: Int32 = 0
    """This is the n-th approval of as many as are needed."""
    needed: Int32 = 0
    notice: str = ""
    """Something odd about who used which account before; empty means nothing is."""
    despite_blocked: bool = Field(alias="despiteBlocked", default=False)
    """The person said so although the gate was blocked."""
    reason: str = ""
    """Why, as the person wrote it."""
    token_kind: TokenKind = Field(alias="tokenKind", default=TokenKind.UNSPECIFIED)
    """Of the delegated token."""
    scopes: tuple[str, ...] = ()
    """All that the token may do, as its forge calls it."""


class ApprovalRejected(Message):
    """A person refused, or gave up what was open or merged and did not arrive."""

    promotion: PromotionRef
    by: Person
    reason: str = ""
    rejected_at: Timestamp | None = Field(alias="rejectedAt", default=None)


class ApprovalExpired(Message):
    """A sign-in was not finished, or a delegation not used, in time."""

    promotion: PromotionRef
    approval_id: Annotated[str, Field(min_length=1)] = Field(alias="approvalId")
    expired_at: Timestamp | None = Field(alias="expiredAt", default=None)
    reason: str = ""
    """Why it ended, for a person: `Ada declined at GitHub`."""
    by: Person | None = None
    """The person whose approval it was."""
    cause: ExpiryCause = ExpiryCause.UNSPECIFIED


class ApprovalLost(Message):
    """The replica that held a delegation is gone, and the delegation with it."""

    promotion: PromotionRef
    approval_id: Annotated[str, Field(min_length=1)] = Field(alias="approvalId")
    replica: str = ""
    lost_at: Timestamp | None = Field(alias="lostAt", default=None)
    by: Person | None = None
    """The person whose approval it was."""


class ApprovalRevoked(Message):
    """A delegation has ended at the forge, or was forgotten, or could not be ended."""

    promotion: PromotionRef
    approval_id: Annotated[str, Field(min_length=1)] = Field(alias="approvalId")
    outcome: RevocationOutcome = RevocationOutcome.UNSPECIFIED
    reason: str = ""
    """`used`, `rejected`, `expired`, `signed out`, `superseded`, `shut down`, `withdrawn`."""
    revoked_at: Timestamp | None = Field(alias="revokedAt", default=None)
    by: Person | None = None
    """The person whose approval it was."""
    redeemed_at: Timestamp | None = Field(alias="redeemedAt", default=None)
    """The time at which it was first handed to an executor; absent: never."""


class PromotionRequested(Message):
    """An environment lacks a content that the one below runs healthily. Published once per promotion."""

    promotion: PromotionRef
    app: ObjectRef
    from_environment: Annotated[str, Field(min_length=1)] = Field(alias="fromEnvironment")
    content: Content
    destination: Destination
    marker_key: Annotated[str, Field(min_length=1)] = Field(alias="markerKey")
    """`<namespace>:<pipeline>:<environment>`, as the comment in the file says."""
    current: Revision | None = None
    """The revision that the environment runs now; absent when it runs nothing yet."""
    mode: CredentialMode = CredentialMode.UNSPECIFIED
    secret: SecretRef | None = None
    """Set where the Pipeline names a Secret."""
    manual: bool = False
    """Somebody must approve even where no delegation is needed."""
    approvals: Int32 = 0
    """The number of people who must approve; 0 and 1 mean one."""
    previous_promotion_id: str = Field(alias="previousPromotionId", default="")
    """The last promotion merged or completed into this environment."""
    requested_at: Timestamp | None = Field(alias="requestedAt", default=None)
    solo_mode: bool = Field(alias="soloMode", default=False)
    """The person who asked for the attempt may approve it too, even as the only one."""
    cautions: tuple[Caution, ...] = ()
    """While there is one, a person must approve in every mode."""
    content_created_at: Timestamp | None = Field(alias="contentCreatedAt", default=None)
    """The time at which the content was made, where its source says that; nobody signs it."""
    reason_required: bool = Field(alias="reasonRequired", default=False)
    """Whoever approves or rejects it says why."""
    source_page: str = Field(alias="sourcePage", default="")
    """The web page that the artifact names as its source; whoever made it wrote that, nobody signs it."""
    stated_changes: tuple[StatedChange, ...] = Field(alias="statedChanges", default=())
    """The first changes since the version before that the artifact tells of."""
    auto_merge: AutoMerge = Field(alias="autoMerge", default=AutoMerge.UNSPECIFIED)
    """Part of what is consented to, together with what the forge list says."""


class PromotionRetried(Message):
    """A person asks for another try."""

    promotion: PromotionRef
    """With the number of the new attempt."""
    by: Person | None = None
    retried_at: Timestamp | None = Field(alias="retriedAt", default=None)


class PromotionSuperseded(Message):
    """Something newer took its place, or its environment or Pipeline is gone."""

    promotion: PromotionRef
    reason: Annotated[str, Field(min_length=1)]
    by_promotion_id: str = Field(alias="byPromotionId", default="")
    superseded_at: Timestamp | None = Field(alias="supersededAt", default=None)


class PromotionCompleted(Message):
    """All targets of the environment run the content healthily."""

    promotion: PromotionRef
    revision: Revision | None = None
    completed_at: Timestamp | None = Field(alias="completedAt", default=None)
    merge_inferred: bool = Field(alias="mergeInferred", default=False)
    """Nobody told that its pull request was merged; that follows from what runs."""


class PromotionUndone(Message):
    """The pull request was merged, but the environment came back healthy on something else."""

    promotion: PromotionRef
    running: Revision | None = None
    reason: str = ""
    undone_at: Timestamp | None = Field(alias="undoneAt", default=None)


class PullRequestProgressed(Message):
    """The steps of opening a pull request."""

    promotion: PromotionRef
    step: OpeningStep = OpeningStep.UNSPECIFIED
    progressed_at: Timestamp | None = Field(alias="progressedAt", default=None)


class PullRequestOpened(Message):
    """A pull request was opened, or found open from an earlier try."""

    promotion: PromotionRef
    pull_request: PullRequestRef = Field(alias="pullRequest")
    approval_id: str = Field(alias="approvalId", default="")
    mode: CredentialMode = CredentialMode.UNSPECIFIED
    author: ForgeUser | None = None
    """As whom it was opened."""
    approver: Person | None = None
    """The person who consented, where somebody did."""
    files: tuple[str, ...] = ()
    opened_at: Timestamp | None = Field(alias="openedAt", default=None)
    found: bool = False
    """It was there already, from an earlier delivery of the same job."""
    auto_merge: AutoMergeAnswer = Field(alias="autoMerge", default=AutoMergeAnswer.UNSPECIFIED)
    """The forge's answer to whether it merges it by itself; nothing where it was not asked."""
    labels: LabelsAnswer = LabelsAnswer.UNSPECIFIED
    """The forge's answer to the labels that the administrator wants; nothing where there are none."""


class PullRequestFailed(Message):
    """No pull request came of it."""

    promotion: PromotionRef
    message: Annotated[str, Field(min_length=1)]
    """The failure, the object, and what to do, in words."""
    reason: FailureReason = FailureReason.UNSPECIFIED
    approval_id: str = Field(alias="approvalId", default="")
    step: OpeningStep = OpeningStep.UNSPECIFIED
    failed_at: Timestamp | None = Field(alias="failedAt", default=None)
    detail: FailureDetail = FailureDetail.UNSPECIFIED
    """More than `reason` tells, where there is more."""
    path: str = ""
    """The file or folder in the repository that it is about; its line, from 1, where one is known."""
    line: Int32 = 0
    mode: CredentialMode = CredentialMode.UNSPECIFIED
    approver: Person | None = None
    """The person who consented, where somebody did."""


class PullRequestUpdated(Message):
    """A forge told something new of an open pull request: checks, reviews."""

    promotion: PromotionRef
    pull_request: PullRequestRef = Field(alias="pullRequest")
    summary: str = ""
    updated_at: Timestamp | None = Field(alias="updatedAt", default=None)
    mode: CredentialMode = CredentialMode.UNSPECIFIED
    author: ForgeUser | None = None
    """As whom it was opened."""
    approver: Person | None = None
    """The person who consented, where somebody did."""
    warned: bool = False
    """A comment there says since then that the way is blocked; once for each attempt."""


class PullRequestMerged(Message):
    """A pull request of ours was merged."""

    promotion: PromotionRef
    pull_request: PullRequestRef = Field(alias="pullRequest")
    by: ForgeUser | None = None
    merge_commit: str = Field(alias="mergeCommit", default="")
    merged_at: Timestamp | None = Field(alias="mergedAt", default=None)
    mode: CredentialMode = CredentialMode.UNSPECIFIED
    author: ForgeUser | None = None
    """As whom it was opened."""
    approver: Person | None = None
    """The person who consented, where somebody did."""


class PullRequestClosed(Message):
    """A pull request of ours was closed without being merged."""

    promotion: PromotionRef
    pull_request: PullRequestRef = Field(alias="pullRequest")
    by: ForgeUser | None = None
    closed_at: Timestamp | None = Field(alias="closedAt", default=None)
    mode: CredentialMode = CredentialMode.UNSPECIFIED
    author: ForgeUser | None = None
    """As whom it was opened."""
    approver: Person | None = None
    """The person who consented, where somebody did."""


class CompleteResponse(Message):
    problem: Problem | None = None
    promotion: PromotionRef | None = None
    """Known whenever `state` was, so that the page can go back to its promotion."""
    approval_id: str = Field(alias="approvalId", default="")
    forge_user: ForgeUser | None = Field(alias="forgeUser", default=None)


class PipelineObserved(Message):
    """A Pipeline as it is written, and what its environments run. The last one for a Pipeline is the truth."""

    pipeline: PipelineRef
    app: ObjectRef
    environments: tuple[EnvironmentObserved, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Faults of the Pipeline itself, for a person to mend."""
    manifest: str = ""
    """The object as YAML, without status and managed fields; cut at 64 KiB."""
    observed_at: Timestamp | None = Field(alias="observedAt", default=None)
    credentials: tuple[CredentialUse, ...] = ()
    """Secrets that its environments name, for the auditor."""


EVENTS: Final[dict[type[Message], EventInfo]] = {
    SessionEnded: EventInfo("session.ended", Scope.PERSON, ("approval",)),
    PipelineDeleted: EventInfo("pipeline.deleted", Scope.PIPELINE, ("watcher",)),
    TokenUsed: EventInfo("token.used", Scope.CREDENTIAL, ("pr-writer",)),
    TokenChecked: EventInfo("token.checked", Scope.CREDENTIAL, ("auditor",)),
    ApprovalBegun: EventInfo("approval.begun", Scope.PROMOTION, ("approval",)),
    ApprovalGranted: EventInfo("approval.granted", Scope.PROMOTION, ("approval",)),
    ApprovalRejected: EventInfo("approval.rejected", Scope.PROMOTION, ("approval",)),
    ApprovalExpired: EventInfo("approval.expired", Scope.PROMOTION, ("approval",)),
    ApprovalLost: EventInfo("approval.lost", Scope.PROMOTION, ("approval",)),
    ApprovalRevoked: EventInfo("approval.revoked", Scope.PROMOTION, ("approval",)),
    PromotionRequested: EventInfo("promotion.requested", Scope.PROMOTION, ("watcher",)),
    PromotionRetried: EventInfo("promotion.retried", Scope.PROMOTION, ("approval",)),
    PromotionSuperseded: EventInfo("promotion.superseded", Scope.PROMOTION, ("watcher",)),
    PromotionCompleted: EventInfo("promotion.completed", Scope.PROMOTION, ("watcher",)),
    PromotionUndone: EventInfo("promotion.undone", Scope.PROMOTION, ("watcher",)),
    PullRequestProgressed: EventInfo("pull-request.progressed", Scope.PROMOTION, ("pr-writer",)),
    PullRequestOpened: EventInfo("pull-request.opened", Scope.PROMOTION, ("pr-writer",)),
    PullRequestFailed: EventInfo("pull-request.failed", Scope.PROMOTION, ("pr-writer",)),
    PullRequestUpdated: EventInfo("pull-request.updated", Scope.PROMOTION, ("pr-writer",)),
    PullRequestMerged: EventInfo(
        "pull-request.merged",
        Scope.PROMOTION,
        (
            "watcher",
            "pr-writer",
        ),
    ),
    PullRequestClosed: EventInfo(
        "pull-request.closed",
        Scope.PROMOTION,
        (
            "watcher",
            "pr-writer",
        ),
    ),
    PipelineObserved: EventInfo("pipeline.observed", Scope.PIPELINE, ("watcher",)),
}

METHODS: Final[dict[str, MethodInfo]] = {
    "approval.begin": MethodInfo(
        "approval",
        "begin",
        BeginRequest,
        BeginResponse,
        ("gateway",),
        addressed=False,
        broadcast=False,
    ),
    "approval.complete": MethodInfo(
        "approval",
        "complete",
        CompleteRequest,
        CompleteResponse,
        ("gateway",),
        addressed=True,
        broadcast=False,
    ),
    "approval.poll": MethodInfo(
        "approval", "poll", PollRequest, PollResponse, ("gateway",), addressed=True, broadcast=False
    ),
    "approval.approve": MethodInfo(
        "approval",
        "approve",
        ApproveRequest,
        ApproveResponse,
        ("gateway",),
        addressed=False,
        broadcast=False,
    ),
    "approval.reject": MethodInfo(
        "approval",
        "reject",
        RejectRequest,
        RejectResponse,
        ("gateway",),
        addressed=False,
        broadcast=False,
    ),
    "approval.retry": MethodInfo(
        "approval",
        "retry",
        RetryRequest,
        RetryResponse,
        ("gateway",),
        addressed=False,
        broadcast=False,
    ),
    "approval.redeem": MethodInfo(
        "approval",
        "redeem",
        RedeemRequest,
        RedeemResponse,
        ("pr-writer",),
        addressed=True,
        broadcast=False,
    ),
    "approval.ping": MethodInfo(
        "approval",
        "ping",
        PingRequest,
        PingResponse,
        ("approval",),
        addressed=True,
        broadcast=False,
    ),
    "approval.revoke": MethodInfo(
        "approval",
        "revoke",
        RevokeRequest,
        RevokeResponse,
        ("gateway",),
        addressed=False,
        broadcast=True,
    ),
    "auditor.check": MethodInfo(
        "auditor",
        "check",
        CheckRequest,
        CheckResponse,
        ("gateway",),
        addressed=False,
        broadcast=False,
    ),
}
