"""Who may promote where no cluster can be asked."""

import pytest
from doubles import stories

from countersign.approval.authorizing import EverybodySignedIn
from countersign.contracts.messages import Person
from countersign.contracts.promotion import Promotion, State

WAITING = Promotion(request=stories.requested(), state=State.WAITING)


@pytest.mark.parametrize(
    ("person", "may"),
    [
        pytest.param(Person(id="ada"), True, id="somebody"),
        pytest.param(Person(id="ada", groups=("admins",)), True, id="of any group"),
        pytest.param(Person(id=" "), False, id="nobody"),
        pytest.param(Person(id="eve", groups=("admins", "viewers")), False, id="who only looks"),
    ],
)
async def test_everybody_may_promote_but_nobody_and_who_only_looks(
    person: Person,
    may: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert await EverybodySignedIn().may_promote(person, WAITING) is may
