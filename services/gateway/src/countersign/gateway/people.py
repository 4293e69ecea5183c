"""Local sign-in: people are read from a file and chosen on a page, without passwords.

Only for a gateway that nobody but this machine can reach.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import Person

PEOPLE_BYTES_MAX: Final = 256 * 1024
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
    """
    Raises:
        Rejected: `people_file`; says what is wrong with it.

    """
    try:
        body = path.read_bytes()
        if len(body) > PEOPLE_BYTES_MAX:
            raise Rejected("people_file", f"{path} is larger than {PEOPLE_BYTES_MAX} bytes")
        listed = _PeopleFile.model_validate(yaml.safe_load(body)).people
    except OSError as error:
        raise Rejected("people_file", f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, ValidationError) as error:
        raise Rejected(
            "people_file",
            f"{path} is not like  people: [{{id: ada, name: Ada Lovelace, groups: []}}]",
        ) from error
    if len({p.id for p in listed}) != len(listed):
        raise Rejected("people_file", f"{path} lists an id twice")
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
            raise Rejected("unknown_person", "choose one of the people on the page")
        return person


class LocalAccess:
    """Everybody sees everything; members of the group `viewers` cannot promote."""

    def may_see(self, person: Person, *, namespace: str) -> bool:
        del person, namespace
        return True

    def may_promote(self, person: Person, *, namespace: str) -> bool:
        del namespace
        return VIEWERS not in person.groups

    def audience(self, person: Person) -> str:
        return VIEWERS if VIEWERS in person.groups else ""

    def role_missing(self, *, namespace: str) -> str:
        return (
            f"the verb “promote” on pipelines in namespace {namespace} "
            f"(locally: leave the group “{VIEWERS}”)"
        )
