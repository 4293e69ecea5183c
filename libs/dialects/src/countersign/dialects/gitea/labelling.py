"""Labels of pull requests at Gitea and Forgejo, which are set by their numbers.

To set them takes `write:repository`; to learn the numbers takes `read:issue`, which a token has
only where it was asked for. A pull request is given all its labels at once, so it keeps those that
it has.
Source: https://github.com/go-gitea/gitea/blob/main/routers/api/v1/repo/pull.go
"""

from collections.abc import Sequence
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.dialects import shapes
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import OK, Answer
from countersign.dialects.gitea import answers, requests
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import Place
from countersign.dialects.repositories.questions import Ask

# A thousand labels.
PAGES_MAX: Final = 20


def label(ask: Ask, place: Place, number: int, *, labels: Sequence[str]) -> Conversation[None]:
    """Give it those labels of the repository that it lacks.

    Raises:
        Rejected: `forbidden`, of a token that may not list them; `not_found`, where the repository
            has not all of them, after it was given the others.

    """
    request = requests.pull(place, number)
    found, first = yield from ask(request, requests.labels(place, page=1))
    if found.status != OK:
        raise Rejected(ForgeRefusal.NOT_FOUND, f"{place.name}: there is no pull request #{number}")
    with shapes.reading(request.name):
        has = answers.labels_of(shapes.items(found.json(), "labels"))
    wanted = [name for name in labels if name not in has]
    known = yield from _known(ask, place, wanted, first=first)
    if known:
        numbers = sorted({*has.values(), *known.values()})
        yield from ask(requests.edit_pull(place, number, {"labels": numbers}))
    if absent := [name for name in wanted if name not in known]:
        raise Rejected(
            ForgeRefusal.NOT_FOUND, f"repository {place.name!r} has no label {', '.join(absent)}"
        )


def _known(
    ask: Ask, place: Place, wanted: Sequence[str], *, first: Answer
) -> Conversation[dict[str, int]]:
    """Find the numbers of those that the repository has, of which it has more than a page."""
    known: dict[str, int] = {}
    answer = first
    for page in range(1, PAGES_MAX + 1):
        request = requests.labels(place, page=page)
        if page > 1:
            (answer,) = yield from ask(request)
        with shapes.reading(request.name):
            listed = answers.labels_of(answer.json()) if answer.status == OK else {}
        known |= {name: listed[name] for name in wanted if name in listed and name not in known}
        if not listed or len(known) == len(wanted):
            break
    return known
