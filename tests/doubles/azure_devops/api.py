"""The small forge's API, as an ASGI application: what Azure DevOps' pages say of theirs.

There is one organization, `contoso`; an owner is a project in it.
"""

import base64
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from doubles.azure_devops.answers import Answers, error, guid_of, tree_of
from doubles.forge.asgi import Call, ForgeApi, RefusedError, Reply, SignIn
from doubles.forge.git import FILE, Commit, Git
from doubles.forge.state import Pull, Repository, SmallForge, Token

PLACE = "/contoso/([^/]+)/_apis/git/repositories/([^/]+)"
WRITE = "vso.code_write"
HEADS = "refs/heads/"
NONE = "0" * 40
SIGN_IN = "<!DOCTYPE html><title>Azure DevOps Services | Sign In</title>"


def refused(status: int, message: str) -> RefusedError:
    return RefusedError(status, error(message))


class AzureDevOpsApi(ForgeApi):
    """
    Args:
        keeps_modes: whether a push leaves a file executable, which no page tells.
        descriptor: what kind of account asks; `aadsp` for an application's own.

    """

    keeps_modes = True
    descriptor = "aad"

    def __init__(self, forge: SmallForge, oauth: SignIn | None = None) -> None:
        super().__init__(forge, oauth)
        self._answers = Answers(forge)
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Reply]]] = [
            ("GET", _path(""), self._repository),
            ("GET", _path("/commits"), self._commits),
            ("GET", _path("/commits/([0-9a-f]{40})"), self._commit),
            ("GET", _path("/items"), self._item),
            ("GET", _path("/trees/([0-9a-f]{40})"), self._tree),
            ("GET", _path("/blobs/([0-9a-f]{40})"), self._blob),
            ("GET", _path("/diffs/commits"), self._differences),
            ("POST", _path("/pushes"), self._push),
            ("POST", _path("/refs"), self._refs),
            ("GET", _path("/pullrequests"), self._pulls),
            ("POST", _path("/pullrequests"), self._open),
            ("GET", _path("/pullrequests/([0-9]+)"), self._pull),
            ("PATCH", _path("/pullrequests/([0-9]+)"), self._change),
            ("POST", _path("/pullRequests/([0-9]+)/threads"), self._comment),
        ]

    def repository_id(self, repository: Repository) -> str:
        return guid_of(2, repository.id)

    def answer(self, call: Call) -> Reply:
        token = self._token(call)
        if token is None:
            return Reply(203, text=SIGN_IN, content_type="text/html; charset=utf-8")
        if call.path == "/contoso/_apis/connectionData":
            assert call.query["api-version"].endswith("-preview"), call.query
            descriptor = f"{self.descriptor}.{token.login}"
            return Reply(200, self._answers.connection(token.login, descriptor=descriptor))
        assert call.query["api-version"] == "7.1", call.query
        if WRITE not in token.scopes:
            raise RefusedError(401, error("VS800000: the token lacks a scope"))
        for method, pattern, route in self._routes:
            match = pattern.fullmatch(call.path)
            if match and method == call.method:
                project, name, *rest = map(unquote, match.groups())
                return route(call, token, self._visible(project, name, token), *rest)
        raise refused(404, "VSS000: the page is not there")

    def _token(self, call: Call) -> Token | None:
        """A personal token as the password of nobody, another as a bearer."""
        scheme, _, sent = call.headers.get("authorization", "").partition(" ")
        text = sent
        if scheme == "Basic":
            user, _, text = base64.b64decode(sent).decode().partition(":")
            assert not user, user
        found = self.forge.tokens.get(text)
        return None if found is None or found.ended else found

    def _visible(self, project: str, name: str, token: Token) -> Repository:
        found = self.forge.repositories.get(f"{project}/{name}".lower())
        people = found.writers | found.readers if found else set()
        if found is None or token.login not in people:
            raise refused(
                404,
                f"TF401019: The Git repository with name or identifier {name} does not exist or "
                "you do not have permissions for the operation you are attempting.",
            )
        return found

    def _found(self, git: Git, version: str, kind: str) -> Commit:
        oid = git.branches.get(version, "") if kind == "branch" else version
        if oid not in git.commits:
            raise refused(404, f"TF401175: The version descriptor <{kind}: {version} > could not "
                               "be resolved to a version in the repository")  # fmt: skip
        return git.commits[oid]

    def _at(self, call: Call, git: Git, prefix: str) -> Commit:
        version, kind = (call.query[f"{prefix}.{name}"] for name in ("version", "versionType"))
        return self._found(git, version, kind)

    def _repository(self, _: Call, __: Token, repository: Repository) -> Reply:
        return Reply(200, self._answers.repository(repository))

    def _commits(self, call: Call, _: Token, repository: Repository) -> Reply:
        found = self._at(call, repository.git, "searchCriteria.itemVersion")
        return _listed([self._answers.commit(found)])

    def _commit(self, _: Call, __: Token, repository: Repository, oid: str) -> Reply:
        return Reply(200, self._answers.commit(repository.git.commits[oid], whole=True))

    def _item(self, call: Call, _: Token, repository: Repository) -> Reply:
        git, asks_what = repository.git, call.query["$format"] == "json"
        path = call.query["scopePath" if asks_what else "path"].strip("/")
        commit = self._at(call, git, "versionDescriptor")
        item = self._answers.item(git, commit, path)
        if item is None:
            raise refused(404, f"TF401174: The item '/{path}' could not be found in the repository")
        if asks_what:
            return _listed([item])
        if path not in commit.files:
            raise refused(404, f"TF401174: The item '/{path}' is no file")
        return _raw(commit.files[path][1])

    def _tree(self, call: Call, _: Token, repository: Repository, oid: str) -> Reply:
        git = repository.git
        roots = ((c, "") for c in git.commits.values() if tree_of(git, c, "") == oid)
        found = next(roots, None) or git.folder(oid)
        if found is None:
            raise refused(404, f"TF401035: The object '{oid}' does not exist.")
        recursive = call.query.get("recursive") == "true"
        return Reply(200, self._answers.tree(git, oid, found, recursive=recursive))

    def _blob(self, call: Call, _: Token, repository: Repository, oid: str) -> Reply:
        assert call.query["$format"] == "octetstream"
        if oid not in repository.git.blobs:
            raise refused(404, f"TF401035: The object '{oid}' does not exist.")
        return _raw(repository.git.blobs[oid])

    def _differences(self, call: Call, _: Token, repository: Repository) -> Reply:
        git, query = repository.git, call.query
        base, target = (
            self._found(git, query[f"{end}Version"], query[f"{end}VersionType"])
            for end in ("base", "target")
        )
        assert query["diffCommonCommit"] == "true"
        beyond = git.beyond(base.oid, target.oid)
        common = git.commits[beyond[-1].parents[0]] if beyond else target
        paths = sorted(common.entries.keys() | target.entries.keys())
        changed = [p for p in paths if common.entries.get(p) != target.entries.get(p)]
        skip, top = int(query["$skip"]), int(query["$top"])
        body = {
            "changes": [
                self._answers.change(p, common, target) for p in changed[skip : skip + top]
            ],
            "commonCommit": common.oid,
            "baseCommit": base.oid,
            "targetCommit": target.oid,
            "aheadCount": len(beyond),
            "behindCount": len(git.beyond(target.oid, base.oid)),
        }
        return Reply(200, body)

    def _push(self, call: Call, token: Token, repository: Repository) -> Reply:
        git = repository.git
        (update,), (asked,) = call.json["refUpdates"], call.json["commits"]
        branch, old = update["name"].removeprefix(HEADS), update["oldObjectId"]
        protected = any(branch.startswith(prefix) for prefix in repository.protected)
        if token.login not in repository.writers:
            raise refused(403, "TF401027: You need the Git 'GenericContribute' permission to "
                               f"perform this action. Details: identity 'aad\\{token.login}', "
                               "scope 'branch'.")  # fmt: skip
        if protected:
            raise refused(403, "TF402455: Pushes to this branch are not permitted; you must use a "
                               "pull request to update this branch.")  # fmt: skip
        if any(n.startswith(f"{branch}/") or branch.startswith(f"{n}/") for n in git.branches):
            raise refused(400, f"TF401021: The reference 'refs/heads/{branch}' conflicts.")
        if git.branches.get(branch, old) != old:
            raise refused(409, f"TF401028: The reference 'refs/heads/{branch}' has already been "
                               "updated by another client, so you cannot update it. Please try "
                               "again.")  # fmt: skip
        if old not in git.commits:
            raise refused(400, f"TF401035: The object '{old}' does not exist.")
        made = git.commit(
            {**git.commits[old].files, **self._edited(git.commits[old], asked["changes"])},
            parents=(old,),
            message=f"{asked['comment']}\n",
            author=token.login,
            at=self.forge.clock(),
        )
        git.branches[branch] = made.oid
        body = {
            "pushId": 1,
            "commits": [self._answers.commit(made, whole=True)],
            "refUpdates": [{**update, "oldObjectId": NONE, "newObjectId": made.oid}],
            "pushedBy": self._answers.identity(token.login),
            "repository": self._answers.repository(repository),
        }
        return Reply(201, body)

    def _edited(self, start: Commit, changes: list[Any]) -> dict[str, tuple[str, bytes]]:
        edited = {}
        for change in changes:
            path = change["item"]["path"].removeprefix("/")
            assert (change["changeType"], change["newContent"]["contentType"]) == (
                "edit",
                "base64encoded",
            )
            if path not in start.files:
                raise refused(400, f"TF401174: The item '/{path}' could not be found")
            mode = start.files[path][0] if self.keeps_modes else FILE
            edited[path] = (mode, base64.b64decode(change["newContent"]["content"]))
        return edited

    def _refs(self, call: Call, _: Token, repository: Repository) -> Reply:
        (update,) = call.json
        git, name = repository.git, update["name"].removeprefix(HEADS)
        assert update["newObjectId"] == NONE
        success = git.branches.get(name) == update["oldObjectId"]
        if success:
            del git.branches[name]
        status = "succeeded" if success else "staleOldObjectId"
        return _listed([{**update, "updateStatus": status, "success": success}])

    def _pulls(self, call: Call, _: Token, repository: Repository) -> Reply:
        query = call.query
        head, base = (
            query.get(f"searchCriteria.{end}RefName", "").removeprefix(HEADS)
            for end in ("source", "target")
        )
        every = query["searchCriteria.status"] == "all"
        found = [
            self._answers.pull(repository, pull)
            for _, pull in sorted(repository.pulls.items(), reverse=True)
            if (every or pull.state == "open") and head in {"", pull.head} and base == pull.base
        ]
        skip, top = int(query["$skip"]), int(query["$top"])
        return _listed(found[skip : skip + top])

    def _open(self, call: Call, token: Token, repository: Repository) -> Reply:
        asked, git = call.json, repository.git
        head, base = (asked[f"{end}RefName"].removeprefix(HEADS) for end in ("source", "target"))
        if head not in git.branches:
            raise refused(400, "TF401398: The pull request cannot be activated because the source "
                               "and/or the target branch no longer exists")  # fmt: skip
        if len(asked["description"]) > 4000:
            raise refused(400, "VS403127: The description is longer than 4000 characters")
        if any(
            (p.head, p.base, p.state) == (head, base, "open") and p.head_repository is repository
            for p in repository.pulls.values()
        ):
            raise refused(409, "TF401179: An active pull request for the source and target branch "
                               "already exists.")  # fmt: skip
        pull = self.forge.open(repository, head=head, by=token.login, base=base)
        pull.title, pull.body = asked["title"], asked["description"]
        return Reply(201, self._answers.pull(repository, pull))

    def _pull(self, _: Call, __: Token, repository: Repository, number: str) -> Reply:
        return Reply(200, self._answers.pull(repository, self._numbered(repository, number)))

    def _numbered(self, repository: Repository, number: str) -> Pull:
        pull = repository.pulls.get(int(number))
        if pull is None:
            raise refused(404, f"TF401180: The requested pull request was not found: {number}.")
        return pull

    def _change(self, call: Call, token: Token, repository: Repository, number: str) -> Reply:
        pull = self._numbered(repository, number)
        assert call.json == {"status": "abandoned"}
        if pull.state != "open":
            raise refused(409, "TF401181: The pull request cannot be edited due to its state.")
        self.forge.close(repository, pull.number, by=token.login)
        return Reply(200, self._answers.pull(repository, pull))

    def _comment(self, call: Call, token: Token, repository: Repository, number: str) -> Reply:
        self._numbered(repository, number)
        (said,) = call.json["comments"]
        # One that is open could keep others from completing it.
        assert call.json["status"] == "closed"
        repository.comments.append((int(number), token.login, said["content"]))
        author = self._answers.identity(token.login)
        comment = {"id": 1, "content": said["content"], "commentType": "text", "author": author}
        return Reply(200, {"id": 1, "status": "closed", "comments": [comment]})


def _path(below: str) -> re.Pattern[str]:
    return re.compile(PLACE + below)


def _listed(values: list[Any]) -> Reply:
    return Reply(200, {"count": len(values), "value": values})


def _raw(body: bytes) -> Reply:
    return Reply(200, raw=body, content_type="application/octet-stream")
