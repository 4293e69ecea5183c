"""Asks GitHub's GraphQL, and keeps GitHub's own names of what was seen for calls that want them."""

from dataclasses import replace
from typing import Any

from countersign.contracts.errors import Rejected
from countersign.contracts.secret import Secret
from countersign.dialects import shapes
from countersign.dialects.exchange import Answer, Basic, Request
from countersign.dialects.github import documents, graphql, wire
from countersign.dialects.github.addresses import graphql_url
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import Place, Tip
from countersign.dialects.repositories.interface import LookScope
from countersign.dialects.repositories.moves import moved
from countersign.forges.http import ForgeHttp

Json = Any


class GraphQL:
    """Sends documents with one token."""

    def __init__(self, http: ForgeHttp, token: Secret | Basic) -> None:
        self._http = http
        self._token = token
        self._url = graphql_url(http.forge)

    async def query(
        self, sent: documents.Sent, *, name: str
    ) -> tuple[Answer, dict[str, Json], list[dict[str, Json]]]:
        """Send a document; return the answer, its data and its errors."""
        answer = await self._http.send(self._request(sent, name=name), self._token)
        return answer, *graphql.data_of(answer, where=name)

    async def query_texts(
        self, sent: documents.Sent, *, name: str, shorter: documents.Sent
    ) -> tuple[Answer, dict[str, Json], list[dict[str, Json]]]:
        """Send a document that asks for texts, and where they are too many one without them."""
        request = self._request(sent, name=name)
        bounded = replace(request, body_bytes_max=wire.BLOBS_BYTES_MAX, cuts=True)
        answer = await self._http.send(bounded, self._token)
        if answer.is_cut:
            return await self.query(shorter, name=name)
        return answer, *graphql.data_of(answer, where=name)

    def _request(self, sent: documents.Sent, *, name: str) -> Request:
        return Request(name=name, method="POST", url=self._url, json=sent)


async def found(
    graph: GraphQL, data: dict[str, Json], errors: list[dict[str, Json]], place: Place
) -> Json:
    """Return the repository of a look; of one that was moved GitHub is asked where to.

    Raises:
        Rejected: `moved`, or as `repository_of`.

    """
    try:
        return wire.repository_of(data, errors, place)
    except Rejected as error:
        if error.reason != ForgeRefusal.NOT_FOUND:
            raise
        name = "ask for its new name"
        _, data, _ = await graph.query(documents.renamed(place), name=name)
        with shapes.reading(name):
            there = shapes.maybe_fields(data, "repository")
            if there is None:
                raise
            raise moved(place, shapes.text(there, "nameWithOwner")) from error


class NodeIds:
    """GitHub's own names of repositories, pull requests and folders; asked for when not known."""

    def __init__(self, graph: GraphQL) -> None:
        self._graph = graph
        self._repositories: dict[Place, str] = {}
        self._pulls: dict[tuple[Place, int], str] = {}
        self._folders: dict[tuple[Place, str, str], str] = {}

    def keep(self, place: Place, scope: LookScope, repository: Json, *, base: Tip | None) -> None:
        """Keep what a look brought along."""
        self._repositories[place] = shapes.text(repository, "id")
        for number, pull_id in wire.pull_ids(repository, scope).items():
            self._pulls[place, number] = pull_id
        if base is not None:
            for path, folder in wire.folders_of(repository, scope).items():
                self._folders[place, base.commit, path] = folder.object_id
            self._folders[place, base.commit, ""] = wire.tree_id(repository)

    def keep_pull(self, place: Place, number: int, *, node: Json) -> None:
        self._pulls[place, number] = shapes.text(node, "id")

    async def repository(self, place: Place) -> str:
        if place not in self._repositories:
            name = "find the repository"
            repository = await self._ask(documents.node_ids(place), place, name=name)
            with shapes.reading(name):
                self._repositories[place] = shapes.text(repository, "id")
        return self._repositories[place]

    async def pull(self, place: Place, number: int) -> str:
        if (place, number) not in self._pulls:
            name = "find the pull request"
            found = await self._ask(documents.node_ids(place, number=number), place, name=name)
            with shapes.reading(name):
                self.keep_pull(place, number, node=shapes.fields(found, "pullRequest"))
        return self._pulls[place, number]

    async def folder(self, place: Place, *, commit: str, path: str) -> str:
        """Return the object id of a folder at a commit; empty where there is none."""
        known = self._folders.get((place, commit, path))
        if known is not None or not path:
            return known or commit  # a commit stands for its root
        name = "find the folder"
        sent = documents.folder(place, commit=commit, path=path)
        found = await self._ask(sent, place, name=name)
        with shapes.reading(name):
            return wire.folder_of(found)

    async def _ask(self, sent: documents.Sent, place: Place, *, name: str) -> Json:
        _, data, errors = await self._graph.query(sent, name=name)
        with shapes.reading(name):
            repository = wire.repository_of(data, errors, place)
        graphql.refuse(errors, where=f"{place.name}: {name}")
        return repository
