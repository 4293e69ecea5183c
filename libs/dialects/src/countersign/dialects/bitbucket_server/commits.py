"""Commits at Bitbucket Data Center, which makes them one file at a time. As conversations.

The branch is made at the very commit that was read. Where several files change it is made last, at
the end of a draft, a branch of another name: ours has all of them or none. What came of it is
compared to the bit before a pull request is opened for it.
"""

from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.dialects import shapes
from countersign.dialects.bitbucket_server import answers, requests
from countersign.dialects.bitbucket_server.files import PAGING
from countersign.dialects.bitbucket_server.words import COMMIT_REFUSALS, is_branch_there
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import OK, Answer
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import NewCommit, Place, Tip, blob_id
from countersign.dialects.repositories.paging import CHANGES_TOO_MUCH
from countersign.dialects.repositories.questions import Ask

# Of commits and differences: a branch of ours has as many as files.
COMPARED_PAGES_MAX: Final = 10
_FORBIDDEN: Final = 403
_SHA1_DIGITS: Final = 40
_DRAFT: Final = ".draft"


def commit(ask: Ask, place: Place, new: NewCommit) -> Conversation[str]:
    """Make the commits of a branch, and return the last."""
    if len(new.files) == 1:
        yield from _branch(ask, place, new.branch, start=new.parent, parent=new.parent)
        return (yield from _written(ask, place, new, branch=new.branch))
    draft = f"{new.branch}{_DRAFT}"
    yield from _fresh(ask, place, draft, start=new.parent)
    made = yield from _written(ask, place, new, branch=draft)
    try:
        yield from _branch(ask, place, new.branch, start=made, parent=new.parent)
    finally:
        yield from _drop(ask, place, draft, tip=made)
    return made


def _branch(ask: Ask, place: Place, name: str, *, start: str, parent: str) -> Conversation[None]:
    """Make a branch; one that is there and has no commit of its own is in nobody's way."""
    for _ in range(2):
        (answer,) = yield from ask(requests.make_branch(place, name, start=start))
        if answer.status == OK:
            return
        there = yield from _tip(ask, place, name)
        if there is not None and there.commit == start == parent:
            return
        if there is None or there.commit != parent:
            break
        yield from _drop(ask, place, name, tip=parent)
    if is_branch_there(answer):
        # It was, and is gone again: a draft of another try.
        raise _taken(place, name)
    raise (yield from COMMIT_REFUSALS.find(ask, answer, place=place, branch=name))


def _fresh(ask: Ask, place: Place, draft: str, *, start: str) -> Conversation[None]:
    """Make a draft, in place of one that was left half-way."""
    left = yield from _tip(ask, place, draft)
    if left is not None and left.commit != start:
        yield from _drop(ask, place, draft, tip=left.commit)
    yield from _branch(ask, place, draft, start=start, parent=start)


def _written(ask: Ask, place: Place, new: NewCommit, *, branch: str) -> Conversation[str]:
    """Commit the files one after the other, and see that nothing else came of it."""
    tip = new.parent
    for path in sorted(new.files):
        request = requests.commit(place, new, path, branch=branch, parent=tip)
        (answer,) = yield from ask(request)
        if answer.status != OK:
            raise (yield from _refusal(ask, answer, place=place, branch=branch, tip=tip))
        with shapes.reading(request.name):
            made, parents = answers.commit_in(answer)
        if parents != (tip,):
            raise _taken(place, branch)
        tip = made
    try:
        yield from _refuse_other(ask, place, new, commit=tip)
    except Rejected:
        yield from _drop(ask, place, branch, tip=tip)
        raise
    return tip


def _taken(place: Place, branch: str) -> Rejected:
    return Rejected(
        ForgeRefusal.BRANCH_TAKEN,
        f"{place.name}: branch {branch!r} was written to by somebody else meanwhile",
    )


def _refusal(
    ask: Ask, answer: Answer, *, place: Place, branch: str, tip: str
) -> Conversation[Rejected | Retryable]:
    """Find out what is wrong with a file that was not committed, and leave no empty branch."""
    there = yield from _tip(ask, place, branch)
    if there is None or there.commit != tip:
        return _taken(place, branch)
    yield from _drop(ask, place, branch, tip=tip)
    if answer.status == _FORBIDDEN:
        return Rejected(
            ForgeRefusal.FORBIDDEN,
            f"{place.name}: branch {branch!r}: a token of a project or repository is nobody's, and "
            "Bitbucket commits for accounts alone; use an HTTP access token of an account",
        )
    return COMMIT_REFUSALS.by_words(answer, place=place, branch=branch)


def _refuse_other(ask: Ask, place: Place, new: NewCommit, *, commit: str) -> Conversation[None]:
    """Refuse where a file lost its mode, or has other bytes than were sent."""
    made = yield from changes(ask, place, commit=commit, since=new.parent)
    written = {
        change.paths[0]: change.object_id
        for change in made
        if change.modifies and change.paths[0] in new.files
    }
    same = len(made) == len(written) == len(new.files) and all(
        len(written[path]) != _SHA1_DIGITS or written[path] == blob_id(file.body)
        for path, file in new.files.items()
    )
    if not same:
        raise Rejected(
            ForgeRefusal.REFUSED,
            f"{place.name}: Bitbucket cannot change {', '.join(map(repr, sorted(new.files)))} "
            "without changing more; is one of them executable, or a symbolic link?",
        )


def changes(
    ask: Ask, place: Place, *, commit: str, since: str
) -> Conversation[list[answers.Change]]:
    """Return the files in which two commits differ.

    Raises:
        Rejected: `limit_exceeded`.

    """
    (first,) = yield from ask(requests.changes(place, commit=commit, since=since))
    listed = yield from PAGING.read(
        ask,
        first,
        lambda start: requests.changes(place, commit=commit, since=since, start=start),
        most=COMPARED_PAGES_MAX,
        excess=CHANGES_TOO_MUCH,
    )
    with shapes.reading("compare files"):
        return answers.changes_in(listed)


def _tip(ask: Ask, place: Place, branch: str) -> Conversation[Tip | None]:
    (answer,) = yield from ask(requests.branch(place, branch))
    with shapes.reading("read a branch"):
        return answers.tip_in(answer)


def _drop(ask: Ask, place: Place, branch: str, *, tip: str) -> Conversation[None]:
    """Delete what is of no use any more; where that fails it is in nobody's way."""
    try:
        yield from ask(requests.drop_branch(place, branch, tip=tip))
    except (Rejected, Retryable):
        return
