"""REST: repositories, branches, contents, rights, statuses, hooks."""

import base64
from dataclasses import replace
from urllib.parse import quote

from dulwich.objects import Tree

from countersign.local.forge.answers import Answer, Call, Refused, invalid, page_of
from countersign.local.forge.git import objects
from countersign.local.forge.git.objects import Entry
from countersign.local.forge.rest.git_data import commit_json
from countersign.local.forge.state import permissions, pull_requests
from countersign.local.forge.state.model import Hook, Role, Status
from countersign.local.forge.state.permissions import Level
from countersign.local.forge.wire import Json, role_permissions, stamp

STATES = ("error", "failure", "pending", "success")
ROLE_WORDS = {Role.NONE: "none", Role.READ: "read", Role.WRITE: "write", Role.ADMIN: "admin"}


def repository(call: Call) -> Answer:
    found = call.repository
    reached = permissions.effective(call.caller, found, "contents")
    if call.caller.person and permissions.role(found, call.caller.login) is Role.ADMIN:
        reached = max(reached, permissions.effective(call.caller, found, "administration"))
    body = call.service.repository_json(found)
    if call.caller.token:
        # Even a token without contents reads the metadata, which GitHub calls pull.
        body["permissions"] = role_permissions(max(reached, Level.READ))
    return Answer(body=body)


def branch(call: Call) -> Answer:
    name, found, service = call.path["branch"], call.repository, call.service
    commit = objects.commit_of(service.store.git(found), f"refs/heads/{name}")
    if commit is None:
        raise Refused(404, "Branch not found")
    url = f"{service.wire.repository_url(found)}/branches/{quote(name)}"
    protected = name in found.protected
    checks = {"enforcement_level": "off", "contexts": [], "checks": []}
    page = f"{service.wire.origin}/{found.full_name}/tree/{quote(name)}"
    body = {
        "name": name,
        "commit": full_commit(call, commit.id.decode()),
        "_links": {"self": url, "html": page},
        "protected": protected,
        "protection": {"enabled": protected, "required_status_checks": checks},
        "protection_url": f"{url}/protection",
    }
    return Answer(body=body)


def full_commit(call: Call, sha: str) -> Json:
    service, found = call.service, call.repository
    git = commit_json(call, sha)
    url = f"{service.wire.repository_url(found)}/commits/{sha}"
    email = str(git["author"]["email"])
    login = email.partition("+")[2].partition("@")[0]
    author = service.wire.user(service.account(login)) if service.store.person(login) else {}
    wanted = ("author", "committer", "message", "tree", "url", "verification")
    return {
        "url": url,
        "sha": sha,
        "node_id": git["node_id"],
        "html_url": git["html_url"],
        "comments_url": f"{url}/comments",
        "commit": {**{name: git[name] for name in wanted}, "comment_count": 0},
        "author": author,
        "committer": {},
        "parents": git["parents"],
    }


def commit(call: Call) -> Answer:
    found = objects.commit_of(call.service.store.git(call.repository), call.path["ref"])
    if found is None:
        raise Refused(422, f"No commit found for SHA: {call.path['ref']}")
    sha = found.id.decode()
    if "sha" in call.headers.get("accept", ""):
        return Answer(body=sha.encode(), media_type="application/vnd.github.sha; charset=utf-8")
    return Answer(body=full_commit(call, sha))


def contents(call: Call) -> Answer:
    repo, path = call.service.store.git(call.repository), call.path.get("path", "").strip("/")
    revision = call.query.get("ref") or call.repository.default_branch
    tree = objects.tree_of(repo, revision)
    if tree is None:
        raise Refused(404, f"No commit found for the ref {revision}")
    found = objects.entry_at(repo, tree, path)
    target = objects.lookup(repo, found[1]) if found else None
    if found is None or target is None:
        raise Refused(404, "Not Found")
    if isinstance(target, Tree):
        prefix = f"{path}/" if path else ""
        rows = objects.entries(repo, target)
        return Answer(
            body=[_content(call, replace(r, path=prefix + r.path), revision) for r in rows]
        )
    data = target.as_raw_string()
    if "raw" in call.headers.get("accept", ""):
        return Answer(body=data, media_type="application/vnd.github.raw; charset=utf-8")
    entry = Entry(path=path, mode=found[0], sha=found[1], type="blob", size=len(data))
    text = base64.encodebytes(data).decode()
    body = {**_content(call, entry, revision), "content": text, "encoding": "base64"}
    return Answer(body=body)


