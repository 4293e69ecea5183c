"""Finds what an earlier try of a job left at the forge, if it is ours.

The commit is the lock: who made it opens the pull request. A commit that waits for one is taken
over only when who made it is old enough to be dead, and all that it may have sent too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import CredentialMode, ForgeUser
from countersign.dialects.repositories.contents import EntryKind, Tip, TreeEntry
from countersign.dialects.repositories.interface import Repository, View
from countersign.dialects.repositories.pulls import Pull, PullState
from countersign.pr_writer.executor.manifests.editing import Editor
from countersign.pr_writer.executor.sightings import is_in_lane, is_of_promotion, place_of
from countersign.pr_writer.jobs.files import FILE_BYTES_MAX
from countersign.pr_writer.jobs.frames import EXECUTOR_S
from countersign.pr_writer.jobs.model import OpenJob
from countersign.pr_writer.jobs.refusals import JobRefusal


@dataclass(frozen=True)
class Commit:
    """A commit of ours, and the pull request that shows it, if there is one."""

    commit: str
    # By file, what it said before.
    files: Mapping[str, str] = field(default_factory=dict)
    pull: Pull | None = None


def beside(view: View, job: OpenJob) -> tuple[Pull, ...]:
    """Return the pull requests open in the same lane, on other branches than the job's.

    The forge is asked, not the stream alone: that may have been lost since they were opened.
    """
    return tuple(
        pull
        for pull in view.open_pulls
        if pull.head_branch != job.branch and is_in_lane(pull, view, job)
    )


class Remains:
    """Looks for what is left of one job."""

    def __init__(self, job: OpenJob, *, forge: Repository, editor: Editor) -> None:
        self._job = job
        self._forge = forge
        self._editor = editor
        self._place = place_of(job)

    async def find(self, view: View, base: Tip) -> Commit | None:
        """Return what an earlier try left: its pull request, or its commit; none for nothing.

        Raises:
            Rejected: `branch_taken`.
            Retryable: `in_flight`; somebody may be at it right now.

        """
        return await self._pulled(view) or await self._committed(view, base)

    async def _pulled(self, view: View) -> Commit | None:
        own = [p for p in view.own_pulls if p.base_branch == self._place.base_branch]
        for pull in own:
            if pull.state is PullState.MERGED:
                return Commit(pull.head_commit, pull=pull)
        for pull in own:
            if pull.state is PullState.OPEN:
                ours = await self._ours(pull.head_commit, view)
                if ours is None:
                    raise self._taken("a pull request with another content")
                return replace(ours, pull=pull)
        for pull in beside(view, self._job):
            # Of another attempt, whose outcome was never told, or was told to a stream now lost.
            is_ours = is_of_promotion(pull, view, self._job)
            ours = await self._ours(pull.head_commit, view) if is_ours else None
            if ours is not None:
                return replace(ours, pull=pull)
        # Closed by somebody before it was told; that is how this attempt ended.
        return Commit(own[0].head_commit, pull=own[0]) if own else None

    async def _committed(self, view: View, base: Tip) -> Commit | None:
        job, head = self._job, view.head
        if head is None or head.commit == base.commit:
            # A branch without a commit of its own is no one's yet.
            return None
        ours = await self._ours(head.commit, view)
        if ours is None:
            raise self._taken("another commit")
        age_s = view.read_at_s - head.committed_at_s
        if age_s < EXECUTOR_S:
            left_s = EXECUTOR_S - max(age_s, 0) + 1
            raise Retryable(
                JobRefusal.IN_FLIGHT,
                f"branch {job.branch!r} was just committed to",
                after_s=left_s,
            )
        return ours

    def _taken(self, what: str) -> Rejected:
        return Rejected(
            JobRefusal.BRANCH_TAKEN,
            f"branch {self._job.branch!r} in {self._place.name!r} has {what}; "
            "delete it there and ask again",
        )

    def _is_by_us(self, author: ForgeUser | None, view: View) -> bool:
        """Return whether a commit is the token's owner's, or an earlier approver's.

        An application's commits are not asked about: what it is called differs by the question.
        """
        job = self._job
        if author is None or view.viewer is None or job.access.mode is CredentialMode.APP:
            return True
        return author.id in {view.viewer.id, *job.consent.delegates}

    async def _ours(self, commit: str, view: View) -> "Commit | None":
        """Return the commit if it is one on the base that writes our value at our markers."""
        compared = await self._forge.compare(self._place, commit=commit)
        if not compared.is_one_change or compared.otherwise_changed or not compared.modified:
            return None
        if not self._is_by_us(compared.author, view):
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
        said = {path: edits.said.get(path, "") for path in sorted(edits.files)}
        return Commit(commit=commit, files=said)

    async def _bodies(self, commit: str, paths: tuple[str, ...]) -> dict[str, bytes]:
        entries = [TreeEntry(path=path, kind=EntryKind.FILE) for path in paths]
        found = await self._forge.read_files(
            self._place, commit=commit, files=entries, bytes_max=FILE_BYTES_MAX
        )
        return {path: file.body for path, file in found.items() if file.body is not None}
