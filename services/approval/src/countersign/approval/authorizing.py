"""Who may promote, where no cluster can be asked: everybody who signed in."""

from countersign.contracts.messages import Person
from countersign.contracts.promotion import Promotion


class EverybodySignedIn:
    async def may_promote(self, person: Person, promotion: Promotion) -> bool:
        del promotion
        return bool(person.id.strip())
