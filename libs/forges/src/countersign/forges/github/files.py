"""Reads files of a repository at GitHub: many texts in one answer, long ones by themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from countersign.contracts.errors import Rejected
from countersign.contracts.secret import Secret
from countersign.dialects import shapes
from countersign.dialects.exchange import Basic
from countersign.dialects.github import documents, rest, wire
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import File, Place, TreeEntry, blob_id
from countersign.forges.github.node_ids import GraphQL
from countersign.forges.http import ForgeHttp


class Files:
    """Files, with one token."""

    def __init__(self, http: ForgeHttp, token: Secret | Basic, graph: GraphQL) -> None:
        self._http = http
        self._token = token
        self._graph = graph

    async def read(
        self, place: Place, *, commit: str, files: Sequence[TreeEntry], bytes_max: int
    ) -> Mapping[str, File]:
        found: dict[str, File] = {}
        # What was listed is known by its id; of the rest GraphQL tells it.
        long = [e for e in files if e.object_id and (e.size_bytes or 0) > wire.TEXT_BYTES_MAX]
        told = {e.path: File(object_id=e.object_id, size_bytes=e.size_bytes or 0) for e in long}
        for batch in wire.batches([e for e in files if e.path not in told]):
            for entry, blob in zip(batch, await self._blobs(place, commit, batch), strict=True):
                if blob is not None and entry.object_id in {"", blob.object_id}:
                    told[entry.path] = blob
        for path, blob in told.items():
            if blob.size_bytes > bytes_max:
                found[path] = replace(blob, body=None)
            elif blob.body is None:
                found[path] = await self._raw(place, blob)
            else:
                found[path] = blob
        return found

    async def _blobs(
        self, place: Place, commit: str, batch: Sequence[TreeEntry]
    ) -> list[File | None]:
        name = "read files"
        paths = tuple(e.path for e in batch)
        _, data, errors = await self._graph.query_texts(
            documents.blobs(place, commit=commit, paths=paths, texts=True),
            name=name,
            shorter=documents.blobs(place, commit=commit, paths=paths, texts=False),
        )
        with shapes.reading(name):
            repository = wire.repository_of(data, errors, place)
            return [wire.blob_of(repository.get(f"b{n}")) for n in range(len(batch))]

    async def _raw(self, place: Place, blob: File) -> File:
        oid = blob.object_id
        request = rest.raw_blob_request(place, oid=oid, size_bytes=blob.size_bytes)
        answer = await self._http.send(request, self._token)
        if blob_id(answer.body) != oid:
            raise Rejected(
                ForgeRefusal.BAD_ANSWER,
                f"{place.name}: read files: {oid!r} has other bytes than its id",
            )
        return replace(blob, body=answer.body)
