"""The JSON API's shapes, from which its OpenAPI description is made."""

from datetime import datetime

from pydantic import BaseModel, Field

from countersign.contracts.record.rows import RecordRow, Shape


class SessionShape(Shape):
    """The person who is signed in."""

    person_id: str
    person: str
    groups: tuple[str, ...]
    form_token: str = Field(description="Send it back as X-Countersign-Form with every POST.")


class GateShape(Shape):
    """A gate before an environment."""

    state: str
    word: str
    sentence: str
    fix: str = ""
    promotion_id: str = ""
    revision: str = ""
    since: datetime | None = Field(
        default=None, description="The moment that the sentence is about; it names none itself."
    )
    may_promote: bool = False


class EnvironmentShape(Shape):
    """A stage of a pipeline."""

    name: str
    condition: str
    message: str = ""
    revision: str = ""
    recorded: str = ""
    since: datetime | None = None
    gate: GateShape | None = None


class PipelineShape(Shape):
    """A pipeline and all its environments."""

    namespace: str
    name: str
    app_kind: str
    app_name: str
    environments: tuple[EnvironmentShape, ...]
    findings: tuple[str, ...] = ()
    observed_at: datetime | None = None


class RanShape(Shape):
    """A revision that an environment ran for a while."""

    revision: str
    recorded: str
    since: datetime | None = Field(
        default=None, description="When it came; where nobody promoted it, when it was first seen."
    )
    until: datetime | None = None
    running: bool = False
    how: str = Field(description="promotion, downgrade, rollback, otherwise or source")
    people: tuple[str, ...] = Field(default=(), description="Who approved it.")
    merged_by: str = ""
    promotion_id: str = ""
    pull_request: str = ""


class MomentShape(Shape):
    """Something that happened."""

    kind: str
    text: str
    who: str = ""
    at: datetime | None = None
    attempt: int = 1


class DecisionShape(Shape):
    """A person's consent or refusal."""

    approval_id: str
    outcome: str
    person_id: str
    person: str
    forge_login: str = ""
    at: datetime | None = None
    attempt: int = 1
    reason: str = ""
    consent_digest: str = ""


class StatedChangeShape(Shape):
    """A change that an artifact tells of itself."""

    kind: str = ""
    description: str
    page: str = ""


class PromotionShape(Shape):
    """Bringing one content into one environment."""

    promotion_id: str
    namespace: str
    pipeline: str
    environment: str
    from_environment: str
    revision: str
    current: str = ""
    state: str
    note: str = ""
    attempt: int
    step: str = ""
    failure: str = ""
    failure_message: str = ""
    mode: str
    repository: str
    base_branch: str
    pull_request: str = Field(default="", description="Its page at the forge.")
    pull_request_number: int = 0
    author: str = ""
    trace_id: str = ""
    merged_by: str = ""
    comparison: str = Field(
        default="", description="The page at a listed forge that says what changes; may be empty."
    )
    source_page: str = Field(
        default="", description="The page that the artifact names as its source; nobody signs it."
    )
    stated_changes: tuple[StatedChangeShape, ...] = Field(
        default=(), description="What the artifact says that it changes; nobody signs it."
    )
    requested_at: datetime | None = None
    opened_at: datetime | None = None
    merged_at: datetime | None = None
    completed_at: datetime | None = None
    changed_at: datetime | None = None
    decisions: tuple[DecisionShape, ...] = ()
    moments: tuple[MomentShape, ...] = ()


class CredentialShape(Shape):
    """A stored credential, as far as it is known."""

    namespace: str
    secret: str
    owner: str
    kind: str
    origin: str
    validity: str
    reason: str = ""
    risk: str
    scopes: tuple[str, ...] = ()
    expires_at: datetime | None = None
    expiry_known: bool = False
    last_used_by_us_at: datetime | None = None
    last_used_reported_at: datetime | None = None
    checked_at: datetime | None = None
    next_check_at: datetime | None = None
    findings: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()


class ListShape(Shape):
    """Base of lists: `position` says how much of the streams it reflects."""

    position: str
    current: bool = Field(description="False while the bus cannot be reached.")
    total: int


class PipelineList(ListShape):
    """Pipelines by namespace and name."""

    items: tuple[PipelineShape, ...]


class PromotionList(ListShape):
    """Promotions, newest first."""

    items: tuple[PromotionShape, ...]


class HistoryList(ListShape):
    """Revisions that an environment ran, the newest first."""

    items: tuple[RanShape, ...]


class CredentialList(ListShape):
    """Stored credentials, the riskiest first."""

    items: tuple[CredentialShape, ...]


class RecordList(ListShape):
    """Attempts at promotions, newest first; at most a thousand, all are in `/record.jsonl`."""

    items: tuple[RecordRow, ...]


class UserCodeShape(Shape):
    """A code that a person types at the forge."""

    code: str = Field(
        description="For the person who asked, and nobody else: whoever types a code that somebody "
        "sent signs that other in."
    )
    url: str = Field(description="The page of the forge that takes it.")


class BeginShape(Shape):
    """A sign-in that was begun, or a consent that was given at once."""

    promotion_id: str
    approval_id: str
    granted: bool = Field(description="True where a delegation was still held; nothing to do.")
    authorize_url: str = Field(default="", description="Where a browser signs in; empty by code.")
    user_code: UserCodeShape | None = Field(
        default=None, description="Told to the session that began it, again where it asks again."
    )
    expires_at: datetime | None = None


class DoneShape(Shape):
    """It was done."""

    promotion_id: str
    approval_id: str = ""
    attempt: int = 0


class ReasonBody(Shape):
    """Why somebody decides so."""

    reason: str = Field(default="", max_length=500)


class PromoteBody(ReasonBody):
    """Why somebody promotes, and whether also against what speaks against it."""

    despite_blocked: bool = Field(
        default=False,
        description="Also where the environment's gate is `blocked`, as whoever says so knows.",
    )


class BeginBody(PromoteBody):
    """Why somebody promotes, and how they sign in."""

    device: bool = Field(
        default=False,
        description="By a code that is typed at the forge (RFC 8628), where the forge list says "
        "`deviceFlow`; then `state` of the promotion says how it went.",
    )


class ProblemShape(BaseModel):
    """Source: https://www.rfc-editor.org/rfc/rfc9457"""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="A word that stays the same.")
    instance: str = Field(default="", description="The page of what it is about.")
    grant: str = Field(default="", description="What an administrator can apply, as YAML.")
