"""The small forge's API, as an ASGI application: what Bitbucket Cloud's pages say of theirs."""

import re
from collections.abc import Callable
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import unquote, urlencode

from doubles.bitbucket_cloud.answers import Answers, error, uuid_of
from doubles.forge.asgi import Call, ForgeApi, RefusedError, Reply, SignIn
from doubles.forge.git import EXECUTABLE, FILE, FOLDER, Commit
from doubles.forge.state import Pull, Repository, SmallForge, Token

ROOT = "/2.0"
PLACE = f"{ROOT}/repositories/([^/]+)/([^/]+)"
READ, WRITE, ACCOUNT = "repository", "pullrequest:write", "account"
IMPLIED = {WRITE: {READ, "repository:write", "pullrequest"}}
PAGE, PAGE_MAX, PULLS_MAX = 10, 100, 50


def refused(status: int, message: str, detail: str = "") -> RefusedError:
    return RefusedError(status, error(message, detail))


class BitbucketCloudApi(ForgeApi):
    def __init__(self, forge: SmallForge, oauth: SignIn | None = None) -> None:
        super().__init__(forge, oauth)
        self._answers = Answers(forge)
        self._routes: list[tuple[str, re.Pattern[str], str, Callable[..., Reply]]] = [
            ("GET", re.compile(PLACE), READ, self._repository),
            ("GET", _path("/refs/branches/(.+)"), READ, self._branch),
            ("GET", _path("/src/([0-9a-f]{40})/(.*)"), READ, self._source),
            ("POST", _path("/src"), WRITE, self._commit),
            ("GET", _path("/commit/([0-9a-f]{7,40})"), READ, self._named),
            ("GET", _path("/commits/([0-9a-f]{40})"), READ, self._commits),
            ("GET", _path(r"/diffstat/([0-9a-f]{40})\.\.([0-9a-f]{40})"), READ, self._differences),
            ("GET", _path("/pullrequests"), READ, self._pulls),
            ("POST", _path("/pullrequests"), WRITE, self._open),
            ("GET", _path("/pullrequests/([0-9]+)"), READ, self._pull),
            ("POST", _path("/pullrequests/([0-9]+)/decline"), WRITE, self._decline),
            ("POST", _path("/pullrequests/([0-9]+)/comments"), WRITE, self._comment),
        ]

    def repository_id(self, repository: Repository) -> str:
        return uuid_of(2, repository.id)

    def answer(self, call: Call) -> Reply:
        token = self._token(call)
        if call.path == f"{ROOT}/user":
            self._want(token, ACCOUNT)
            return Reply(200, self._answers.user(token.login))
        if re.fullmatch(f"{ROOT}/user/workspaces/[^/]+/permissions/repositories", call.path):
            return self._permission(call, token)
        for method, pattern, scope, route in self._routes:
            match = pattern.fullmatch(call.path)
            if match and method == call.method:
                self._want(token, scope)
                owner, name, *rest = map(unquote, match.groups())
                return route(call, token, self._visible(f"{owner}/{name}", token), *rest)
        raise refused(404, "Resource not found")

    def _token(self, call: Call) -> Token:
        token = self.forge.tokens.get(call.bearer)
        if token is None or token.ended:
            raise refused(401, "Token is invalid, expired, or not supported for this endpoint.")
        return token

    def _want(self, token: Token, scope: str) -> None:
        has = token.scopes.union(*(IMPLIED.get(s, set()) for s in token.scopes))
        if scope not in has:
            raise refused(
                403, "Your credentials lack one or more required privilege scopes.", scope
            )

    def _visible(self, name: str, token: Token) -> Repository:
        found = self.forge.repositories.get(name.lower())
        people = found.writers | found.readers if found else set()
        if found is None or token.login not in people:
            raise refused(404, f"Repository {name} not found", "or you do not have access")
        return found

    def _permission(self, call: Call, token: Token) -> Reply:
        self._want(token, ACCOUNT)
        wanted = re.fullmatch('repository.full_name="(.+)"', call.query["q"])
        assert wanted, call.query
        found = self.forge.repositories.get(wanted[1].lower())
        people = found.writers | found.readers if found else set()
        there = [found] if found and token.login in people else []
        rows = [self._answers.permission(r, login=token.login) for r in there]
        return self._page(call, rows)

    def _page(self, call: Call, rows: list[Any], *, most: int = PAGE_MAX) -> Reply:
        size, start = int(call.query.get("pagelen", PAGE)), int(call.query.get("page", "1"))
        if size > most:
            raise refused(400, "Invalid pagelen")
        shown = rows[(start - 1) * size : start * size]
        body = {"pagelen": size, "values": shown, "page": start}
        if start * size < len(rows):
            query = urlencode({**call.query, "page": start + 1})
            body["next"] = f"https://forge.test{call.path}?{query}"
        return Reply(200, body)

    def _repository(self, _: Call, __: Token, repository: Repository) -> Reply:
        return Reply(200, self._answers.repository(repository))

    def _branch(self, _: Call, __: Token, repository: Repository, name: str) -> Reply:
        oid = repository.git.branches.get(name)
        if oid is None:
            raise refused(404, f'No branch "{name}"')
        return Reply(200, self._answers.branch(name, repository.git.commits[oid]))

    def _source(self, call: Call, _: Token, repository: Repository, oid: str, path: str) -> Reply:
        commit, folder = repository.git.commits.get(oid), path.rstrip("/")
        if commit is None:
            raise refused(404, "Commit not found")
        if path in commit.files:
            mode, body = commit.files[path]
            if call.query.get("format") == "meta":
                return Reply(200, self._answers.entry(commit, path, mode))
            return Reply(200, raw=body, content_type="application/octet-stream")
        if folder and commit.entries.get(folder, ("",))[0] != FOLDER:
            raise refused(404, f"No such file or directory: {path}")
        if call.query.get("format") == "meta":
            return Reply(200, self._answers.entry(commit, folder, FOLDER))
        deep = int(call.query.get("max_depth", "1")) > 1
        listed = commit.listed(folder, recursive=deep)
        return self._page(call, [self._answers.entry(commit, p, mode) for p, mode, _ in listed])

    def _commit(self, call: Call, token: Token, repository: Repository) -> Reply:
        fields, files = _form(call)
        git, branch = repository.git, fields["branch"]
        protected = any(branch.startswith(prefix) for prefix in repository.protected)
        if token.login not in repository.writers or protected:
            raise refused(403, "You don't have permission to push to this branch")
        there = git.branches.get(branch)
        if there is not None and there != fields["parents"]:
            raise refused(409, "The branch has moved: parents is not its head")
        if any(n.startswith(f"{branch}/") or branch.startswith(f"{n}/") for n in git.branches):
            raise refused(400, f"cannot lock ref 'refs/heads/{branch}'")
        start = git.commits.get(fields["parents"])
        if start is None:
            raise refused(400, "parents is no commit")
        made = git.commit(
            {**start.files, **files},
            parents=(start.oid,),
            message=fields["message"],
            author=token.login,
            at=self.forge.clock(),
        )
        git.branches[branch] = made.oid
        address = f"https://forge.test{call.path.removesuffix('/src')}/commit/{made.oid}"
        return Reply(201, headers=(("Location", address),))

    def _named(self, _: Call, __: Token, repository: Repository, name: str) -> Reply:
        found = [c for oid, c in repository.git.commits.items() if oid.startswith(name)]
        if len(found) != 1:
            raise refused(404, "Commit not found")
        return Reply(200, self._answers.commit(found[0]))

    def _commits(self, call: Call, _: Token, repository: Repository, oid: str) -> Reply:
        git = repository.git
        if oid not in git.commits or call.query["exclude"] not in git.commits:
            raise refused(404, "Commit not found")
        beyond = git.beyond(call.query["exclude"], oid)
        return self._page(call, [self._answers.commit(c) for c in beyond])

    def _differences(
        self, call: Call, _: Token, repository: Repository, new: str, base: str
    ) -> Reply:
        """With `topic` against where it left the base."""
        assert call.query["topic"] == "true"
        git = repository.git
        beyond = git.beyond(base, new)
        after = git.commits[new]
        before: Commit = git.commits[beyond[-1].parents[0]] if beyond else after
        paths = sorted(before.files.keys() | after.files.keys())
        changed = [p for p in paths if before.files.get(p) != after.files.get(p)]
        return self._page(call, [self._answers.difference(p, before, after) for p in changed])

    def _pulls(self, call: Call, _: Token, repository: Repository) -> Reply:
        # Of a parameter that is repeated the last is here.
        every = call.query.get("state", "OPEN") == "SUPERSEDED"
        head, base = (_asked(call, end) for end in ("source", "destination"))
        found = [
            self._answers.pull(repository, pull)
            for _, pull in sorted(repository.pulls.items(), reverse=True)
            if (every or pull.state == "open")
            and head in {None, pull.head}
            and base in {None, pull.base}
        ]
        return self._page(call, found, most=PULLS_MAX)

    def _open(self, call: Call, token: Token, repository: Repository) -> Reply:
        asked = call.json
        head, base = asked["source"]["branch"]["name"], asked["destination"]["branch"]["name"]
        git = repository.git
        if head not in git.branches:
            raise refused(400, "source: branch not found")
        if not git.beyond(git.branches[base], git.branches[head]):
            raise refused(400, "There are no changes to be pulled")
        there = [
            p
            for p in repository.pulls.values()
            if (p.head, p.base, p.state) == (head, base, "open") and p.head_repository is repository
        ]
        # A second one for the same branches changes the one that is open.
        pull = (
            there[0] if there else self.forge.open(repository, head=head, by=token.login, base=base)
        )
        pull.title, pull.body = asked["title"], asked["description"]
        pull.draft = asked.get("draft", False)
        return Reply(201, self._answers.pull(repository, pull))

    def _pull(self, _: Call, __: Token, repository: Repository, number: str) -> Reply:
        return Reply(200, self._answers.pull(repository, self._numbered(repository, number)))

    def _numbered(self, repository: Repository, number: str) -> Pull:
        pull = repository.pulls.get(int(number))
        if pull is None:
            raise refused(404, f"Pull request {number} not found")
        return pull

    def _decline(self, _: Call, token: Token, repository: Repository, number: str) -> Reply:
        pull = self._numbered(repository, number)
        if pull.state != "open":
            raise refused(400, "This pull request is already closed.")
        self.forge.close(repository, pull.number, by=token.login)
        return Reply(200, self._answers.pull(repository, pull))

    def _comment(self, call: Call, token: Token, repository: Repository, number: str) -> Reply:
        self._numbered(repository, number)
        text = call.json["content"]["raw"]
        repository.comments.append((int(number), token.login, text))
        return Reply(201, self._answers.comment(text, login=token.login))


def _path(below: str) -> re.Pattern[str]:
    return re.compile(PLACE + below)


def _asked(call: Call, end: str) -> str | None:
    found = re.search(f'{end}.branch.name="([^"]*)"', call.query["q"])
    return found[1] if found else None


def _form(call: Call) -> tuple[dict[str, str], dict[str, tuple[str, bytes]]]:
    """Fields and files of a form; a file without `executable` is none."""
    head = f"Content-Type: {call.headers['content-type']}\r\n\r\n".encode()
    fields, files = {}, {}
    message = BytesParser(policy=HTTP).parsebytes(head + call.body)
    for part in message.iter_parts():
        said = _disposition(part)
        body = part.get_payload(decode=True) or b""
        assert isinstance(body, bytes)
        if "filename" in said:
            mode = EXECUTABLE if said.get("x-attributes") == "executable" else FILE
            files[said["name"].lstrip("/")] = (mode, body)
        else:
            fields[said["name"]] = body.decode()
    return fields, files


def _disposition(part: Message) -> dict[str, str]:
    raw = str(part["content-disposition"]).encode("utf-8", "surrogateescape").decode()
    return dict(re.findall(r'([a-z-]+)="([^"]*)"', raw))
