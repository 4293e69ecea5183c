"""Metrics of the watcher. Labels are words of ours, never names of objects."""

from typing import Final

from countersign.telemetry.metrics import WAITS_S, counter, gauge, histogram
from countersign.watcher.model import WebhookOutcome

PROMOTIONS: Final = gauge(
    "promotions",
    "Promotions that have not ended, by environment and where they are.",
    ("environment", "state"),
)
OLDEST_SECONDS: Final = gauge(
    "promotions_oldest_seconds",
    "How long the oldest of them has been there.",
    ("environment", "state"),
)
LEAD_SECONDS: Final = histogram(
    "promotion_lead_seconds",
    "From the request of a promotion until its environment runs it.",
    ("environment",),
    buckets=WAITS_S,
)
REVISION_LEAD_SECONDS: Final = histogram(
    "revision_lead_seconds",
    "From when a content was made, where its source tells that, else first promoted, until then.",
    ("environment",),
    buckets=WAITS_S,
)
OBJECTS: Final = gauge("watcher_objects", "Objects as last read", ("kind",))
LAST_CHANGE: Final = gauge(
    "watcher_last_change_timestamp_seconds", "When something last changed", ("of",)
)
UNREADABLE: Final = gauge("watcher_problems", "Files that cannot be used as they are", ("of",))
NEVER_READ: Final = gauge(
    "watcher_unreadable_files", "Files of which nothing is known, as they were never readable"
)
GAPS: Final = gauge("watcher_gaps", "Parts of clusters that are not known", ("code",))
DECIDED: Final = histogram("watcher_decide_seconds", "Time to decide about a Pipeline", ("of",))
WEBHOOKS: Final = counter(
    "watcher_webhooks_total",
    "Webhooks of forges",
    ("outcome",),
    known=((each,) for each in WebhookOutcome),
)
HINTS: Final = counter(
    "watcher_hints_total",
    "Hints of Flux, by what was answered or done",
    ("source", "outcome"),
    known=[("nats", "looked"), ("nats", "repeated"), ("nats", "foreign"), ("nats", "dropped")],
)
STATUSES: Final = counter(
    "watcher_statuses_total",
    "Statuses of Pipelines written, or why not",
    ("outcome",),
    known=[("written",), ("same",)],
)
STEPS_TOLD: Final = counter(
    "watcher_step_events_total",
    "Steps told as Events of a Pipeline, or why not",
    ("outcome",),
    known=[("told",), ("known",), ("limited",), ("dropped",)],
)
