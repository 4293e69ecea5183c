"""Merging by Gitea and Forgejo themselves, where that is certain to wait for a check.

Versions differ in what they make of a required check that nobody has reported: a pattern that fits
none is pending to some, and ignored by others, to which a commit without any status is good. So
each required one has to be reported, and one of them not to be good, before a forge is asked.
Source: https://github.com/go-gitea/gitea/blob/main/services/pull/commit_status.go
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.dialects import shapes
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import OK, Answer
from countersign.dialects.gitea import answers, requests
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import Place
from countersign.dialects.repositories.pulls import PullState
from countersign.dialects.repositories.questions import Ask
from countersign.dialects.shapes import Json

_SCHEDULED: Final = 201
_SCHEDULED_BEFORE: Final = 409
# These are good in no version.
_WAITED_FOR: Final = frozenset({"pending", "failure", "error"})
_STYLES: Final = frozenset({"merge", "rebase", "rebase-merge", "squash", "fast-forward-only"})


def merge_when_ready(ask: Ask, place: Place, number: int, *, commit: str) -> Conversation[None]:
    """Schedule it, while a check that the base branch requires is waited for."""
    where = f"{place.name}: pull request #{number}"
    found, repository, base, told = yield from ask(
        requests.pull(place, number),
        requests.repository(place),
        requests.branch(place, place.base_branch),
        requests.statuses(place, commit),
    )
    if not found.status == base.status == told.status == OK:
        raise Rejected(ForgeRefusal.NOT_FOUND, f"{where} is not there")
    request = requests.merge_when_checks_succeed(
        place, number, commit=commit, style=_style_in(repository.json())
    )
    with shapes.reading(request.name):
        _refuse_other(found.json(), commit=commit, where=where)
        _refuse_unprotected(base.json(), where=where)
        required = _required_in(base.json())
        reported = _reported_in(told)
    _refuse_unless_waiting(required, reported, where=where)
    if shapes.part_at(found.json(), "mergeable") is not True:
        # It is in conflict, or was not looked at yet.
        raise Retryable(ForgeRefusal.NOT_READY, f"{where} cannot be merged yet")
    (answer,) = yield from ask(request)
    if answer.status not in {OK, _SCHEDULED, _SCHEDULED_BEFORE}:
        raise Rejected(ForgeRefusal.REFUSED, f"{where}: {request.name}: answered {answer.status}")


def _refuse_other(node: Json, *, commit: str, where: str) -> None:
    pull = answers.pull_of(node)
    if pull.state is not PullState.OPEN or pull.head_commit != commit:
        raise Rejected(ForgeRefusal.CONFLICT, f"{where} is not what was opened")


def _refuse_unprotected(branch: Json, *, where: str) -> None:
    if shapes.part_at(branch, "user_can_merge") is False:
        raise Rejected(ForgeRefusal.FORBIDDEN, f"{where}: the token may not merge it")


def _required_in(branch: Json) -> tuple[str, ...]:
    """Return the checks that a branch requires by name or pattern; null stands for none."""
    listed = shapes.part_at(branch, "status_check_contexts")
    if shapes.part_at(branch, "enable_status_check") is not True or not isinstance(listed, list):
        return ()
    return tuple(shapes.text({"context": name}, "context") for name in listed)


def _reported_in(answer: Answer) -> dict[str, str]:
    """Return the newest state of each check; null stands for none."""
    body = answer.json()
    nodes = shapes.items(body, "statuses") if shapes.part(body, "statuses") is not None else []
    return {shapes.text_at(node, "context"): shapes.text_at(node, "status") for node in nodes}


def _refuse_unless_waiting(
    required: tuple[str, ...], reported: Mapping[str, str], *, where: str
) -> None:
    if not required:
        raise Rejected(ForgeRefusal.REFUSED, f"{where}: its base branch requires no check")
    fitting = [{s for name, s in reported.items() if fits(name, pattern=p)} for p in required]
    if not all(fitting):
        raise Retryable(ForgeRefusal.NOT_READY, f"{where}: a required check has not begun")
    if not any(states & _WAITED_FOR for states in fitting):
        raise Rejected(ForgeRefusal.REFUSED, f"{where}: no required check is waited for")


def fits(name: str, *, pattern: str) -> bool:
    """Tell whether a check is one that a pattern stands for.

    Of patterns with more than `*` and `?` nothing is certain: those fit nothing but themselves.
    """
    plain = not set(pattern) & set("[]{}\\")
    return name == pattern or (plain and fnmatchcase(name, pattern))


def _style_in(repository: Json) -> str:
    """Return how the repository merges by default; one by hand is not merging."""
    told = shapes.text_at(repository, "default_merge_style")
    return told if told in _STYLES else "merge"
