"""REST: git's own objects and refs.

Source: https://docs.github.com/en/rest/git
"""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from dulwich.objects import Blob, Tree

from countersign.local.forge.answers import Answer, Call, Refused, invalid, page_of
from countersign.local.forge.git import branching, objects
from countersign.local.forge.git.branching import Change
from countersign.local.forge.git.objects import Entry, Identity
from countersign.local.forge.state.service import Denied
from countersign.local.forge.wire import Json, stamp

# https://docs.github.com/en/rest/git/trees: a recursive tree is cut at 100,000 entries.
TREE_ENTRIES_MAX = 100_000
BLOB_MODES = {"100644", "100755", "120000"}


def ref_json(call: Call, name: str, sha: str) -> Json:
    found = objects.lookup(call.service.store.git(call.repository), sha)
    kind = found.type_name.decode() if found else "commit"
    api = f"{call.service.wire.repository_url(call.repository)}/git"
    return {
        "ref": name,
        "node_id": f"REF_{call.repository.id}_{name}",
        "url": f"{api}/{quote(name)}",
        "object": {"type": kind, "sha": sha, "url": f"{api}/{kind}s/{sha}"},
    }


def get_ref(call: Call) -> Answer:
    name, repo = f"refs/{call.path['ref']}", call.service.store.git(call.repository)
    sha = objects.ref_sha(repo, name)
    if sha is None:
        _refuse_empty(call)
        raise Refused(404, "Not Found")
    return Answer(body=ref_json(call, name, sha))


def _refuse_empty(call: Call) -> None:
    if not objects.all_refs(call.service.store.git(call.repository)):
        raise Refused(409, "Git Repository is empty.")


def matching_refs(call: Call) -> Answer:
    prefix, repo = f"refs/{call.path['ref']}", call.service.store.git(call.repository)
    refs = sorted((n, s) for n, s in objects.all_refs(repo).items() if n.startswith(prefix))
    page, headers = page_of(call, refs)
    return Answer(body=[ref_json(call, name, sha) for name, sha in page], headers=headers)


def create_ref(call: Call) -> Answer:
    name, sha = call.text("ref"), call.text("sha")
    if not name.startswith("refs/") or name.count("/") < 2:  # noqa: PLR2004 - refs/heads/x
        invalid("Reference name must start with 'refs/' and contain at least two slashes.")
    _refuse_empty(call)
    branching.create_ref(call.service, call.repository, name, sha, call.caller.login)
    return Answer(status=201, body=ref_json(call, name, sha))


def update_ref(call: Call) -> Answer:
    name, sha = f"refs/{call.path['ref']}", call.text("sha")
    old = objects.ref_sha(call.service.store.git(call.repository), name)
    branching.update_ref(
        call.service,
        call.repository,
        Change(ref=name, before=old, after=sha),
        force=call.body.get("force") is True,
        by=call.caller.login,
    )
    return Answer(body=ref_json(call, name, sha))


def delete_ref(call: Call) -> Answer:
    name = f"refs/{call.path['ref']}"
    branching.delete_ref(call.service, call.repository, name, call.caller.login)
    return Answer(status=204)


def get_tree(call: Call) -> Answer:
    repo = call.service.store.git(call.repository)
    tree = objects.tree_of(repo, call.path["tree_sha"])
    if tree is None:
        _refuse_empty(call)
        raise Refused(404, "Not Found")
    recursive = bool(call.query.get("recursive"))
    rows: list[Entry] = []
    for entry in objects.entries(repo, tree, recursive=recursive):
        if len(rows) == TREE_ENTRIES_MAX:
            return Answer(body=_tree_json(call, tree, rows, truncated=True))
        rows.append(entry)
    return Answer(body=_tree_json(call, tree, rows, truncated=False))


def _tree_json(call: Call, tree: Tree, rows: list[Entry], *, truncated: bool) -> Json:
    api = f"{call.service.wire.repository_url(call.repository)}/git"
    listed = [
        {
            "path": row.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
            "mode": f"{row.mode:06o}",
            "type": row.type,
            "sha": row.sha,
            "url": f"{api}/{row.type}s/{row.sha}",
        }
        | ({} if row.size is None else {"size": row.size})
        for row in rows
    ]
    sha = tree.id.decode()
    return {"sha": sha, "url": f"{api}/trees/{sha}", "tree": listed, "truncated": truncated}


def create_tree(call: Call) -> Answer:
    repo, base_sha = call.service.store.git(call.repository), call.optional_text("base_tree")
    base = objects.tree_of(repo, base_sha) if base_sha else None
    if base_sha and base is None:
        raise Refused(404, "Not Found")
    items = call.body.get("tree")
    if not isinstance(items, list) or not items:
        invalid("Invalid tree info")
    changes = dict(_tree_change(call, item) for item in items)
    sha = objects.write_tree(repo, base, changes)
    tree = objects.tree_of(repo, sha)
    if tree is None:
        invalid("Invalid tree info")
    rows = list(objects.entries(repo, tree))
    return Answer(status=201, body=_tree_json(call, tree, rows, truncated=False))


