"""What the status says in each situation."""

from typing import Any

import pytest
from doubles.watched import Cluster, pipeline_manifest, release

from countersign.contracts import messages as m
from countersign.kube.grants import secret_line
from countersign.watcher.status.content import status_of
from countersign.watcher.status.patches import patch_of
from countersign.watcher.status.phases import CAUTIONS

Json = dict[str, Any]
PAGE = "https://github.com/shop/gitops/pull/7"
AGAIN = "somebody who tries again"


def cluster(*, prod: str = "6.8.4", **promotion: Any) -> Cluster:
    made = Cluster(
        pipeline_manifest("dev", "prod", **promotion),
        release("dev", "6.9.0"),
        release("prod", prod),
    )
    made.step()
    return made


def said(made: Cluster) -> Json:
    status = status_of(made.situation(), links=made.links)
    assert status is not None
    return status


def ref(made: Cluster) -> m.PromotionRef:
    return next(iter(made.promotions.values())).ref


def person(name: str) -> m.Person:
    return m.Person(id=name, name=name.title())


def granted(made: Cluster, by: str) -> m.ApprovalGranted:
    return m.ApprovalGranted(
        promotion=ref(made), approval_id=f"a-{by}", by=person(by), consent_digest="d"
    )


def pull_request() -> m.PullRequestRef:
    return m.PullRequestRef(
        kind=m.ForgeKind.GITHUB,
        origin="https://github.com",
        repository_id="1",
        owner="shop",
        repository="gitops",
        number=7,
    )


def condition(status: Json, kind: str) -> Json:
    return next((c for c in status["conditions"] if c["type"] == kind), {})


def test_nothing_is_said_before_anything_was_observed() -> None:
    made = Cluster(pipeline_manifest("dev", "prod"))

    assert status_of(made.situation(), links={}) is None


def test_nothing_is_said_of_an_object_that_took_the_name() -> None:
    made = cluster()
    other = pipeline_manifest("dev", "prod")
    other["metadata"]["uid"] = "uid-2"
    made.apply(other)

    assert status_of(made.situation(), links={}) is None


def test_level_environments_have_no_next_promotion() -> None:
    status = said(cluster(prod="6.9.0"))

    assert "nextPromotion" not in status
    assert status["environments"]["prod"]["targets"][0]["ready"]
    assert "waitingApproval" not in status["environments"]["prod"]


def test_first_environment_never_waits_for_approval() -> None:
    environments = said(cluster(manual=True))["environments"]

    assert set(environments["dev"]) == {"targets"}
    assert environments["prod"]["waitingApproval"] == {"revision": "6.9.0"}


def test_who_is_waited_for_follows_the_approvals() -> None:
    made = cluster(approvals=2)
    waits = [said(made)["nextPromotion"]["waitingFor"]]
    begun = m.ApprovalBegun(promotion=ref(made), approval_id="a-ada", by=person("ada"))
    made.hear(begun)
    waits.append(said(made)["nextPromotion"]["waitingFor"])
    made.hear(granted(made, "ada"))
    waits.append(said(made)["nextPromotion"]["waitingFor"])
    made.hear(granted(made, "grace"))
    waits.append(said(made)["nextPromotion"]["waitingFor"])

    assert waits == [
        "2 people who may promote into prod",
        "Ada, who signs in at the forge",
        "1 more beside Ada who may promote into prod",
        "Countersign, which opens the pull request",
    ]
    assert said(made)["environments"]["prod"]["promotion"]["approvers"] == ["ada", "grace"]
    assert "waitingApproval" not in said(made)["environments"]["prod"]


@pytest.mark.parametrize(
    ("event", "phase", "waits"),
    [
        (
            m.PullRequestOpened,
            "WaitingForMerge",
            "whoever merges https://github.com/shop/gitops/pull/7",
        ),
        (m.PullRequestMerged, "Deploying", "prod, which has not run it healthily yet"),
        (
            m.PullRequestClosed,
            "Closed",
            "somebody who tries again: its pull request was closed unmerged",
        ),
    ],
)
def test_pull_request_is_told_with_what_it_waits_for(event: Any, phase: str, waits: str) -> None:
    made = cluster()
    made.hear(event(promotion=ref(made), pull_request=pull_request()))

    promotion = said(made)["environments"]["prod"]["promotion"]

    assert (promotion["phase"], promotion["message"]) == (phase, waits)
    assert promotion["pullRequest"] == PAGE


def test_failure_says_what_to_do() -> None:
    made = cluster()
    message = "Secret shop/token may not be read; kubectl …"
    made.hear(m.PullRequestFailed(promotion=ref(made), message=message))

    assert said(made)["nextPromotion"]["phase"] == "Failed"
    assert said(made)["environments"]["prod"]["promotion"]["message"] == message


def test_rejection_names_who_rejected_and_why() -> None:
    made = cluster(manual=True)
    made.hear(m.ApprovalRejected(promotion=ref(made), by=person("grace"), reason="not today"))

    assert said(made)["nextPromotion"]["waitingFor"] == (
        "somebody who tries again: rejected by Grace, not today"
    )


