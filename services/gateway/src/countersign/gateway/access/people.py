"""Local sign-in: people are read from a file and chosen on a page, without passwords.

Only for a gateway that nobody but this machine can reach.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import Person
from countersign.gateway.interfaces import Missing, Right, Scope
from countersign.gateway.model import GateKey, PipelineKey
from countersign.gateway.refusals import Refusal
from countersign.process.configuration import read_document

VIEWERS: Final = "viewers"


class _Listed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1, max_length=200)
    name: str = Field(default="", max_length=200)
    groups: tuple[str, ...] = ()


class _PeopleFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    people: tuple[_Listed, ...] = Field(min_length=1, max_length=500)


def read_people(path: Path) -> tuple[Person, ...]:
    """Read the people who may sign in locally.

    Raises:
        Rejected: `bad_document`, `people_file`; says what is wrong with it.

    """
    listed = read_document(path, _PeopleFile).people
    if len({p.id for p in listed}) != len(listed):
        raise Rejected(Refusal.PEOPLE_FILE, f"{path} lists an id twice")
    return tuple(Person(id=p.id, name=p.name or p.id, groups=p.groups) for p in listed)


class LocalSignIn:
    """Whoever is chosen from the list."""

    def __init__(self, people: tuple[Person, ...]) -> None:
        self._people = {p.id: p for p in people}

    @property
    def choices(self) -> tuple[Person, ...]:
        return tuple(self._people.values())

    async def identify(self, answer: Mapping[str, str]) -> Person:
        person = self._people.get(answer.get("person", ""))
        if person is None:
            raise Rejected(Refusal.UNKNOWN_PERSON, "choose one of the people on the page")
        return person


class NoLocalSignIn:
    """Nobody is chosen from a page: people are sent to a provider."""

    @property
    def choices(self) -> tuple[Person, ...]:
        return ()

    async def identify(self, answer: Mapping[str, str]) -> Person:
        del answer
        raise Rejected(Refusal.UNKNOWN_PERSON, "people sign in at the provider here")


class LocalAccess:
    """Everybody sees everything; members of the group `viewers` cannot promote."""

    async def learn(self, person: Person, scope: Callable[[], Scope]) -> None:
        del person, scope

    def may_see(self, person: Person, pipeline: PipelineKey) -> bool:
        del person, pipeline
        return True

    def may_see_credentials(self, person: Person, *, namespace: str) -> bool:
        del person, namespace
        return True

    def may_promote(self, person: Person, gate: GateKey) -> bool:
        del gate
        return VIEWERS not in person.groups

    def audience(self, person: Person) -> str:
        return VIEWERS if VIEWERS in person.groups else ""

    def missing(self, person: Person, right: Right, gate: GateKey) -> Missing:
        del person
        return Missing(
            words=f"the verb “{right}” on pipelines in namespace {gate.pipeline.namespace} "
            f"(locally: leave the group “{VIEWERS}”)"
        )
