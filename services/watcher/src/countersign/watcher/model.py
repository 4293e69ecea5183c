"""The words that the watcher decides with. Pure: no clock, no files, no bus."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from countersign.contracts.message import Message
from countersign.contracts.messages import (
    Caution,
    Content,
    EnvironmentCondition,
    Finding,
    GateReason,
    PipelineObserved,
    Revision,
    TargetObserved,
)
from countersign.contracts.promotion import Promotion
from countersign.kube.flux.applications import AppState
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.pipeline import Environment, Pipeline


class WebhookOutcome(StrEnum):
    """The outcome of a forge's webhook."""

    MERGED = "merged"
    CLOSED = "closed"
    KNOWN = "known"
    UNKNOWN = "unknown"
    """Of a pull request that we have not heard of yet."""
    FOREIGN = "foreign"
    IGNORED = "ignored"
    REPEATED = "repeated"
    MALFORMED = "malformed"
    UNAUTHORIZED = "unauthorized"
    PUT_OFF = "put_off"


# A watch that broke in silence is noticed within 90 s, and doubted 15 s later.
UNSEEN: Final = timedelta(seconds=120)
# Ids that a gate remembers as overtaken since the last merge, newest last. The next promotion is
# chained to the last one; by the others a watcher knows promotions that come back late.
SUPERSEDED_MAX: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The last promotion merged or completed into an environment: the next one's chain.

    `tried` is the number of the attempt in which the environment was seen to try the content.
    """

    promotion_id: str = ""
    content: Content | None = None
    previous_promotion_id: str = ""
    completed: bool = False
    tried: int = 0
    superseded: tuple[str, ...] = ()


Links = Mapping[str, Link]
NO_LINK: Final = Link()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProblem:
    """A file that cannot be read; `keys` are the objects it last held."""

    path: str
    message: str
    keys: frozenset[ObjectKey] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One environment and its targets, as they run now."""

    environment: Environment
    condition: EnvironmentCondition
    message: str
    targets: tuple[TargetObserved, ...]
    apps: tuple[AppState, ...]
    # What all targets run healthily; none while they do not agree.
    content: Content | None = None
    since: datetime | None = None
    # Until when it is told as before though it moves.
    quiet_until: datetime | None = None
    # What it ran last, for "from" in a promotion.
    current: Revision | None = None

    @property
    def name(self) -> str:
        return self.environment.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that a decision about one Pipeline rests on."""

    pipeline: Pipeline
    apps: Mapping[ObjectKey, AppState]
    now: datetime
    # URL of the source that an application is applied from.
    source_urls: Mapping[ObjectKey, str] = field(default_factory=dict)
    # The board's address, for links; empty where nobody said it.
    board_url: str = ""
    promotions: Mapping[str, Promotion] = field(default_factory=dict)
    links: Links = field(default_factory=dict)
    observed: PipelineObserved | None = None
    # What is wrong beside the Pipeline's own words: files, clusters, Secrets, what was published.
    findings: tuple[Finding, ...] = ()
    # Whether everything could be read, so that what is absent is truly absent.
    complete: bool = True
    # Whether other clusters are read as well.
    reads_clusters: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The state of a gate before its promotion is counted in.

    Args:
        hindered_by: the environment that hinders, where one does.
        detail: more than the reason tells; Flux's own words where an environment hinders.
        wanted: what should be requested, or once it is what is on its way.
        cautions: why a person has to look at that first.
        running: what the environment runs instead of what was merged.

    """

    reason: GateReason
    hindered_by: str = ""
    detail: str = ""
    wanted: Content | None = None
    cautions: tuple[Caution, ...] = ()
    running: Revision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The namespaces whose Pipelines this watcher looks after; without any, all of them.

    `began` is when it began to read them, `gone` the uids of those that it has seen go since.
    """

    now: datetime
    namespaces: frozenset[str] = frozenset()
    began: datetime | None = None
    gone: Container[str] = frozenset()

    def holds(self, namespace: str) -> bool:
        return not self.namespaces or namespace in self.namespaces

    def is_gone(self, uid: str, *, told_at: datetime | None) -> bool:
        """Tell whether it is gone: another watcher may have seen it before this one will."""
        if uid in self.gone or told_at is None:
            return True
        earlier = self.began is not None and told_at < self.began
        return earlier or self.now - told_at >= UNSEEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Events to publish, in order, and links to remember before that.

    `again_at` is when the same situation will be decided otherwise, by time alone.
    """

    events: tuple[Message, ...] = ()
    links: Links = field(default_factory=dict)
    again_at: datetime | None = None
