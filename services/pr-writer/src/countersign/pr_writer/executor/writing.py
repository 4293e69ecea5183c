"""Opens a pull request: looks, edits, commits, opens; or finds what an earlier try left.

Creating the branch is the lock: who created it and committed onto it opens the pull request.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import (
    CredentialMode,
    FailureDetail,
    OpeningStep,
)
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import NewCommit, Replacement, Tip, TreeEntry
from countersign.dialects.repositories.interface import LookScope, Repository, View
from countersign.dialects.repositories.pulls import Pull, PullState, PullText
from countersign.pr_writer.executor import describing
from countersign.pr_writer.executor.aftercare import Sleep, mark
from countersign.pr_writer.executor.credentials import readable_span
from countersign.pr_writer.executor.interfaces import Reporter
from countersign.pr_writer.executor.manifests import survey
from countersign.pr_writer.executor.manifests.editing import Editor, Edits
from countersign.pr_writer.executor.manifests.reading import read_candidates
from countersign.pr_writer.executor.remains import Remains, beside
from countersign.pr_writer.executor.sightings import place_of, seen
from countersign.pr_writer.jobs.model import OpenJob
from countersign.pr_writer.jobs.outcomes import Failure, Followed, Known, Looked, Opened, SeenPull
from countersign.pr_writer.jobs.refusals import JobRefusal, JobRejected

SUMMARIES_S: Final = 3.0  # what a body without them is not worth waiting for
IN_FLIGHT_S: Final = 2.0  # another try of the same job is at it


@dataclass(frozen=True, kw_only=True)
class Result:
    """The end of a job, and what there is to say at the forge afterwards."""

    outcome: Failure | Opened | Looked | Followed
    afterwards: tuple[Callable[[], Awaitable[None]], ...] = ()


class Writing:
    """One job at one forge."""

    def __init__(
        self, job: OpenJob, *, forge: Repository, editor: Editor, reporter: Reporter, sleep: Sleep
    ) -> None:
        to = job.request.destination
        self._job = job
        self._forge = forge
        self._editor = editor
        self._reporter = reporter
        self._sleep = sleep
        self._root = to.path
        self._remains = Remains(job, forge=forge, editor=editor)
        self._key = job.request.marker_key
        self._place = place_of(job)

    async def open(self) -> Result:
        """Open the pull request, or find the one that an earlier try opened.

        Raises:
            Retryable: it may work later; what is done is found again then.
            Rejected: with the reason that people see.

        """
        job = self._job
        await self._reporter.step(OpeningStep.READING)
        view = await self._forge.look(
            self._place,
            LookScope(
                head_branch=job.branch,
                folders=survey.folders_to_see(job.known, key=self._key, root=self._root),
                files=survey.known_files(job.known, key=self._key),
                pulls=job.previous,
            ),
        )
        await self._reporter.user(view.viewer)
        self._check_viewer(view)
        # What the stream does not know of is closed like what it does.
        known = {p.number: p for p in (*view.previous, *beside(view, job))}
        view = replace(view, previous=tuple(known.values()))
        base = self._check(view)
        result = await self._opened(view, base)
        if not (self._job.uncertain and isinstance(result.outcome, Opened)):
            return result
        others = await self._others()
        return replace(result, outcome=result.outcome.model_copy(update={"others": others}))

    async def _others(self) -> tuple[SeenPull, ...]:
        """Look for what came of attempts of the lane with which nobody else may look any more."""
        found: list[SeenPull] = []
        for branch in self._job.uncertain:
            view = await self._forge.look(self._place, LookScope(head_branch=branch))
            ours = (p for p in view.own_pulls if p.base_branch == self._place.base_branch)
            found += [seen(pull, view, self._job) for pull in ours]
        return tuple(found)

    async def _opened(self, view: View, base: Tip) -> Result:
        job = self._job
        left = await self._remains.find(view, base)
        if left is not None and left.pull is not None:
            found = seen(left.pull, view, job, author=view.viewer)
            outcome = Opened(pull=found, found=True, files=tuple(left.files))
            if left.pull.state is PullState.OPEN:
                marks = await mark(job, left.pull, forge=self._forge, sleep=self._sleep)
                outcome = outcome.model_copy(update={"marks": marks})
            return Result(outcome=outcome)
        if job.opens_in_s > 0:
            message = f"an earlier try of branch {job.branch!r} may still open its pull request"
            raise Retryable(JobRefusal.IN_FLIGHT, message, after_s=job.opens_in_s + 1)
        if left is None:
            return await self._write(view, base)
        return await self._open_from(
            view, commit=left.commit, files=left.files, learned=Known(), skipped={}
        )

    def _check_viewer(self, view: View) -> None:
        delegate = self._job.consent.delegate
        if delegate is not None and view.viewer is not None and view.viewer.id != delegate.id:
            raise Rejected(
                JobRefusal.CONSENT_MISMATCH,
                f"the token is {view.viewer.login!r}'s, not {delegate.login!r}'s who consented",
            )

    def _check(self, view: View) -> Tip:
        name = self._place.name
        # A forge tells the permission of people; an application's is in the token it just minted.
        if view.may_write is False and self._job.access.mode is not CredentialMode.APP:
            who = view.viewer.login if view.viewer else "the token"
            raise Rejected(JobRefusal.FORBIDDEN, f"{who!r} may not write to repository {name!r}")
        if view.archived:
            raise Rejected(JobRefusal.FORBIDDEN, f"repository {name!r} is archived")
        if view.base is None:
            raise JobRejected(
                JobRefusal.NOT_FOUND,
                f"repository {name!r} is empty or has no branch {self._place.base_branch!r}",
                detail=FailureDetail.BRANCH_MISSING,
            )
        return view.base

    async def _write(self, view: View, base: Tip) -> Result:
        surveyed, bodies = await read_candidates(self._forge, self._job, view=view, base=base)
        await self._reporter.step(OpeningStep.EDITING)
        edits = await self._editor.edit(bodies, root=self._root)
        learned = survey.learn(
            surveyed,
            edits.markers | {e.path: () for e in surveyed.too_large},
            self._job.known,
        )
        edits = replace(edits, notes=(*edits.notes, *survey.unread(surveyed)))
        self._check_edits(edits, surveyed.skipped)
        await self._reporter.step(OpeningStep.COMMITTING)
        commit = await self._commit(base, edits, (*surveyed.read, *surveyed.large))
        said = {path: edits.said.get(path, "") for path in edits.files}
        skipped = dict.fromkeys(edits.unread, "not understood")
        skipped |= dict.fromkeys(surveyed.skipped, "too large")
        return await self._open_from(
            view, commit=commit, files=said, learned=learned, skipped=skipped
        )

    async def _commit(self, base: Tip, edits: Edits, read: tuple[TreeEntry, ...]) -> str:
        entries = {e.path: e for e in read}
        new = NewCommit(
            branch=self._job.branch,
            parent=base.commit,
            headline=describing.headline(self._job),
            trailers=describing.trailers(self._job),
            files={
                path: Replacement(
                    body=body,
                    replaces=entries[path].object_id,
                    is_executable=entries[path].is_executable,
                )
                for path, body in edits.files.items()
            },
        )
        try:
            return await self._forge.commit(self._place, new)
        except Rejected as error:
            if error.reason == ForgeRefusal.BRANCH_TAKEN:
                # It was not there when we looked; the next look says whose it is.
                raise Retryable(JobRefusal.IN_FLIGHT, error.message, after_s=IN_FLIGHT_S) from error
            raise

    def _check_edits(self, edits: Edits, skipped: tuple[str, ...]) -> None:
        name, branch = self._place.name, self._place.base_branch
        if not edits.places:
            notes = [*edits.notes, *(f"{path!r} is too large to look into" for path in skipped)]
            hint = f" ({'; '.join(notes[:3])})" if notes else ""
            large = FailureDetail.FILE_TOO_LARGE if skipped else FailureDetail.UNSPECIFIED
            raise JobRejected(
                JobRefusal.NO_MARKER,
                f"no YAML file in {name!r} on branch {branch!r} has the comment "
                f'# {{"$promotion": "{self._key}"}}; add it beside the value{hint}',
                detail=large,
                path=skipped[0] if skipped else "",
            )
        if not edits.files:
            raise Rejected(
                JobRefusal.ALREADY_THERE,
                f"{name!r} on branch {branch!r} is already at {self._job.revision!r}",
            )

    async def _open_from(
        self,
        view: View,
        *,
        commit: str,
        files: Mapping[str, str],
        learned: Known,
        skipped: Mapping[str, str],
    ) -> Result:
        job = self._job
        commits = await self._commits()
        # From here on there is time for what opens the pull request, and nothing else.
        await self._reporter.step(OpeningStep.OPENING)
        older = _open(view.previous)
        told = describing.Particulars(
            files=files,
            skipped=skipped,
            commits=commits,
            replaces=[self._forge.reference(old.number) for old in older],
        )
        text = describing.describe(job, told, author=view.viewer)
        pull = await self._create(text, replaces=[old.number for old in older])
        self._reporter.sent()
        if pull.head_commit != commit:
            comment = "Its branch is not what was committed."
            await self._forge.close_pull(self._place, pull.number, comment=comment)
            raise Rejected(
                JobRefusal.CONFLICT,
                f"pull request {self._forge.reference(pull.number)} had a commit that is not "
                "ours and was closed",
            )
        outcome = Opened(
            pull=seen(pull, view, job, author=view.viewer),
            marks=await mark(job, pull, forge=self._forge, sleep=self._sleep),
            files=tuple(files),
            learned=learned,
            closed=tuple(p.number for p in older),
        )
        return Result(
            outcome=outcome,
            afterwards=tuple(self._tell(old, pull.number) for old in older),
        )

    async def _commits(self) -> tuple[str, ...]:
        """Read which commits are promoted, if they can be read at once: nothing depends on it."""
        span = readable_span(self._job)
        if span is None:
            return ()
        place = replace(self._place, owner=span.owner, repository=span.repository)
        try:
            async with asyncio.timeout(SUMMARIES_S):
                return await self._forge.summaries(place, old=span.old, new=span.new)
        except (TimeoutError, Rejected, Retryable):
            return ()

    async def _create(self, text: PullText, *, replaces: list[int]) -> Pull:
        try:
            return await self._forge.open_pull(
                self._place, head=self._job.branch, text=text, replaces=replaces
            )
        except Rejected as error:
            if error.reason == ForgeRefusal.PULL_EXISTS:
                raise Retryable(JobRefusal.IN_FLIGHT, error.message, after_s=IN_FLIGHT_S) from error
            raise

    def _tell(self, old: Pull, number: int) -> Callable[[], Awaitable[None]]:
        async def tell() -> None:
            comment = describing.replaced_by(self._job, self._forge.reference(number))
            await self._forge.comment(self._place, old.number, comment=comment)

        return tell


def _open(pulls: tuple[Pull, ...]) -> tuple[Pull, ...]:
    return tuple(p for p in pulls if p.state is PullState.OPEN)
