"""What the real Flux controllers wrote, replayed through the directory, step by step."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from doubles.flux_recordings import lines, recordings
from doubles.watched import directory_of

from countersign.contracts.messages import EnvironmentCondition as Is
from countersign.kube.flux.applications import AppState
from countersign.kube.objects import ObjectKey, key_of
from countersign.watcher.observation.inventory import Inventory

# Charts that the README calls bad: the API server refuses them, or they never become ready.
BAD_VERSIONS = {
    "chain": {"6.9.1"},
    "chain-nowait": {"6.9.1"},
    "hr-install-failure": {"6.8.4"},
    "hr-long-history": {"6.8.3", "6.8.6", "6.8.7"},
    "hr-retry-forget": {"6.9.0"},
    "hr-upgrade-failure": {"6.9.0"},
    "hr-upgrade-retry-on-failure": {"6.9.0"},
    "hr-upgrade-rollback": {"6.9.0"},
    "hr-upgrade-rollback-once": {"6.9.0"},
    "hr-upgrade-timeout-rollback": {"6.9.0"},
    "partial-apply": {"6.9.0", "6.9.1"},
}


@dataclass(frozen=True)
class Moment:
    """The state of every application after one line of a recording."""

    line: int
    states: dict[ObjectKey, AppState]

    def of(self, kind: str = "HelmRelease", *, namespace: str = "", name: str = "") -> AppState:
        found = [
            state
            for key, state in self.states.items()
            if key.kind == kind and namespace in {"", key.namespace} and name in {"", key.name}
        ]
        assert len(found) == 1
        return found[0]


def replay(name: str, root: Path) -> Iterator[Moment]:
    """Each event becomes a change of a file, which the watcher reads."""
    source = directory_of(root)
    world = Inventory()
    for number, kind, manifest in lines(name):
        key = key_of(manifest)
        path = root / key.namespace / f"{key.kind}-{key.name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "DELETED":
            path.unlink()
        else:
            beside = path.with_name(".writing")
            beside.write_text(json.dumps(manifest))
            beside.replace(path)
        world.apply(source.take([path]))
        yield Moment(line=number, states=_states(world))


def _states(world: Inventory) -> dict[ObjectKey, AppState]:
    return {key: state for key, state in world.applications() if key.kind != "Receiver"}


def at(name: str, line: int, root: Path) -> Moment:
    return next(m for m in replay(name, root) if m.line == line)


@pytest.mark.parametrize("name", recordings())
def test_recording_never_names_a_release_that_failed(name: str, tmp_path: Path) -> None:
    bad = BAD_VERSIONS.get(name, set())
    seen = 0

    for moment in replay(name, tmp_path):
        for key, state in moment.states.items():
            seen += 1
            where = f"{name}:{moment.line} {key}"
            if state.content is None:
                assert state.condition is not Is.HEALTHY, where
                continue
            assert state.condition is Is.HEALTHY, where
            version = state.content.revision.version
            assert version not in bad, where
            assert state.last is None or state.last.version not in bad, where

    assert seen


CONDITION_AT = [
    ("hr-upgrade-failure", 42, Is.FAILED),
    ("hr-upgrade-rollback", 62, Is.FAILED),
    ("hr-upgrade-rollback-once", 61, Is.PROGRESSING),
    ("hr-suspend-resume", 33, Is.SUSPENDED),
    ("hr-delete", 32, Is.MISSING),
    ("hr-upgrade", 34, Is.PROGRESSING),
    ("hr-upgrade", 43, Is.PROGRESSING),
]


@pytest.mark.parametrize(("name", "line", "condition"), CONDITION_AT)
def test_release_that_is_not_healthy_says_how_it_is(
    name: str, line: int, condition: Is, tmp_path: Path
) -> None:
    assert at(name, line, tmp_path).of().condition is condition


def test_failed_release_tells_what_flux_says_of_it(tmp_path: Path) -> None:
    state = at("hr-upgrade-failure", 42, tmp_path).of()

    assert state.message.startswith("HelmRelease podinfo: Helm upgrade failed")
    assert state.last is not None
    assert state.last.recorded == "6.8.4"


def test_release_that_was_rolled_back_for_good_says_what_runs_again(tmp_path: Path) -> None:
    before = at("hr-upgrade-rollback", 46, tmp_path / "a").of()
    settled = at("hr-upgrade-rollback", 62, tmp_path / "b").of()

    assert before.rolled_back is None
    assert settled.rolled_back is not None
    assert settled.rolled_back.recorded == "6.8.4"


KUSTOMIZED_AT = [
    ("ks-commits", 7, Is.FAILED),
    ("ks-commits", 16, Is.PROGRESSING),
    ("ks-commits", 17, Is.HEALTHY),
    ("ks-commits", 20, Is.HEALTHY),
    ("ks-commits", 21, Is.PROGRESSING),
    ("ks-commits", 24, Is.PROGRESSING),
    ("ks-commits", 26, Is.PROGRESSING),
    ("ks-commits", 27, Is.HEALTHY),
    ("ks-commits", 37, Is.HEALTHY),
    ("ks-commits", 49, Is.MISSING),
    ("ks-build-failure", 25, Is.FAILED),
    ("ks-apply-failure", 27, Is.FAILED),
    ("ks-health-failure", 30, Is.PROGRESSING),
    ("ks-health-failure", 32, Is.FAILED),
    ("ks-health-failure", 51, Is.HEALTHY),
    ("ks-source-failure", 20, Is.FAILED),
    ("ks-source-failure", 36, Is.FAILED),
    ("ks-suspend-resume", 24, Is.SUSPENDED),
    ("chain", 98, Is.FAILED),
    ("chain-nowait", 54, Is.HEALTHY),
]


@pytest.mark.parametrize(("name", "line", "condition"), KUSTOMIZED_AT)
def test_kustomization_is_what_rule_k_says(
    name: str, line: int, condition: Is, tmp_path: Path
) -> None:
    state = at(name, line, tmp_path).of("Kustomization")

    assert state.condition is condition, state.message


def test_commit_outside_the_path_moves_the_revision_and_not_the_content(tmp_path: Path) -> None:
    before = at("ks-commits", 27, tmp_path / "a").of("Kustomization").content
    after = at("ks-commits", 37, tmp_path / "b").of("Kustomization").content

    assert before is not None
    assert after is not None
    assert before.identity == after.identity
    assert before.revision.commit != after.revision.commit


def test_kustomization_without_wait_does_not_claim_to_be_checked(tmp_path: Path) -> None:
    assert not at("chain-nowait", 54, tmp_path / "a").of("Kustomization").checked
    assert at("chain", 74, tmp_path / "b").of("Kustomization").checked


def test_fifth_kustomization_is_stale_while_all_workers_are_busy(tmp_path: Path) -> None:
    moment = at("ks-workers-busy", 61, tmp_path)

    stale = [
        s for s in moment.states.values() if s.condition is Is.PROGRESSING and "sha1:" in s.message
    ]

    assert stale
    assert all(s.content is None for s in stale)


@pytest.mark.parametrize(
    ("name", "recorded"),
    [
        ("branch", "main@sha1:"),
        ("tag", "v1.2.3@sha1:"),
        ("semver", "v1.2.4@sha1:"),
        ("name", "refs/heads/main@sha1:"),
        ("name-tag", "refs/tags/v1.2.3@sha1:"),
    ],
)
def test_every_kind_of_ref_names_its_commit(name: str, recorded: str, tmp_path: Path) -> None:
    state = at("ks-refs", 125, tmp_path).of("Kustomization", name=name)

    assert state.content is not None
    assert state.content.revision.recorded.startswith(recorded)
    assert len(state.content.revision.commit) == len("a" * 40)


def test_chart_by_revision_is_not_promotable(tmp_path: Path) -> None:
    assert at("hr-git-chart-revision", 41, tmp_path).of().not_promotable
