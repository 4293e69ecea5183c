"""Every state of a gate has an icon, a word, a sentence, and an action where there is one."""

from collections.abc import Callable

import pytest
from unit.gateway.doubles import FORGES, Scene
from unit.gateway.stories import Condition, Pipeline, Story

from countersign.contracts.forge_list import ForgeList
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    Caution,
    FailureDetail,
    FailureReason,
    GateReason,
    OpeningStep,
    PromotionRequested,
)
from countersign.contracts.messages import GateState as Observed
from countersign.contracts.promotion import Promotion, State
from countersign.contracts.revision import short
from countersign.gateway.gate_states import GateState
from countersign.gateway.gates.fixes import how_to_fix
from countersign.gateway.gates.gates import BEGINS_WITHIN
from countersign.gateway.model import GateView, PipelineKey
from countersign.gateway.view.tracks import plain

KEY = PipelineKey("shop", "checkout")
Told = Callable[[Story], list[Message]]


def gate_after(told: Told, *, observed: Observed = Observed.PENDING, **more: object) -> GateView:
    scene, pipeline = Scene(), Pipeline("checkout")
    story = pipeline.promotion("prod", "6.9.0", current="6.8.4")
    scene.tell(
        *told(story),
        pipeline.observed(
            pipeline.environment("staging", "6.9.0", gate=None),
            pipeline.environment("prod", "6.8.4", gate=observed, **more),  # type: ignore[arg-type]
        ),
    )
    track = scene.projection.track(KEY)
    assert track is not None
    return track.gates[0]


def asked(s: Story) -> list[Message]:
    return [s.requested, s.begun()]


def granted(s: Story) -> list[Message]:
    return [*asked(s), s.granted()]


def downgrade(s: Story) -> PromotionRequested:
    return s.requested.model_copy(update={"cautions": (Caution.DOWNGRADE,)})


