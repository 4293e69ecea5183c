"""Repositories, as the conversations of a kind of forge that needs no client of its own."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from countersign.dialects.conversation import Conversation
from countersign.dialects.repositories.contents import Comparison, File, NewCommit, Place, TreeEntry
from countersign.dialects.repositories.interface import LookScope, View
from countersign.dialects.repositories.pulls import Pull, PullStatus, PullText


class RepositoryDialect(Protocol):
    """The methods of a `Repository`, as conversations with one token."""

    def look(self, place: Place, scope: LookScope) -> Conversation[View]: ...

    def list_tree(
        self, place: Place, *, commit: str, path: str
    ) -> Conversation[tuple[TreeEntry, ...] | None]: ...

    def read_files(
        self, place: Place, *, commit: str, files: Sequence[TreeEntry], bytes_max: int
    ) -> Conversation[Mapping[str, File]]: ...

    def commit(self, place: Place, new: NewCommit) -> Conversation[str]: ...

    def open_pull(
        self, place: Place, *, head: str, text: PullText, replaces: Sequence[int] = ()
    ) -> Conversation[Pull]: ...

    def compare(self, place: Place, *, commit: str) -> Conversation[Comparison]: ...

    def summaries(self, place: Place, *, old: str, new: str) -> Conversation[tuple[str, ...]]: ...

    def close_pull(self, place: Place, number: int, *, comment: str) -> Conversation[None]: ...

    def comment(self, place: Place, number: int, *, comment: str) -> Conversation[None]: ...

    def follow(
        self, place: Place, number: int, *, since: str
    ) -> Conversation[PullStatus | None]: ...


@runtime_checkable
class LabellingDialect(Protocol):
    """A dialect of a kind that takes no labels with the opening, and gives them afterwards."""

    def label(self, place: Place, number: int, *, labels: Sequence[str]) -> Conversation[None]: ...


@runtime_checkable
class MergingDialect(Protocol):
    """A dialect of a kind whose capabilities say that it merges by itself."""

    def merge_when_ready(self, place: Place, number: int, *, commit: str) -> Conversation[None]: ...
