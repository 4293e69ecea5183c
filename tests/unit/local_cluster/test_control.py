"""What is to go wrong, and for whom."""

from pathlib import Path

import pytest

from countersign.contracts.errors import Rejected
from countersign.local.cluster.control import (
    FILE_NAME,
    Control,
    Failure,
    Fate,
    Target,
    read_control,
    write_control,
)
from countersign.local.cluster.objects import Key

KEY = Key("HelmRelease", "prod", "podinfo")
COMMIT = "a" * 40


@pytest.mark.parametrize(
    ("failure", "revision", "fate"),
    [
        (Failure(revision="6.9.0"), "6.9.0", Fate.FAIL),
        (Failure(revision="6.9.0"), "6.9.1", Fate.SUCCEED),
        (Failure(name="podinfo", how=Fate.ROLLBACK), "6.9.1", Fate.ROLLBACK),
        (Failure(name="other"), "6.9.0", Fate.SUCCEED),
        (Failure(namespace="dev"), "6.9.0", Fate.SUCCEED),
        (Failure(kind="Kustomization"), "6.9.0", Fate.SUCCEED),
        (Failure(revision=COMMIT), f"main@sha1:{COMMIT}", Fate.FAIL),
        (Failure(revision=f"main@sha1:{COMMIT}"), f"main@sha1:{COMMIT}", Fate.FAIL),
    ],
)
def test_failure_is_for_the_object_and_revision_it_names(
    failure: Failure, revision: str, fate: Fate
) -> None:
    assert Control(fail=(failure,)).fate(KEY, revision) is fate


def test_unhealthy_object_is_never_ready_whatever_its_revision() -> None:
    control = Control(unhealthy=(Target(namespace="prod"),), fail=(Failure(),))

    assert control.fate(KEY, "6.9.0") is Fate.NEVER_READY
    assert not control.is_unhealthy(Key("HelmRelease", "dev", "podinfo"))


def test_absent_file_lets_everything_succeed(tmp_path: Path) -> None:
    assert read_control(tmp_path) == Control()


def test_written_file_is_read_as_it_was(tmp_path: Path) -> None:
    control = Control(fail=(Failure(name="a", how=Fate.ROLLBACK),), slow_s=2)

    write_control(tmp_path, control)

    assert read_control(tmp_path) == control


@pytest.mark.parametrize(
    "text", ["fail: 1", "fial: []", "fail: [{how: explode}]", "slow_s: -1", "a: [", "[1]"]
)
def test_bad_file_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)

    with pytest.raises(Rejected, match=r"\.control\.yaml"):
        read_control(tmp_path)
