"""A repository at Bitbucket Data Center, as conversations without I/O.

A promotion of one file takes six rounds where the files that hold its markers are known: the look,
who that was with the folders of the base, the branch, the file, what came of it, the pull request.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import ForgeUser
from countersign.dialects import shapes
from countersign.dialects.bitbucket_server import answers, commits, requests
from countersign.dialects.bitbucket_server.accounts import account_in, questions
from countersign.dialects.bitbucket_server.files import (
    PAGING,
    folder_questions,
    folders_in,
    list_tree,
    read_files,
)
from countersign.dialects.bitbucket_server.merging import merge_when_ready
from countersign.dialects.bitbucket_server.words import is_duplicate
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import OK, Answer, Token
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
from countersign.dialects.repositories.paging import CHANGES_TOO_MUCH
from countersign.dialects.repositories.pull_questions import (
    refuse_unopened,
    too_many_pulls,
    unrelated,
)
from countersign.dialects.repositories.pulls import Pull, PullState, PullStatus, PullText
from countersign.dialects.repositories.questions import Wanted, asking_with, batches, read_at_s
from countersign.dialects.shapes import Json

# The newest two hundred; of older ones of ours the stream tells, where it was not lost.
OPEN_PAGES_MAX: Final = 2
# Of one branch: a thousand tries.
BRANCH_PAGES_MAX: Final = 10
# Of one branch; who ended older ones nobody asks.
ENDED_MAX: Final = 16


class BitbucketServerRepository:
    """The conversations of a promotion, with one token.

    Args:
        token: a person's, or a stored one.

    """

    def __init__(self, token: Token) -> None:
        self._ask = asking_with(token)

    def look(self, place: Place, scope: LookScope) -> Conversation[View]:
        """Everything in one round, and in a second what depends on the first."""
        first = yield from self._ask(
            requests.repository(place),
            requests.branch(place, place.base_branch),
            requests.branch(place, scope.head_branch),
            requests.pulls_from(place, scope.head_branch),
            requests.open_pulls(place),
            *(requests.pull(place, number) for number in scope.pulls),
        )
        repository, base, head, of_branch, opened, *previous = first
        with shapes.reading("look at the repository"):
            repository_id = shapes.row_id(repository.json(), "id")
            archived = shapes.part(repository.json(), "archived") is True
            tip, head_tip = answers.tip_in(base), answers.tip_in(head)
        name = answers.name_in(repository)
        of_user = questions(name, writing_to=place)
        of_folders = folder_questions(place, tip, scope.folders)
        told = yield from self._ask(*of_user, *of_folders.values())
        with shapes.reading("look at the repository"):
            whose = account_in(told[: len(of_user)], name=name)
            folders = folders_in(dict(zip(of_folders, told[len(of_user) :], strict=True)), tip)
        ours = yield from self._ours(place, scope.head_branch, of_branch)
        open_pages = yield from PAGING.read(
            self._ask,
            opened,
            lambda start: requests.open_pulls(place, start=start),
            most=OPEN_PAGES_MAX,
        )
        with shapes.reading("look at the repository"):
            own = [
                n
                for n in ours
                if answers.is_to(n, repository_id=repository_id, base_branch=place.base_branch)
            ]
            ended = [
                shapes.number(n, "id") for n in own if answers.state_of(n) is not PullState.OPEN
            ]
        endings = yield from self._endings(place, ended[:ENDED_MAX])
        with shapes.reading("look at the repository"):
            return View(
                repository_id=repository_id,
                viewer=whose.user,
                may_write=whose.may_write,
                archived=archived,
                base=tip,
                head=head_tip,
                pulls=tuple(answers.pull_of(n, endings.get(n["id"])) for n in own),
                previous=tuple(answers.pull_of(a.json()) for a in previous if a.status == OK),
                open_pulls=tuple(
                    answers.pull_of(n)
                    for n in answers.once(n for page in open_pages for n in answers.values_in(page))
                ),
                folders=folders,
                read_at_s=read_at_s(repository, tip, head_tip),
            )

    def _ours(self, place: Place, branch: str, first: Answer) -> Conversation[list[Json]]:
        """All pull requests from our branch, whatever their state."""
        found = yield from PAGING.read(
            self._ask,
            first,
            lambda start: requests.pulls_from(place, branch, start=start),
            most=BRANCH_PAGES_MAX,
            excess=too_many_pulls(branch),
        )
        with shapes.reading("list pull requests"):
            return answers.once(n for page in found for n in answers.values_in(page))

    def _endings(
        self, place: Place, numbers: Sequence[int]
    ) -> Conversation[dict[int, answers.Ending]]:
        asked = yield from self._ask(*(requests.activities(place, number) for number in numbers))
        with shapes.reading("ask who ended it"):
            return {n: answers.ending_in(a) for n, a in zip(numbers, asked, strict=True)}

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
        return commits.commit(self._ask, place, new)

    def open_pull(
        self, place: Place, *, head: str, text: PullText, replaces: Sequence[int] = ()
    ) -> Conversation[Pull]:
        for number in replaces:
            yield from self._close(place, number)
        request = requests.open_pull(place, head=head, text=text)
        (answer,) = yield from self._ask(request)
        refuse_unopened(answer, place, head=head, exists=is_duplicate(answer))
        with shapes.reading(request.name):
            return answers.pull_of(answer.json())

    def merge_when_ready(self, place: Place, number: int, *, commit: str) -> Conversation[None]:
        return merge_when_ready(self._ask, place, number, commit=commit)

    def compare(self, place: Place, *, commit: str) -> Conversation[Comparison]:
        base = f"{requests.HEADS}{place.base_branch}"
        (first,) = yield from self._ask(requests.commits(place, commit=commit, base=base))
        listed = yield from PAGING.read(
            self._ask,
            first,
            lambda start: requests.commits(place, commit=commit, base=base, start=start),
            most=commits.COMPARED_PAGES_MAX,
            excess=CHANGES_TOO_MUCH,
        )
        with shapes.reading("compare commits"):
            ahead = [n for page in listed for n in answers.values_in(page)]
            fork_point = answers.fork_point_of(ahead, commit=commit)
            author = _author_of(ahead)
        if not fork_point:
            raise unrelated(place, commit)
        made = yield from commits.changes(self._ask, place, commit=commit, since=fork_point)
        modified = {change.paths[0] for change in made if change.modifies}
        changed = {path for change in made for path in change.paths}
        return Comparison(
            fork_point=fork_point,
            commits_ahead=len(ahead),
            author=author,
            modified=tuple(sorted(modified)),
            otherwise_changed=tuple(sorted(changed - modified)),
            each_changes_one_file=(yield from self._each_changes_one(place, ahead, among=modified)),
        )

    def _each_changes_one(
        self, place: Place, ahead: Sequence[Json], *, among: set[str]
    ) -> Conversation[bool]:
        """Check it of as many commits as there are files, of which none has two parents."""
        with shapes.reading("compare commits"):
            steps = [(shapes.oid(n, "id"), answers.parents_of(n)) for n in ahead]
        if len(steps) != len(among) or any(len(parents) != 1 for _, parents in steps):
            return False
        if len(steps) == 1:
            return True
        found: list[tuple[str, ...]] = []
        for batch in batches(steps):
            asked = yield from self._ask(
                *(requests.changes(place, commit=oid, since=parents[0]) for oid, parents in batch)
            )
            with shapes.reading("compare files"):
                found += [tuple(c.paths[0] for c in answers.changes_in([a])) for a in asked]
        return sorted(found) == sorted((path,) for path in among)

    def summaries(self, place: Place, *, old: str, new: str) -> Conversation[tuple[str, ...]]:
        request = requests.commits(place, commit=new, base=old)
        (answer,) = yield from self._ask(request)
        with shapes.reading(request.name):
            return summaries_of(shapes.text(c, "message") for c in answers.values_in(answer))

    def close_pull(self, place: Place, number: int, *, comment: str) -> Conversation[None]:
        """Close it first: it may be merged while somebody reads why."""
        yield from self._close(place, number)
        yield from self.comment(place, number, comment=comment)

    def _close(self, place: Place, number: int) -> Conversation[None]:
        """Decline it as it is now; one that changes meanwhile is looked at once more."""
        name = "close the pull request"
        for _ in range(2):
            (found,) = yield from self._ask(requests.pull(place, number))
            with shapes.reading(name):
                state, version = answers.state_of(found.json()), answers.version_of(found.json())
            if state is not PullState.OPEN:
                break
            (answer,) = yield from self._ask(requests.decline(place, number, version=version))
            if answer.status == OK:
                with shapes.reading(name):
                    state = answers.state_of(answer.json())
                break
        if state is not PullState.CLOSED:
            raise Rejected(
                ForgeRefusal.CONFLICT,
                f"{place.name}: pull request #{number} cannot be closed, it is {state.value}",
            )

    def comment(self, place: Place, number: int, *, comment: str) -> Conversation[None]:
        yield from self._ask(requests.comment(place, number, comment))

    def follow(self, place: Place, number: int, *, since: str) -> Conversation[PullStatus | None]:
        request = requests.pull(place, number)
        found, merging = yield from self._ask(request, requests.mergeability(place, number))
        if found.status != OK:
            raise Rejected(
                ForgeRefusal.NOT_FOUND, f"{place.name}: there is no pull request #{number}"
            )
        with shapes.reading(request.name):
            node = found.json()
            readiness = answers.readiness_in(node, merging)
            status = answers.status_of(node, readiness=readiness)
        if status.version == since:
            return None
        if status.state is PullState.OPEN:
            return status
        endings = yield from self._endings(place, [number])
        with shapes.reading(request.name):
            return answers.status_of(node, endings[number])


def _author_of(ahead: Sequence[Json]) -> ForgeUser | None:
    """Return the one account that made them all; none where it is not known, or not one."""
    found = {answers.user_of(shapes.part(node, "author")) for node in ahead}
    return found.pop() if len(found) == 1 else None
