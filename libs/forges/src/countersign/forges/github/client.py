"""GitHub, with one token: sends what is built elsewhere, and asks again where an answer is partial.

A promotion takes three requests where the repository is known and five where it is not: the look,
the tree and its files, the commit, the pull request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.contracts.secret import Secret
from countersign.dialects import shapes
from countersign.dialects.exchange import Answer, Basic
from countersign.dialects.github import documents, graphql, rest, wire
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import (
    Comparison,
    File,
    NewCommit,
    Place,
    TreeEntry,
)
from countersign.dialects.repositories.interface import LookScope, View
from countersign.dialects.repositories.pulls import Pull, PullStatus, PullText
from countersign.forges.github.files import Files
from countersign.forges.github.node_ids import GraphQL, NodeIds, found
from countersign.forges.http import ForgeHttp

PULL_PAGES_MAX: Final = 20
# The newest two hundred; of older ones of ours the stream tells, where it was not lost.
OPEN_PULL_PAGES_MAX: Final = 4
_NOT_MODIFIED: Final = 304
_Errors = list[dict[str, Any]]


class GitHub:
    """A `Repository`."""

    def __init__(self, http: ForgeHttp, token: Secret | Basic) -> None:
        self._http = http
        self._token = token
        self._graph = GraphQL(http, token)
        self._ids = NodeIds(self._graph)
        self._files = Files(http, token, self._graph)

    def reference(self, number: int) -> str:
        return f"#{number}"

    async def look(self, place: Place, scope: LookScope) -> View:
        name = "look at the repository"
        answer, data, errors = await self._graph.query_texts(
            documents.look(place, scope),
            name=name,
            shorter=documents.look(place, replace(scope, files=())),
        )
        with shapes.reading(name):
            repository = await found(self._graph, data, errors, place)
        # A pull request that is gone, for one, is no reason to stop; the rest is checked by shape.
        graphql.refuse([e for e in errors if e.get("type") != "NOT_FOUND"], where=place.name)
        with shapes.reading(name):
            await self._add_pulls(place, scope, repository)
            await self._add_open_pulls(place, repository)
            view = wire.view_of(data, repository, scope=scope, read_at_s=self._date_s(answer))
            self._ids.keep(place, scope, repository, base=view.base)
        return view

    async def _add_pulls(self, place: Place, scope: LookScope, repository: Any) -> None:
        nodes, after = wire.page_of(repository, "pullRequests")
        for _ in range(PULL_PAGES_MAX):
            if not after:
                return
            sent = documents.more_pulls(place, head_branch=scope.head_branch, after=after)
            more, after = await self._page(sent, place, name="pullRequests")
            nodes.extend(more)
        raise Rejected(
            ForgeRefusal.LIMIT_EXCEEDED, f"branch {scope.head_branch!r} has too many pull requests"
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
        _, data, errors = await self._graph.query(sent, name=call)
        with shapes.reading(call):
            return wire.page_of(wire.repository_of(data, errors, place), name)

    async def list_tree(
        self, place: Place, *, commit: str, path: str
    ) -> tuple[TreeEntry, ...] | None:
        oid = await self._ids.folder(place, commit=commit, path=path)
        if not oid:
            return None
        request = rest.tree_request(place, oid=oid)
        answer = await self._http.send(request, self._token)
        with shapes.reading(request.name):
            return rest.tree_of(answer.json_of(request.name), place=place, below=path)

    async def read_files(
        self, place: Place, *, commit: str, files: Sequence[TreeEntry], bytes_max: int
    ) -> Mapping[str, File]:
        return await self._files.read(place, commit=commit, files=files, bytes_max=bytes_max)

    async def commit(self, place: Place, new: NewCommit) -> str:
        """Create the branch and commit onto it, in one request; the commit decides who was first.

        A branch that is there without a commit of its own is taken over. That mutation makes
        every file plain, so executable ones go another way.
        """
        if any(file.is_executable for file in new.files.values()):
            return await self._commit_with_modes(place, new)
        repository_id = await self._ids.repository(place)
        sent = documents.commit(new, place=place, repository_id=repository_id)
        _, data, errors = await self._graph.query(sent, name="commit")
        where = f"{place.name}: branch {new.branch!r}"
        if not data.get("commit"):
            await self._drop_branch(data, errors)
            _refuse_commit(errors, where=where)
        with shapes.reading("commit"):
            commit = shapes.fields(shapes.fields(data, "commit"), "commit")
            oid, parents = shapes.oid(commit, "oid"), wire.parents_of(commit)
        if parents != (new.parent,):
            raise Rejected(
                ForgeRefusal.CONFLICT, f"{where}: the commit has another parent than asked for"
            )
        return oid

    async def _commit_with_modes(self, place: Place, new: NewCommit) -> str:
        """Make a tree and a commit, which nobody sees, and then the branch: that is the lock."""
        base_tree = await self._ids.folder(place, commit=new.parent, path="")
        made = await self._http.send(
            rest.tree_creation(place, new, base_tree=base_tree), self._token
        )
        with shapes.reading("commit"):
            tree = shapes.oid(made.json_of("commit"), "sha")
        made = await self._http.send(rest.commit_creation(place, new, tree=tree), self._token)
        with shapes.reading("commit"):
            commit = shapes.oid(made.json_of("commit"), "sha")
        answer = await self._http.send(
            rest.branch_creation(place, branch=new.branch, commit=commit), self._token
        )
        where = f"{place.name}: branch {new.branch!r}"
        with shapes.reading("commit"):
            if rest.is_branch_taken(answer):
                raise Rejected(ForgeRefusal.BRANCH_TAKEN, f"{where} is there already")
            if answer.status == rest.UNPROCESSABLE:
                raise Rejected(ForgeRefusal.REFUSED, f"{where} cannot be made")
        return commit

    async def _drop_branch(self, data: dict[str, Any], errors: _Errors) -> None:
        """Leave nothing behind of a commit that was refused, but another one's commit."""
        refused = [graphql.reason_of(e) for e in graphql.at(errors, "commit")]
        with shapes.reading("commit"):
            made = shapes.maybe_fields(data, "ref")
            ref = shapes.maybe_fields(made, "ref") if made else None
            ref_id = shapes.text(ref, "id") if ref else ""
        if ref_id and ForgeRefusal.CONFLICT not in refused:
            await self._graph.query(documents.drop_ref(ref_id), name="drop the branch")

    async def open_pull(
        self, place: Place, *, head: str, text: PullText, replaces: Sequence[int] = ()
    ) -> Pull:
        name = "open the pull request"
        sent = documents.open_pull(
            place,
            repository_id=await self._ids.repository(place),
            head=head,
            text=text,
            replaces=[await self._ids.pull(place, number) for number in replaces],
        )
        _, data, errors = await self._graph.query(sent, name=name)
        pull = self._opened(place, data, name=name)
        not_closed = [e for n in range(len(replaces)) for e in graphql.at(errors, f"c{n}")]
        if pull is not None and not_closed:
            comment = "An older pull request could not be closed; see there."
            await self.close_pull(place, pull.number, comment=comment)
        graphql.refuse(not_closed, where=f"{place.name}: close the older pull request")
        if pull is None:
            graphql.refuse(errors, where=f"{place.name}: {name}")
            raise Rejected(
                ForgeRefusal.BAD_ANSWER,
                f"{place.name}: {name}: nothing was done, and no error given",
            )
        return pull

    async def label(self, place: Place, number: int, *, labels: Sequence[str]) -> None:
        await self._http.send(rest.labelling(place, number, labels=labels), self._token)

    async def merge_when_ready(self, place: Place, number: int, *, commit: str) -> None:
        """Enable auto-merge, which GitHub refuses where nothing is waited for."""
        name, pull_id = "enable auto-merge", await self._ids.pull(place, number)
        _, data, errors = await self._graph.query(documents.merge_method(place), name=name)
        with shapes.reading(name):
            method = wire.merge_method_of(data, errors, place)
        sent = documents.auto_merge(pull_id, commit=commit, method=method)
        _, _, errors = await self._graph.query(sent, name=name)
        graphql.refuse(errors, where=f"{place.name}: {name} of {self.reference(number)}")

    def _opened(self, place: Place, data: dict[str, Any], *, name: str) -> Pull | None:
        with shapes.reading(name):
            created = shapes.maybe_fields(data, "createPullRequest")
            made = shapes.maybe_fields(created, "pullRequest") if created else None
            if made is not None:
                pull = wire.pull_of(made)
                self._ids.keep_pull(place, pull.number, node=made)
                return pull
        return None

    async def compare(self, place: Place, *, commit: str) -> Comparison:
        request = rest.compare_request(place, base=place.base_branch, head=commit)
        answer = await self._http.send(request, self._token)
        with shapes.reading(request.name):
            return rest.comparison_of(answer.json_of(request.name))

    async def summaries(self, place: Place, *, old: str, new: str) -> tuple[str, ...]:
        request = rest.compare_request(place, base=old, head=new)
        answer = await self._http.send(request, self._token)
        with shapes.reading(request.name):
            return rest.summaries_in(answer.json_of(request.name))

    async def close_pull(self, place: Place, number: int, *, comment: str) -> None:
        sent = documents.close_pull(await self._ids.pull(place, number), comment=comment)
        _, _, errors = await self._graph.query(sent, name="close the pull request")
        where = f"{place.name}: close pull request {self.reference(number)}"
        graphql.refuse(graphql.at(errors, "close"), where=where)

    async def comment(self, place: Place, number: int, *, comment: str) -> None:
        sent = documents.comment(await self._ids.pull(place, number), text=comment)
        await self._graph.query(sent, name="comment")

    async def follow(self, place: Place, number: int, *, since: str) -> PullStatus | None:
        """Ask by REST, which answers 304 for free when nothing changed."""
        request = rest.pull_request(place, number=number, etag=since)
        answer = await self._http.send(request, self._token)
        if answer.status == _NOT_MODIFIED:
            return None
        with shapes.reading(request.name):
            body = answer.json_of(request.name)
            return rest.status_of(body, version=answer.headers.get("etag", ""))

    def _date_s(self, answer: Answer) -> float:
        """The forge's clock, by which its commits are dated."""
        try:
            return parsedate_to_datetime(answer.headers["date"]).timestamp()
        except (KeyError, ValueError, OverflowError):
            return self._http.clocks.wall().timestamp()


def _refuse_commit(errors: _Errors, *, where: str) -> None:
    """Tell what stopped a commit: no branch, a commit that was there first, or a rule."""
    branch, commit = graphql.at(errors, "ref"), graphql.at(errors, "commit")
    is_there = any(graphql.reason_of(e) is ForgeRefusal.BRANCH_TAKEN for e in branch)
    if not is_there:
        graphql.refuse(branch, where=where)
    elif all(graphql.reason_of(e) is ForgeRefusal.CONFLICT for e in commit):
        raise Rejected(ForgeRefusal.BRANCH_TAKEN, f"{where} has another commit")
    graphql.refuse(commit or errors, where=where)
    raise Rejected(
        ForgeRefusal.BAD_ANSWER, f"commit: {where}: nothing was done, and no error given"
    )
