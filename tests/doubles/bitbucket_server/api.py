"""The small forge's API, as an ASGI application: what Bitbucket Data Center's pages say."""

import re
from collections.abc import Callable
from dataclasses import replace
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import quote, unquote

from doubles.bitbucket_server.answers import HEADS, Answers, error
from doubles.forge.asgi import Call, ForgeApi, RefusedError, Reply, SignIn
from doubles.forge.git import FILE, FOLDER, Commit
from doubles.forge.state import Pull, Repository, SmallForge, Token

ROOT = "/rest"
READ, WRITE = "REPO_READ", "REPO_WRITE"
PAGE, PAGE_MAX = 25, 1000
RULE = "You are not permitted to write to it."
Route = Callable[..., Reply]


def refused(status: int, name: str, message: str) -> RefusedError:
    return RefusedError(status, error(name, message))


class BitbucketServerApi(ForgeApi):
    """Serve it; `drops_modes` is whether a file that is edited becomes a plain one."""

    def __init__(self, forge: SmallForge, oauth: SignIn | None = None) -> None:
        super().__init__(forge, oauth)
        self.drops_modes = False
        # Tokens of a project or repository, which no account has.
        self.of_nobody: set[str] = set()
        self._answers = Answers(forge)
        self._routes: list[tuple[str, re.Pattern[str], str, Route]] = [
            ("GET", _path(""), READ, self._repository),
            ("GET", _path("/commits"), READ, self._history),
            ("POST", _path("/branches"), WRITE, self._make_branch),
            ("DELETE", _path("/branches", of="branch-utils"), WRITE, self._drop_branch),
            ("GET", _path("/browse(?:/(.*))?"), READ, self._browse),
            ("PUT", _path("/browse/(.+)"), WRITE, self._edit),
            ("GET", _path("/raw/(.+)"), READ, self._raw),
            ("GET", _path("/compare/commits"), READ, self._compare),
            ("GET", _path("/commits/([0-9a-f]{40})/changes"), READ, self._changes),
            ("GET", _path("/pull-requests"), READ, self._pulls),
            ("POST", _path("/pull-requests"), READ, self._open),
            ("GET", _path("/pull-requests/([0-9]+)"), READ, self._pull),
            ("GET", _path("/pull-requests/([0-9]+)/merge"), READ, self._mergeability),
            ("POST", _path("/pull-requests/([0-9]+)/merge"), WRITE, self._merge),
            ("GET", _path("/pull-requests/([0-9]+)/activities"), READ, self._activities),
            ("POST", _path("/pull-requests/([0-9]+)/decline"), READ, self._decline),
            ("POST", _path("/pull-requests/([0-9]+)/comments"), READ, self._comment),
        ]

    def _answered(self, call: Call) -> Reply:
        """Every answer tells whose token it was."""
        reply = super()._answered(call)
        token = self.forge.tokens.get(call.bearer)
        if token is None or token.ended:
            return reply
        name = f"access-token-user/{call.bearer[:8]}"
        name = name if call.bearer in self.of_nobody else token.login
        told = ("X-AUSERNAME", quote(name, safe=""))
        return replace(reply, headers=(*reply.headers, told))

    def answer(self, call: Call) -> Reply:
        token = self._token(call)
        if call.path == f"{ROOT}/api/latest/users":
            return self._users(call)
        own = re.fullmatch(f"{ROOT}/access-tokens/latest/users/([^/]+)/([0-9]+)", call.path)
        if own:
            return self._own_token(call, token, *own.groups())
        for method, pattern, scope, route in self._routes:
            match = pattern.fullmatch(call.path)
            if match and method == call.method:
                owner, name, *rest = (unquote(part or "") for part in match.groups())
                repository = self._visible(f"{owner}/{name}", token)
                self._want(token, scope)
                return route(call, token, repository, *rest)
        raise refused(404, "NotFoundException", "null for uri")

    def _token(self, call: Call) -> Token:
        token = self.forge.tokens.get(call.bearer)
        if token is None or token.ended:
            raise refused(
                401,
                "auth.IncorrectPasswordAuthenticationException",
                "Authentication failed. Please check your credentials and try again.",
            )
        return token

    def _want(self, token: Token, scope: str) -> None:
        has = token.scopes | ({READ} if WRITE in token.scopes else frozenset())
        if scope not in has:
            raise self._may_not()

    def _may_not(self) -> RefusedError:
        return refused(
            401, "AuthorisationException", "You are not permitted to access this resource"
        )

    def _visible(self, name: str, token: Token) -> Repository:
        found = self.forge.repositories.get(name.lower())
        people = found.writers | found.readers if found else set()
        if found is None or token.login not in people:
            raise refused(404, "repository.NoSuchRepositoryException", f"Repository {name} none.")
        return found

    def _refuse_reader(self, token: Token, repository: Repository) -> None:
        if token.login not in repository.writers:
            raise self._may_not()

    def _page(self, call: Call, rows: list[Any], *, most: int = PAGE_MAX) -> Any:
        size = min(int(call.query.get("limit", PAGE)), most)
        start = int(call.query.get("start", "0"))
        is_last = start + size >= len(rows)
        return {
            "size": len(rows[start : start + size]),
            "limit": size,
            "start": start,
            "isLastPage": is_last,
            "nextPageStart": None if is_last else start + size,
            "values": rows[start : start + size],
        }

    def _users(self, call: Call) -> Reply:
        wanted = call.query.get("filter", "").lower()
        people = [login for login in self.forge.people if wanted in login.lower()]
        if "permission.1" in call.query:
            assert call.query["permission.1"] == WRITE
            place = f"{call.query['permission.1.projectKey']}/"
            place += call.query["permission.1.repositorySlug"]
            there = self.forge.repositories.get(place.lower())
            people = [login for login in people if there and login in there.writers]
        return Reply(200, self._page(call, [self._answers.user(login) for login in people]))

    def _own_token(self, call: Call, token: Token, slug: str, number: str) -> Reply:
        told = self.forge.personal.get(call.bearer)
        if slug != token.login or told is None or str(told["id"]) != number:
            raise refused(404, "NoSuchEntityException", "No such token.")
        return Reply(200, {**told, "user": self._answers.user(token.login)})

    def _repository(self, _: Call, __: Token, repository: Repository) -> Reply:
        return Reply(200, self._answers.repository(repository))

    def _commit(self, repository: Repository, name: str) -> Commit:
        found = repository.git.find(name.removeprefix(HEADS))
        if found is None:
            raise refused(404, "commit.NoSuchCommitException", f"Commit '{name}' does not exist.")
        return found

    def _history(self, call: Call, _: Token, repository: Repository) -> Reply:
        found = [self._commit(repository, call.query["until"])]
        while found[-1].parents:
            found.append(repository.git.commits[found[-1].parents[0]])
        return Reply(200, self._page(call, [self._answers.commit(c) for c in found], most=100))

    def _make_branch(self, call: Call, token: Token, repository: Repository) -> Reply:
        self._refuse_reader(token, repository)
        asked = call.json
        name, git = asked["name"], repository.git
        self._refuse_protected(repository, name)
        if name in git.branches:
            raise refused(409, "repository.DuplicateRefException", f"Branch '{name}' exists.")
        if any(n.startswith(f"{name}/") or name.startswith(f"{n}/") for n in git.branches):
            raise refused(409, "repository.RefNameConflictException", f"'{name}' conflicts.")
        start = self._commit(repository, asked["startPoint"])
        git.branches[name] = start.oid
        return Reply(200, self._answers.branch(name, start.oid))

    def _refuse_protected(self, repository: Repository, branch: str) -> None:
        if any(branch.startswith(prefix) for prefix in repository.protected):
            raise refused(403, "hook.HookRejectedException", f"Branch {branch}: {RULE}")

    def _drop_branch(self, call: Call, token: Token, repository: Repository) -> Reply:
        self._refuse_reader(token, repository)
        asked = call.json
        name = asked["name"].removeprefix(HEADS)
        if repository.git.branches.get(name) != asked["endPoint"]:
            raise refused(400, "repository.RefChangedException", "It is elsewhere.")
        del repository.git.branches[name]
        return Reply(204)

    def _browse(self, call: Call, _: Token, repository: Repository, path: str) -> Reply:
        commit = self._commit(repository, call.query["at"])
        if path in commit.files:
            lines = [{"text": "…"}]
            return Reply(200, {"lines": lines, "start": 0, "size": 1, "isLastPage": True})
        if path and commit.entries.get(path, ("",))[0] != FOLDER:
            raise refused(404, "content.NoSuchPathException", f"The path '{path}' does not exist.")
        rows = [
            self._answers.child(commit, below, mode, oid)
            for below, mode, oid in commit.listed(path, recursive=False)
        ]
        parts = path.split("/") if path else []
        told = {"path": {"components": parts}, "revision": commit.oid}
        return Reply(200, {**told, "children": self._page(call, rows, most=500)})

    def _edit(self, call: Call, token: Token, repository: Repository, path: str) -> Reply:
        self._refuse_reader(token, repository)
        assert call.headers["x-atlassian-token"] == "no-check"
        if call.bearer in self.of_nobody:
            raise refused(403, "user.NoSuchUserException", "It has no valid user.")
        form, git = _form(call), repository.git
        branch, message = form["branch"].decode(), form["message"].decode()
        before = self._commit(repository, form["sourceCommitId"].decode())
        if branch not in git.branches:
            raise refused(404, "repository.NoSuchBranchException", f"No branch {branch}.")
        self._refuse_protected(repository, branch)
        tip = git.commits[git.branches[branch]]
        if repository.archived or before.files.get(path) != tip.files.get(path):
            raise refused(409, "content.FileOutOfDateException", f"'{path}' has changed since.")
        mode, body = tip.files.get(path, (FILE, b""))
        if body == form["content"]:
            raise refused(409, "content.FileContentUnmodifiedException", f"'{path}' is that.")
        made = git.commit(
            {**tip.files, path: (FILE if self.drops_modes else mode, form["content"])},
            parents=(tip.oid,),
            message=message,
            author=token.login,
            at=self.forge.clock(),
        )
        git.branches[branch] = made.oid
        return Reply(200, self._answers.commit(made))

    def _raw(self, call: Call, _: Token, repository: Repository, path: str) -> Reply:
        commit = self._commit(repository, call.query["at"])
        if path not in commit.files:
            raise refused(404, "content.NoSuchPathException", f"The path '{path}' does not exist.")
        return Reply(200, raw=commit.files[path][1], content_type="application/octet-stream")

    def _compare(self, call: Call, _: Token, repository: Repository) -> Reply:
        new, base = (self._commit(repository, call.query[end]).oid for end in ("from", "to"))
        beyond = repository.git.beyond(base, new)
        return Reply(200, self._page(call, [self._answers.commit(c) for c in beyond], most=100))

    def _changes(self, call: Call, _: Token, repository: Repository, oid: str) -> Reply:
        after, before = (self._commit(repository, n) for n in (oid, call.query["since"]))
        paths = sorted(before.files.keys() | after.files.keys())
        changed = [p for p in paths if before.files.get(p) != after.files.get(p)]
        rows = [self._answers.change(path, before, after) for path in changed]
        return Reply(200, self._page(call, rows))

    def _pulls(self, call: Call, _: Token, repository: Repository) -> Reply:
        outgoing = call.query.get("direction") == "OUTGOING"
        state, at = call.query.get("state", "OPEN"), call.query["at"].removeprefix(HEADS)
        found = [
            (there, pull)
            for there in self.forge.repositories.values()
            for pull in there.pulls.values()
            if (state == "ALL" or pull.state == "open")
            and (
                pull.head_repository is repository and pull.head == at
                if outgoing
                else there is repository and pull.base == at
            )
        ]
        found.sort(key=lambda one: one[1].number, reverse=call.query.get("order") != "OLDEST")
        rows = [self._answers.pull(there, pull) for there, pull in found]
        return Reply(200, self._page(call, rows, most=100))

    def _open(self, call: Call, token: Token, repository: Repository) -> Reply:
        asked = call.json
        head, base = (asked[end]["id"].removeprefix(HEADS) for end in ("fromRef", "toRef"))
        git = repository.git
        if head not in git.branches:
            raise refused(404, "repository.NoSuchBranchException", f"No branch {head}.")
        if any(
            (p.head, p.base, p.state) == (head, base, "open") and p.head_repository is repository
            for p in repository.pulls.values()
        ):
            raise refused(
                409,
                "pull.DuplicatePullRequestException",
                "Only one pull request may be open for a given source and target branch",
            )
        if not git.beyond(git.branches[base], git.branches[head]):
            raise refused(409, "pull.EmptyPullRequestException", f"{base} is up to date.")
        pull = self.forge.open(repository, head=head, by=token.login, base=base)
        pull.title, pull.body = asked["title"], asked["description"]
        return Reply(201, self._answers.pull(repository, pull))

    def _pull(self, _: Call, __: Token, repository: Repository, number: str) -> Reply:
        return Reply(200, self._answers.pull(repository, self._numbered(repository, number)))

    def _numbered(self, repository: Repository, number: str) -> Pull:
        pull = repository.pulls.get(int(number))
        if pull is None:
            raise refused(404, "pull.NoSuchPullRequestException", f"No pull request {number}.")
        return pull

    def _mergeability(self, _: Call, __: Token, repository: Repository, number: str) -> Reply:
        pull = self._numbered(repository, number)
        if pull.state != "open":
            raise refused(409, "pull.IllegalPullRequestStateException", "It is not open.")
        passes = repository.passes(pull.commit)
        veto = {"summaryMessage": "Not all required builds are successful yet"}
        told = {"canMerge": passes, "conflicted": False, "outcome": "CLEAN"}
        return Reply(200, {**told, "vetoes": [] if passes else [veto]})

    def _merge(self, call: Call, token: Token, repository: Repository, number: str) -> Reply:
        """Merge it, or set it to auto-merge where something is waited for."""
        self._refuse_reader(token, repository)
        pull = self._numbered(repository, number)
        if pull.state != "open" or int(call.query["version"]) != pull.updates:
            raise refused(409, "pull.PullRequestOutOfDateException", "It was updated since.")
        if not call.json.get("autoMerge") and not repository.passes(pull.commit):
            raise refused(409, "pull.PullRequestMergeVetoedException", "It was vetoed.")
        self.forge.merge_or_wait(repository, pull, by=token.login)
        return Reply(200, self._answers.pull(repository, pull))

    def _activities(self, call: Call, _: Token, repository: Repository, number: str) -> Reply:
        pull = self._numbered(repository, number)
        return Reply(200, self._page(call, self._answers.activities(repository, pull)))

    def _decline(self, call: Call, token: Token, repository: Repository, number: str) -> Reply:
        pull = self._numbered(repository, number)
        if pull.state != "open" or int(call.query["version"]) != pull.updates:
            raise refused(409, "pull.PullRequestOutOfDateException", "It was updated since.")
        self.forge.close(repository, pull.number, by=token.login)
        return Reply(200, self._answers.pull(repository, pull))

    def _comment(self, call: Call, token: Token, repository: Repository, number: str) -> Reply:
        self._numbered(repository, number)
        text = call.json["text"]
        repository.comments.append((int(number), token.login, text))
        return Reply(201, self._answers.comment(text, login=token.login))


def _path(below: str, *, of: str = "api") -> re.Pattern[str]:
    return re.compile(f"{ROOT}/{of}/latest/projects/([^/]+)/repos/([^/]+){below}")


def _form(call: Call) -> dict[str, bytes]:
    head = f"Content-Type: {call.headers['content-type']}\r\n\r\n".encode()
    parts = BytesParser(policy=HTTP).parsebytes(head + call.body).iter_parts()
    found: dict[str, bytes] = {}
    for part in parts:
        body = part.get_payload(decode=True) or b""
        assert isinstance(body, bytes)
        found[str(part.get_param("name", header="content-disposition"))] = body
    return found
