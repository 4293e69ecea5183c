"""The dashboards, as tables of panels; `generate.py` writes them as Grafana reads them."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel: queries by their legends, and the unit of what they give."""

    title: str
    queries: dict[str, str]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 12
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Board:
    """One dashboard; its uid is in addresses that people keep, so it stays."""

    uid: str
    title: str
    panels: tuple[Panel, ...]


def _quantiles(metric: str, by: str = "", **only: str) -> dict[str, str]:
    chosen = "{" + ",".join(f'{k}=~"{v}"' for k, v in only.items()) + "}" if only else ""
    labels = f"le, {by}" if by else "le"
    legend = f" {{{{{by}}}}}" if by else ""
    return {
        f"p{share * 100:.0f}{legend}": f"histogram_quantile({share}, sum by ({labels}) "
        f"(rate({metric}_bucket{chosen}[$__rate_interval])))"
        for share in (0.5, 0.99)
    }


# Several watchers say the same.
_WAITING: Final = "max by (environment, state) (countersign_promotions)"
_OLDEST: Final = "max by (environment, state) (countersign_promotions_oldest_seconds)"
_LAG: Final = (
    "clamp_min(max by (stream, pod) (countersign_stream_sequence)"
    " - max by (stream, pod) (countersign_projection_sequence), 0)"
)

