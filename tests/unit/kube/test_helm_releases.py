"""Rule H on single objects; the recordings are replayed through the watcher's directory."""

from typing import Any

import pytest

from countersign.contracts.messages import EnvironmentCondition as Is
from countersign.kube.flux.helm_releases import read_helm_release


def release(**changes: Any) -> dict[str, Any]:
    """A HelmRelease that runs 6.9.0 healthily, with changes by dotted path."""
    manifest: dict[str, Any] = {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": "podinfo", "namespace": "shop", "generation": 2},
        "spec": {},
        "status": {
            "observedGeneration": 2,
            "lastAttemptedRevision": "6.9.0",
            "conditions": [
                {"type": "Ready", "status": "True", "observedGeneration": 2, "reason": "Done"}
            ],
            "history": [
                {
                    "chartVersion": "6.9.0",
                    "status": "deployed",
                    "version": 2,
                    "lastDeployed": "2026-11-23T06:02:28Z",
                },
                {"chartVersion": "6.8.4", "status": "superseded", "version": 1},
            ],
        },
    }
    for path, value in changes.items():
        here: Any = manifest
        *parents, last = path.split("__")
        for part in parents:
            here = here[int(part) if part.isdigit() else part]
        here[last] = value
    return manifest


def conditions(*entries: tuple[str, str, int, str]) -> list[dict[str, Any]]:
    return [
        {"type": t, "status": s, "observedGeneration": g, "reason": r, "message": r}
        for t, s, g, r in entries
    ]


def test_release_is_healthy_when_everything_agrees() -> None:
    state = read_helm_release(release()).state

    assert state.condition is Is.HEALTHY
    assert state.content is not None
    assert state.content.identity == "6.9.0"


@pytest.mark.parametrize(
    ("changes", "condition"),
    [
        pytest.param({"metadata__generation": 3}, Is.PROGRESSING, id="spec changed"),
        pytest.param({"status__observedGeneration": 1}, Is.PROGRESSING, id="not reconciled"),
        pytest.param({"status__lastAttemptedRevision": "6.9.1"}, Is.PROGRESSING, id="attempts"),
        pytest.param({"status__history__0__status": "failed"}, Is.PROGRESSING, id="not deployed"),
        pytest.param({"status__history": []}, Is.PROGRESSING, id="no history"),
        pytest.param({"status__conditions": []}, Is.PROGRESSING, id="no conditions"),
        pytest.param({"status": None}, Is.PROGRESSING, id="no status"),
        pytest.param({"spec__suspend": True}, Is.SUSPENDED, id="suspended"),
        pytest.param(
            {"metadata__deletionTimestamp": "2026-11-23T06:02:28Z"}, Is.MISSING, id="deleted"
        ),
        pytest.param(
            {"status__conditions": conditions(("Ready", "True", 1, "Done"))},
            Is.PROGRESSING,
            id="ready for an older generation",
        ),
        pytest.param(
            {
                "status__conditions": conditions(
                    ("Ready", "True", 2, "Done"), ("Reconciling", "True", 2, "Progressing")
                )
            },
            Is.PROGRESSING,
            id="reconciling",
        ),
        pytest.param(
            {
                "status__conditions": conditions(
                    ("Ready", "False", 2, "UpgradeFailed"), ("Stalled", "True", 2, "Retries")
                )
            },
            Is.FAILED,
            id="stalled",
        ),
    ],
)
def test_release_is_not_healthy_when_one_thing_differs(
    changes: dict[str, Any], condition: Is
) -> None:
    state = read_helm_release(release(**changes)).state

    assert state.condition is condition
    assert state.content is None
    assert state.message.startswith("HelmRelease podinfo: ")


def test_content_of_an_oci_chart_names_its_digest() -> None:
    digest = "sha256:" + "7" * 64
    changes = {
        "status__history__0__ociDigest": digest,
        "status__history__0__chartVersion": "6.9.0+777777777777",
        "status__lastAttemptedRevision": "6.9.0+777777777777",
    }

    content = read_helm_release(release(**changes)).state.content

    assert content is not None
    assert content.identity == f"6.9.0+777777777777@{digest}"
    assert content.revision.version == "6.9.0"
    assert content.revision.digest == digest


def test_release_with_strategy_revision_is_not_promotable() -> None:
    changes = {"spec__chart": {"spec": {"reconcileStrategy": "Revision"}}}

    assert "ChartVersion" in read_helm_release(release(**changes)).state.not_promotable


def test_last_release_passes_over_one_whose_tests_failed() -> None:
    changes = {"status__history__0__testHooks": {"smoke": {"phase": "Failed"}}}

    last = read_helm_release(release(**changes)).state.last

    assert last is not None
    assert last.recorded == "6.8.4"


@pytest.mark.parametrize("junk", [None, 7, "text", [], {"history": 3}, {"conditions": [1, None]}])
def test_junk_in_status_reads_as_not_there_yet(junk: object) -> None:
    manifest = {**release(), "status": junk}

    assert read_helm_release(manifest).state.condition is Is.PROGRESSING


@pytest.mark.parametrize("version", ["", None, 690])
def test_release_without_a_version_is_none_and_no_older_one_is_taken_for_it(version: Any) -> None:
    state = read_helm_release(release(status__history__0__chartVersion=version)).state

    assert state.condition is Is.PROGRESSING
    assert (state.content, state.last) == (None, None)


def test_rollback_to_a_release_without_a_version_is_to_nothing_known() -> None:
    entries = conditions(
        ("Ready", "False", 2, "RollbackSucceeded"), ("Stalled", "True", 2, "RetriesExceeded")
    )
    manifest = release(status__conditions=entries, status__history__0__chartVersion="")

    assert read_helm_release(manifest).state.rolled_back is None


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00"])
def test_day_before_the_first_is_none(at: str) -> None:
    state = read_helm_release(release(status__history__0__lastDeployed=at)).state

    assert (state.condition, state.since) == (Is.HEALTHY, None)


def test_stalled_release_says_why_and_not_only_what_broke_it_off() -> None:
    cause, count, older = "timed out waiting for podinfo", "failed after 2 attempts", "of before"
    told = conditions(
        ("Ready", "False", 2, "New reconciliation triggered"),
        ("Released", "False", 2, cause),
        ("TestSuccess", "False", 1, older),
        ("Stalled", "True", 2, count),
    )

    state = read_helm_release(release(status__conditions=told)).state

    assert state.condition is Is.FAILED
    assert cause in state.message
    assert count in state.message
    assert older not in state.message


def test_cause_is_said_once() -> None:
    told = conditions(
        ("Ready", "False", 2, "upgrade failed"), ("Released", "False", 2, "upgrade failed")
    )

    state = read_helm_release(release(status__conditions=told)).state

    assert state.message.count("upgrade failed") == 1


@pytest.mark.parametrize("running", ["healthily", "again"])
@pytest.mark.parametrize(("ignored", "last"), [(True, "6.9.0"), (False, "6.8.4")])
def test_release_whose_failed_tests_are_ignored_is_what_ran_last(
    running: str, *, ignored: bool, last: str
) -> None:
    """The content said 6.9.0, the target and `kubectl` the version before."""
    hooks = {"podinfo-test": {"phase": "Failed"}}
    changes: dict[str, Any] = {
        "status__history__0__testHooks": hooks,
        "spec": {"test": {"enable": True, "ignoreFailures": ignored}},
    }
    if running == "again":
        changes["metadata__generation"] = 3

    state = read_helm_release(release(**changes)).state

    assert state.last is not None
    assert state.last.recorded == last
