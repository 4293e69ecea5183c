"""The past of a credential, and uses by others."""

from datetime import timedelta

import pytest
from doubles.auditing import KEY, START

from countersign.auditor.checks.history import CHANGES_MAX, with_history
from countersign.auditor.checks.strangers import used_elsewhere_at
from countersign.contracts.messages import (
    ForgeUser,
    TokenChangeKind,
    TokenChecked,
    TokenOwnerStanding,
    TokenReason,
    TokenValidity,
)

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
CHECKED = TokenChecked(
    credential=KEY.ref,
    validity=TokenValidity.VALID,
    owner=ForgeUser(id="7", login="ada"),
    scopes=("repo",),
    expires_at=START + 90 * HOUR,
    expiry_known=True,
    checked_at=START,
)
FIRST = with_history(CHECKED, None, replaced=False)
DEAD = {"validity": TokenValidity.INVALID, "why": TokenReason.REFUSED, "owner": None, "scopes": ()}


def after(*, replaced: bool = False, **changes: object) -> list[TokenChangeKind]:
    now = CHECKED.model_copy(update={"checked_at": START + HOUR, **changes})
    told = with_history(now, FIRST, replaced=replaced)
    assert told.history[0] == FIRST.history[0]
    return [change.kind for change in told.history[1:]]


def test_first_check_begins_the_history() -> None:
    (entry,) = FIRST.history

    assert entry.kind is TokenChangeKind.FIRST_CHECKED
    assert (entry.at, entry.validity) == (START, TokenValidity.VALID)


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, []),
        (DEAD, [TokenChangeKind.VALIDITY]),
        ({"scopes": ("gist", "repo")}, [TokenChangeKind.SCOPES]),
        ({"owner": ForgeUser(id="7", login="ada-l")}, []),
        ({"owner": ForgeUser(id="8", login="grace")}, [TokenChangeKind.OWNER]),
        ({"owner_standing": TokenOwnerStanding.DEACTIVATED}, [TokenChangeKind.OWNER]),
        ({"expires_at": START + 9 * HOUR}, [TokenChangeKind.EXPIRY]),
        ({"expires_at": None, "expiry_known": False}, []),
        ({"replaced": True, "scopes": ("gist",)}, [TokenChangeKind.REPLACED]),
        ({"replaced": True, **DEAD}, [TokenChangeKind.REPLACED, TokenChangeKind.VALIDITY]),
    ],
)
def test_history_tells_what_changed(changes: dict[str, object], kinds: list[object]) -> None:
    replaced = bool(changes.get("replaced"))
    told = {name: value for name, value in changes.items() if name != "replaced"}

    assert after(replaced=replaced, **told) == kinds


def test_history_keeps_its_end() -> None:
    event = FIRST
    for n in range(2 * CHANGES_MAX):
        changes = {"checked_at": START + n * HOUR, "scopes": (f"s:{'ab'[n % 2]}",)}
        event = with_history(event.model_copy(update=changes), event, replaced=False)

    assert len(event.history) == CHANGES_MAX
    assert event.history[-1].at == event.checked_at


@pytest.mark.parametrize(
    ("reported_after", "elsewhere"),
    [
        (30 * MINUTE, True),
        (61 * MINUTE, False),  # our own question now
        (19 * MINUTE, False),  # our promotion
        (1 * MINUTE, False),  # our question before
        (-30 * MINUTE, False),  # judged by the check before
    ],
)
def test_use_that_was_none_of_ours_is_noticed(
    reported_after: timedelta, *, elsewhere: bool
) -> None:
    reported = START + reported_after
    found = used_elsewhere_at(
        reported,
        ours=(START + HOUR, START + 20 * MINUTE, START, None),
        asked_before_at=START,
        known_at=None,
    )

    assert found == (reported if elsewhere else None)


def test_first_question_accuses_nobody() -> None:
    ours = (START + HOUR,)

    assert used_elsewhere_at(START, ours=ours, asked_before_at=None, known_at=None) is None
