"""What is told of Secrets with keys of promotion hints, before anybody sends one."""

import asyncio
from collections.abc import Iterable

import pytest
from doubles.hinting import Keys
from doubles.watched import NOW, pipeline_manifest

from countersign.contracts import messages as m
from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.flux.rules import read_object
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.pipeline import Pipeline
from countersign.kube.refusals import ClusterRefusal
from countersign.process.refusals import ProcessRefusal
from countersign.watcher.hints.key_checks import (
    BAD_AGAIN_S,
    DOUBTED_AGAIN_S,
    GOOD_AGAIN_S,
    LOOKS_PER_STEP_MAX,
    KeyChecks,
)
from countersign.watcher.interfaces import Changes
from countersign.watcher.observation.inventory import Inventory
from countersign.watcher.observation.key_findings import KeyFindings

FORBIDDEN = Rejected(ClusterRefusal.SECRET_FORBIDDEN, "this allows it: `kubectl …`")


def pipeline_of(secret: str, *, name: str = "checkout") -> Pipeline:
    manifest = pipeline_manifest("dev", "prod")
    manifest["metadata"]["name"] = name
    manifest["spec"]["promotion"]["strategy"]["secretRef"] = {"name": secret}
    read = read_object(manifest)
    assert isinstance(read, Pipeline)
    return read


class Looking:
    """Keys, a clock that goes when it is told to, and Pipelines that are to be looked at."""

    def __init__(self, *pipelines: Pipeline) -> None:
        self.keys, self.world, self.problems = Keys(), Inventory(), KeyFindings()
        self.now_s = 0.0
        self.told: list[ObjectKey] = []
        self.calls = 0
        self.looks = KeyChecks(
            self.keys,
            inventory=self.world,
            problems=self.problems,
            look=self.look,
            clock=lambda: self.now_s,
        )
        self.world.apply(Changes(changed={p.key: p for p in pipelines}))

    def look(self, keys: Iterable[ObjectKey]) -> None:
        self.told += keys
        self.calls += 1

    async def later(self, wait_s: float) -> int:
        """How many Secrets were read in a step after that time."""
        self.now_s += wait_s
        before = len(self.keys.asked)
        await self.looks.step()
        return len(self.keys.asked) - before

    def codes(self, pipeline: Pipeline) -> list[str]:
        return [p.code for p in self.problems.findings_of(pipeline, observed=None)]


# Of the same Secret, as a stored credential.
FOREIGN = m.Finding(
    level=m.FindingLevel.WARNING,
    code="secret_forbidden",
    message="not ours",
    subject=m.ObjectRef(api_version="v1", kind="Secret", namespace="shop", name="key"),
)


def observed(pipeline: Pipeline, *findings: m.Finding) -> m.PipelineObserved:
    return m.PipelineObserved(
        pipeline=pipeline.ref,
        app=pipeline.app,
        findings=findings,
        manifest=pipeline.manifest,
        observed_at=NOW,
    )


@pytest.mark.parametrize(
    ("secret", "error", "code"),
    [
        ("key", FORBIDDEN, "secret_forbidden"),
        ("key", Rejected(ClusterRefusal.SECRET_MISSING, "it is not there"), "secret_missing"),
        ("key", Rejected(ProcessRefusal.BAD_SECRET, "is no text"), "no_hmac_key"),
        ("other", None, "no_hmac_key"),
    ],
)
async def test_pipeline_is_told_what_is_wrong_with_a_key_until_it_is_mended(
    secret: str, error: Exception | None, code: str
) -> None:
    pipeline = pipeline_of(secret)
    looking = Looking(pipeline)
    looking.keys.errors = [error] if error else []
    await looking.later(0)
    wrong, told = looking.codes(pipeline), list(looking.told)
    looking.keys.keys[secret] = "made-up"
    await looking.later(BAD_AGAIN_S)

    assert (wrong, told) == ([code], [pipeline.key])
    assert looking.codes(pipeline) == []
    assert looking.told == [pipeline.key] * 2


async def test_key_that_is_well_is_read_seldom_and_said_to_nobody_again() -> None:
    looking = Looking(pipeline_of("key"), pipeline_of("key", name="cart"))

    reads = [await looking.later(s) for s in (0, BAD_AGAIN_S, GOOD_AGAIN_S)]

    assert reads == [1, 0, 1]
    assert len(looking.told) == 2
    assert looking.calls == 1, "nobody is woken for nothing"


async def test_many_secrets_are_read_a_few_at_a_time() -> None:
    many = [pipeline_of(f"key-{n}", name=f"p-{n}") for n in range(2 * LOOKS_PER_STEP_MAX + 1)]
    looking = Looking(*many)

    reads = [await looking.later(1) for _ in range(4)]

    assert reads == [LOOKS_PER_STEP_MAX, LOOKS_PER_STEP_MAX, 1, 0]


async def test_api_server_that_is_away_changes_nothing_that_was_told() -> None:
    pipeline = pipeline_of("key")
    looking = Looking(pipeline)
    looking.keys.errors = [FORBIDDEN, Retryable(ClusterRefusal.UNAVAILABLE, "away")]
    await looking.later(0)
    await looking.later(BAD_AGAIN_S)

    assert looking.codes(pipeline) == ["secret_forbidden"]
    assert looking.told == [pipeline.key]


async def test_secret_that_cannot_be_looked_at_ends_no_look_at_the_others() -> None:
    one, other = pipeline_of("a"), pipeline_of("b", name="basket")
    looking = Looking(one, other)
    looking.keys.errors = [RuntimeError("an error of ours"), FORBIDDEN]

    await looking.later(0)

    assert looking.codes(one) == []
    assert looking.codes(other) == ["secret_forbidden"]


async def test_watcher_that_starts_takes_nothing_back_before_it_has_looked() -> None:
    pipeline = pipeline_of("key")
    first, second = Looking(pipeline), Looking(pipeline)
    first.keys.errors = [FORBIDDEN]
    await first.later(0)
    problems = first.problems.findings_of(pipeline, observed=None)
    told = observed(pipeline, *problems, FOREIGN)

    before = second.problems.findings_of(pipeline, observed=told)
    await second.later(0)

    assert before == problems
    assert second.problems.findings_of(pipeline, observed=told) == ()


async def test_secret_that_another_watcher_sees_otherwise_is_looked_at_soon() -> None:
    pipeline = pipeline_of("key")
    looking = Looking(pipeline)
    looking.keys.errors = [FORBIDDEN]
    await looking.later(0)
    (problem,) = looking.problems.findings_of(pipeline, observed=None)
    looking.problems.compare(pipeline, observed(pipeline, problem))
    agreed = await looking.later(DOUBTED_AGAIN_S)
    looking.problems.compare(pipeline, observed(pipeline))
    doubted = await looking.later(0)

    assert (agreed, doubted) == (0, 1)
    assert looking.codes(pipeline) == []


async def test_secret_that_nobody_names_any_more_is_forgotten() -> None:
    pipeline = pipeline_of("other")
    looking = Looking(pipeline)
    await looking.later(0)
    looking.world.apply(Changes(removed=frozenset({pipeline.key})))
    reads = await looking.later(GOOD_AGAIN_S)

    assert reads == 0
    assert looking.codes(pipeline) == []


async def test_looking_goes_on_until_it_is_cancelled() -> None:
    looking = Looking(pipeline_of("key"))
    job = asyncio.create_task(looking.looks.run(asyncio.sleep))
    while not looking.keys.asked:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0)
    job.cancel()
    await asyncio.wait([job])

    assert job.cancelled()