def _tree_change(call: Call, item: Any) -> tuple[str, tuple[int, str] | None]:
    if not isinstance(item, dict) or not isinstance(item.get("path"), str):
        invalid("tree.path wasn't supplied")
    path, mode, content = item["path"], item.get("mode", ""), item.get("content")
    branching.check_path(path)
    repo = call.service.store.git(call.repository)
    if isinstance(content, str) and mode in BLOB_MODES:
        return path, (int(mode, 8), objects.write_blob(repo, content.encode()))
    sha = item.get("sha")
    if sha is None and "sha" in item:
        return path, None
    if not isinstance(sha, str) or objects.lookup(repo, sha) is None:
        invalid("tree.sha is not a valid object id of this repository")
    if mode not in BLOB_MODES | {"040000"}:
        invalid("tree.mode must be one of 100644, 100755, 040000, 120000")
    return path, (int(mode, 8), sha)


def get_blob(call: Call) -> Answer:
    sha = call.path["file_sha"]
    found = objects.lookup(call.service.store.git(call.repository), sha)
    if not isinstance(found, Blob):
        raise Refused(404, "Not Found")
    data = found.as_raw_string()
    if "raw" in call.headers.get("accept", ""):
        return Answer(body=data, media_type="application/vnd.github.raw; charset=utf-8")
    body = {
        "sha": sha,
        "node_id": f"B_{sha}",
        "size": len(data),
        "url": f"{call.service.wire.repository_url(call.repository)}/git/blobs/{sha}",
        "content": base64.encodebytes(data).decode(),
        "encoding": "base64",
    }
    return Answer(body=body)


def create_blob(call: Call) -> Answer:
    content = call.body.get("content")
    if not isinstance(content, str):
        invalid('Invalid request.\n\n"content" wasn\'t supplied.')
    data = content.encode()
    if call.body.get("encoding", "utf-8") == "base64":
        try:
            data = base64.b64decode(content)
        except (binascii.Error, ValueError):
            invalid("content is not valid base64")
    sha = objects.write_blob(call.service.store.git(call.repository), data)
    url = f"{call.service.wire.repository_url(call.repository)}/git/blobs/{sha}"
    return Answer(status=201, body={"sha": sha, "url": url})


def commit_json(call: Call, sha: str) -> Json:
    commit = objects.commit_of(call.service.store.git(call.repository), sha)
    if commit is None:
        raise Refused(404, "Not Found")
    wire, repository = call.service.wire, call.repository
    api, page = f"{wire.repository_url(repository)}/git", f"{wire.origin}/{repository.full_name}"
    tree, parents = commit.tree.decode(), [parent.decode() for parent in commit.parents]
    return {
        "sha": sha,
        "node_id": f"C_{repository.id}_{sha}",
        "url": f"{api}/commits/{sha}",
        "html_url": f"{page}/commit/{sha}",
        "author": _signature(commit.author, commit.author_time),
        "committer": _signature(commit.committer, commit.commit_time),
        "tree": {"sha": tree, "url": f"{api}/trees/{tree}"},
        "message": commit.message.decode("utf-8", "replace"),
        "parents": [
            {"sha": one, "url": f"{api}/commits/{one}", "html_url": f"{page}/commit/{one}"}
            for one in parents
        ],
        "verification": {
            "verified": False,
            "reason": "unsigned",
            "signature": None,
            "payload": None,
            "verified_at": None,
        },
    }


def _signature(line: bytes, seconds: int) -> dict[str, str]:
    name, _, email = line.decode("utf-8", "replace").partition(" <")
    when = stamp(datetime.fromtimestamp(seconds, UTC))
    return {"name": name, "email": email.rstrip(">"), "date": when}


def get_commit(call: Call) -> Answer:
    return Answer(body=commit_json(call, call.path["commit_sha"]))


def create_commit(call: Call) -> Answer:
    repo, parents = call.service.store.git(call.repository), call.body.get("parents", [])
    tree = objects.tree_of(repo, call.text("tree"))
    known = isinstance(parents, list) and all(
        isinstance(p, str) and objects.commit_of(repo, p) for p in parents
    )
    if tree is None or not known:
        raise Denied("invalid", "Tree SHA or parent SHA does not exist")
    author = _identity(call, "author") or call.service.identity(call.caller.login)
    sha = objects.write_commit(
        repo,
        objects.NewCommit(
            tree=tree.id.decode(),
            parents=list(parents),
            author=author,
            committer=_identity(call, "committer") or author,
            message=call.text("message"),
        ),
    )
    return Answer(status=201, body=commit_json(call, sha))


def _identity(call: Call, name: str) -> Identity | None:
    given = call.body.get(name)
    if not isinstance(given, dict):
        return None
    when = call.service.store.clock()
    if isinstance(given.get("date"), str):
        try:
            when = datetime.fromisoformat(given["date"])
        except ValueError:
            invalid(f"{name}.date is not a date")
    return Identity(name=str(given.get("name")), email=str(given.get("email")), when=when)
