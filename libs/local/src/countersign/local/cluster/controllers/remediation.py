"""Decide what follows a failed Helm action: retry, rollback, uninstall, giving up. Pure."""

from collections.abc import Iterator

from countersign.local.cluster.control import Fate
from countersign.local.cluster.controllers import history as past
from countersign.local.cluster.controllers.attempt import (
    Attempt,
    progressing,
    released,
    running,
    settled,
)
from countersign.local.cluster.objects import Change, Condition, Json, Moment, Phase, conditioned


def failures(attempt: Attempt) -> Iterator[Phase]:
    remediates = attempt.retries > 0 or attempt.remediate_last
    tries = attempt.retries + 1
    for number in range(1, tries + 1):
        if number > 1:
            yield Phase(progressing("Fulfilling prerequisites"), attempt.pace.retry_s)
            yield Phase(running(attempt, attempt.action))
        waits = attempt.fate is Fate.NEVER_READY
        limit_s = min(attempt.timeout_s, attempt.pace.timeout_s_max)
        yield Phase(_failed(attempt), limit_s if waits else attempt.pace.action_s)
        yield Phase(_failure_recorded(attempt))
        last = number == tries
        if remediates and (attempt.remediate_last or not last):
            yield from _remediation(attempt, last=last, tries=tries)
        elif last:
            yield Phase(_stalled(attempt, tries))
            yield Phase(settled(attempt))


def _failed(attempt: Attempt) -> Change:
    cause = (
        f"timeout waiting for: [Deployment/{attempt.title} status: 'InProgress']"
        if attempt.fate is Fate.NEVER_READY
        else "failed to create resource: the manifest is refused, as the control file demands"
    )
    text = f"Helm {attempt.action} failed for release {attempt.title} with chart"
    message = f"{text} {attempt.chart_text}: {cause}"
    reason = f"{attempt.past_tense}Failed"
    wanted = (
        Condition("Ready", "False", reason, message),
        Condition("Released", "False", reason, message),
    )
    return lambda status, moment: conditioned(status, moment, *wanted, drop=("Remediated",))


def _failure_recorded(attempt: Attempt) -> Change:
    counter = f"{attempt.action}Failures"

    def change(status: Json, moment: Moment) -> Json:
        entries = status.get("history", [])
        action, now = attempt.action, moment.now
        new = past.entry(entries, attempt.release, attempt.chart, action=action, now=now)
        after = released(status, attempt, past.with_failure(entries, new))
        return after | {
            "failures": status.get("failures", 0) + 1,
            counter: status.get(counter, 0) + 1,
        }

    return change


def _remediation(attempt: Attempt, *, last: bool, tries: int) -> Iterator[Phase]:
    action = "uninstall" if attempt.action == "install" else "rollback"
    message = f"Running '{action}' action with timeout of {attempt.limit}"
    yield Phase(progressing(message))
    if last:
        yield Phase(lambda status, _: {**status, "history": past.truncated(status["history"])})

    def remediated(status: Json, moment: Moment) -> Json:
        text = _remediation_text(status, attempt)
        reason = f"{action.capitalize()}Succeeded"
        wanted = [Condition("Remediated", "True", reason, text)]
        if action == "rollback":
            wanted.append(Condition("Ready", "False", reason, text))
        if last:
            return _stall(conditioned(status, moment, *wanted), moment, attempt, tries)
        wanted.append(Condition("Reconciling", "True", "ProgressingWithRetry", text))
        return conditioned(status, moment, *wanted)

    def recorded(status: Json, moment: Moment) -> Json:
        entries = status["history"]
        again = (
            past.with_uninstall(entries)
            if action == "uninstall"
            else past.with_rollback(entries, now=moment.now)
        )
        after = {**status, "history": again}
        return after | ({"observedGeneration": attempt.generation} if last else {})

    yield Phase(remediated, attempt.pace.action_s)
    yield Phase(recorded)


def _remediation_text(status: Json, attempt: Attempt) -> str:
    if attempt.action == "install":
        return f"Helm uninstall remediation for release {attempt.title}.v1 succeeded"
    target = past.deployed(status["history"]) or status["history"][0]
    chart = f"{target['chartName']}@{target['chartVersion']}"
    release = f"{attempt.title}.v{target['version']}"
    return f"Helm rollback to previous release {release} with chart {chart} succeeded"


def _stalled(attempt: Attempt, tries: int) -> Change:
    return lambda status, moment: _stall(status, moment, attempt, tries)


def _stall(status: Json, moment: Moment, attempt: Attempt, tries: int) -> Json:
    message = f"Failed to {attempt.action} after {tries} attempt(s)"
    wanted = Condition("Stalled", "True", "RetriesExceeded", message)
    return conditioned(status, moment, wanted, drop=("Reconciling",))
