"""A repository at Azure DevOps Services, as conversations without I/O.

A promotion takes four rounds where the files that hold its markers are known: the look, the folders
whose ids it told, the commit on its new branch, the pull request.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.dialects import shapes
from countersign.dialects.azure_devops import answers, requests, words
from countersign.dialects.azure_devops.files import entries_at, folders, list_tree, read_files
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import OK, Answer, Token
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import (
    Comparison,
    File,
    NewCommit,
    Place,
    TreeEntry,
)
from countersign.dialects.repositories.interface import LookScope, View
from countersign.dialects.repositories.paging import Paging
from countersign.dialects.repositories.pull_questions import (
    PullQuestions,
    refuse_unopened,
    too_many_pulls,
    unrelated,
)
from countersign.dialects.repositories.pulls import Pull, PullStatus, PullText
from countersign.dialects.repositories.questions import Wanted, asking_with, read_at_s

# The newest two hundred; of older ones of ours the stream tells, where it was not lost.
OPEN_PAGES_MAX: Final = 2
# Of one branch: a thousand tries.
BRANCH_PAGES_MAX: Final = 10
# Of differences: a branch of ours has a few files.
COMPARED_PAGES_MAX: Final = 10
# Of a file that comes with a look; larger ones are read by themselves, if at all.
FILE_BYTES_MAX: Final = 1024 * 1024
_MADE: Final = frozenset({200, 201})
_PULLS: Final = PullQuestions(
    pull=requests.pull,
    close=requests.abandon,
    status_of=answers.status_of,
    called="pull request !{}",
)


def _skip(pages: Sequence[Answer]) -> int | None:
    """Return how many to leave out next; a page that is not full is the last."""
    is_last = len(answers.values_in(pages[-1])) < requests.PER_PAGE
    return None if is_last else len(pages) * requests.PER_PAGE


_PAGING: Final = Paging(after=_skip)


class AzureDevOpsRepository:
    """The conversations of a promotion, with one token.

    Args:
        token: a person's, or a stored one.

    """

    def __init__(self, token: Token) -> None:
        self._ask = asking_with(token)

    def look(self, place: Place, scope: LookScope) -> Conversation[View]:
        """Everything in one round, and in a second the folders whose ids the first told.

        Azure tells nobody what they may do: whether a token may write is found by writing.
        """
        # A folder's entries lead to it from the root alone.
        paths = sorted({"", *scope.folders}) if scope.folders else []
        first = yield from self._ask(
            requests.user(place.owner),
            requests.repository(place),
            requests.branch(place, place.base_branch),
            requests.branch(place, scope.head_branch),
            requests.pulls(place, head_branch=scope.head_branch),
            requests.pulls(place),
            *(requests.pull(place, number) for number in scope.pulls),
            *(requests.entry(place, path, branch=place.base_branch) for path in paths),
            *(
                requests.file(place, p, branch=place.base_branch, bytes_max=FILE_BYTES_MAX)
                for p in scope.files
            ),
        )
        user, repository, base, head, of_branch, opened, *rest = first
        previous, rest = rest[: len(scope.pulls)], rest[len(scope.pulls) :]
        looked_at, files = rest[: len(paths)], rest[len(paths) :]
        ours = yield from _PAGING.read(
            self._ask,
            of_branch,
            lambda skip: requests.pulls(place, head_branch=scope.head_branch, skip=skip),
            most=BRANCH_PAGES_MAX,
            excess=too_many_pulls(scope.head_branch),
        )
        listed = yield from _PAGING.read(
            self._ask, opened, lambda skip: requests.pulls(place, skip=skip), most=OPEN_PAGES_MAX
        )
        with shapes.reading("look at the repository"):
            tip, head_tip = answers.tip_in(base), answers.tip_in(head)
        found = yield from folders(
            self._ask,
            place,
            dict(zip(paths, looked_at, strict=True)) if tip else {},
            commit=tip.commit if tip else "",
        )
        with shapes.reading("look at the repository"):
            node = repository.json()
            return View(
                repository_id=answers.guid(node, "id"),
                viewer=answers.viewer_in(user),
                may_write=None,
                archived=shapes.part(node, "isDisabled") is True,
                base=tip,
                head=head_tip,
                pulls=answers.pulls_in(ours),
                previous=tuple(answers.pull_of(a.json()) for a in previous if a.status == OK),
                open_pulls=answers.pulls_in(listed),
                folders=found,
                files=_files_in(dict(zip(scope.files, files, strict=True))) if tip else {},
                read_at_s=read_at_s(repository, tip, head_tip),
            )

    def list_tree(
        self, place: Place, *, commit: str, path: str
    ) -> Conversation[tuple[TreeEntry, ...] | None]:
        return list_tree(self._ask, place, commit=commit, path=path)

    def read_files(
        self, place: Place, *, commit: str, files: Sequence[TreeEntry], bytes_max: int
    ) -> Conversation[Mapping[str, File]]:
        return read_files(self._ask, place, Wanted(commit=commit, files=files, bytes_max=bytes_max))

    def commit(self, place: Place, new: NewCommit) -> Conversation[str]:
        request = requests.push(place, new)
        (answer,) = yield from self._ask(request)
        if answer.status not in _MADE:
            raise (
                yield from words.COMMIT_REFUSALS.find(
                    self._ask, answer, place=place, branch=new.branch
                )
            )
        with shapes.reading(request.name):
            made, parents = answers.commit_in(answer)
        if parents != (new.parent,):
            raise Rejected(
                ForgeRefusal.CONFLICT,
                f"{place.name}: branch {new.branch!r}: the commit has another parent than asked",
            )
        yield from self._refuse_other_mode(place, new, made=made)
        return made

    def _refuse_other_mode(self, place: Place, new: NewCommit, *, made: str) -> Conversation[None]:
        """Take the branch back where a file is executable no more: a push cannot say its mode."""
        wanted = [path for path, file in sorted(new.files.items()) if file.is_executable]
        if not wanted:
            return
        entries = yield from entries_at(self._ask, place, commit=made, paths=wanted)
        lost = [path for path in wanted if path not in entries or not entries[path].is_executable]
        if lost:
            yield from self._ask(requests.remove_branch(place, new.branch, at=made))
            raise Rejected(
                ForgeRefusal.REFUSED,
                f"{place.name}: file {lost[0]!r} would be executable no more; take that mode from "
                "it, or change it by hand",
            )

    def open_pull(
        self, place: Place, *, head: str, text: PullText, replaces: Sequence[int] = ()
    ) -> Conversation[Pull]:
        for number in replaces:
            yield from _PULLS.closed(self._ask, place, number)
        request = requests.open_pull(place, head=head, text=text)
        (answer,) = yield from self._ask(request)
        exists = words.is_code(answer, words.PULL_EXISTS)
        refuse_unopened(answer, place, head=head, exists=exists)
        with shapes.reading(request.name):
            return answers.pull_of(answer.json())

    def compare(self, place: Place, *, commit: str) -> Conversation[Comparison]:
        request = requests.differences(place, commit=commit)
        answer, pushed = yield from self._ask(request, requests.commit(place, commit))
        if answer.status != OK:
            raise Rejected(
                ForgeRefusal.NOT_FOUND, f"{place.name}: there is no branch {place.base_branch!r}"
            )
        pages = [answer]
        with shapes.reading(request.name):
            while len(shapes.items(pages[-1].json(), "changes")) == requests.PER_PAGE:
                if len(pages) == COMPARED_PAGES_MAX:
                    raise Rejected(
                        ForgeRefusal.LIMIT_EXCEEDED, "the branch changes too much to compare"
                    )
                skip = len(pages) * requests.PER_PAGE
                pages += yield from self._ask(requests.differences(place, commit=commit, skip=skip))
            if not shapes.text_at(answer.json(), "commonCommit"):
                raise unrelated(place, commit)
            compared = answers.comparison_in(pages, author=answers.pusher_in(pushed))
        return (yield from self._without_other_modes(place, compared, commit=commit))

    def _without_other_modes(
        self, place: Place, compared: Comparison, *, commit: str
    ) -> Conversation[Comparison]:
        """Tell files whose mode was changed too, which a difference does not tell."""
        paths = compared.modified
        before = yield from entries_at(self._ask, place, commit=compared.fork_point, paths=paths)
        after = yield from entries_at(self._ask, place, commit=commit, paths=paths)
        return answers.without_other_modes(compared, before, after)

    def summaries(self, place: Place, *, old: str, new: str) -> Conversation[tuple[str, ...]]:
        """Tell none: which of the two versions is left out is documented in two ways.

        Source: https://learn.microsoft.com/en-us/rest/api/azure/devops/git/commits/get-commits
        """
        del place, old, new
        yield from ()
        return ()

    def close_pull(self, place: Place, number: int, *, comment: str) -> Conversation[None]:
        """Close it first: it may be completed while somebody reads why."""
        yield from _PULLS.closed(self._ask, place, number)
        yield from self.comment(place, number, comment=comment)

    def comment(self, place: Place, number: int, *, comment: str) -> Conversation[None]:
        yield from self._ask(requests.comment(place, number, comment))

    def follow(self, place: Place, number: int, *, since: str) -> Conversation[PullStatus | None]:
        return _PULLS.followed(self._ask, place, number, since=since)


def _files_in(found: Mapping[str, Answer]) -> dict[str, File]:
    """Return those that are there; what they are worth is told by their ids."""
    read = {
        path: answers.file_in(answer, size_bytes=0, bytes_max=FILE_BYTES_MAX)
        for path, answer in found.items()
        if not answer.is_cut
    }
    return {path: file for path, file in read.items() if file is not None}
