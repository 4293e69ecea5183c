"""Reports of an executor on its way, and the ends that a job can have."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from countersign.contracts.messages import (
    AutoMergeAnswer,
    FailureDetail,
    FailureReason,
    ForgeUser,
    LabelsAnswer,
    OpeningStep,
    PullRequestRef,
    TokenUseOutcome,
)


class Known(BaseModel):
    """Memory of a repository.

    `markers` says by object id which markers a file, or all below a folder, holds; `files` are
    paths of files that held any; `large` are object ids of those that are read by themselves.
    """

    model_config = ConfigDict(frozen=True)

    markers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)
    large: tuple[str, ...] = ()


class Progress(BaseModel):
    """A report of an executor on its way."""

    model_config = ConfigDict(frozen=True)

    step: OpeningStep | None = None
    # Name, method, host, status, start and end (nanoseconds since 1970) of a call to the forge.
    call: tuple[str, str, str, int, int, int] | None = None
    # The forge took the token (and whose it is), or answered 401 or 403.
    user: ForgeUser | None = None
    use: TokenUseOutcome | None = None
    # A key to seal the delegation to.
    public_key: str = ""


class Failure(BaseModel):
    """It failed; what is retryable may be tried again after `after_s` seconds."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["failure"] = "failure"
    reason: FailureReason
    message: str
    detail: FailureDetail = FailureDetail.UNSPECIFIED
    path: str = ""
    line: int = 0
    step: OpeningStep = OpeningStep.UNSPECIFIED
    retryable: bool = False
    after_s: float | None = None


class Fate(StrEnum):
    """The ways in which a pull request ends, or does not."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class SeenPull(BaseModel):
    """A pull request of an attempt, as the forge has it; the last four are known of some only."""

    model_config = ConfigDict(frozen=True)

    attempt: int
    pull_request: PullRequestRef
    fate: Fate
    author: ForgeUser | None = None
    ended_by: ForgeUser | None = None
    ended_at: datetime | None = None
    merge_commit: str = ""


class Marks(BaseModel):
    """The forge's answers to how a pull request is marked."""

    model_config = ConfigDict(frozen=True)

    labels: LabelsAnswer = LabelsAnswer.UNSPECIFIED
    auto_merge: AutoMergeAnswer = AutoMergeAnswer.UNSPECIFIED


class Opened(BaseModel):
    """The pull request is there: made by this job, or found."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["opened"] = "opened"
    pull: SeenPull
    found: bool = False
    files: tuple[str, ...] = ()
    marks: Marks = Marks()
    # Numbers of older ones that were closed for it.
    closed: tuple[int, ...] = ()
    learned: Known = Known()
    # Those of uncertain branches, as the forge has them.
    others: tuple[SeenPull, ...] = ()


class Looked(BaseModel):
    """The pull requests of a promotion, as they are after the look."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["looked"] = "looked"
    pulls: tuple[SeenPull, ...] = ()


class Followed(BaseModel):
    """The fate of a pull request; none where nothing changed since it was asked last."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["followed"] = "followed"
    fate: Fate | None = None
    ended_by: ForgeUser | None = None
    ended_at: datetime | None = None
    merge_commit: str = ""
    summary: str = ""
    version: str = ""


Outcome = Annotated[Failure | Opened | Looked | Followed, Field(discriminator="kind")]
OUTCOMES: Final[TypeAdapter[Failure | Opened | Looked | Followed]] = TypeAdapter(Outcome)