PROMOTIONS: Final = Board(
    uid="countersign-promotions",
    title="Countersign / Promotions",
    panels=(
        Panel(
            title="Where promotions are",
            description="By what happens next: a person, the executor, a merge, the cluster.",
            queries={"{{state}}": "sum by (state) (" + _WAITING + ")"},
            kind="bargauge",
        ),
        Panel(
            title="The oldest in each environment",
            queries={"{{environment}} {{state}}": _OLDEST},
            unit="s",
        ),
        Panel(
            title="Requested until it runs there",
            description="The wait for people included.",
            queries=_quantiles("countersign_promotion_lead_seconds", "environment"),
            unit="s",
        ),
        Panel(
            title="Pull requests an hour, by outcome",
            queries={
                "{{outcome}}": "sum by (outcome) (increase(countersign_pull_requests_total[1h]))"
            },
        ),
        Panel(
            title="Step: an event until its stream has it",
            queries=_quantiles("countersign_publish_seconds", "type"),
            unit="s",
        ),
        Panel(
            title="Step: a person's click until approval answers",
            queries=_quantiles("countersign_rpc_seconds", "method"),
            unit="s",
        ),
        Panel(
            title="Step: a message until it is settled",
            queries=_quantiles("countersign_message_handling_seconds", "type"),
            unit="s",
        ),
        Panel(
            title="Step: a pull request, our own time",
            description="The time of the forge is taken out.",
            queries=_quantiles("countersign_pull_request_own_seconds"),
            unit="s",
        ),
        Panel(
            title="Step: a call to a forge",
            queries=_quantiles("countersign_forge_call_seconds", "call"),
            unit="s",
        ),
        Panel(
            title="Calls to forges, by their end",
            queries={
                "{{outcome}}": "sum by (outcome) "
                "(rate(countersign_forge_call_seconds_count[$__rate_interval]))"
            },
            unit="reqps",
        ),
        Panel(
            title="Parts of clusters that are not known",
            queries={"{{code}}": "max by (code) (countersign_watcher_gaps)"},
        ),
        Panel(
            title="Dead letters in a day",
            queries={
                "{{durable}} {{reason}}": "sum by (durable, reason) "
                "(increase(countersign_dead_letters_total[1d]))"
            },
        ),
    ),
)
CREDENTIALS: Final = Board(
    uid="countersign-credentials",
    title="Countersign / Credentials",
    panels=(
        Panel(
            title="Stored credentials that expire within so many days",
            queries={"{{within}}": "max by (within) (countersign_credentials_expiring)"},
            kind="bargauge",
        ),
        Panel(
            title="Stored credentials, by validity",
            queries={"{{validity}}": "max by (validity) (countersign_credentials)"},
            kind="bargauge",
        ),
        Panel(
            title="Days until the first credential of an environment ends",
            queries={
                "{{environment}}": "min by (environment) "
                "(countersign_credentials_soonest_expiry_days)"
            },
            kind="bargauge",
        ),
        Panel(
            title="Promotions in a day, by flow",
            queries={
                "{{flow}}": "sum by (flow) (increase(countersign_promotions_opened_total[1d]))"
            },
        ),
        Panel(
            title="Redemptions refused in an hour",
            queries={
                "{{outcome}}": "sum by (outcome) (increase(countersign_rpc_answered_total"
                '{method="approval.redeem",outcome!="ok"}[1h]))'
            },
        ),
        Panel(
            title="Checks in an hour, by what was found",
            queries={
                "{{validity}}": "sum by (validity) (increase(countersign_auditor_checks_total[1h]))"
            },
        ),
        Panel(
            title="People's own tokens in memory",
            queries={"{{pod}}": "countersign_delegations_held"},
        ),
        Panel(
            title="Tokens ended at their forge in a day",
            queries={
                "{{reason}} {{outcome}}": "sum by (reason, outcome) "
                "(increase(countersign_revocations_total[1d]))"
            },
        ),
        Panel(
            title="Tokens that wait to be ended",
            queries={"{{pod}}": "countersign_revocations_pending"},
        ),
        Panel(
            title="Who may promote: answers of the cluster",
            queries={
                "{{outcome}}": "sum by (outcome) "
                "(rate(countersign_promote_reviews_total[$__rate_interval]))"
            },
            unit="reqps",
        ),
    ),
)
SERVICES: Final = Board(
    uid="countersign-services",
    title="Countersign / Services",
    panels=(
        Panel(
            title="Ready replicas",
            queries={
                "{{service}}": "sum by (service) (countersign_ready * on (pod) group_left "
                "(service) max by (pod, service) (countersign_build_info))"
            },
            kind="bargauge",
        ),
        Panel(
            title="Versions",
            queries={
                "{{service}} {{version}}": "count by (service, version) (countersign_build_info)"
            },
            kind="bargauge",
        ),
        Panel(
            title="Missing or wrong since the start",
            description="The log says what under start.fault, and what to do.",
            queries={"{{pod}} {{kind}} {{fault}}": "countersign_start_faults"},
        ),
        Panel(
            title="Memory",
            queries={"{{pod}}": "process_resident_memory_bytes"},
            unit="bytes",
        ),
        Panel(
            title="CPU",
            queries={"{{pod}}": "rate(process_cpu_seconds_total[$__rate_interval])"},
            unit="percentunit",
        ),
        Panel(
            title="Pages: time to answer",
            queries=_quantiles("countersign_http_request_seconds", "route"),
            unit="s",
        ),
        Panel(
            title="Pages: answers by status",
            queries={
                "{{status}}": "sum by (status) "
                "(rate(countersign_http_requests_total[$__rate_interval]))"
            },
            unit="reqps",
        ),
        Panel(title="Open pages", queries={"{{pod}}": "countersign_open_pages"}),
        Panel(
            title="Objects that are watched",
            queries={"{{kind}}": "max by (kind) (countersign_watcher_objects)"},
        ),
        Panel(
            title="Errors of ours, and refusals by the bus, in an hour",
            queries={
                "entries {{work}}": "sum by (work) "
                "(increase(countersign_entries_failed_total[1h]))",
                "bus {{operation}}": "sum by (operation) "
                "(increase(countersign_bus_violations_total[1h]))",
            },
        ),
        Panel(
            title="Webhooks and hints in an hour",
            queries={
                "forge {{outcome}}": "sum by (outcome) "
                "(increase(countersign_watcher_webhooks_total[1h]))",
                "{{source}} {{outcome}}": "sum by (source, outcome) "
                "(increase(countersign_watcher_hints_total[1h]))",
            },
        ),
    ),
)
STREAMS: Final = Board(
    uid="countersign-streams",
    title="Countersign / Streams",
    panels=(
        Panel(
            title="Fill",
            description="At 100 % a stream takes nothing more.",
            queries={"{{stream}}": "max by (stream) (countersign_stream_fill_ratio)"},
            unit="percentunit",
        ),
        Panel(
            title="Events an hour",
            queries={"{{stream}}": "max by (stream) (delta(countersign_stream_sequence[1h]))"},
        ),
        Panel(
            title="Behind, messages",
            description="A service that stays behind wants more CPU, not more replicas.",
            queries={"{{stream}} {{pod}}": _LAG},
        ),
        Panel(
            title="Work in flight",
            description="At its limit for long: more replicas of the pr-writer.",
            queries={"{{durable}} {{pod}}": "countersign_work_in_flight"},
        ),
        Panel(
            title="Not taken by a stream, in an hour",
            queries={
                "{{stream}}": "sum by (stream) (increase(countersign_stream_refusals_total[1h]))"
            },
        ),
        Panel(
            title="Reconnections in an hour",
            queries={"{{pod}}": "increase(countersign_bus_reconnects_total[1h])"},
        ),
    ),
)
BOARDS: Final = (PROMOTIONS, CREDENTIALS, SERVICES, STREAMS)
