"""The state of an application object, whatever its kind."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from countersign.contracts.messages import (
    Content,
    EnvironmentCondition,
    Revision,
    StatedChange,
)
from countersign.kube.objects import ObjectKey

# Flux puts logs of Helm into messages; people read the beginning.
MESSAGE_CHARACTERS_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A revision that was tried here at that time, with whatever outcome."""

    recorded: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AppState:
    """The running content and its condition.

    `content` is set exactly while it is healthy; `last` is what was last known to be healthy,
    `attempted` what Flux works on or tried last. `rolled_back` is set when the attempt failed for
    good and the earlier release runs again.
    """

    condition: EnvironmentCondition
    message: str = ""
    content: Content | None = None
    last: Revision | None = None
    attempted: str = ""
    rolled_back: Revision | None = None
    trials: tuple[Trial, ...] = ()
    since: datetime | None = None
    # Whether "healthy" rests on checks of what was applied, or only on its having been applied.
    checked: bool = True
    not_promotable: str = ""
    # Of the finding that says why it cannot be read; empty where it can.
    code: str = ""
    # Name of the chart, of a HelmRelease.
    chart: str = ""
    # When the content was made, where its source says that.
    created_at: datetime | None = None
    # The web page that the artifact names as its source.
    source_page: str = ""
    stated_changes: tuple[StatedChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An application object, read; `source` must still agree before `state` holds."""

    key: ObjectKey
    state: AppState
    source: ObjectKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The origin of a Kustomization or a chart. `failing` is what it says while it is not ready."""

    key: ObjectKey
    artifact_revision: str
    url: str
    failing: str = ""
    # An artifact's own words, of an OCI registry; nobody signs them.
    created_at: datetime | None = None
    source_page: str = ""
    stated_changes: tuple[StatedChange, ...] = ()


def sentence(kind: str, name: str, message: str) -> str:
    """One line for a person: the object and what Flux says of it."""
    line = " ".join(message.split())
    if len(line) > MESSAGE_CHARACTERS_MAX:
        line = line[: MESSAGE_CHARACTERS_MAX - 1] + "…"
    return f"{kind} {name}: {line}" if line else f"{kind} {name}"