def test_blocked_gate_is_what_comes_next() -> None:
    made = Cluster(
        pipeline_manifest("dev", "prod"),
        release("dev", "6.9.0", phase="failed"),
        release("prod", "6.8.4"),
    )
    made.step()

    status = said(made)

    assert status["nextPromotion"]["phase"] == "Blocked"
    assert condition(status, "PromotionPending")["status"] == "True"
    assert condition(status, "PromotionPending")["reason"] == "EnvironmentNotReady"
    assert condition(status, "Ready")["status"] == "True"


def test_cluster_that_is_not_connected_is_not_ready() -> None:
    manifest = pipeline_manifest("dev", "prod")
    reference = {"kind": "GitopsCluster", "name": "eu", "namespace": "fleet"}
    manifest["spec"]["environments"][1]["targets"][0]["clusterRef"] = reference
    made = Cluster(manifest, release("dev", "6.9.0"))
    made.step()

    status = said(made)

    assert condition(status, "Ready")["reason"] == "TargetClusterNotReady"
    assert status["environments"]["prod"]["targets"][0]["clusterAppRef"]["clusterRef"] == reference


def test_unsound_pipeline_is_not_ready_and_says_why() -> None:
    made = Cluster(pipeline_manifest("dev", "dev"))
    made.step()

    status = said(made)

    assert condition(status, "Ready")["reason"] == "InvalidPipeline"
    assert status["findings"][0]["level"] == "Error"
    assert status["findings"][0]["code"] == "duplicate_environment"


def test_long_messages_are_cut_and_many_targets_are_left_out() -> None:
    names = [f"e{number}" for number in range(4)]
    made = Cluster(pipeline_manifest(*names, targets=200))
    made.apply(
        *(release(n, "1.0.0", target=t, phase="x" * 5000) for n in names for t in range(200))
    )
    made.step()

    status = said(made)

    targets = [t for e in status["environments"].values() for t in e["targets"]]
    assert len(targets) == 500
    assert max(len(t["error"]) for t in targets) <= 500
    assert all(len(c["message"]) <= 500 for c in status["conditions"])


def refusal_of(account: str, namespace: str, secret: str) -> m.Finding:
    """As long as the names are."""
    said_by_server = f'User "system:serviceaccount:{"h" * 63}:countersign-{account}" cannot get'
    line = secret_line(namespace=namespace, secret=secret, refusal=said_by_server)
    message = f"Secret '{namespace}/{secret}': Countersign may not read it: `{line}`"
    return m.Finding(level=m.FindingLevel.WARNING, code="secret_forbidden", message=message)


def with_findings(made: Cluster, *findings: m.Finding) -> Json:
    made.observed = made.observed.model_copy(update={"findings": findings})
    return said(made)


def test_environment_whose_name_the_api_server_takes_for_no_key_is_left_out() -> None:
    made = Cluster(
        pipeline_manifest("dev", "w" * 1100), release("dev", "6.9.0"), release("prod", "6.8.4")
    )
    made.step()

    assert list(said(made)["environments"]) == ["dev"]


@pytest.mark.parametrize("account", ["auditor", "watcher"])
def test_line_that_grants_is_whole_with_names_as_long_as_they_may_be(account: str) -> None:
    finding = refusal_of(account, "n" * 63, "s" * 253)

    (shown,) = with_findings(cluster(), finding)["findings"]

    assert shown["message"] == finding.message


def test_line_that_does_not_fit_is_left_out_and_told_where_it_is() -> None:
    made = cluster()
    line = refusal_of("pr-writer", "shop", f"bot-{'s' * 40}").message
    error = m.Finding(level=m.FindingLevel.ERROR, code="x", message=f"ü {line}")
    made.hear(granted(made, "ada"), m.PullRequestFailed(promotion=ref(made), message=line))
    status = with_findings(made, error)

    for text, most, whole in (
        (condition(status, "Ready")["message"], 500, "status.findings"),
        (status["environments"]["prod"]["promotion"]["message"], 500, "the board"),
        (status["nextPromotion"]["waitingFor"], 120, "the board"),
    ):
        assert len(text.encode()) <= most
        assert "kubectl" not in text
        assert text.endswith(f"see {whole}")


def test_waiting_of_another_controller_is_emptied_not_left() -> None:
    made = cluster(prod="6.9.0")
    current = {"environments": {"prod": {"waitingApproval": {"revision": "6.0.0"}}}}

    patch = patch_of(said(made), key=made.pipeline.key, version="5", current=current, now=made.now)

    assert patch["status"]["environments"]["prod"]["waitingApproval"] == {"revision": ""}
    assert patch["metadata"] == {"name": "checkout", "namespace": "shop", "resourceVersion": "5"}


def test_every_caution_has_words() -> None:
    assert set(CAUTIONS) == set(m.Caution)


def test_downgrade_is_called_by_its_name_where_it_waits() -> None:
    made = cluster(prod="6.9.5")

    status = said(made)

    message = status["environments"]["prod"]["promotion"]["message"]
    assert CAUTIONS[m.Caution.DOWNGRADE] in message


def test_what_was_merged_and_refused_is_given_up() -> None:
    made = cluster()
    merged = m.PullRequestMerged(promotion=ref(made), pull_request=pull_request())
    made.hear(merged, m.ApprovalRejected(promotion=ref(made), by=person("grace")))
    made.step()

    assert "given up by Grace" in said(made)["environments"]["prod"]["promotion"]["message"]
