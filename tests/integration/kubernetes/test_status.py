"""What people see of a Pipeline with kubectl, while promotions go their way."""

import asyncio
from typing import Final

import pytest
import reference
from apiserver import ApiServer
from doubles.service_accounts import make_account, settings_of
from doubles.told_cluster import PACE, Told, condition_in, granted, promotion_in, pull_request
from e2e.mirroring import install

from countersign.contracts import messages as m
from countersign.contracts.identity import promotion_id

CRD: Final = reference.ROOT / "k8s" / "crds" / "pipelines.yaml"
# Longer than any watcher waits before it corrects another.
QUIET_S: Final = 2 * PACE.review_s + 1.5


@pytest.fixture(scope="module", autouse=True)
def crds(apiserver: ApiServer) -> None:
    install(apiserver, CRD, reference.skip_without("crds") / "gitopsclusters.yaml")


def kubectl(told: Told, *arguments: str) -> str:
    return told.server.kubectl("-n", told.space, *arguments)


async def open_pull_request(told: Told) -> m.PromotionRef:
    ref = await told.reference()
    await told.publish("approval", granted(ref))
    await told.publish("pr-writer", m.PullRequestOpened(promotion=ref, pull_request=pull_request()))
    return ref


async def test_promotion_that_waits_is_told_with_whom_it_waits_for(told: Told) -> None:
    await told.lay(manual=True)

    async with told.watcher():
        await told.phase("WaitingForApproval")
        status = await told.status()
        row = kubectl(told, "get", "pl", "--no-headers")
        kubectl(told, "wait", "--for=condition=Ready", "pipeline/checkout", "--timeout=10s")

    assert status["observedGeneration"] == 1
    assert condition_in(status, "Ready")["reason"] == "ReconciliationSucceeded"
    assert condition_in(status, "PromotionPending") == {}
    assert status["environments"]["prod"]["waitingApproval"] == {"revision": "6.9.0"}
    assert "waitingApproval" not in status["environments"]["dev"]
    assert status["environments"]["dev"]["targets"] == [
        {
            "clusterAppRef": {
                "apiVersion": "helm.toolkit.fluxcd.io/v2",
                "kind": "HelmRelease",
                "name": "podinfo",
            },
            "ready": True,
            "revision": "6.9.0",
        }
    ]
    assert [cell.strip() for cell in row.split("  ") if cell.strip()][-4:] == [
        "6.9.0",
        "prod",
        "WaitingForApproval",
        "a person who may promote into prod",
    ]


async def test_promotion_is_told_from_request_to_arrival(told: Told) -> None:
    await told.lay(manual=True)

    async with told.watcher():
        await told.phase("WaitingForApproval")
        ref = await open_pull_request(told)
        opened = await told.phase("WaitingForMerge")
        await told.publish(
            "pr-writer",
            m.PullRequestMerged(
                promotion=ref, pull_request=pull_request(), by=m.ForgeUser(id="2", login="grace")
            ),
        )
        await told.phase("Deploying")
        await told.run("prod", "6.9.0")
        completed = await told.phase("Completed")
        status = await told.status()
        steps = await told.until_told("PromotionCompleted")

    assert opened["pullRequest"] == "https://github.com/shop/gitops/pull/7"
    assert opened["approvers"] == ["ada"]
    assert completed["revision"] == "6.9.0"
    assert "waitingApproval" not in status["environments"]["prod"]
    assert "nextPromotion" not in status
    assert status["environments"]["prod"]["chain"]["completed"] is True
    assert [step["reason"] for step in steps] == [
        "PromotionRequested",
        "PromotionApproved",
        "PullRequestOpened",
        "PullRequestMerged",
        "PromotionCompleted",
    ]
    assert "merged by grace: https://github.com/shop/gitops/pull/7" in steps[3]["note"]
    assert "PullRequestMerged" in kubectl(told, "describe", "pipeline", "checkout")


async def test_nothing_is_written_while_nothing_changes(told: Told) -> None:
    await told.lay(manual=True)

    async with told.watcher():
        await told.phase("WaitingForApproval")
        await asyncio.sleep(1)
        before = (await told.object())["metadata"]["resourceVersion"]
        await told.run("dev", "6.9.0")
        await asyncio.sleep(QUIET_S)
    async with told.watcher(replica="watcher-1"):
        await asyncio.sleep(QUIET_S)

    assert (await told.object())["metadata"]["resourceVersion"] == before


async def test_two_watchers_agree_on_the_status_and_tell_each_step_once(told: Told) -> None:
    await told.lay(manual=True)

    async with told.watcher(), told.watcher(replica="watcher-1"):
        await told.phase("WaitingForApproval")
        await open_pull_request(told)
        await told.phase("WaitingForMerge")
        await asyncio.sleep(1)
        before = (await told.object())["metadata"]["resourceVersion"]
        await asyncio.sleep(QUIET_S)
        after = (await told.object())["metadata"]["resourceVersion"]
        steps = await told.steps()

    assert before == after
    reasons = [step["reason"] for step in steps]
    assert reasons == ["PromotionRequested", "PromotionApproved", "PullRequestOpened"]


