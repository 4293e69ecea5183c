"""A repository whose dialect is conversations: holds them, one for each thing that is asked."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import Answer, Sent
from countersign.dialects.kinds import kind_of
from countersign.dialects.repositories.contents import Comparison, File, NewCommit, Place, TreeEntry
from countersign.dialects.repositories.dialect import (
    LabellingDialect,
    MergingDialect,
    RepositoryDialect,
)
from countersign.dialects.repositories.interface import LookScope, View
from countersign.dialects.repositories.pulls import Pull, PullStatus, PullText
from countersign.forges.conversations import converse
from countersign.forges.http import ForgeHttp

_Result = TypeVar("_Result")


class DialectRepository:
    """A `Repository`."""

    def __init__(self, http: ForgeHttp, dialect: RepositoryDialect) -> None:
        self._http = http
        self._dialect = dialect

    def reference(self, number: int) -> str:
        return kind_of(self._http.forge).addresses.refer_to(number)

    async def look(self, place: Place, scope: LookScope) -> View:
        return await self._hold(self._dialect.look(place, scope))

    async def list_tree(
        self, place: Place, *, commit: str, path: str
    ) -> tuple[TreeEntry, ...] | None:
        return await self._hold(self._dialect.list_tree(place, commit=commit, path=path))

    async def read_files(
        self, place: Place, *, commit: str, files: Sequence[TreeEntry], bytes_max: int
    ) -> Mapping[str, File]:
        return await self._hold(
            self._dialect.read_files(place, commit=commit, files=files, bytes_max=bytes_max)
        )

    async def commit(self, place: Place, new: NewCommit) -> str:
        return await self._hold(self._dialect.commit(place, new))

    async def open_pull(
        self, place: Place, *, head: str, text: PullText, replaces: Sequence[int] = ()
    ) -> Pull:
        return await self._hold(
            self._dialect.open_pull(place, head=head, text=text, replaces=replaces)
        )

    async def label(self, place: Place, number: int, *, labels: Sequence[str]) -> None:
        if isinstance(self._dialect, LabellingDialect):
            await self._hold(self._dialect.label(place, number, labels=labels))

    async def merge_when_ready(self, place: Place, number: int, *, commit: str) -> None:
        if not isinstance(self._dialect, MergingDialect):
            raise TypeError(f"{self._http.forge.kind} merges nothing by itself, nor {number}")
        await self._hold(self._dialect.merge_when_ready(place, number, commit=commit))

    async def compare(self, place: Place, *, commit: str) -> Comparison:
        return await self._hold(self._dialect.compare(place, commit=commit))

    async def summaries(self, place: Place, *, old: str, new: str) -> tuple[str, ...]:
        return await self._hold(self._dialect.summaries(place, old=old, new=new))

    async def close_pull(self, place: Place, number: int, *, comment: str) -> None:
        await self._hold(self._dialect.close_pull(place, number, comment=comment))

    async def comment(self, place: Place, number: int, *, comment: str) -> None:
        await self._hold(self._dialect.comment(place, number, comment=comment))

    async def follow(self, place: Place, number: int, *, since: str) -> PullStatus | None:
        return await self._hold(self._dialect.follow(place, number, since=since))

    async def _hold(self, conversation: Conversation[_Result]) -> _Result:
        return await converse(self._send, conversation)

    async def _send(self, sent: Sent) -> Answer:
        return await self._http.send(sent.request, sent.token)
