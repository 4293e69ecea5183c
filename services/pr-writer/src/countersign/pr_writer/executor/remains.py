"""Finds what an earlier try of a job left at the forge, if it is ours.

Creating the branch is the lock: who created it and committed onto it opens the pull request. A
commit that waits for one is taken over only when who made it is known, or old enough, to be dead.
"""

from dataclasses import dataclass, replace
from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.dialects.repositories.contents import EntryKind, Place, Tip, TreeEntry
from countersign.dialects.repositories.interface import Repository, View
from countersign.dialects.repositories.pulls import Pull, PullState
from countersign.pr_writer.executor import describing
from countersign.pr_writer.executor.editing import Editor
from countersign.pr_writer.jobs.files import FILE_BYTES_MAX
from countersign.pr_writer.jobs.frames import EXECUTOR_S
from countersign.pr_writer.jobs.model import Job

BRANCH_ONLY_TRIES: Final = 3


@dataclass(frozen=True)
class Commit:
    """A commit of ours, and the pull request that shows it, if there is one."""

    commit: str
    files: tuple[str, ...] = ()
    pull: Pull | None = None


def place_of(job: Job) -> Place:
    to = job.request.destination
    return Place(owner=to.owner, repository=to.repository, base_branch=to.base_branch)


def is_of_promotion(pull: Pull, job: Job) -> bool:
    """Return whether a branch is of some attempt of the promotion: only the id identifies."""
    folder, _, name = pull.head_branch.rpartition("/")
    ours = job.request.promotion.promotion_id
    return folder == job.branch.rpartition("/")[0] and name.partition("-")[0] == ours


def beside(view: View, job: Job) -> tuple[Pull, ...]:
    """Pull requests open in the same lane, on other branches than the job's.

    The forge is asked, not the stream alone: that may have been lost since they were opened.
    Branches of two pipelines may begin alike where long names were cut, their titles do not.
    """
    folder, title = job.branch.rpartition("/")[0], describing.title_start(job)
    return tuple(
        pull
        for pull in view.open_pulls
        if pull.head_repository_id == view.repository_id
        and pull.head_branch != job.branch
        and pull.head_branch.rpartition("/")[0] == folder
        and (is_of_promotion(pull, job) or pull.title.startswith(title))
    )


class Remains:
    """Looks for what is left of one job."""

    def __init__(self, job: Job, *, forge: Repository, editor: Editor) -> None:
        self._job = job
        self._forge = forge
        self._editor = editor
        self._place = place_of(job)

    async def find(self, view: View, base: Tip) -> Commit | None:
        """Return what an earlier try left: its pull request, or its commit; none for nothing.

        Raises:
            Rejected: `branch_taken`, `conflict`.
            Retryable: `in_flight`; somebody may be at it right now.

        """
        return await self._pulled(view) or await self._committed(view, base)

    async def _pulled(self, view: View) -> Commit | None:
        own = [p for p in view.own_pulls if p.base_branch == self._place.base_branch]
        alive = [p for p in own if p.state is not PullState.CLOSED]
        for pull in alive:
            if pull.state is PullState.MERGED:
                return Commit(pull.head_commit, pull=pull)
            ours = await self._ours(pull.head_commit)
            if ours is None:
                raise self._taken("a pull request with another content")
            return replace(ours, pull=pull)
        for pull in beside(view, self._job):
            # Of another attempt, whose outcome was never told, or was told to a stream now lost.
            ours = await self._ours(pull.head_commit) if is_of_promotion(pull, self._job) else None
            if ours is not None:
                return replace(ours, pull=pull)
        if own:
            raise Rejected(
                "conflict",
                f"pull request #{own[0].number} of this attempt was closed; ask again",
            )
        return None

    async def _committed(self, view: View, base: Tip) -> Commit | None:
        job = self._job
        head = view.head
        if head is None:
            return None
        if head.commit == base.commit:
            if job.recover:
                return None
            if job.tries < BRANCH_ONLY_TRIES:
                raise Retryable("in_flight", f"branch {job.branch!r} was just made", after_s=2)
            raise self._taken("no commit of ours")
        ours = await self._ours(head.commit)
        if ours is None:
            raise self._taken("another commit")
        age_s = view.read_at_s - head.committed_at_s
        if not job.recover and age_s < EXECUTOR_S:
            left_s = EXECUTOR_S - max(age_s, 0) + 1
            raise Retryable(
                "in_flight", f"branch {job.branch!r} was just committed to", after_s=left_s
            )
        return ours

    def _taken(self, what: str) -> Rejected:
        return Rejected(
            "branch_taken",
            f"branch {self._job.branch!r} in {self._place.name!r} has {what}; "
            "delete it there and ask again",
        )

    async def _ours(self, commit: str) -> "Commit | None":
        """The commit, if it is one on the base that writes our value at our markers alone."""
        compared = await self._forge.compare(self._place, commit=commit)
        if compared.commits_ahead != 1 or compared.otherwise_changed or not compared.modified:
            return None
        before = await self._bodies(compared.fork_point, compared.modified)
        try:
            edits = await self._editor.edit(before, root=self._job.request.destination.path)
        except Rejected:
            return None
        if set(edits.files) != set(compared.modified):
            return None
        if await self._bodies(commit, compared.modified) != edits.files:
            return None
        return Commit(commit=commit, files=tuple(sorted(edits.files)))

    async def _bodies(self, commit: str, paths: tuple[str, ...]) -> dict[str, bytes]:
        entries = [TreeEntry(path=path, kind=EntryKind.FILE) for path in paths]
        found = await self._forge.read_files(
            self._place, commit=commit, files=entries, bytes_max=FILE_BYTES_MAX
        )
        return {path: file.body for path, file in found.items() if file.body is not None}
