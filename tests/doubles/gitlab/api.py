"""The small forge's API, as an ASGI application: what GitLab's pages say of theirs."""

import base64
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from doubles.forge.asgi import Call, ForgeApi, RefusedError, Reply, SignIn
from doubles.forge.state import Pull, Repository, SmallForge, Token
from doubles.gitlab.answers import ROLES, Answers

SEGMENT = "([^/]+)"
PROJECT = f"/api/v4/projects/{SEGMENT}"
READ, WRITE = frozenset({"api", "read_api"}), frozenset({"api"})
PER_PAGE_MAX = 100


def refused(status: int, message: Any) -> RefusedError:
    return RefusedError(status, {"message": message})


class GitLabApi(ForgeApi):
    def __init__(self, forge: SmallForge, oauth: SignIn | None = None) -> None:
        super().__init__(forge, oauth)
        self._answers = Answers(forge)
        # What a push rule of the project refuses commits with.
        self.push_rule = ""
        self._routes: list[tuple[str, re.Pattern[str], frozenset[str], Callable[..., Reply]]] = [
            ("GET", re.compile("/api/v4/user"), READ | {"read_user"}, self._user),
            ("GET", re.compile("/api/v4/personal_access_tokens/self"), frozenset(), self._self),
            ("GET", re.compile(PROJECT), READ, self._project),
            ("GET", _path("/members/all/([0-9]+)"), READ, self._member),
            ("GET", _path("/repository/branches/{}"), READ, self._branch),
            ("GET", _path("/repository/tree"), READ, self._tree),
            ("GET", _path("/repository/files/{}"), READ, self._file),
            ("GET", _path("/repository/compare"), READ, self._compare),
            ("POST", _path("/repository/commits"), WRITE, self._commit),
            ("GET", _path("/merge_requests"), READ, self._pulls),
            ("POST", _path("/merge_requests"), WRITE, self._open),
            ("GET", _path("/merge_requests/([0-9]+)"), READ, self._pull),
            ("PUT", _path("/merge_requests/([0-9]+)"), WRITE, self._edit),
            ("PUT", _path("/merge_requests/([0-9]+)/merge"), WRITE, self._merge),
            ("POST", _path("/merge_requests/([0-9]+)/notes"), WRITE, self._comment),
        ]

    def answer(self, call: Call) -> Reply:
        for method, pattern, scopes, route in self._routes:
            match = pattern.fullmatch(call.path)
            if match and method == call.method:
                token = self._authenticated(call, scopes)
                named = [unquote(group) for group in match.groups()]
                if call.path.startswith("/api/v4/projects/"):
                    return route(call, token, self._visible(named[0], token), *named[1:])
                return route(call, token)
        return Reply(404, {"error": "404 Not Found"})

    def _authenticated(self, call: Call, scopes: frozenset[str]) -> Token:
        token = self.forge.tokens.get(call.bearer)
        if token is None:
            raise refused(401, "401 Unauthorized")
        if token.ended:
            told = f"Token was {token.ended}."
            raise RefusedError(401, {"error": "invalid_token", "error_description": told})
        if scopes and not scopes & token.scopes:
            told = "The request requires higher privileges than provided by the access token."
            raise RefusedError(
                403,
                {"error": "insufficient_scope", "error_description": told, "scope": "api"},
            )
        return token

    def _visible(self, name: str, token: Token) -> Repository:
        by_id = {str(r.id): r for r in self.forge.repositories.values()}
        found = by_id.get(name) or self.forge.repositories.get(name.lower())
        people = found.writers | found.readers if found else set()
        if found is None or token.login not in people:
            raise refused(404, "404 Project Not Found")
        return found

    def _user(self, _: Call, token: Token) -> Reply:
        return Reply(200, self._answers.own_user(token.login))

    def _self(self, call: Call, token: Token) -> Reply:
        if call.bearer not in self.forge.personal:
            raise refused(401, "401 Unauthorized")
        told = self.forge.personal[call.bearer]
        return Reply(
            200,
            {
                "id": 1,
                "name": "promotions",
                "revoked": False,
                "active": True,
                "scopes": sorted(token.scopes),
                "user_id": self.forge.person(token.login),
                **told,
            },
        )

    def _project(self, _: Call, token: Token, repository: Repository) -> Reply:
        return Reply(200, self._answers.project(repository, login=token.login))

    def _member(self, _: Call, __: Token, repository: Repository, number: str) -> Reply:
        login = {str(n): name for name, n in self.forge.people.items()}.get(number, "")
        if login not in repository.writers | repository.readers:
            raise refused(404, "404 Not found")
        role = ROLES["write" if login in repository.writers else "read"]
        return Reply(200, self._answers.member(login, role=role))

    def _branch(self, _: Call, __: Token, repository: Repository, name: str) -> Reply:
        oid = repository.git.branches.get(name)
        if oid is None:
            raise refused(404, "404 Branch Not Found")
        return Reply(200, self._answers.branch(name, repository.git.commits[oid]))

    def _tree(self, call: Call, _: Token, repository: Repository) -> Reply:
        commit, path = repository.git.find(call.query["ref"]), call.query.get("path", "")
        there = commit and (not path or commit.entries.get(path, ("",))[0] == "040000")
        if commit is None or not there:
            raise refused(404, "404 invalid revision or path Not Found")
        lines = commit.listed(path, recursive=call.query.get("recursive") == "true")
        return self._page(call, [self._answers.entry(*line) for line in lines])

    def _page(self, call: Call, rows: list[Any]) -> Reply:
        size = min(int(call.query.get("per_page", 20)), PER_PAGE_MAX)
        page = int(call.query.get("page", 1))
        pages = max(1, -(-len(rows) // size))
        headers = (
            ("X-Total", str(len(rows))),
            ("X-Total-Pages", str(pages)),
            ("X-Page", str(page)),
            ("X-Next-Page", str(page + 1) if page < pages else ""),
        )
        return Reply(200, rows[(page - 1) * size : page * size], headers=headers)

    def _file(self, call: Call, _: Token, repository: Repository, path: str) -> Reply:
        ref = call.query["ref"]
        commit = repository.git.find(ref)
        if commit is None or path not in commit.files:
            raise refused(404, "404 File Not Found")
        mode, body = commit.files[path]
        oid = repository.git.blob(mode, body)
        headers = (("X-Gitlab-Size", str(len(body))), ("X-Gitlab-Blob-Id", oid))
        told = self._answers.file(path, commit, oid=oid, body=body, ref=ref)
        return Reply(200, told, headers=headers)

    def _compare(self, call: Call, _: Token, repository: Repository) -> Reply:
        git = repository.git
        ours, theirs = git.find(call.query["from"]), git.find(call.query["to"])
        if ours is None or theirs is None:
            raise refused(404, "404 Ref Not Found")
        beyond = git.beyond(ours.oid, theirs.oid)
        fork = git.commits[beyond[-1].parents[0]] if beyond and beyond[-1].parents else theirs
        return Reply(200, self._answers.comparison(beyond, self._answers.diffs(fork, theirs)))

    def _commit(self, call: Call, token: Token, repository: Repository) -> Reply:
        asked = call.json
        git, branch = repository.git, asked["branch"]
        protected = any(branch.startswith(prefix) for prefix in repository.protected)
        if repository.archived or token.login not in repository.writers or protected:
            raise refused(403, "403 Forbidden")
        if branch in git.branches:
            told = f"A branch called '{branch}' already exists. Switch to that branch in order to"
            raise refused(400, f"{told} make changes")
        if any(n.startswith(f"{branch}/") or branch.startswith(f"{n}/") for n in git.branches):
            raise refused(
                400, f"Could not update refs/heads/{branch}. Please refresh and try again."
            )
        if self.push_rule:
            raise refused(400, self.push_rule)
        start = git.commits.get(asked["start_sha"])
        if start is None:
            raise refused(400, f"Cannot find start_sha '{asked['start_sha']}'")
        files = dict(start.files)
        for action in asked["actions"]:
            path = action["file_path"]
            if action["action"] != "update" or path not in files:
                raise refused(400, "A file with this name doesn't exist")
            mode = files[path][0]
            # Of a symbolic link too: the link is written, never what it leads to.
            files[path] = (mode, base64.b64decode(action["content"]))
        made = git.commit(
            files,
            parents=(start.oid,),
            message=asked["commit_message"],
            author=token.login,
            at=self.forge.clock(),
        )
        git.branches[branch] = made.oid
        return Reply(201, self._answers.commit(made))

    def _pulls(self, call: Call, _: Token, repository: Repository) -> Reply:
        states = {"all": {"open", "closed"}, "opened": {"open"}}[call.query.get("state", "all")]
        head, base = call.query.get("source_branch"), call.query.get("target_branch")
        found = [
            self._answers.pull(repository, pull)
            for _, pull in sorted(repository.pulls.items(), reverse=True)
            if pull.state in states and head in {None, pull.head} and base in {None, pull.base}
        ]
        return self._page(call, found)

    def _open(self, call: Call, token: Token, repository: Repository) -> Reply:
        asked = call.json
        head, base = asked["source_branch"], asked["target_branch"]
        if repository.archived or token.login not in repository.writers:
            raise refused(403, "403 Forbidden")
        if head not in repository.git.branches:
            raise refused(422, {"source_branch": ["does not exist"]})
        for pull in repository.pulls.values():
            same = (pull.head, pull.base) == (head, base)
            if same and pull.state == "open" and pull.head_repository is repository:
                told = "Another open merge request already exists for this source branch"
                raise refused(409, [f"{told}: !{pull.number}"])
        pull = self.forge.open(
            repository, head=head, by=token.login, base=base, title=asked["title"]
        )
        pull.body = asked["description"]
        pull.labels = tuple(asked.get("labels", ()))
        # It is one by its title.
        pull.draft = pull.title.startswith(("Draft:", "[Draft]", "(Draft)"))
        return Reply(201, self._answers.pull(repository, pull))

    def _pull(self, _: Call, __: Token, repository: Repository, number: str) -> Reply:
        return Reply(200, self._answers.pull(repository, self._numbered(repository, number)))

    def _numbered(self, repository: Repository, number: str) -> Pull:
        pull = repository.pulls.get(int(number))
        if pull is None:
            raise refused(404, "404 Not found")
        return pull

    def _edit(self, call: Call, token: Token, repository: Repository, number: str) -> Reply:
        pull = self._numbered(repository, number)
        if call.json.get("state_event") == "close" and pull.state == "open":
            self.forge.close(repository, pull.number, by=token.login)
        return Reply(200, self._answers.pull(repository, pull))

    def _merge(self, call: Call, token: Token, repository: Repository, number: str) -> Reply:
        pull = self._numbered(repository, number)
        if token.login not in repository.writers:
            raise refused(401, "401 Unauthorized")
        if call.json.get("sha") not in {None, pull.commit}:
            raise refused(409, "SHA does not match HEAD of source branch")
        if pull.state != "open" or pull.draft:
            raise refused(405, "405 Method Not Allowed")
        if not (call.json.get("auto_merge") or call.json.get("merge_when_pipeline_succeeds")):
            self.forge.merge(repository, pull.number, by=token.login)
        else:
            # Without a pipeline it is mergeable, and nothing is there to be waited for.
            if pull.commit not in repository.checks:
                raise refused(405, "405 Method Not Allowed")
            self.forge.merge_or_wait(repository, pull, by=token.login)
        return Reply(200, self._answers.pull(repository, pull))

    def _comment(self, call: Call, token: Token, repository: Repository, number: str) -> Reply:
        self._numbered(repository, number)
        text = call.json["body"]
        repository.comments.append((int(number), token.login, text))
        return Reply(201, self._answers.note(text, login=token.login))


def _path(below: str) -> re.Pattern[str]:
    return re.compile(PROJECT + below.replace("{}", SEGMENT))