def _content(call: Call, entry: Entry, revision: str) -> Json:
    wire, found = call.service.wire, call.repository
    api, path = wire.repository_url(found), quote(entry.path)
    kind = "dir" if entry.type == "tree" else "file"
    page = (
        f"{wire.origin}/{found.full_name}/{'tree' if kind == 'dir' else 'blob'}/{revision}/{path}"
    )
    url = f"{api}/contents/{path}?ref={quote(revision)}"
    git = f"{api}/git/{entry.type}s/{entry.sha}"
    return {
        "name": entry.path.rpartition("/")[2],
        "path": entry.path,
        "sha": entry.sha,
        "size": entry.size or 0,
        "type": kind,
        "url": url,
        "html_url": page,
        "git_url": git,
        "download_url": None if kind == "dir" else f"{page}?raw=1",
        "_links": {"self": url, "git": git, "html": page},
    }


def collaborator_permission(call: Call) -> Answer:
    login, service = call.path["username"], call.service
    person = service.store.person(login)
    if person is None:
        raise Refused(404, f"{login} is not a user")
    word = ROLE_WORDS[permissions.role(call.repository, login)]
    account = service.wire.user(service.account(login))
    permission = {"permission": word, "role_name": word}
    return Answer(body={**permission, "user": {**account, "role_name": word}})


def create_status(call: Call) -> Answer:
    service, sha = call.service, call.path["sha"]
    if objects.commit_of(service.store.git(call.repository), sha) is None:
        invalid(f"No commit found for SHA: {sha}")
    if call.body.get("state") not in STATES:
        invalid("Validation Failed")
    status = Status(
        id=service.store.new_id(),
        repository=call.repository.full_name,
        sha=sha,
        state=call.text("state"),
        context=call.optional_text("context") or "default",
        description=call.optional_text("description"),
        target_url=call.optional_text("target_url"),
        creator=call.caller.login,
        created_at=service.store.clock(),
    )
    service.store.statuses.put(str(status.id), status)
    creator = service.account(status.creator)
    pull_requests.merge_what_passes(service, call.repository)
    return Answer(status=201, body=service.wire.status(status, creator))


def _statuses(call: Call) -> tuple[str, list[Status]]:
    found = objects.commit_of(call.service.store.git(call.repository), call.path["ref"])
    if found is None:
        raise Refused(404, "Not Found")
    sha, name = found.id.decode(), call.repository.full_name
    mine = [s for s in call.service.store.statuses if s.sha == sha and s.repository == name]
    return sha, sorted(mine, key=lambda s: s.id, reverse=True)


def combined_status(call: Call) -> Answer:
    sha, statuses = _statuses(call)
    latest = {status.context: status for status in reversed(statuses)}.values()
    states = {status.state for status in latest}
    failed = bool(states & {"error", "failure"})
    passed = states == {"success"}
    url, service = call.service.wire.repository_url(call.repository), call.service
    body = {
        "state": "failure" if failed else "success" if passed else "pending",
        "sha": sha,
        "total_count": len(latest),
        "statuses": [service.wire.status(s, service.account(s.creator)) for s in latest],
        "repository": service.wire.minimal_repository(
            call.repository, service.owner(call.repository)
        ),
        "commit_url": f"{url}/commits/{sha}",
        "url": f"{url}/commits/{sha}/status",
    }
    return Answer(body=body)


def statuses(call: Call) -> Answer:
    _, found = _statuses(call)
    page, headers = page_of(call, found)
    service = call.service
    body = [service.wire.status(s, service.account(s.creator)) for s in page]
    return Answer(body=body, headers=headers)


def hooks(call: Call) -> Answer:
    page, headers = page_of(call, call.repository.hooks)
    return Answer(body=[_hook(call, hook) for hook in page], headers=headers)


def create_hook(call: Call) -> Answer:
    config = call.body.get("config")
    url = config.get("url") if isinstance(config, dict) else None
    if not isinstance(config, dict) or not isinstance(url, str):
        invalid("Validation Failed")
    store = call.service.store
    hook = Hook(id=store.new_id(), url=url, secret=str(config.get("secret", "")))
    store.save_repository(replace(call.repository, hooks=(*call.repository.hooks, hook)))
    return Answer(status=201, body=_hook(call, hook))


def _hook(call: Call, hook: Hook) -> Json:
    url = f"{call.service.wire.repository_url(call.repository)}/hooks/{hook.id}"
    created = stamp(call.repository.created_at)
    return {
        "type": "Repository",
        "id": hook.id,
        "name": "web",
        "active": True,
        "events": ["pull_request", "push"],
        "config": {"url": hook.url, "content_type": "json", "insecure_ssl": "0"},
        "url": url,
        "test_url": f"{url}/test",
        "ping_url": f"{url}/pings",
        "created_at": created,
        "updated_at": created,
        "last_response": {"code": None, "status": "unused", "message": None},
    }
