"""A directory of YAML: broken, half written, hidden, moved and doubled files."""

import asyncio
import contextlib
from pathlib import Path

import pytest
from doubles.watched import directory_of, pipeline_manifest, release, write

from countersign.kube.flux.applications import App
from countersign.kube.objects import ObjectKey
from countersign.watcher.interfaces import Changes
from countersign.watcher.reading.directory import Directory


def names(keys: object) -> list[str]:
    assert isinstance(keys, dict | frozenset)
    return sorted(f"{key.kind}/{key.namespace}" for key in keys)


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    write(tmp_path / "a" / "dev.yaml", release("dev", "6.9.0"))
    write(tmp_path / "all.yml", [release("staging", "6.9.0"), release("prod", "6.8.4")])
    return directory_of(tmp_path)


def test_first_reading_holds_everything_in_all_folders_and_documents(directory: Directory) -> None:
    changes = directory.take()

    assert names(changes.changed) == [
        "HelmRelease/dev-0", "HelmRelease/prod-0", "HelmRelease/staging-0",
    ]  # fmt: skip
    assert changes.complete


def test_second_reading_holds_nothing_when_nothing_changed(directory: Directory) -> None:
    directory.take()

    assert directory.take() == Changes()


def test_removed_document_and_removed_file_are_removed_objects(
    directory: Directory, tmp_path: Path
) -> None:
    directory.take()
    write(tmp_path / "all.yml", release("prod", "6.8.4"))
    (tmp_path / "a" / "dev.yaml").unlink()

    assert names(directory.take().removed) == ["HelmRelease/dev-0", "HelmRelease/staging-0"]


@pytest.mark.parametrize(
    "content",
    ["kind: [", "a: b: c", "\t- x", "", "&a [*a, *b]", "key: \x00", "[" * 100_000, "!!bool x"],
    ids=[
        *("cut off", "no mapping", "tab", "emptied", "unknown alias", "control character"),
        *("deep", "no truth"),
    ],
)
def test_broken_file_keeps_what_was_good(
    content: str, directory: Directory, tmp_path: Path
) -> None:
    directory.take()
    write(tmp_path / "all.yml", content)

    changes = directory.take()

    assert not changes.removed
    assert changes.complete
    (problem,) = changes.problems
    assert problem.path == "all.yml"
    assert names(problem.keys) == ["HelmRelease/prod-0", "HelmRelease/staging-0"]


def test_message_about_a_broken_file_names_the_place_and_not_the_content(tmp_path: Path) -> None:
    write(tmp_path / "secret.yaml", "password: hunter2\nkey: [made-up-token\n")

    (problem,) = directory_of(tmp_path).take().problems

    assert "line 3" in problem.message
    assert "hunter2" not in problem.message
    assert "made-up-token" not in problem.message


def test_file_that_was_never_good_makes_the_reading_incomplete(
    directory: Directory, tmp_path: Path
) -> None:
    write(tmp_path / "all.yml", "kind: [")

    assert not directory.take().complete


def test_mended_file_counts_again(directory: Directory, tmp_path: Path) -> None:
    directory.take()
    write(tmp_path / "all.yml", "kind: [")
    directory.take()
    write(tmp_path / "all.yml", release("prod", "6.9.0"))

    changes = directory.take()

    assert changes.problems == ()
    assert names(changes.changed) == ["HelmRelease/prod-0"]
    assert names(changes.removed) == ["HelmRelease/staging-0"]


def test_hidden_files_and_folders_are_not_looked_at(tmp_path: Path) -> None:
    write(tmp_path / ".hidden.yaml", release("dev", "6.9.0"))
    write(tmp_path / ".git" / "dev.yaml", release("dev", "6.9.0"))

    assert directory_of(tmp_path).take() == Changes()


def test_object_in_two_files_counts_once_and_is_told(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", release("dev", "6.9.0"))
    write(tmp_path / "b.yaml", release("dev", "6.9.1"))
    directory = directory_of(tmp_path)

    changes = directory.take()

    (record,) = changes.changed.values()
    assert isinstance(record, App)
    assert record.state.attempted == "6.9.0"
    assert [p.path for p in changes.problems] == ["b.yaml"]
    (tmp_path / "a.yaml").unlink()
    (record,) = directory.take().changed.values()
    assert isinstance(record, App)
    assert record.state.attempted == "6.9.1"


def test_absent_directory_is_not_an_empty_one(directory: Directory, tmp_path: Path) -> None:
    directory.take()
    tmp_path.rename(tmp_path.with_name("elsewhere"))

    changes = directory.take()

    assert not changes.removed
    assert not changes.complete
    tmp_path.with_name("elsewhere").rename(tmp_path)
    assert directory.take().complete


def test_list_of_objects_is_read_as_its_items(tmp_path: Path) -> None:
    items = [release("dev", "6.9.0"), pipeline_manifest("dev")]
    write(tmp_path / "list.json", {"apiVersion": "v1", "kind": "List", "items": items})

    assert names(directory_of(tmp_path).take().changed) == [
        "HelmRelease/dev-0", "Pipeline/shop",
    ]  # fmt: skip


def test_documents_that_are_no_objects_are_ignored(tmp_path: Path) -> None:
    write(tmp_path / "values.yaml", "replicas: 3\n---\n- list\n---\ntext\n---\n---\nkind: X\n")

    changes = directory_of(tmp_path).take()

    assert changes == Changes()


async def test_change_is_noticed_without_waiting_for_the_next_reading(
    directory: Directory, tmp_path: Path
) -> None:
    seen: asyncio.Queue[Changes] = asyncio.Queue()
    job = asyncio.create_task(directory.follow(seen.put))
    key = ObjectKey(
        group="helm.toolkit.fluxcd.io", kind="HelmRelease", namespace="new-0", name="podinfo"
    )
    try:
        async with asyncio.timeout(20):
            await seen.get()
            # The reading that follows the beginning of the watch.
            await seen.get()
            write(tmp_path / "deep" / "new.yaml", release("new", "6.9.0"))
            while key not in (await seen.get()).changed:
                pass
    finally:
        job.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await job