CASES: list[tuple[GateState, Told, str, list[str]]] = [
    (GateState.WAITING, lambda s: [s.requested], "6.9.0 has been ready for prod",
     ["Promote 6.9.0…", "Reject"]),
    (GateState.ASKED, asked, "Grace Hopper is signing in at localhost:3000, until 14:00 UTC",
     ["Promote 6.9.0…", "Reject"]),
    (GateState.OPENING, lambda s: [*granted(s), s.progressed(OpeningStep.EDITING)],
     "editing for grace", []),
    (GateState.OPEN, lambda s: s.to_open(41), "#41 by grace", ["Open pull request"]),
    (GateState.DEPLOYING, lambda s: [*s.to_open(41), s.merged(41)],
     "#41 merged by ada-l; waiting for Flux", []),
    (GateState.FAILED, lambda s: [*granted(s), s.failed()],
     "no marker for shop:checkout:prod in acme/gitops@main", ["Try again", "How to fix"]),
    (GateState.LOST, lambda s: [*granted(s), s.lost()],
     "the delegation ended before it was used", ["Promote 6.9.0…", "Reject"]),
    (GateState.WAITING, lambda s: [*asked(s), s.expired()], "6.9.0 has been ready for prod",
     ["Promote 6.9.0…", "Reject"]),
    (GateState.AHEAD, lambda s: [downgrade(s)], "prod runs 6.8.4, newer than staging's 6.9.0",
     ["Promote anyway (downgrade to 6.9.0)…", "Reject"]),
    (GateState.REJECTED, lambda s: [s.requested, s.rejected()],
     "rejected by Grace Hopper: “wait for the fix”", ["Ask again"]),
    (GateState.CLOSED, lambda s: [*s.to_open(41), s.closed(41)],
     "#41 was closed without merging", ["Ask again"]),
    (GateState.UNDONE, lambda s: [*s.to_open(41), s.merged(41), s.undone("6.8.4")],
     "merged, but prod is back on 6.8.4: upgrade failed and was rolled back",
     ["Promote again", "Show object"]),
    (GateState.SUPERSEDED, lambda s: [*s.to_open(41), s.superseded()],
     "#41 is overtaken and still open: a newer revision is healthy", ["Open pull request"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "told", "sentence", "actions"), CASES, ids=[c[0].value for c in CASES]
)
def test_gate_with_a_promotion_says_where_it_stands(
    state: GateState, told: Told, sentence: str, actions: list[str]
) -> None:
    gate = gate_after(told)

    assert gate.state is state
    assert plain(gate.sentence) == sentence
    assert [a.label for a in gate.actions] == actions


def test_opening_says_from_when_somebody_should_have_begun() -> None:
    nobody = gate_after(granted)
    somebody = gate_after(lambda s: [*granted(s), s.progressed(OpeningStep.READING)])
    waiting = gate_after(lambda s: [s.requested])

    assert nobody.since is not None
    assert nobody.begins_by == nobody.since + BEGINS_WITHIN
    assert somebody.begins_by is None
    assert waiting.begins_by is None


def test_environment_that_was_not_known_when_asked_is_told_as_it_is_now() -> None:
    scene, pipeline = Scene(), Pipeline("checkout")
    story = pipeline.promotion("prod", "6.9.0")
    before, after = (
        pipeline.observed(
            pipeline.environment("staging", "6.9.0", gate=None),
            pipeline.environment("prod", runs, gate=Observed.PENDING),
        )
        for runs in ("", "6.8.4")
    )
    scene.tell(story.requested, before)
    unknown = scene.projection.track(KEY)
    scene.tell(after)
    known = scene.projection.track(KEY)

    assert unknown is not None
    assert unknown.gates[0].current is None
    assert known is not None
    assert short(known.gates[0].current) == "6.8.4"


@pytest.mark.parametrize(
    ("observed", "more", "state", "sentence"),
    [
        (Observed.LEVEL, {}, GateState.LEVEL, "prod runs 6.8.4"),
        (Observed.BLOCKED, {"gate_message": "staging is not healthy"}, GateState.BLOCKED,
         "staging is not healthy"),
        (Observed.NOT_PROMOTABLE, {"gate_message": "applied from there"},
         GateState.NOT_PROMOTABLE, "applied from there"),
        (Observed.LEVEL, {"condition": Condition.UNKNOWN, "clusters": ("eu-2",)},
         GateState.UNKNOWN, "cluster eu-2 cannot be reached"),
    ],
    ids=["level", "blocked", "not promotable", "unknown"],
)  # fmt: skip
def test_gate_without_a_promotion_says_what_was_observed(
    observed: Observed, more: dict[str, object], state: GateState, sentence: str
) -> None:
    gate = gate_after(lambda _: [], observed=observed, **more)

    assert gate.state is state
    assert plain(gate.sentence) == sentence


CAUSE = "Helm install failed: timeout waiting for: [Deployment/a]"
FLUX = (
    "Helm install failed for release test/search with chart podinfo@6.9.0: "
    "timeout waiting for: [Deployment/a]"
)
SAID = f"HelmRelease checkout: {FLUX}"


def test_blocked_gate_says_the_cause_first_and_beside_the_environment_nothing_twice() -> None:
    scene, search = Scene(), Pipeline("checkout")
    scene.tell(
        search.observed(
            search.environment("test", "6.9.0", gate=None, condition=Condition.FAILED,
                               message=SAID),
            search.environment("prod", "6.8.4", gate=Observed.BLOCKED,
                               gate_message=f"test is not healthy: {SAID}",
                               reason=GateReason.UNHEALTHY, hindered_by="test", cause=FLUX),
        )
    )  # fmt: skip
    track = scene.projection.track(KEY)

    assert track is not None
    assert plain(track.gates[0].sentence) == f"test is not healthy: {FLUX}"
    assert plain(track.gates[0].brief) == CAUSE
    assert plain(track.gates[0].beside) == "test is not healthy"
    assert track.environments[0].cause == CAUSE


@pytest.mark.parametrize(
    ("recorded", "label"),
    [
        ("main@sha1:767a060bd1e24411e5e34a9d7d6b6a8f0e0c1a2b", "Promote 767a060…"),
        ("6.9.0", "Promote 6.9.0…"),
        ("latest@sha256:" + "9b1f" * 16, "Promote sha256:9b1f9b1…"),
    ],
)
def test_promote_button_leaves_the_branch_out(recorded: str, label: str) -> None:
    scene, website = Scene(), Pipeline("checkout")
    story = website.promotion("prod", recorded)
    scene.tell(
        website.observed(
            website.environment("test", recorded, gate=None),
            website.environment("prod", "6.8.4", gate=Observed.PENDING),
        ),
        story.requested,
    )
    track = scene.projection.track(KEY)

    assert track is not None
    assert track.gates[0].actions[0].label == label


def test_gate_is_level_again_when_its_promotion_completed() -> None:
    gate = gate_after(
        lambda s: [*s.to_open(41), s.merged(41), s.completed()], observed=Observed.LEVEL
    )

    assert gate.state is GateState.LEVEL


def test_gate_of_a_newer_promotion_notes_the_open_pull_request_of_the_older() -> None:
    scene, pipeline = Scene(), Pipeline("checkout")
    older, newer = pipeline.promotion("prod", "6.9.0"), pipeline.promotion("prod", "6.9.1")
    scene.tell(
        pipeline.observed(
            pipeline.environment("staging", "6.9.1", gate=None),
            pipeline.environment("prod", "6.8.4", gate=Observed.PENDING),
        ),
        *older.to_open(41),
        older.superseded(by=newer.id),
        newer.requested,
    )
    track = scene.projection.track(KEY)
    assert track is not None

    noted = [plain(n) for n in track.gates[0].notes]
    scene.tell(older.closed(41))
    after = scene.projection.track(KEY)

    assert noted == ["#41 is overtaken by 6.9.1 and still open"]
    assert after is not None
    assert after.gates[0].notes == ()


@pytest.mark.parametrize(
    ("secret", "notes"),
    [("", 1), ("/run/secrets/hook", 0)],
    ids=["no-webhook", "webhook"],
)
def test_gate_says_that_only_the_cluster_will_tell_of_the_merge(secret: str, notes: int) -> None:
    forge = FORGES.forges[0].model_copy(update={"webhook_secret_file": secret})
    scene, pipeline = Scene(forges=ForgeList(forges=(forge,))), Pipeline("checkout")
    story = pipeline.promotion("prod", "6.9.0", current="6.8.4")
    scene.tell(
        *story.to_open(41),
        pipeline.observed(
            pipeline.environment("staging", "6.9.0", gate=None),
            pipeline.environment("prod", "6.8.4", gate=Observed.PENDING),
        ),
    )

    track = scene.projection.track(KEY)

    assert track is not None
    assert len(track.gates[0].notes) == notes


def failed(reason: FailureReason, **more: object) -> Promotion:
    request = Pipeline("checkout {0} {x}").promotion("prod", "6.9.0").requested
    return Promotion(request=request, state=State.FAILED, failure=reason, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", list(FailureReason))
def test_every_failure_says_how_to_fix_it(reason: FailureReason) -> None:
    text = how_to_fix(failed(reason))

    assert len(text) > 20
    assert text.endswith(".")


@pytest.mark.parametrize("detail", list(FailureDetail)[1:])
def test_detail_of_a_failure_says_more_than_its_reason(detail: FailureDetail) -> None:
    reason = FailureReason.NO_MARKER

    text = how_to_fix(failed(reason, failure_detail=detail))

    assert text != how_to_fix(failed(reason))
    assert "{" not in text


def test_fix_of_an_unusable_marker_names_file_and_line() -> None:
    promotion = failed(
        FailureReason.NO_MARKER,
        failure_detail=FailureDetail.MARKER_UNUSABLE,
        failure_path="apps/a.yaml",
        failure_line=3,
    )

    assert "in `apps/a.yaml`, line 3 " in how_to_fix(promotion)


def test_gate_below_which_something_is_in_progress_is_calm() -> None:
    gate = gate_after(
        lambda _: [], observed=Observed.BLOCKED, gate_message="staging is progressing",
        reason=GateReason.PROGRESSING, hindered_by="staging",
    )  # fmt: skip

    assert gate.state is GateState.PROGRESSING
    assert plain(gate.sentence) == "waiting until staging is healthy"


def test_gate_with_a_reason_newer_than_this_program_says_what_the_watcher_says() -> None:
    gate = gate_after(
        lambda _: [], observed=Observed.BLOCKED, gate_message="the moon is in the way"
    )

    assert gate.state is GateState.BLOCKED
    assert plain(gate.sentence) == "the moon is in the way"


@pytest.mark.parametrize(
    ("reason", "told", "state", "labels"),
    [
        (
            GateReason.OPEN_FOR_LONG,
            lambda s: s.to_open(41),
            GateState.OPEN_FOR_LONG,
            ["Open pull request", "Ask again", "Give up"],
        ),
        (
            GateReason.NOT_ARRIVED,
            lambda s: [*s.to_open(41), s.merged(41)],
            GateState.NOT_ARRIVED,
            ["Ask again", "Give up", "Show object"],
        ),
    ],
    ids=["open", "deploying"],
)
def test_promotion_that_does_not_end_can_be_asked_again_or_given_up(
    reason: GateReason, told: Told, state: GateState, labels: list[str]
) -> None:
    gate = gate_after(told, reason=reason)

    assert gate.state is state
    assert [a.label for a in gate.actions] == labels


def test_sign_in_that_came_to_nothing_does_not_reset_the_age_of_the_queue() -> None:
    before = gate_after(lambda s: [s.requested])
    after = gate_after(lambda s: [*asked(s), s.expired()])

    assert after.since == before.since
