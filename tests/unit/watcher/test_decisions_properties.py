"""Whatever happens in whatever order, deciding settles and keeps its promises."""

from typing import Any

import hypothesis.strategies as st
from doubles.watched import NOW, Cluster, pipeline_manifest, release
from hypothesis import given, settings

from countersign.contracts import messages as m
from countersign.contracts.promotion import OVER, Promotion

VERSIONS = ("6.8.4", "6.9.0", "6.9.1")
NAMES = ("dev", "staging", "prod")
PIPELINES = (NAMES, ("dev", "prod"), ("staging", "dev", "prod"), (), ("dev", "dev"))

move = st.tuples(
    st.just("move"),
    st.sampled_from(NAMES),
    st.sampled_from(VERSIONS),
    st.sampled_from(("healthy", "progressing", "failed", "rolled back")),
)
fate = st.tuples(
    st.just("fate"),
    st.integers(0, 5),
    st.sampled_from(("opened", "merged", "closed", "failed", "rejected", "retried")),
)
edit = st.tuples(st.just("edit"), st.sampled_from(PIPELINES))
loss = st.tuples(st.just("loss"), st.sampled_from(("stream", "file")))
steps = st.lists(st.one_of(move, move, fate, fate, edit, loss), max_size=20)


def start() -> Cluster:
    releases = (release(name, "6.8.4") for name in NAMES)
    return Cluster(pipeline_manifest(*NAMES), *releases)


def play(world: Cluster, step: tuple[Any, ...]) -> None:
    match step:
        case ("move", name, version, phase):
            world.apply(release(name, version, phase=phase))
        case ("edit", names):
            world.apply(pipeline_manifest(*names))
        case ("loss", "stream"):
            world.promotions, world.observed = {}, None
        case ("loss", "file"):
            world.links = {}
        case ("fate", index, word) if world.promotions:
            ids = sorted(world.promotions)
            promotion = world.promotions[ids[index % len(ids)]]
            world.hear(told(promotion, word))


def told(promotion: Promotion, word: str) -> Any:
    ref = promotion.ref
    pull = m.PullRequestRef(
        origin="https://github.com", repository_id="1", owner="shop", repository="gitops", number=1
    )
    again = ref.model_copy(update={"attempt": promotion.attempt + 1})
    return {
        "opened": m.PullRequestOpened(promotion=ref, pull_request=pull),
        "merged": m.PullRequestMerged(promotion=ref, pull_request=pull, merged_at=NOW),
        "closed": m.PullRequestClosed(promotion=ref, pull_request=pull),
        "failed": m.PullRequestFailed(promotion=ref, message="no"),
        "rejected": m.ApprovalRejected(promotion=ref, by=m.Person(id="ada")),
        "retried": m.PromotionRetried(promotion=again),
    }[word]


@settings(max_examples=60)
@given(steps)
def test_deciding_settles_at_once(played: list[tuple[Any, ...]]) -> None:
    """What was decided and published leaves nothing more to decide."""
    world = start()
    for step in played:
        play(world, step)
        world.step()
        said = world.observed

        assert world.step() == ()
        assert world.observed is said


@settings(max_examples=60)
@given(steps)
def test_request_names_what_the_environment_below_runs_healthily(
    played: list[tuple[Any, ...]],
) -> None:
    world = start()
    for step in played:
        play(world, step)
        for event in world.step():
            if isinstance(event, m.PromotionRequested):
                below = observed(world, event.from_environment)
                assert below.condition is m.EnvironmentCondition.HEALTHY
                assert below.content == event.content
                names = [e.name for e in world.pipeline.environments]
                assert names.index(event.promotion.environment) == 1 + names.index(
                    event.from_environment
                )


@settings(max_examples=60)
@given(steps)
def test_one_promotion_at_most_waits_for_consent_at_a_gate(
    played: list[tuple[Any, ...]],
) -> None:
    world = start()
    for step in played:
        play(world, step)
        world.step()
        if not world.pipeline.is_sound:
            continue
        waiting = [
            p.request.promotion.environment
            for p in world.promotions.values()
            if p.state not in OVER and not p.merged
        ]

        assert len(waiting) == len(set(waiting)), [
            (p.promotion_id, p.state, p.request.content.identity, p.request.previous_promotion_id)
            for p in world.promotions.values()
        ]


@settings(max_examples=60)
@given(steps)
def test_promotion_is_completed_only_where_it_runs_in_all_targets(
    played: list[tuple[Any, ...]],
) -> None:
    world = start()
    for step in played:
        play(world, step)
        for event in world.step():
            if isinstance(event, m.PromotionCompleted):
                here = observed(world, event.promotion.environment)
                assert here.condition is m.EnvironmentCondition.HEALTHY
                assert here.content.revision == event.revision


def observed(world: Cluster, name: str) -> Any:
    return next(e for e in world.observed.environments if e.name == name)
