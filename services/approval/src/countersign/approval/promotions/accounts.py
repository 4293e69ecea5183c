"""Remembers which account at a forge came with which person before, as the stream tells.

Two people with one account, or one person with two, may be all right; somebody should look at it.
Pure.
"""

from collections import OrderedDict
from typing import Final, TypeVar

from countersign.contracts.messages import ForgeUser, Person

PAIRS_MAX: Final = 20_000  # of all forges; the one unused for longest is forgotten

_Value = TypeVar("_Value")


class Accounts:
    def __init__(self) -> None:
        self._people: OrderedDict[tuple[str, str], Person] = OrderedDict()
        self._accounts: OrderedDict[tuple[str, str], ForgeUser] = OrderedDict()

    def learn(self, person: Person, account: ForgeUser, *, origin: str) -> None:
        _remember(self._people, (origin, account.id), person)
        _remember(self._accounts, (origin, person.id), account)

    def notice(self, person: Person, account: ForgeUser, *, origin: str) -> str:
        """Say what is new about the two; empty where they came together before, or never came."""
        user = self._people.get((origin, account.id))
        used = self._accounts.get((origin, person.id))
        notices = []
        if user and user.id != person.id:
            notices.append(f"account {account.login} was used by {user.name or user.id} before")
        if used and used.id != account.id:
            notices.append(f"{person.name or person.id} used account {used.login} before")
        return "; ".join(notices)


def _remember(
    kept: OrderedDict[tuple[str, str], _Value], key: tuple[str, str], value: _Value
) -> None:
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > PAIRS_MAX:
        kept.popitem(last=False)
