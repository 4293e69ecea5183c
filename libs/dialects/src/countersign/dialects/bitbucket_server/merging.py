"""Merging by Bitbucket Data Center itself, where a merge check is certain to be waited for.

Where none vetoes the merge, asking for it is merging.
Source: https://confluence.atlassian.com/bitbucketserver/merge-a-pull-request-808488611.html
"""

from countersign.contracts.errors import Rejected
from countersign.dialects import shapes
from countersign.dialects.bitbucket_server import answers, requests
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import OK, Answer
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import Place
from countersign.dialects.repositories.pulls import PullState
from countersign.dialects.repositories.questions import Ask


def merge_when_ready(ask: Ask, place: Place, number: int, *, commit: str) -> Conversation[None]:
    """Set it to auto-merge, while a merge check vetoes it."""
    where = f"{place.name}: pull request #{number}"
    found, merging = yield from ask(
        requests.pull(place, number), requests.mergeability(place, number)
    )
    if found.status != OK:
        raise Rejected(ForgeRefusal.NOT_FOUND, f"{where} is not there")
    with shapes.reading("enable auto-merge"):
        pull, version = answers.pull_of(found.json()), answers.version_of(found.json())
    if pull.state is not PullState.OPEN or pull.head_commit != commit:
        raise Rejected(ForgeRefusal.CONFLICT, f"{where} is not what was opened")
    if not _is_waiting(merging):
        raise Rejected(ForgeRefusal.REFUSED, f"{where}: no merge check is waited for")
    # The version is of what was looked at; a veto that is gone since has passed.
    request = requests.merge_when_checks_pass(place, number, version=version)
    (answer,) = yield from ask(request)
    if answer.status != OK:
        raise Rejected(ForgeRefusal.REFUSED, f"{where}: {request.name}: answered {answer.status}")


def _is_waiting(answer: Answer) -> bool:
    told = answer.json() if answer.status == OK else None
    return shapes.part_at(told, "conflicted") is not True and bool(shapes.part_at(told, "vetoes"))
