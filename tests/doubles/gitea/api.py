"""The small forge's API, as an ASGI application: what Gitea and Forgejo were recorded to do."""

import base64
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from doubles.forge.asgi import Call, ForgeApi, Reply, SignIn
from doubles.forge.asgi import RefusedError as Refused
from doubles.forge.git import FOLDER, LINK
from doubles.forge.state import Pull, Repository, SmallForge, Token
from doubles.gitea.answers import Answers

SEGMENT = "([^/]+)"
NO_ROUTE = Reply(404, text="404 page not found\n", content_type="text/plain")
REPOSITORY = f"/repos/{SEGMENT}/{SEGMENT}"


class RefusedError(Refused):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, {"message": message, "url": "http://forge.test/api/swagger"})


class SmallForgeApi(ForgeApi):
    """Of two rules of which one is that of a newer or older version, the recorded one is kept."""

    def __init__(self, forge: SmallForge, oauth: SignIn | None = None) -> None:
        super().__init__(forge, oauth)
        self._answers = Answers(forge)
        self._is_gitea = forge.kind == "gitea"
        self._routes: list[tuple[str, re.Pattern[str], str, Callable[..., Reply]]] = [
            ("GET", re.compile("/user"), "read:user", self._user),
            ("GET", re.compile("/token"), "", self._token),
            ("GET", re.compile("/users/[^/]+/tokens"), "read:user", self._tokens),
            ("GET", _path("/labels"), "read:issue", self._labels),
            ("GET", re.compile(REPOSITORY), "read:repository", self._repository),
            ("GET", _path("/branches/{}"), "read:repository", self._branch),
            ("GET", _path("/git/trees/{}"), "read:repository", self._tree),
            ("GET", _path("/git/blobs/{}"), "read:repository", self._blob),
            ("GET", _path("/contents/(.+)"), "read:repository", self._file),
            ("GET", _path("/compare/{}"), "read:repository", self._compare),
            ("POST", _path("/contents"), "write:repository", self._commit),
            ("GET", _path("/pulls"), "read:repository", self._pulls),
            ("POST", _path("/pulls"), "write:repository", self._open),
            ("GET", _path("/pulls/([0-9]+)"), "read:repository", self._pull),
            ("PATCH", _path("/pulls/([0-9]+)"), "write:repository", self._edit),
            ("GET", _path("/pulls/{}/{}"), "read:repository", self._find),
            ("GET", _path("/commits/{}/status"), "read:repository", self._status),
            ("POST", _path("/pulls/([0-9]+)/merge"), "write:repository", self._merge),
            ("POST", _path("/issues/([0-9]+)/comments"), "write:issue", self._comment),
        ]

    def answer(self, call: Call) -> Reply:
        path = call.path.removeprefix("/api/v1")
        for method, pattern, scope, route in self._routes:
            match = pattern.fullmatch(path)
            if match and method == call.method:
                token = self._authenticated(call, scope)
                named = [unquote(group) for group in match.groups()]
                if path.startswith("/repos/"):
                    repository = self._visible(named[0], named[1], token)
                    return route(call, token, repository, *named[2:])
                return route(call, token)
        return NO_ROUTE

    def _authenticated(self, call: Call, scope: str) -> Token:
        text = call.bearer
        token = self.forge.tokens.get(text)
        if token is None:
            told = f"access token does not exist [sha: {text}]"
            raise RefusedError(
                401, "invalid username, password or token" if self._is_gitea else told
            )
        action, _, area = scope.partition(":")
        if not scope:
            return token
        fits = {f"write:{area}"} | ({scope} if action == "read" else set())
        if not fits & token.scopes:
            listed = f", required=[{scope}]" if self._is_gitea else f": [{scope}]"
            word = "token does not have at least one of required scope(s)"
            raise RefusedError(403, word + listed)
        return token

    def _visible(self, owner: str, name: str, token: Token) -> Repository:
        found = self.forge.repositories.get(f"{owner}/{name}".lower())
        people = found.writers | found.readers if found else set()
        if found is None or (found.private and token.login not in people):
            self._missing()
        assert found is not None
        return found

    def _missing(self) -> None:
        raise RefusedError(404, "not found" if self._is_gitea else "The target couldn't be found.")

    def _user(self, _: Call, token: Token) -> Reply:
        return Reply(200, self._answers.user(token.login))

    def _token(self, _: Call, token: Token) -> Reply:
        """Tell it of personal tokens, as Gitea does since 1.27."""
        if not self._is_gitea:
            return NO_ROUTE
        return Reply(200, self._answers.token(token))

    def _tokens(self, call: Call, token: Token) -> Reply:
        """List this one; Gitea wants the password for that."""
        if self._is_gitea:
            raise RefusedError(401, "auth required")
        listed = {"id": 1, "name": "made-up", "token_last_eight": call.bearer[-8:]}
        return Reply(200, [{**listed, "scopes": sorted(token.scopes)}])

    def _labels(self, call: Call, _: Token, repository: Repository) -> Reply:
        size, page = int(call.query.get("limit", 30)), int(call.query.get("page", 1))
        shown = self._answers.labels(sorted(repository.labels))
        return Reply(200, shown[(page - 1) * size : page * size])

    def _repository(self, _: Call, token: Token, repository: Repository) -> Reply:
        return Reply(200, self._answers.repository(repository, login=token.login))

    def _branch(self, _: Call, __: Token, repository: Repository, name: str) -> Reply:
        if name not in repository.git.branches:
            self._missing()
        commit = repository.git.commits[repository.git.branches[name]]
        return Reply(200, self._answers.branch(name, commit, required=repository.required))

    def _tree(self, call: Call, _: Token, repository: Repository, name: str) -> Reply:
        git, folder = repository.git, ""
        commit = git.find(name)
        if commit is None:
            commit, folder = git.folder(name) or (None, "")
        if commit is None:
            raise RefusedError(400, f"sha not found [{name}]")
        lines = commit.listed(folder, recursive=call.query.get("recursive") in {"true", "1"})
        size, page = int(call.query.get("per_page", 1000)), int(call.query.get("page", 1))
        shown = lines[(page - 1) * size : page * size]
        prefix = f"{folder}/" if folder else ""
        cut = [(path.removeprefix(prefix), mode, oid) for path, mode, oid in shown]
        body = {
            # A real one gives the commit's id here as well.
            "sha": name if folder else commit.oid,
            "url": f"http://forge.test/api/v1/repos/o/r/git/trees/{name}",
            "tree": self._answers.tree(cut, repository) or None,
            "truncated": page * size < len(lines),
            "page": page,
            "total_count": len(lines),
        }
        return Reply(200, body)

    def _blob(self, _: Call, __: Token, repository: Repository, oid: str) -> Reply:
        body = repository.git.blobs.get(oid)
        if body is None:
            raise RefusedError(400, f"object does not exist [id: {oid}, rel_path: ]")
        return Reply(200, self._answers.blob(oid, body))

    def _file(self, call: Call, _: Token, repository: Repository, path: str) -> Reply:
        commit = repository.git.find(call.query.get("ref", "main"))
        found = commit.entries.get(path) if commit else None
        if found is None:
            self._missing()
        assert found is not None
        if found[0] == FOLDER:
            return Reply(200, [])
        return Reply(200, self._answers.file(path, *found, repository))

    def _compare(self, _: Call, __: Token, repository: Repository, span: str) -> Reply:
        base, head = span.split("...")
        ours, theirs = repository.git.find(base), repository.git.find(head)
        if ours is None or theirs is None:
            self._missing()
        assert ours is not None
        assert theirs is not None
        beyond = repository.git.beyond(ours.oid, theirs.oid)
        return Reply(200, self._answers.comparison(beyond))

    def _commit(self, call: Call, token: Token, repository: Repository) -> Reply:
        asked = call.json
        git, branch = repository.git, asked["new_branch"]
        if repository.archived:
            name = f"{repository.owner}/{repository.name}"
            raise RefusedError(423, f"{name} is not allowed to edit")
        if token.login not in repository.writers:
            raise RefusedError(403, "user should have a permission to write to the target branch")
        base = git.branches.get(asked["branch"])
        if base is None:
            raise RefusedError(404, f"branch does not exist [name: {asked['branch']}]")
        if branch in git.branches:
            raise RefusedError(422, f"branch already exists [name: {branch}]")
        self._check_ref(repository, branch)
        files = dict(git.commits[base].files)
        for change in asked["files"]:
            files[change["path"]] = self._changed(repository, files, change)
        made = git.commit(
            files,
            parents=(base,),
            message=asked["message"],
            author=token.login,
            at=self.forge.clock(),
        )
        git.branches[branch] = made.oid
        listed = [
            self._answers.file(change["path"], *made.entries[change["path"]], repository)
            for change in asked["files"]
        ]
        return Reply(201, self._answers.made(made, listed))

    def _check_ref(self, repository: Repository, branch: str) -> None:
        if any(branch.startswith(prefix) for prefix in repository.protected):
            told = f"Not allowed to push to protected branch {branch}"
            raise RefusedError(403, told) if self._is_gitea else RefusedError(500, "")
        names = repository.git.branches
        if any(n.startswith(f"{branch}/") or branch.startswith(f"{n}/") for n in names):
            told = f"cannot lock ref 'refs/heads/{branch}'"
            raise RefusedError(403, told) if self._is_gitea else RefusedError(500, "")

    def _changed(
        self, repository: Repository, files: dict[str, tuple[str, bytes]], change: Any
    ) -> tuple[str, bytes]:
        path = change["path"]
        if path not in files:
            told = f"object does not exist [id: , rel_path: {path}]"
            raise RefusedError(404, told) if self._is_gitea else RefusedError(500, "")
        mode, body = files[path]
        if mode == LINK:
            raise RefusedError(
                422, f"a symbolic link exists where you try to create [path: {path}]"
            )
        oid = repository.git.blob(mode, body)
        if change.get("sha") and change["sha"] != oid:
            told = f"sha does not match [given: {change['sha']}, expected: {oid}]"
            raise RefusedError(422 if self._is_gitea else 409, told)
        return mode, base64.b64decode(change["content"])

    def _pulls(self, call: Call, _: Token, repository: Repository) -> Reply:
        if not repository.git.branches or not repository.takes_pulls:
            self._missing()
        state, base = call.query.get("state", "open"), call.query.get("base_branch")
        found = [
            pull
            for _, pull in sorted(repository.pulls.items(), reverse=True)
            if state in {"all", pull.state}
            # The recorded Forgejo takes no filter.
            and (not self._is_gitea or base in {None, pull.base})
        ]
        size = min(int(call.query.get("limit", 30)), 50)
        page = int(call.query.get("page", 1))
        shown = found[(page - 1) * size : page * size]
        body = [self._answers.listed(repository, pull) for pull in shown]
        return Reply(200, body, headers=(("X-Total-Count", str(len(found))),))

    def _open(self, call: Call, token: Token, repository: Repository) -> Reply:
        asked = call.json
        if repository.archived:
            raise RefusedError(423, f"{repository.owner}/{repository.name} is archived")
        if asked["head"] not in repository.git.branches:
            self._missing()
        for pull in repository.pulls.values():
            same = (pull.head, pull.base) == (asked["head"], asked["base"])
            if same and pull.state == "open" and pull.head_repository is repository:
                raise RefusedError(409, f"pull request already exists [id: {1000 + pull.number}]")
        pull = self.forge.open(
            repository,
            head=asked["head"],
            by=token.login,
            base=asked["base"],
            title=asked["title"],
        )
        pull.body = asked["body"]
        # It is one by its title.
        pull.draft = pull.title.lower().startswith(("wip:", "[wip]"))
        return Reply(201, self._answers.pull(repository, pull))

    def _pull(self, _: Call, __: Token, repository: Repository, number: str) -> Reply:
        return Reply(200, self._answers.pull(repository, self._numbered(repository, number)))

    def _numbered(self, repository: Repository, number: str) -> Pull:
        pull = repository.pulls.get(int(number))
        if pull is None:
            self._missing()
        assert pull is not None
        return pull

    def _edit(self, call: Call, token: Token, repository: Repository, number: str) -> Reply:
        pull = self._numbered(repository, number)
        asked = call.json
        if asked.get("state") and pull.merge_commit:
            raise RefusedError(
                412, "cannot change state of this pull request, it was already merged"
            )
        pull.body = asked.get("body", pull.body)
        pull.title = asked.get("title", pull.title)
        if "labels" in asked:
            names = dict(enumerate(sorted(repository.labels), start=1))
            # What is no label of the repository is left out, without a word.
            pull.labels = tuple(names[number] for number in asked["labels"] if number in names)
        if asked.get("state") == "closed" and pull.state == "open":
            self.forge.close(repository, pull.number, by=token.login)
        pull.updates += 1
        return Reply(201, self._answers.pull(repository, pull))

    def _find(self, _: Call, __: Token, repository: Repository, base: str, head: str) -> Reply:
        for number in sorted(repository.pulls):
            pull = repository.pulls[number]
            same = (pull.base, pull.head) == (base, head)
            if same and pull.head_repository is repository:
                return Reply(200, self._answers.pull(repository, pull))
        self._missing()
        raise AssertionError

    def _status(self, _: Call, __: Token, repository: Repository, commit: str) -> Reply:
        if commit not in repository.git.commits:
            self._missing()
        return Reply(200, self._answers.combined_status(repository, commit))

    def _merge(self, call: Call, token: Token, repository: Repository, number: str) -> Reply:
        """Merge it, or schedule that: what waits for nothing is merged in a moment, too."""
        pull, asked = self._numbered(repository, number), call.json
        if pull.state != "open":
            self._missing()
        if token.login not in repository.writers or pull.draft:
            raise RefusedError(405, "User not allowed to merge PR")
        if asked.get("head_commit_id") not in {None, "", pull.commit}:
            raise RefusedError(409, "head out of date")
        if not asked.get("merge_when_checks_succeed"):
            if not repository.passes(pull.commit):
                raise RefusedError(405, "Not all required status checks successful")
            self.forge.merge(repository, pull.number, by=token.login)
            return Reply(200)
        if pull.auto_merge_by:
            raise RefusedError(409, "pull request is already scheduled to auto merge")
        self.forge.merge_or_wait(repository, pull, by=token.login)
        # Recorded, and in neither description.
        return Reply(201)

    def _comment(self, call: Call, token: Token, repository: Repository, number: str) -> Reply:
        if int(number) not in repository.pulls:
            raise RefusedError(500, "") if self._is_gitea else RefusedError(404, "not found")
        text = call.json["body"]
        repository.comments.append((int(number), token.login, text))
        return Reply(201, self._answers.comment(text, login=token.login))


def _path(below: str) -> re.Pattern[str]:
    return re.compile(REPOSITORY + below.replace("{}", SEGMENT))
