"""Remembers which account at a forge came with which person before, as the stream tells.

Two people with one account, or one person with two, may be all right; somebody should look at it.
Pure.
"""

from typing import Final

from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.contracts.messages import ForgeUser, Person

PAIRS_MAX: Final = 20_000  # of all forges; the one unused for longest is forgotten


class Accounts:
    def __init__(self) -> None:
        self._people: BoundedDict[tuple[str, str], Person] = BoundedDict(PAIRS_MAX)
        self._accounts: BoundedDict[tuple[str, str], ForgeUser] = BoundedDict(PAIRS_MAX)

    def learn(self, person: Person, account: ForgeUser, *, origin: str) -> None:
        self._people[origin, account.id] = person
        self._accounts[origin, person.id] = account

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
