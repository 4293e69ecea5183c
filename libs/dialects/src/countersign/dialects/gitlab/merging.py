"""Merging by GitLab itself, where a pipeline is certain to be waited for.

Where there is none GitLab waits for approvals alone, or merges at once; where it has passed, it
merges at once too.
Source: https://gitlab.com/gitlab-org/gitlab/-/blob/master/app/services/auto_merge/merge_when_checks_pass_service.rb
"""

from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.dialects import shapes
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import OK
from countersign.dialects.gitlab import answers, requests
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import Place
from countersign.dialects.repositories.pulls import PullState
from countersign.dialects.repositories.questions import Ask
from countersign.dialects.shapes import Json

# Of a pipeline that goes on by itself. Source: https://docs.gitlab.com/api/pipelines/
_IN_PROGRESS: Final = frozenset(
    {"created", "waiting_for_resource", "preparing", "waiting_for_callback", "pending", "running"}
)
_REASONS: Final = {401: ForgeRefusal.FORBIDDEN, 409: ForgeRefusal.CONFLICT}


def merge_when_ready(ask: Ask, place: Place, number: int, *, commit: str) -> Conversation[None]:
    """Set it to auto-merge, while its pipeline is in progress."""
    where = f"{place.name}: merge request !{number}"
    (found,) = yield from ask(requests.pull(place, number))
    if found.status != OK:
        raise Rejected(ForgeRefusal.NOT_FOUND, f"{where} is not there")
    request = requests.merge_when_checks_pass(place, number, commit=commit)
    with shapes.reading(request.name):
        _refuse_unless_waiting(found.json(), commit=commit, where=where)
    (answer,) = yield from ask(request)
    if answer.status != OK:
        reason = _REASONS.get(answer.status, ForgeRefusal.REFUSED)
        raise Rejected(reason, f"{where}: {request.name}: answered {answer.status}")
    with shapes.reading(request.name):
        state = answers.status_of(answer.json()).state
        waits = shapes.part(answer.json(), "merge_when_pipeline_succeeds") is True
    if state is PullState.OPEN and not waits:
        raise Rejected(ForgeRefusal.REFUSED, f"{where} is not set to auto-merge")


def _refuse_unless_waiting(node: Json, *, commit: str, where: str) -> None:
    pull = answers.pull_of(node)
    if pull.state is not PullState.OPEN or pull.head_commit not in {"", commit}:
        raise Rejected(ForgeRefusal.CONFLICT, f"{where} is not what was opened")
    # It comes a moment after the merge request, like its commit.
    pipeline = shapes.maybe_fields(node, "head_pipeline")
    if pipeline is None or not pull.head_commit:
        raise Retryable(ForgeRefusal.NOT_READY, f"{where} has no pipeline yet")
    status = shapes.text(pipeline, "status")
    if status not in _IN_PROGRESS:
        raise Rejected(ForgeRefusal.REFUSED, f"{where}: its pipeline is not in progress")
