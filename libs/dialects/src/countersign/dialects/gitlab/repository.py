"""A repository at GitLab, as conversations without I/O.

A promotion takes four rounds where the files that hold its markers are known: the look, the folders
at the commit that it found, the commit on its new branch, the merge request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.dialects import shapes
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import OK, Answer, Request, Token
from countersign.dialects.gitlab import answers, requests
from countersign.dialects.gitlab.files import folders, list_tree, read_files
from countersign.dialects.gitlab.merging import merge_when_ready
from countersign.dialects.gitlab.words import COMMIT_REFUSALS
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import (
    Comparison,
    File,
    NewCommit,
    Place,
    TreeEntry,
    summaries_of,
)
from countersign.dialects.repositories.interface import LookScope, View
from countersign.dialects.repositories.moves import moved, number_after
from countersign.dialects.repositories.paging import Paging
from countersign.dialects.repositories.pull_questions import (
    PullQuestions,
    refuse_unopened,
    too_many_pulls,
    unrelated,
)
from countersign.dialects.repositories.pulls import Pull, PullStatus, PullText
from countersign.dialects.repositories.questions import Wanted, asking_with, read_at_s
from countersign.dialects.statuses import Redirected

# The newest two hundred; of older ones of ours the stream tells, where it was not lost.
OPEN_PAGES_MAX: Final = 2
# Of one branch: a thousand tries.
BRANCH_PAGES_MAX: Final = 10
# Of a file that comes with a look; larger ones are read by themselves, if at all.
FILE_BYTES_MAX: Final = 1024 * 1024
_CREATED: Final = 201
_EXISTS: Final = 409
_PULLS: Final = PullQuestions(
    pull=requests.pull,
    close=requests.close_pull,
    status_of=answers.status_of,
    called="merge request !{}",
)
_PAGING: Final = Paging(after=lambda pages: answers.next_page(pages[-1]))


class GitLabRepository:
    """The conversations of a promotion, with one token.

    Args:
        token: a person's, or a stored one.

    """

    def __init__(self, token: Token) -> None:
        self._ask = asking_with(token)

    def look(self, place: Place, scope: LookScope) -> Conversation[View]:
        """Everything in one round, and in a second what depends on the first."""
        first = yield from self._first(
            place,
            requests.user(),
            requests.project(place),
            requests.branch(place, place.base_branch),
            requests.branch(place, scope.head_branch),
            requests.pulls(place, state="all", head_branch=scope.head_branch),
            requests.pulls(place, state="opened"),
            *(requests.pull(place, number) for number in scope.pulls),
            *(
                requests.file(place, path=p, ref=place.base_branch, bytes_max=FILE_BYTES_MAX)
                for p in scope.files
            ),
        )
        user, project, base, head, of_branch, opened, *rest = first
        previous, files = rest[: len(scope.pulls)], rest[len(scope.pulls) :]
        with shapes.reading("look at the repository"):
            tip = answers.tip_in(base)
            viewer = answers.user_of(user.json()) if user.status == OK else None
            repository_id = shapes.row_id(project.json(), "id")
            archived = shapes.flag(project.json(), "archived")
            head_tip = answers.tip_in(head)
        may_write = yield from self._may_write(
            place, project, viewer_id=viewer.id if viewer else ""
        )
        pulls = yield from _PAGING.read(
            self._ask,
            of_branch,
            lambda n: requests.pulls(place, state="all", head_branch=scope.head_branch, page=n),
            most=BRANCH_PAGES_MAX,
            excess=too_many_pulls(scope.head_branch),
        )
        open_pulls = yield from _PAGING.read(
            self._ask,
            opened,
            lambda n: requests.pulls(place, state="opened", page=n),
            most=OPEN_PAGES_MAX,
        )
        listed = yield from folders(self._ask, place, tip, scope.folders)
        with shapes.reading("look at the repository"):
            return View(
                repository_id=repository_id,
                viewer=viewer,
                may_write=may_write,
                archived=archived,
                base=tip,
                head=head_tip,
                pulls=answers.pulls_in(pulls),
                previous=tuple(answers.pull_of(a.json()) for a in previous if a.status == OK),
                open_pulls=answers.pulls_in(open_pulls),
                folders=listed,
                files=self._files_in(dict(zip(scope.files, files, strict=True)), tip.commit)
                if tip
                else {},
                read_at_s=read_at_s(project, tip, head_tip),
            )

    def _files_in(self, found: Mapping[str, Answer], commit: str) -> dict[str, File]:
        """Return those that were read at the commit that the base branch has in this look."""
        read = {
            path: answers.file_in(answer, bytes_max=FILE_BYTES_MAX)
            for path, answer in found.items()
            if not answer.is_cut and answers.is_at(answer, commit)
        }
        return {path: file for path, file in read.items() if file is not None}

    def _may_write(
        self, place: Place, project: Answer, *, viewer_id: str
    ) -> Conversation[bool | None]:
        """Ask for the role where the project does not tell of one that suffices.

        Somebody without any may still administer the whole forge.
        """
        with shapes.reading("read the repository"):
            if answers.role_in(project.json()) >= answers.DEVELOPER:
                return True
        if not viewer_id:
            return None
        (answer,) = yield from self._ask(requests.member(place, viewer_id))
        if answer.status != OK:
            return None
        with shapes.reading("ask for the role"):
            return shapes.number(answer.json(), "access_level", least=0) >= answers.DEVELOPER

    def _first(self, place: Place, *asked: Request) -> Conversation[Sequence[Answer]]:
        """Ask what may be answered with the id of a project that was moved; it tells its name.

        Source: https://gitlab.com/gitlab-org/gitlab/-/blob/master/lib/api/helpers.rb
        """
        try:
            return (yield from self._ask(*asked))
        except Redirected as elsewhere:
            number = number_after(elsewhere.location, "/projects/")
            if not number:
                raise
            (project,) = yield from self._ask(requests.project_of(number))
            with shapes.reading("look at the repository"):
                to = shapes.text(project.json(), "path_with_namespace")
            raise moved(place, to) from elsewhere

    def list_tree(
        self, place: Place, *, commit: str, path: str
    ) -> Conversation[tuple[TreeEntry, ...] | None]:
        return list_tree(self._ask, place, commit=commit, path=path)

    def read_files(
        self, place: Place, *, commit: str, files: Sequence[TreeEntry], bytes_max: int
    ) -> Conversation[Mapping[str, File]]:
        wanted = Wanted(commit=commit, files=files, bytes_max=bytes_max)
        return read_files(self._ask, place, wanted)

    def commit(self, place: Place, new: NewCommit) -> Conversation[str]:
        request = requests.commit(place, new)
        (answer,) = yield from self._ask(request)
        if answer.status != _CREATED:
            raise (
                yield from COMMIT_REFUSALS.find(self._ask, answer, place=place, branch=new.branch)
            )
        with shapes.reading(request.name):
            made, parents = answers.commit_in(answer)
        if parents != (new.parent,):
            raise Rejected(
                ForgeRefusal.CONFLICT,
                f"{place.name}: branch {new.branch!r}: the commit has another parent than asked",
            )
        return made

    def open_pull(
        self, place: Place, *, head: str, text: PullText, replaces: Sequence[int] = ()
    ) -> Conversation[Pull]:
        for number in replaces:
            yield from _PULLS.closed(self._ask, place, number)
        request = requests.open_pull(place, head=head, text=text)
        (answer,) = yield from self._ask(request)
        exists = answer.status == _EXISTS
        refuse_unopened(answer, place, head=head, exists=exists, called="merge request")
        with shapes.reading(request.name):
            return answers.pull_of(answer.json())

    def merge_when_ready(self, place: Place, number: int, *, commit: str) -> Conversation[None]:
        return merge_when_ready(self._ask, place, number, commit=commit)

    def compare(self, place: Place, *, commit: str) -> Conversation[Comparison]:
        request = requests.compare(place, commit)
        answer, user = yield from self._ask(request, requests.user())
        with shapes.reading(request.name):
            viewer = user.json() if user.status == OK else None
            found = answers.comparison_in(answer, commit=commit, viewer=viewer)
        if not found.fork_point:
            raise unrelated(place, commit)
        return found

    def summaries(self, place: Place, *, old: str, new: str) -> Conversation[tuple[str, ...]]:
        request = requests.compare(replace(place, base_branch=old), new)
        (answer,) = yield from self._ask(request)
        with shapes.reading(request.name):
            commits = shapes.items(answer.json(), "commits")
            return summaries_of(shapes.text(c, "title") for c in reversed(commits))

    def close_pull(self, place: Place, number: int, *, comment: str) -> Conversation[None]:
        """Close it first: it may be merged while somebody reads why."""
        yield from _PULLS.closed(self._ask, place, number)
        yield from self.comment(place, number, comment=comment)

    def comment(self, place: Place, number: int, *, comment: str) -> Conversation[None]:
        yield from self._ask(requests.comment(place, number, comment))

    def follow(self, place: Place, number: int, *, since: str) -> Conversation[PullStatus | None]:
        return _PULLS.followed(self._ask, place, number, since=since)