async def test_chain_is_found_again_when_every_stream_was_lost(told: Told) -> None:
    await told.lay()
    async with told.watcher():
        await told.phase("OpeningPullRequest")
        first = await told.reference()
        opened = m.PullRequestOpened(promotion=first, pull_request=pull_request())
        merged = m.PullRequestMerged(promotion=first, pull_request=pull_request())
        await told.publish("pr-writer", opened, merged)
        await told.run("prod", "6.9.0")
        await told.phase("Completed")
        await told.run("dev", "6.9.1")
        await told.until(lambda s: promotion_in(s, "prod").get("revision") == "6.9.1")
        second = (await told.reference()).promotion_id

    await told.lose_streams()
    async with told.watcher(replica="watcher-1"):
        request = await told.requested(second)
        status = await told.until(lambda s: promotion_in(s, "prod").get("id") == second)

    assert request.previous_promotion_id == first.promotion_id
    assert status["environments"]["prod"]["chain"]["promotionId"] == first.promotion_id


async def test_unready_and_missing_targets_are_told(told: Told) -> None:
    await told.lay(manual=True)

    async with told.watcher():
        await told.phase("WaitingForApproval")
        await told.run("dev", "6.9.1", phase="failed")
        failed = await told.until(lambda s: condition_in(s, "PromotionPending"))
        await told.api.call(
            "DELETE",
            f"/apis/helm.toolkit.fluxcd.io/v2/namespaces/{told.space}/helmreleases/podinfo",
        )
        missing = await told.until(lambda s: condition_in(s, "Ready").get("status") == "False")

    assert condition_in(failed, "Ready")["status"] == "True"
    assert condition_in(failed, "PromotionPending")["reason"] == "EnvironmentNotReady"
    target = failed["environments"]["dev"]["targets"][0]
    assert (target["ready"], bool(target["error"])) == (False, True)
    assert condition_in(missing, "Ready")["reason"] == "TargetNotReadable"
    assert "dev: HelmRelease" in condition_in(missing, "Ready")["message"]


async def test_what_is_always_wrong_is_a_finding_and_no_refusal(told: Told) -> None:
    await told.lay(manual=True)
    wrong = await told.object()
    names = [{"name": "dev", "targets": []}, {"name": "dev", "targets": []}]
    await told.api.call(
        "PATCH",
        told.path,
        body={"spec": {**wrong["spec"], "environments": names}},
        content_type="application/merge-patch+json",
    )

    async with told.watcher():
        status = await told.until(lambda s: s.get("findings"))

    assert {"duplicate_environment", "no_targets"} <= {f["code"] for f in status["findings"]}
    assert condition_in(status, "Ready")["reason"] == "InvalidPipeline"


async def test_what_pipeline_controller_left_is_taken_over(told: Told) -> None:
    await told.lay(prod="6.9.0", manual=True)
    made = await told.object()
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "ReconciliationSucceeded",
        "message": "All clusters checked",
        "lastTransitionTime": "2026-11-01T10:00:00Z",
    }
    waiting = {"waitingApproval": {"revision": "6.0.0"}}
    left = {"conditions": [ready], "environments": {"prod": waiting, "gone": waiting}}
    await told.api.call("PUT", f"{told.path}/status", body={**made, "status": left})

    async with told.watcher():
        status = await told.until(lambda s: s.get("observedGeneration") == 1)

    environments = status["environments"]
    assert environments["prod"].get("waitingApproval", {}).get("revision", "") == ""
    assert environments["gone"]["waitingApproval"]["revision"] == ""
    # It has been so all along.
    assert condition_in(status, "Ready")["lastTransitionTime"] == "2026-11-01T10:00:00Z"


async def test_watcher_without_the_right_to_tell_promotes_all_the_same(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    await make_account(told.api, told.space, "reader")
    kubectl(
        told,
        *("create", "clusterrole", f"reader-{told.space}", "--verb=get,list,watch"),
        "--resource=pipelines.pipelines.weave.works,helmreleases.helm.toolkit.fluxcd.io",
    )
    kubectl(
        told,
        *("create", "clusterrolebinding", f"reader-{told.space}"),
        f"--clusterrole=reader-{told.space}",
        f"--serviceaccount={told.space}:reader",
    )
    settings = await settings_of(told.api, told.server, "reader", namespace=told.space)
    await told.lay(manual=True)
    uid = (await told.object())["metadata"]["uid"]
    promotion = promotion_id(
        pipeline_uid=uid, environment="prod", content_identity="6.9.0", previous_promotion_id=""
    )

    async with told.watcher(settings=settings):
        request = await told.requested(promotion)
        await asyncio.sleep(2)
        said = capsys.readouterr().out

    assert request.manual
    assert (said.count("status.not_written"), said.count("step.not_told")) == (1, 1)
    assert "forbidden" in said
    assert (await told.status()) == {"observedGeneration": -1}


async def test_status_is_written_once_the_api_server_takes_it_again(told: Told) -> None:
    await told.lay(manual=True)

    async with told.watcher():
        await told.phase("WaitingForApproval")
        told.server.stop(only="kube-apiserver")
        told.server.start()
        await told.run("dev", "6.9.1")
        await told.until(lambda s: promotion_in(s, "prod").get("revision") == "6.9.1")


async def test_environments_may_have_any_name_and_a_renamed_one_leaves_nothing(told: Told) -> None:
    await told.lay(manual=True)
    spec = (await told.object())["spec"]

    async def rename(name: str) -> None:
        spec["environments"][1]["name"] = name
        body = {"spec": spec}
        merge = "application/merge-patch+json"
        await told.api.call("PATCH", told.path, body=body, content_type=merge)

    await rename("Prod EU/1 %~.ü日本")
    async with told.watcher():
        await told.phase("WaitingForApproval", "Prod EU/1 %~.ü日本")
        await rename("prod")
        await told.phase("WaitingForApproval")
        status = await told.until(lambda s: len(s["environments"]) == 2)

    assert set(status["environments"]) == {"dev", "prod"}
