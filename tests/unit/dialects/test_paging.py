"""Lists are read page by page, to their end or to a bound."""

import json
from collections.abc import Sequence

import pytest

from countersign.contracts.errors import Rejected
from countersign.contracts.secret import Secret
from countersign.dialects.exchange import Answer, Request, get
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.paging import Paging
from countersign.dialects.repositories.questions import asking_with
from countersign.dialects.shapes import part

ASK = asking_with(Secret("made-up-token"))


def page(number: int, *, of: int) -> Answer:
    body = {"number": number, "next": number + 1 if number < of else None}
    return Answer(status=200, headers={}, body=json.dumps(body).encode())


def following(pages: Sequence[Answer]) -> int | None:
    found: int | None = part(pages[-1].json(), "next")
    return found


def more(number: int) -> Request:
    return get("read a page", f"/{number}")


def numbers(*, of: int, most: int, excess: str = "") -> list[int]:
    """Read a list of so many pages."""
    paging = Paging(after=following)
    conversation = paging.read(ASK, page(1, of=of), more, most=most, excess=excess)
    try:
        (sent,) = next(conversation)
        while True:
            asked = int(sent.request.url.removeprefix("/"))
            (sent,) = conversation.send((page(asked, of=of),))
    except StopIteration as done:
        return [answer.json()["number"] for answer in done.value]


@pytest.mark.parametrize(("of", "most", "read"), [(1, 3, 1), (3, 3, 3), (4, 3, 3), (9, 1, 1)])
def test_pages_are_read_to_the_last_or_to_so_many(of: int, most: int, read: int) -> None:
    assert numbers(of=of, most=most) == [*range(1, read + 1)]


def test_list_that_is_wanted_whole_is_refused_beyond_so_many_pages() -> None:
    assert numbers(of=3, most=3, excess="too many") == [1, 2, 3]
    with pytest.raises(Rejected, match="too many") as caught:
        numbers(of=4, most=3, excess="too many")

    assert caught.value.reason is ForgeRefusal.LIMIT_EXCEEDED


def test_page_that_says_nothing_of_the_next_is_no_usable_answer() -> None:
    paging = Paging(after=following)
    odd = Answer(status=200, headers={}, body=b"[]")

    with pytest.raises(Rejected) as caught:
        next(paging.read(ASK, odd, more, most=3))

    assert caught.value.reason is ForgeRefusal.BAD_ANSWER
