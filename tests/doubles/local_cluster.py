"""For tests: a cluster in this process, and commits without a work tree."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from dulwich.index import commit_tree
from dulwich.object_store import iter_tree_contents
from dulwich.objects import Blob, Commit, ObjectID
from dulwich.refs import Ref
from dulwich.repo import Repo

from countersign.local.cluster.controllers.attempt import Pace
from countersign.local.cluster.objects import Json, Key
from countersign.local.cluster.player import Cluster, ClusterSettings

FAST: Final = Pace(action_s=0.05, retry_s=0.05, timeout_s_max=0.05)
WAIT_S: Final = 20.0
_FILE_MODE: Final = 0o100644
_COMMIT_TIME: Final = 1_760_000_000
_AUTHOR: Final = b"Demo <demo@example.invalid>"


def commit(
    bare: Path,
    files: Mapping[str, str | None],
    *,
    branch: str = "main",
    message: str = "Change manifests",
) -> str:
    """Commit these files on top of the branch, making both repository and branch if needed.

    Args:
        bare: path of the repository.
        files: path to content; none removes the file.
        branch: its short name.
        message: of the commit.

    Returns:
        The id of the commit.

    """
    exists = bare.exists()
    with Repo(str(bare)) if exists else Repo.init_bare(str(bare), mkdir=True) as repository:
        name = Ref(f"refs/heads/{branch}".encode())
        parent = repository.refs.as_dict().get(name)
        store = repository.object_store
        entries: dict[bytes, tuple[ObjectID, int]] = {}
        if parent is not None:
            before = repository.get_object(parent)
            assert isinstance(before, Commit)
            for one in iter_tree_contents(store, before.tree):
                entries[one.path] = (one.sha, one.mode)
        for path, content in files.items():
            entries.pop(path.encode(), None)
            if content is not None:
                blob = Blob.from_string(content.encode())
                store.add_object(blob)
                entries[path.encode()] = (blob.id, _FILE_MODE)
        made = Commit()
        made.tree = commit_tree(store, [(p, sha, mode) for p, (sha, mode) in entries.items()])
        made.parents = [parent] if parent is not None else []
        made.author = made.committer = _AUTHOR
        made.author_time = made.commit_time = _COMMIT_TIME
        made.author_timezone = made.commit_timezone = 0
        made.message = message.encode()
        store.add_object(made)
        repository.refs[name] = made.id
        repository.refs.set_symbolic_ref(Ref(b"HEAD"), name)
        return made.id.decode()


@asynccontextmanager
async def playing(
    directory: Path, git: Path | str, *, pace: Pace = FAST, interval_s: float = 0.05
) -> AsyncIterator[Cluster]:
    """A cluster that plays the branch `main` of that repository while the context lasts."""
    settings = ClusterSettings(directory=directory, git=str(git), interval_s=interval_s, pace=pace)
    async with playing_as(settings) as cluster:
        yield cluster


@asynccontextmanager
async def playing_as(settings: ClusterSettings) -> AsyncIterator[Cluster]:
    """The same with all settings."""
    cluster = Cluster(settings)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(cluster.run(stop))
        try:
            yield cluster
        finally:
            stop.set()


async def until(
    cluster: Cluster, key: Key, holds: Callable[[Json], bool], *, within_s: float = WAIT_S
) -> Json:
    """Wait until the object is there and `holds`.

    Raises:
        TimeoutError: it does not come to hold.

    """
    async with asyncio.timeout(within_s):
        while True:
            manifest = cluster.store.get(key)
            if manifest is not None and holds(manifest):
                return manifest
            await asyncio.sleep(0.01)
