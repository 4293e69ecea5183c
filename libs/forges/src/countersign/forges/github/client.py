"""GitHub, with one token: sends what is built elsewhere, and asks again where an answer is partial.

A promotion takes three requests where the repository is known and five where it is not: the look,
the tree and its files, the commit, the pull request.
"""

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.contracts.secret import Secret
from countersign.dialects import shapes
from countersign.dialects.exchange import Answer, Request
from countersign.dialects.github import documents, graphql, wire
from countersign.dialects.github.addresses import graphql_url
from countersign.dialects.interface import (
    Blob,
    Change,
    Comparison,
    Entry,
    Place,
    Pull,
    Text,
    View,
    Wanted,
)
from countersign.forges.http import ForgeHttp

PULL_PAGES_MAX: Final = 20
# The newest two hundred; of older ones of ours the stream tells, where it was not lost.
OPEN_PULL_PAGES_MAX: Final = 4
BLOBS_PER_QUERY: Final = 200
BLOB_BYTES_PER_QUERY: Final = 3 * 1024 * 1024


class GitHub:
    """A `RepositoryWriter`."""

    def __init__(self, http: ForgeHttp, token: Secret) -> None:
        self._http = http
        self._token = token
        self._graphql_url = graphql_url(http.forge)

    async def look(self, place: Place, wanted: Wanted) -> View:
        name = "look at the repository"
        answer, data, errors = await self._query(documents.look(place, wanted), name=name)
        with shapes.reading(name):
            repository = wire.repository_of(data, errors, place)
        # A pull request that is gone, for one, is no reason to stop; the rest is checked by shape.
        graphql.refuse([e for e in errors if e.get("type") != "NOT_FOUND"], where=place.name)
        with shapes.reading(name):
            await self._add_pulls(place, wanted, repository)
            await self._add_open_pulls(place, repository)
            return wire.view_of(data, repository, wanted=wanted, read_at_s=_date_s(answer))

    async def _add_pulls(self, place: Place, wanted: Wanted, repository: Any) -> None:
        nodes, after = wire.page_of(repository, "pullRequests")
        for _ in range(PULL_PAGES_MAX):
            if not after:
                return
            sent = documents.more_pulls(place, head_branch=wanted.head_branch, after=after)
            more, after = await self._page(sent, place, name="pullRequests")
            nodes.extend(more)
        raise Rejected(
            "limit_exceeded", f"branch {wanted.head_branch!r} has too many pull requests"
        )

    async def _add_open_pulls(self, place: Place, repository: Any) -> None:
        nodes, after = wire.page_of(repository, "open")
        for _ in range(OPEN_PULL_PAGES_MAX - 1):
            if not after:
                return
            sent = documents.more_open_pulls(place, after=after)
            more, after = await self._page(sent, place, name="open")
            nodes.extend(more)

    async def _page(
        self, sent: documents.Sent, place: Place, *, name: str
    ) -> tuple[list[Any], str]:
        call = "list pull requests"
        _, data, errors = await self._query(sent, name=call)
        with shapes.reading(call):
            return wire.page_of(wire.repository_of(data, errors, place), name)

    async def list_tree(self, place: Place, *, oid: str) -> tuple[Entry, ...]:
        request = wire.tree_request(place, oid=oid)
        answer = await self._http.send(request, self._token)
        with shapes.reading(request.name):
            return wire.tree_of(answer.json_of(request.name), place=place)

    async def read_blobs(
        self, place: Place, *, commit: str, files: Sequence[Entry], bytes_max: int
    ) -> Mapping[str, Blob]:
        found: dict[str, Blob] = {}
        for batch in _batches(files):
            for entry, blob in zip(batch, await self._blobs(place, commit, batch), strict=True):
                if blob is None or (entry.oid and blob.oid != entry.oid):
                    continue
                if blob.body is None and blob.size_bytes <= bytes_max:
                    found[entry.path] = replace(blob, body=await self._raw(place, blob.oid))
                else:
                    found[entry.path] = blob
        return found

    async def _blobs(self, place: Place, commit: str, batch: Sequence[Entry]) -> list[Blob | None]:
        name = "read files"
        sent = documents.blobs(place, commit=commit, paths=tuple(e.path for e in batch))
        _, data, errors = await self._query(sent, name=name, body_bytes_max=wire.BLOBS_BYTES_MAX)
        with shapes.reading(name):
            repository = wire.repository_of(data, errors, place)
            return [wire.blob_of(repository.get(f"b{n}")) for n in range(len(batch))]

    async def _raw(self, place: Place, oid: str) -> bytes:
        answer = await self._http.send(wire.raw_blob_request(place, oid=oid), self._token)
        if wire.blob_id(answer.body) != oid:
            raise Rejected(
                "bad_answer", f"{place.name}: read files: {oid!r} has other bytes than its id"
            )
        return answer.body

    async def commit(self, change: Change, *, place: Place) -> str:
        additions = [
            {"path": path, "contents": base64.b64encode(body).decode()}
            for path, body in sorted(change.files.items())
        ]
        sent = documents.commit(change, place_name=place.name, additions=additions)
        _, data, errors = await self._query(sent, name="commit")
        where = f"{place.name}: branch {change.head_branch!r}"
        for n in range(len(change.closes)):
            graphql.refuse(graphql.at(errors, f"c{n}"), where=f"{place.name}: close the older one")
        if change.creates_branch and not data.get("ref"):
            _refuse_branch(graphql.at(errors, "ref"), where=where)
        if not data.get("commit"):
            # The branch is ours, so it does not stay behind to look like somebody else's.
            await self._drop_branch(data)
            graphql.refuse(graphql.at(errors, "commit") or errors, where=where)
            raise Rejected("bad_answer", f"commit: {where}: nothing was done, and no error given")
        with shapes.reading("commit"):
            commit = shapes.fields(shapes.fields(data, "commit"), "commit")
            oid, parents = shapes.oid(commit, "oid"), wire.parents_of(commit)
        if parents != (change.parent,):
            raise Rejected("conflict", f"{where}: the commit has another parent than asked for")
        return oid

    async def _drop_branch(self, data: dict[str, Any]) -> None:
        with shapes.reading("commit"):
            made = shapes.maybe_fields(data, "ref")
            ref = shapes.maybe_fields(made, "ref") if made else None
            handle = shapes.text(ref, "id") if ref else ""
        if handle:
            await self._query(documents.drop_ref(handle), name="drop the branch")

    async def open_pull(self, place: Place, *, view: View, head: str, text: Text) -> Pull:
        sent = documents.open_pull(view, base_branch=place.base_branch, head=head, text=text)
        name = "open the pull request"
        _, data, errors = await self._query(sent, name=name)
        with shapes.reading(name):
            answered = shapes.maybe_fields(data, "createPullRequest")
            created = shapes.maybe_fields(answered, "pullRequest") if answered else None
            if created is not None:
                return wire.pull_of(created)
        graphql.refuse(errors, where=f"{place.name}: {name}")
        raise Rejected("bad_answer", f"{place.name}: {name}: nothing was done, and no error given")

    async def compare(self, place: Place, *, base: str, head: str) -> Comparison:
        request = wire.compare_request(place, base=base, head=head)
        answer = await self._http.send(request, self._token)
        with shapes.reading(request.name):
            return wire.comparison_of(answer.json_of(request.name))

    async def close_pull(self, pull: Pull, *, comment: str) -> None:
        _, _, errors = await self._query(
            documents.close_pull(pull.handle, comment=comment), name="close the pull request"
        )
        graphql.refuse(graphql.at(errors, "close"), where=f"close pull request #{pull.number}")

    async def comment(self, pull: Pull, *, comment: str) -> None:
        await self._query(documents.comment(pull.handle, text=comment), name="comment")

    async def follow(self, place: Place, *, number: int, etag: str) -> Answer:
        """The pull request by REST, which answers 304 for free when nothing changed."""
        return await self._http.send(
            wire.pull_request(place, number=number, etag=etag), self._token
        )

    async def _query(
        self, sent: documents.Sent, *, name: str, body_bytes_max: int = 2 * 1024 * 1024
    ) -> tuple[Answer, dict[str, Any], list[dict[str, Any]]]:
        request = Request(
            name=name,
            method="POST",
            url=self._graphql_url,
            json=sent,
            body_bytes_max=body_bytes_max,
        )
        answer = await self._http.send(request, self._token)
        return answer, *graphql.data_of(answer, where=name)


def _refuse_branch(errors: list[dict[str, Any]], *, where: str) -> None:
    if any("already exists" in str(e.get("message")) for e in errors):
        raise Rejected("branch_taken", f"{where} was made by somebody else meanwhile")
    graphql.refuse(errors, where=where)
    raise Rejected("bad_answer", f"commit: {where}: no branch, and no error given")


def _batches(files: Sequence[Entry]) -> list[list[Entry]]:
    batches: list[list[Entry]] = []
    size_bytes = 0
    for entry in files:
        size_bytes += max(entry.size_bytes, 0)
        full = not batches or len(batches[-1]) >= BLOBS_PER_QUERY
        if full or size_bytes > BLOB_BYTES_PER_QUERY:
            batches.append([])
            size_bytes = max(entry.size_bytes, 0)
        batches[-1].append(entry)
    return batches


def _date_s(answer: Answer) -> float:
    """The forge's clock, by which its commits are dated."""
    try:
        return parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return time.time()
