"""A repository at Bitbucket Cloud, as conversations without I/O.

It names no file by its bytes, so every promotion lists what may hold its markers and reads it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.dialects import shapes
from countersign.dialects.bitbucket_cloud import answers, requests
from countersign.dialects.bitbucket_cloud.files import PAGING, list_tree, read_files
from countersign.dialects.bitbucket_cloud.words import COMMIT_REFUSALS
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import OK, Answer, Request, Token
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import (
    Comparison,
    File,
    NewCommit,
    Place,
    Tip,
    TreeEntry,
    summaries_of,
)
from countersign.dialects.repositories.interface import LookScope, View
from countersign.dialects.repositories.paging import CHANGES_TOO_MUCH
from countersign.dialects.repositories.pull_questions import (
    PullQuestions,
    refuse_unopened,
    too_many_pulls,
    unrelated,
)
from countersign.dialects.repositories.pulls import Pull, PullStatus, PullText
from countersign.dialects.repositories.questions import Wanted, ask_in_order, asking_with, read_at_s

# The newest two hundred; of older ones of ours the stream tells, where it was not lost.
OPEN_PAGES_MAX: Final = 4
# Of one branch: a thousand tries.
BRANCH_PAGES_MAX: Final = 20
# Of commits and differences: a branch of ours has one commit.
COMPARED_PAGES_MAX: Final = 10
# Commits of merges; of older ones nobody asks.
NAMED_MAX: Final = 16
_CREATED: Final = 201
_PULLS: Final = PullQuestions(
    pull=requests.pull,
    close=requests.decline,
    status_of=answers.status_of,
)


class BitbucketCloudRepository:
    """The conversations of a promotion, with one token.

    Args:
        token: a person's, or a stored one.

    """

    def __init__(self, token: Token) -> None:
        self._ask = asking_with(token)

    def look(self, place: Place, scope: LookScope) -> Conversation[View]:
        """Everything in one round, but for further pages."""
        first = yield from self._ask(
            requests.user(),
            requests.repository(place),
            requests.permission(place),
            requests.branch(place, place.base_branch),
            requests.branch(place, scope.head_branch),
            requests.pulls(place, head_branch=scope.head_branch),
            requests.pulls(place),
            *(requests.pull(place, number) for number in scope.pulls),
        )
        user, repository, permission, base, head, of_branch, opened, *previous = first
        ours = yield from PAGING.read(
            self._ask,
            of_branch,
            lambda after: requests.pulls(place, head_branch=scope.head_branch, after=after),
            most=BRANCH_PAGES_MAX,
            excess=too_many_pulls(scope.head_branch),
        )
        listed = yield from PAGING.read(
            self._ask,
            opened,
            lambda after: requests.pulls(place, after=after),
            most=OPEN_PAGES_MAX,
        )
        with shapes.reading("list pull requests"):
            our_pulls = answers.pulls_in(ours)
        whole = yield from self._whole(place, [p.merge_commit for p in our_pulls])
        with shapes.reading("look at the repository"):
            tip, head_tip = answers.tip_in(base), answers.tip_in(head)
            return View(
                repository_id=answers.uuid(repository.json(), "uuid"),
                viewer=answers.user_of(user.json()) if user.status == OK else None,
                may_write=answers.may_write(permission),
                # There is no such thing here.
                archived=False,
                base=tip,
                head=head_tip,
                pulls=tuple(
                    replace(_with_whole(p, head_tip), merge_commit=whole.get(p.merge_commit, ""))
                    for p in our_pulls
                ),
                previous=tuple(answers.pull_of(a.json()) for a in previous if a.status == OK),
                open_pulls=tuple(_with_whole(p, head_tip) for p in answers.pulls_in(listed)),
                read_at_s=read_at_s(repository, tip, head_tip),
            )

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
            return answers.commit_at(answer)

    def open_pull(
        self, place: Place, *, head: str, text: PullText, replaces: Sequence[int] = ()
    ) -> Conversation[Pull]:
        """Look first: a second one for a branch would change the text of the one that is open."""
        (there,) = yield from self._ask(requests.pulls(place, head_branch=head))
        with shapes.reading("list pull requests"):
            exists = answers.is_open_here(there)
        refuse_unopened(there, place, head=head, exists=exists)
        for number in replaces:
            yield from _PULLS.closed(self._ask, place, number)
        request = requests.open_pull(place, head=head, text=text)
        answer, branch = yield from ask_in_order(self._ask, request, requests.branch(place, head))
        refuse_unopened(answer, place, head=head, exists=False)
        with shapes.reading(request.name):
            return _with_whole(answers.pull_of(answer.json()), answers.tip_in(branch))

    def compare(self, place: Place, *, commit: str) -> Conversation[Comparison]:
        (branch,) = yield from self._ask(requests.branch(place, place.base_branch))
        with shapes.reading("read a branch"):
            base = answers.tip_in(branch)
        if base is None:
            raise Rejected(
                ForgeRefusal.NOT_FOUND, f"{place.name}: there is no branch {place.base_branch!r}"
            )
        commits = yield from self._all(
            partial(requests.commits, place, commit=commit, base=base.commit)
        )
        differences = yield from self._all(
            partial(requests.differences, place, commit=commit, base=base.commit)
        )
        with shapes.reading("compare commits"):
            compared = answers.comparison_in(commits, differences, commit=commit)
        if not compared.fork_point:
            raise unrelated(place, commit)
        return (yield from self._without_other_modes(place, compared, commit=commit))

    def summaries(self, place: Place, *, old: str, new: str) -> Conversation[tuple[str, ...]]:
        request = requests.commits(place, commit=new, base=old)
        (answer,) = yield from self._ask(request)
        with shapes.reading(request.name):
            return summaries_of(shapes.text(c, "message") for c in answers.values_in(answer))

    def _all(self, page: Callable[..., Request]) -> Conversation[list[Answer]]:
        (first,) = yield from self._ask(page())
        return (
            yield from PAGING.read(
                self._ask,
                first,
                lambda after: page(after=after),
                most=COMPARED_PAGES_MAX,
                excess=CHANGES_TOO_MUCH,
            )
        )

    def _without_other_modes(
        self, place: Place, compared: Comparison, *, commit: str
    ) -> Conversation[Comparison]:
        """Tell files whose mode was changed too, which the forge does not tell of a difference."""
        paths = compared.modified[: requests.PER_PAGE]
        found = yield from self._ask(
            *(
                requests.entry(place, commit=at, path=path)
                for path in paths
                for at in (compared.fork_point, commit)
            )
        )
        with shapes.reading("look at a file"):
            told = [answers.entry_of(a.json()) if a.status == OK else None for a in found]
        same = {
            path
            for path, before, after in zip(paths, told[::2], told[1::2], strict=True)
            if before
            and after
            and before.is_file
            and before == replace(after, size_bytes=before.size_bytes)
        }
        others = set(compared.modified) - same
        return replace(
            compared,
            modified=tuple(sorted(same)),
            otherwise_changed=tuple(sorted({*compared.otherwise_changed, *others})),
        )

    def close_pull(self, place: Place, number: int, *, comment: str) -> Conversation[None]:
        """Close it first: it may be merged while somebody reads why."""
        yield from _PULLS.closed(self._ask, place, number)
        yield from self.comment(place, number, comment=comment)

    def comment(self, place: Place, number: int, *, comment: str) -> Conversation[None]:
        yield from self._ask(requests.comment(place, number, comment))

    def follow(self, place: Place, number: int, *, since: str) -> Conversation[PullStatus | None]:
        status = yield from _PULLS.followed(self._ask, place, number, since=since)
        if status is None:
            return None
        whole = yield from self._whole(place, [status.merge_commit])
        return replace(status, merge_commit=whole.get(status.merge_commit, ""))

    def _whole(self, place: Place, commits: Sequence[str]) -> Conversation[dict[str, str]]:
        """Return the whole names of commits that a pull request tells the beginning of."""
        short = sorted(set(commits) - {""})[:NAMED_MAX]
        found = yield from self._ask(*(requests.named(place, name) for name in short))
        with shapes.reading("read a commit"):
            return {
                name: shapes.oid(a.json(), "hash")
                for name, a in zip(short, found, strict=True)
                if a.status == OK
            }


def _with_whole(pull: Pull, head: Tip | None) -> Pull:
    """Give a pull request the whole name of its commit, of which the forge tells the beginning."""
    is_short = head is not None and not answers.is_whole(pull.head_commit)
    if head and is_short and pull.head_commit and head.commit.startswith(pull.head_commit):
        return replace(pull, head_commit=head.commit)
    return pull
