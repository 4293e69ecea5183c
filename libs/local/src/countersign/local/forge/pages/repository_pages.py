"""Pages to look at repositories and pull requests, and to merge or close one."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from countersign.local.forge.answers import Refused
from countersign.local.forge.git import objects
from countersign.local.forge.pages.browse_pages import Browsing
from countersign.local.forge.rest import pull_views
from countersign.local.forge.state import pull_requests
from countersign.local.forge.state.model import PullRequest, Repository, Role
from countersign.local.forge.state.permissions import role
from countersign.local.forge.state.pull_requests import Merge
from countersign.local.forge.state.service import Denied

DIFF_LINES_MAX = 5_000
TEXT_BYTES_MAX = 1024 * 1024
WRITERS = (Role.WRITE, Role.ADMIN)


class RepositoryPages:
    def __init__(self, browsing: Browsing) -> None:
        self._browsing = browsing
        self._service = browsing.service

    def routes(self) -> list[Route]:
        here, pull = "/{owner}/{repo}", "/{owner}/{repo}/pull/{number:int}"
        return [
            Route("/", self.home),
            Route(pull, self.pull),
            Route(f"{pull}.diff", self.pull_diff),
            Route(f"{pull}/merge", self.merge, methods=["POST"]),
            Route(f"{pull}/close", self.close, methods=["POST"]),
            Route(f"{here}/commit/{{sha}}", self.commit),
            Route(f"{here}/compare/{{old}}...{{new}}", self.comparison),
            Route(f"{here}/tree/{{rest:path}}", self.files),
            Route(f"{here}/blob/{{rest:path}}", self.files),
            Route(here, self.files),
        ]

    async def home(self, request: Request) -> Response:
        login = self._browsing.visitor(request).login
        seen = [r for r in self._service.store.repositories if role(r, login) is not Role.NONE]
        shown = {"repositories": sorted(seen, key=lambda r: r.full_name)}
        return self._browsing.page(request, "home.html", shown)

    def _repository(self, request: Request) -> Repository:
        params, login = request.path_params, self._browsing.visitor(request).login
        found = self._service.store.repository(params["owner"], params["repo"])
        if found is None or role(found, login) is Role.NONE:
            hint = "" if login else " Signing in may help."
            raise Refused(404, f"There is no such repository, or it is not for you.{hint}")
        return found

    def _pull(self, request: Request) -> tuple[Repository, PullRequest]:
        repository = self._repository(request)
        found = self._service.store.pull(repository, request.path_params["number"])
        if found is None:
            raise Refused(404, "There is no such pull request.")
        return repository, found

    async def files(self, request: Request) -> Response:
        repository = self._repository(request)
        repo = self._service.store.git(repository)
        branches = objects.branches(repo)
        revision, path = _place(
            request.path_params.get("rest", repository.default_branch), set(branches)
        )
        tree = objects.tree_of(repo, revision)
        found = objects.entry_at(repo, tree, path) if tree else None
        if found is None and path:
            raise Refused(404, "There is no such file.")
        data = None
        if found and found[0] != objects.MODE_TREE:
            target = objects.lookup(repo, found[1])
            data = target.as_raw_string() if target else b""
            if request.query_params.get("raw"):
                return PlainTextResponse(data)
        below = objects.tree_of(repo, found[1]) if found and data is None else None
        shown = {
            "repository": repository,
            "revision": revision,
            "path": path,
            "entries": list(objects.entries(repo, below)) if below else [],
            "text": None if data is None else data[:TEXT_BYTES_MAX].decode("utf-8", "replace"),
            "pulls": self._service.store.pulls_of(repository),
            "branches": sorted(branches),
        }
        return self._browsing.page(request, "repository.html", shown)

    async def commit(self, request: Request) -> Response:
        repository, sha = self._repository(request), request.path_params["sha"]
        repo = self._service.store.git(repository)
        commit = objects.commit_of(repo, sha)
        if commit is None:
            raise Refused(404, "There is no such commit.")
        parents = commit.parents
        old = objects.tree_of(repo, parents[0].decode()) if parents else None
        text = objects.diff(repo, old.id.decode() if old else None, commit.tree.decode())
        shown = {
            "repository": repository,
            "sha": sha,
            "author": commit.author.decode("utf-8", "replace"),
            "message": commit.message.decode("utf-8", "replace"),
            "lines": text.splitlines()[:DIFF_LINES_MAX],
        }
        return self._browsing.page(request, "commit.html", shown)

    async def comparison(self, request: Request) -> Response:
        repository, params = self._repository(request), request.path_params
        repo = self._service.store.git(repository)
        old, new = (objects.commit_of(repo, params[name]) for name in ("old", "new"))
        if old is None or new is None:
            raise Refused(404, "There is no such commit.")
        text = objects.diff(repo, old.tree.decode(), new.tree.decode())
        shown = {
            "repository": repository,
            "old": params["old"],
            "new": params["new"],
            "lines": text.splitlines()[:DIFF_LINES_MAX],
        }
        return self._browsing.page(request, "comparison.html", shown)

    async def pull(self, request: Request) -> Response:
        repository, pull = self._pull(request)
        return self._show(request, repository, pull)

    async def pull_diff(self, request: Request) -> Response:
        return PlainTextResponse(pull_views.diff(self._service, *self._pull(request)))

    def _show(
        self, request: Request, repository: Repository, pull: PullRequest, problem: str = ""
    ) -> Response:
        login, service = self._browsing.visitor(request).login, self._service
        comments = [c for c in service.store.comments if c.repository == pull.repository]
        shown = {
            "repository": repository,
            "pull": pull,
            "head": pull_views.head_sha(service, repository, pull),
            "may_write": role(repository, login) in WRITERS,
            "mergeable": pull.is_open and pull_views.mergeable(service, repository, pull),
            "comments": [c for c in comments if c.number == pull.number],
            "lines": pull_views.diff(service, repository, pull).splitlines()[:DIFF_LINES_MAX],
            "problem": problem,
        }
        status = 409 if problem else 200
        return self._browsing.page(request, "pull.html", shown, status=status)

    async def merge(self, request: Request) -> Response:
        form = await self._browsing.form(request)

        def act(repository: Repository, pull: PullRequest, login: str) -> None:
            merge = Merge(expected=form.get("head") or None)
            pull_requests.merge_pull(self._service, repository, pull, merge, by=login)

        return self._act(request, act)

    async def close(self, request: Request) -> Response:
        await self._browsing.form(request)

        def act(repository: Repository, pull: PullRequest, login: str) -> None:
            pull_requests.close_pull(self._service, repository, pull, by=login)

        return self._act(request, act)

    def _act(
        self, request: Request, act: Callable[[Repository, PullRequest, str], None]
    ) -> Response:
        repository, pull = self._pull(request)
        login = self._browsing.visitor(request).login
        if role(repository, login) not in WRITERS or not login:
            raise Refused(403, "Only who may write to this repository may do this.")
        try:
            act(repository, pull, login)
        except Denied as denied:
            return self._show(request, repository, pull, denied.message)
        return self._browsing.redirect(f"/{repository.full_name}/pull/{pull.number}")


def _place(rest: str, branches: set[str]) -> tuple[str, str]:
    """Revision and path of an address in which both may hold slashes."""
    parts = rest.strip("/").split("/")
    for count in range(len(parts), 0, -1):
        name = "/".join(parts[:count])
        if name in branches:
            return name, "/".join(parts[count:])
    return parts[0], "/".join(parts[1:])
