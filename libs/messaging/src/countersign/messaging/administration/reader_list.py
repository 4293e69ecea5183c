"""Readers as an installation lists them: names and namespaces, in a file that holds no key."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from countersign.messaging.topology.readers import NAMESPACES_MAX, Reader, is_name
from countersign.process.configuration import read_document

READERS_MAX: Final = 200


def _reader_name(text: str) -> str:
    if not is_name(text):
        raise ValueError("give a name of a-z, 0-9 and '-', at most 32 characters")
    return text


class ListedReader(BaseModel):
    """A tool; without namespaces it reads everything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, AfterValidator(_reader_name)]
    namespaces: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...], Field(max_length=NAMESPACES_MAX)
    ] = ()


def _distinct(readers: tuple[ListedReader, ...]) -> tuple[ListedReader, ...]:
    if len({reader.name for reader in readers}) < len(readers):
        raise ValueError("a name is there twice")
    return readers


class ReaderList(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    readers: Annotated[
        tuple[ListedReader, ...], Field(max_length=READERS_MAX), AfterValidator(_distinct)
    ] = ()


def without_keys(path: Path) -> tuple[Reader, ...]:
    """Read them as durables need them, for which nobody's key matters.

    Raises:
        Rejected: `bad_document`.

    """
    return tuple(
        Reader(name=each.name, public_key="", namespaces=each.namespaces)
        for each in read_document(path, ReaderList).readers
    )
