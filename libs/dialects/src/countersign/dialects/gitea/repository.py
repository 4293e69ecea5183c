"""A repository at Gitea or Forgejo, as conversations without I/O.

A promotion takes three rounds where the files that hold its markers are known, and one more to read
files where they are not: the look, the commit on its new branch in one call, the pull request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.dialects import shapes
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import OK, Answer, Request, Token
from countersign.dialects.gitea import answers, requests
from countersign.dialects.gitea.files import leaves, list_tree, read_files
from countersign.dialects.gitea.labelling import label
from countersign.dialects.gitea.merging import merge_when_ready
from countersign.dialects.gitea.words import COMMIT_REFUSALS
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import (
    Comparison,
    File,
    NewCommit,
    Place,
    TreeEntry,
    blob_id,
    summaries_of,
)
from countersign.dialects.repositories.interface import LookScope, View
from countersign.dialects.repositories.moves import moved, name_after
from countersign.dialects.repositories.pull_questions import refuse_unopened, unrelated
from countersign.dialects.repositories.pulls import Pull, PullState, PullStatus, PullText
from countersign.dialects.repositories.questions import Wanted, asking_with
from countersign.dialects.statuses import Redirected

# The newest two hundred; of older ones of ours the stream tells, where it was not lost.
OPEN_PAGES_MAX: Final = 4
# A thousand pull requests made since the oldest of our branch.
SIBLING_PAGES_MAX: Final = 20
_CREATED: Final = 201
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_EXISTS: Final = 409
_MERGED: Final = 412
_SHA1_DIGITS: Final = 40


class GiteaRepository:
    """The conversations of a promotion, with one token.

    Args:
        token: a person's, or a stored one.

    """

    def __init__(self, token: Token) -> None:
        self._ask = asking_with(token)

    def look(self, place: Place, scope: LookScope) -> Conversation[View]:
        """Everything in one round, and pull requests that fill more than one page in a second."""
        # Moved ones are told by any of these, whose answers come together.
        first = yield from self._first(
            place,
            requests.user(),
            requests.repository(place),
            requests.branch(place, place.base_branch),
            requests.branch(place, scope.head_branch),
            requests.tree(place, object_id=place.base_branch, recursive=True, page=1),
            requests.pull_of_branch(place, scope.head_branch),
            requests.pulls(place, state="open", page=1),
            *(requests.pull(place, number) for number in scope.pulls),
            *(requests.file(place, path=p, ref=place.base_branch) for p in scope.files),
        )
        user, repository, base, head, tree, oldest, listed, *rest = first
        previous, files = rest[: len(scope.pulls)], rest[len(scope.pulls) :]
        if listed.status == OK:
            open_pulls = yield from self._open_pulls(place, listed)
        elif shapes.part_at(repository.json(), "empty") is True:
            open_pulls = ()
        else:
            raise Rejected(
                ForgeRefusal.NOT_FOUND,
                f"{place.name} has no pull requests; switch them on in its settings, and let the "
                "token's owner see them",
            )
        pulls = yield from self._pulls_of_branch(place, scope.head_branch, oldest)
        with shapes.reading("look at the repository"):
            view = answers.view_of(
                repository,
                viewer=answers.user_of(user.json()) if user.status == OK else None,
                base=answers.tip_in(base),
                head=answers.tip_in(head),
            )
            return replace(
                view,
                pulls=pulls,
                previous=tuple(answers.pull_of(a.json()) for a in previous if a.status == OK),
                open_pulls=open_pulls,
                folders=answers.folders_in(tree, base=view.base),
                files=answers.files_in(dict(zip(scope.files, files, strict=True))),
            )

    def _first(self, place: Place, *asked: Request) -> Conversation[Sequence[Answer]]:
        """Ask what may be answered with the address of a repository that was moved.

        Source: https://github.com/go-gitea/gitea/blob/main/services/context/repo.go
        """
        try:
            return (yield from self._ask(*asked))
        except Redirected as elsewhere:
            to = name_after(elsewhere.location, "/api/v1/repos/")
            if not to:
                raise
            raise moved(place, to) from elsewhere

    def _open_pulls(self, place: Place, first: Answer) -> Conversation[tuple[Pull, ...]]:
        name = "list pull requests"
        with shapes.reading(name):
            total = answers.total_of(first)
        pages = min(-(-total // requests.PULLS_PER_PAGE), OPEN_PAGES_MAX)
        more = yield from self._ask(
            *(requests.pulls(place, state="open", page=n) for n in range(2, pages + 1))
        )
        with shapes.reading(name):
            found = [p for page in (first, *more) for p in answers.pulls_of(page.json())]
        # Numbers count up, and a page may move between two questions.
        once = {p.number: p for p in found if p.base_branch == place.base_branch}
        return tuple(once[number] for number in sorted(once, reverse=True))

    def _pulls_of_branch(
        self, place: Place, branch: str, oldest: Answer
    ) -> Conversation[tuple[Pull, ...]]:
        """All to our base that are not older than the one that was found, whatever their state."""
        if oldest.status == _NOT_FOUND:
            return ()
        with shapes.reading("find the pull request"):
            found = {(first := answers.pull_of(oldest.json())).number: first}
        for page in range(1, SIBLING_PAGES_MAX + 1):
            request = requests.pulls(place, state="all", page=page)
            (answer,) = yield from self._ask(request)
            with shapes.reading(request.name):
                listed = answers.pulls_of(answer.json())
            found |= {p.number: p for p in listed if p.base_branch == place.base_branch}
            if not listed or min(p.number for p in listed) <= first.number:
                ours = [p for p in found.values() if p.head_branch == branch]
                return (yield from self._with_mergers(place, ours))
        raise Rejected(
            ForgeRefusal.LIMIT_EXCEEDED,
            f"{place.name}: more than {SIBLING_PAGES_MAX * requests.PULLS_PER_PAGE} pull requests "
            f"were opened since #{first.number} of the same branch; delete that branch",
        )

    def _with_mergers(self, place: Place, pulls: Sequence[Pull]) -> Conversation[tuple[Pull, ...]]:
        """Read by themselves those that were merged: a list does not tell by whom."""
        merged = {p.number for p in pulls if p.state is PullState.MERGED and p.ended_by is None}
        asked = yield from self._ask(*(requests.pull(place, number) for number in sorted(merged)))
        with shapes.reading("read the pull request"):
            told = {p.number: p for p in (answers.pull_of(a.json()) for a in asked)}
        return tuple(told.get(p.number, p) for p in pulls)

    def list_tree(
        self, place: Place, *, commit: str, path: str
    ) -> Conversation[tuple[TreeEntry, ...] | None]:
        return list_tree(self._ask, place, commit=commit, path=path)

    def read_files(
        self, place: Place, *, commit: str, files: Sequence[TreeEntry], bytes_max: int
    ) -> Conversation[Mapping[str, File]]:
        """Read them by their ids, as a listing of that commit gave them."""
        wanted = Wanted(commit=commit, files=files, bytes_max=bytes_max)
        return read_files(self._ask, place, wanted)

    def commit(self, place: Place, new: NewCommit) -> Conversation[str]:
        request = requests.commit(place, new)
        try:
            (answer,) = yield from self._ask(request)
        except Retryable:
            # One of the two fails with 500 where a name is in the way.
            found = yield from COMMIT_REFUSALS.in_the_way(self._ask, place=place, branch=new.branch)
            if found is not None:
                raise found from None
            raise
        if answer.status != _CREATED:
            raise (
                yield from COMMIT_REFUSALS.find(self._ask, answer, place=place, branch=new.branch)
            )
        with shapes.reading(request.name):
            made, written = answers.commit_of(answer.json()), answers.written_of(answer.json())
        expected = {
            path: blob_id(file.body)
            for path, file in new.files.items()
            if len(file.replaces) == _SHA1_DIGITS
        }
        if not expected.items() <= written.items():
            raise Rejected(
                ForgeRefusal.CONFLICT,
                f"{place.name}: branch {new.branch!r} has not what was sent; delete it there",
            )
        return made

    def open_pull(
        self, place: Place, *, head: str, text: PullText, replaces: Sequence[int] = ()
    ) -> Conversation[Pull]:
        for number in replaces:
            yield from self._close(place, number)
        request = requests.open_pull(place, head=head, text=text)
        (answer,) = yield from self._ask(request)
        refuse_unopened(answer, place, head=head, exists=answer.status == _EXISTS)
        with shapes.reading(request.name):
            return answers.pull_of(answer.json())

    def label(self, place: Place, number: int, *, labels: Sequence[str]) -> Conversation[None]:
        return label(self._ask, place, number, labels=labels)

    def merge_when_ready(self, place: Place, number: int, *, commit: str) -> Conversation[None]:
        return merge_when_ready(self._ask, place, number, commit=commit)

    def compare(self, place: Place, *, commit: str) -> Conversation[Comparison]:
        request = requests.compare(place, commit)
        (answer,) = yield from self._ask(request)
        with shapes.reading(request.name):
            commits = answers.commits_of(answer.json())
            fork_point = answers.parents_of(commits[-1])[:1] if commits else (commit,)
            author = answers.user_of(shapes.part(commits[0], "author")) if commits else None
        if not fork_point:
            raise unrelated(place, commit)
        # The list of changed files in an answer does not tell a change of mode from one of bytes.
        before = yield from leaves(self._ask, place, fork_point[0])
        after = yield from leaves(self._ask, place, commit)
        changed = {
            path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
        }
        modified = {path for path in changed if _bytes_alone(before.get(path), after.get(path))}
        return Comparison(
            fork_point=fork_point[0],
            commits_ahead=len(commits),
            author=author,
            modified=tuple(sorted(modified)),
            otherwise_changed=tuple(sorted(changed - modified)),
        )

    def summaries(self, place: Place, *, old: str, new: str) -> Conversation[tuple[str, ...]]:
        request = requests.compare(replace(place, base_branch=old), new)
        (answer,) = yield from self._ask(request)
        with shapes.reading(request.name):
            commits = [shapes.fields(c, "commit") for c in answers.commits_of(answer.json())]
            return summaries_of(shapes.text(c, "message") for c in commits)

    def close_pull(self, place: Place, number: int, *, comment: str) -> Conversation[None]:
        """Close it first: it may be merged while somebody reads why."""
        yield from self._close(place, number)
        yield from self.comment(place, number, comment=comment)

    def _close(self, place: Place, number: int) -> Conversation[None]:
        request = requests.edit_pull(place, number, {"state": "closed"})
        (answer,) = yield from self._ask(request)
        if answer.status == _MERGED:
            raise Rejected(
                ForgeRefusal.CONFLICT, f"{place.name}: pull request #{number} was merged"
            )

    def comment(self, place: Place, number: int, *, comment: str) -> Conversation[None]:
        """A token without `write:issue` may not comment; it writes below the body instead."""
        (answer,) = yield from self._ask(requests.comment(place, number, comment))
        if answer.status != _FORBIDDEN:
            return
        (found,) = yield from self._ask(requests.pull(place, number))
        if found.status != OK:
            return
        with shapes.reading("read the pull request"):
            body = answers.body_of(found.json())
        yield from self._ask(
            requests.edit_pull(place, number, {"body": f"{body}\n\n---\n\n{comment}"})
        )

    def follow(self, place: Place, number: int, *, since: str) -> Conversation[PullStatus | None]:
        request = requests.pull(place, number)
        (answer,) = yield from self._ask(request)
        if answer.status == _NOT_FOUND:
            raise Rejected(
                ForgeRefusal.NOT_FOUND, f"{place.name}: there is no pull request #{number}"
            )
        with shapes.reading(request.name):
            status = answers.status_of(answer.json())
        return None if status.version == since else status


def _bytes_alone(before: TreeEntry | None, after: TreeEntry | None) -> bool:
    """Check that a file is still one, and of the same mode."""
    return (
        before is not None
        and after is not None
        and before.is_file
        and after.is_file
        and before.is_executable == after.is_executable
    )
