"""The REST endpoints, each answer held against GitHub's own description by the client."""

import base64

import httpx2
from checked_forge import FILES, REPO, CheckedClient
from doubles.local_forge import RunningForge

from countersign.contracts.secret import Secret


async def _branch(
    rest: CheckedClient, writer: Secret, name: str, content: str = "version: 7\n"
) -> str:
    """A branch one commit ahead of main, made through git's own objects."""
    base = (await rest("GET", f"/repos/{REPO}/git/ref/heads/main", token=writer)).json()
    parent = base["object"]["sha"]
    commit = (await rest("GET", f"/repos/{REPO}/git/commits/{parent}", token=writer)).json()
    encoded = base64.b64encode(content.encode()).decode()
    blob = await rest(
        "POST",
        f"/repos/{REPO}/git/blobs",
        token=writer,
        json={"content": encoded, "encoding": "base64"},
    )
    entry = {"path": "apps/prod.yaml", "mode": "100644", "type": "blob", "sha": blob.json()["sha"]}
    tree = await rest(
        "POST",
        f"/repos/{REPO}/git/trees",
        token=writer,
        json={"base_tree": commit["tree"]["sha"], "tree": [entry]},
    )
    made = await rest(
        "POST",
        f"/repos/{REPO}/git/commits",
        token=writer,
        json={"message": "Promote", "tree": tree.json()["sha"], "parents": [parent]},
    )
    sha = made.json()["sha"]
    answer = await rest(
        "POST",
        f"/repos/{REPO}/git/refs",
        token=writer,
        json={"ref": f"refs/heads/{name}", "sha": sha},
    )
    assert answer.status_code == 201
    return str(sha)


async def _open(rest: CheckedClient, token: Secret, head: str = "change") -> httpx2.Response:
    body = {"title": "Promote", "head": head, "base": "main", "body": "Because."}
    return await rest("POST", f"/repos/{REPO}/pulls", token=token, json=body)


async def test_a_pull_request_goes_from_objects_to_merged(
    forge: RunningForge, rest: CheckedClient, writer: Secret
) -> None:
    sha = await _branch(rest, writer, "change")

    opened = await _open(rest, writer)
    listed = await rest(
        "GET", f"/repos/{REPO}/pulls?head=acme:change&state=all&per_page=100", token=writer
    )
    files = await rest("GET", f"/repos/{REPO}/pulls/1/files", token=writer)
    merged = await rest("PUT", f"/repos/{REPO}/pulls/1/merge", token=writer, json={"sha": sha})
    after = await rest("GET", f"/repos/{REPO}/pulls/1", token=writer)

    assert opened.status_code == 201
    assert opened.json()["head"]["sha"] == sha
    assert opened.json()["user"]["login"] == "ada"
    assert [one["number"] for one in listed.json()] == [1]
    assert [one["filename"] for one in files.json()] == ["apps/prod.yaml"]
    assert (files.json()[0]["additions"], files.json()[0]["deletions"]) == (1, 1)
    assert merged.json()["merged"] is True
    assert after.json()["merged_by"]["login"] == "ada"
    assert forge.read(REPO, "apps/prod.yaml") == b"version: 7\n"
    assert forge.author(REPO, sha).startswith("Ada Example")


async def test_a_second_pull_request_for_a_branch_is_refused(
    forge: RunningForge, rest: CheckedClient, writer: Secret
) -> None:
    await _branch(rest, writer, "change")
    await _open(rest, writer)

    again = await _open(rest, writer)

    assert again.status_code == 422
    assert again.json()["message"] == "Validation Failed"
    error = again.json()["errors"][0]
    assert error["message"] == "A pull request already exists for acme:change."


async def test_duplicates_can_be_allowed_as_real_forges_do_when_asked_at_once(
    forge: RunningForge, rest: CheckedClient, writer: Secret
) -> None:
    await _branch(rest, writer, "change")
    forge.allow_duplicates()
    await _open(rest, writer)

    again = await _open(rest, writer)

    assert again.status_code == 201
    assert again.json()["number"] == 2


async def test_a_pull_request_without_changes_or_branches_is_refused(
    rest: CheckedClient, writer: Secret
) -> None:
    path, body = f"/repos/{REPO}/pulls", {"title": "t", "head": "main", "base": "main"}

    nothing = await rest("POST", path, token=writer, json=body)
    no_head = await rest("POST", path, token=writer, json=body | {"head": "none"})
    no_base = await rest("POST", path, token=writer, json=body | {"base": "none"})

    assert nothing.json()["errors"][0]["message"] == "No commits between main and main"
    assert no_head.json()["errors"][0]["field"] == "head"
    assert no_base.json()["errors"][0]["field"] == "base"


async def test_a_branch_is_created_once(
    forge: RunningForge, rest: CheckedClient, writer: Secret
) -> None:
    path, sha = f"/repos/{REPO}/git/refs", forge.head(REPO)
    body = {"ref": "refs/heads/countersign/a/b", "sha": sha}

    first = await rest("POST", path, token=writer, json=body)
    second = await rest("POST", path, token=writer, json=body)
    below = await rest("POST", path, token=writer, json=body | {"ref": "refs/heads/main/x"})
    odd = await rest("POST", path, token=writer, json=body | {"ref": "refs/heads/a..b"})
    absent = await rest(
        "POST", path, token=writer, json={"ref": "refs/heads/n", "sha": "0" * 39 + "1"}
    )
    got = await rest("GET", f"/repos/{REPO}/git/ref/heads/countersign/a/b", token=writer)

    assert first.status_code == 201
    assert second.status_code == 422
    assert second.json()["message"] == "Reference already exists"
    assert [one.status_code for one in (below, odd, absent)] == [422, 422, 422]
    assert got.json()["object"]["sha"] == sha


async def test_refs_move_forward_only_unless_forced_and_go_away(
    forge: RunningForge, rest: CheckedClient, writer: Secret
) -> None:
    start = forge.head(REPO)
    forge.commit(REPO, {"x": "1"}, branch="work")
    path = f"/repos/{REPO}/git/refs/heads/work"

    back = await rest("PATCH", path, token=writer, json={"sha": start})
    forced = await rest("PATCH", path, token=writer, json={"sha": start, "force": True})
    gone = await rest("DELETE", path, token=writer)
    again = await rest("DELETE", path, token=writer)

    assert back.status_code == 422
    assert back.json()["message"] == "Update is not a fast forward"
    assert forced.json()["object"]["sha"] == start
    assert gone.status_code == 204
    assert again.status_code == 422


async def test_a_protected_branch_takes_merges_but_no_direct_change(
    forge: RunningForge, rest: CheckedClient, writer: Secret
) -> None:
    forge.repository(REPO, writers=["ada"], readers=["bob"], protected=["main"])
    sha = forge.commit(REPO, {"apps/prod.yaml": "version: 7\n"}, branch="change")

    direct = await rest(
        "PATCH", f"/repos/{REPO}/git/refs/heads/main", token=writer, json={"sha": sha}
    )
    branch = await rest("GET", f"/repos/{REPO}/branches/main", token=writer)
    await _open(rest, writer)
    merged = await rest("PUT", f"/repos/{REPO}/pulls/1/merge", token=writer, json={})

    assert direct.status_code == 422
    assert branch.json()["protected"] is True
    assert merged.status_code == 200


async def test_a_merge_is_refused_when_the_head_moved_or_conflicts(
    forge: RunningForge, rest: CheckedClient, writer: Secret
) -> None:
    forge.commit(REPO, {"apps/prod.yaml": "version: 7\n"}, branch="change")
    await _open(rest, writer)
    forge.commit(REPO, {"apps/prod.yaml": "version: 8\n"})
    path = f"/repos/{REPO}/pulls/1/merge"

    moved = await rest("PUT", path, token=writer, json={"sha": "0" * 40})
    conflict = await rest("PUT", path, token=writer, json={})
    pull = await rest("GET", f"/repos/{REPO}/pulls/1", token=writer)

    assert moved.status_code == 409
    assert conflict.status_code == 405
    assert pull.json()["mergeable"] is False


async def test_a_merge_of_diverged_branches_keeps_both_changes(
    forge: RunningForge, rest: CheckedClient, writer: Secret
) -> None:
    forge.commit(REPO, {"apps/prod.yaml": "version: 7\n"}, branch="change")
    await _open(rest, writer)
    forge.commit(REPO, {"README.md": "New words\n"})

    merged = await rest("PUT", f"/repos/{REPO}/pulls/1/merge", token=writer, json={})

    assert merged.status_code == 200
    assert forge.read(REPO, "README.md") == b"New words\n"
    assert forge.read(REPO, "apps/prod.yaml") == b"version: 7\n"


async def test_a_pull_request_is_edited_closed_and_reopened(
    forge: RunningForge, rest: CheckedClient, writer: Secret
) -> None:
    await _branch(rest, writer, "change")
    await _open(rest, writer)
    path = f"/repos/{REPO}/pulls/1"

    edited = await rest("PATCH", path, token=writer, json={"title": "Other", "body": "More"})
    closed = await rest("PATCH", path, token=writer, json={"state": "closed"})
    listed = await rest("GET", f"/repos/{REPO}/pulls?state=closed", token=writer)
    opened = await rest("PATCH", path, token=writer, json={"state": "open"})

    assert (edited.json()["title"], edited.json()["body"]) == ("Other", "More")
    assert closed.json()["state"] == "closed"
    assert closed.json()["merged"] is False
    assert len(listed.json()) == 1
    assert opened.json()["state"] == "open"


async def test_lists_come_in_pages_with_links(
    forge: RunningForge, rest: CheckedClient, writer: Secret
) -> None:
    for number in range(5):
        forge.commit(REPO, {"x": str(number)}, branch=f"b{number}")
        await _open(rest, writer, f"b{number}")
    path = f"/repos/{REPO}/pulls?state=open&per_page=2"

    first = await rest("GET", path, token=writer)
    last = await rest("GET", f"{path}&page=3", token=writer)

    assert [one["number"] for one in first.json()] == [5, 4]
    assert (
        f'<{forge.api}/repos/{REPO}/pulls?state=open&per_page=2&page=2>; rel="next"'
        in (first.headers["link"])
    )
    assert 'page=3>; rel="last"' in first.headers["link"]
    assert [one["number"] for one in last.json()] == [1]
    assert 'rel="next"' not in last.headers["link"]
    assert 'page=2>; rel="prev"' in last.headers["link"]


async def test_files_are_read_in_every_way(
    forge: RunningForge, rest: CheckedClient, writer: Secret
) -> None:
    flat = await rest("GET", f"/repos/{REPO}/git/trees/main", token=writer)
    deep = await rest("GET", f"/repos/{REPO}/git/trees/main?recursive=1", token=writer)
    by_path = {entry["path"]: entry for entry in deep.json()["tree"]}
    blob = f"/repos/{REPO}/git/blobs/{by_path['apps/crlf.yaml']['sha']}"
    encoded = await rest("GET", blob, token=writer)
    content = await rest("GET", f"/repos/{REPO}/contents/apps/prod.yaml?ref=main", token=writer)
    folder = await rest("GET", f"/repos/{REPO}/contents/apps", token=writer)
    absent = await rest("GET", f"/repos/{REPO}/contents/none", token=writer)

    assert sorted(entry["path"] for entry in flat.json()["tree"]) == [
        "README.md",
        "apps",
        "logo.png",
    ]
    assert by_path["apps"]["type"] == "tree"
    assert deep.json()["truncated"] is False
    assert base64.b64decode(encoded.json()["content"]) == FILES["apps/crlf.yaml"]
    assert base64.b64decode(content.json()["content"]) == b"version: 6.9.0 # marked\n"
    assert [one["path"] for one in folder.json()] == ["apps/crlf.yaml", "apps/prod.yaml"]
    assert absent.status_code == 404


async def test_a_blob_is_given_raw_when_asked(
    forge: RunningForge, http: httpx2.AsyncClient, rest: CheckedClient, writer: Secret
) -> None:
    tree = await rest("GET", f"/repos/{REPO}/git/trees/main?recursive=1", token=writer)
    sha = next(one["sha"] for one in tree.json()["tree"] if one["path"] == "apps/crlf.yaml")
    headers = {
        "authorization": f"Bearer {writer.reveal()}",
        "accept": "application/vnd.github.raw+json",
    }

    answer = await http.get(f"{forge.api}/repos/{REPO}/git/blobs/{sha}", headers=headers)

    assert answer.content == FILES["apps/crlf.yaml"]


async def test_an_unchanged_answer_is_304_and_not_counted(
    forge: RunningForge, rest: CheckedClient, writer: Secret
) -> None:
    path = f"/repos/{REPO}/pulls?state=all"
    first = await rest("GET", path, token=writer)

    second = await rest("GET", path, token=writer, headers={"if-none-match": first.headers["etag"]})

    assert second.status_code == 304
    assert second.headers["x-ratelimit-used"] == first.headers["x-ratelimit-used"]


async def test_rate_limit_is_told_and_not_counted(rest: CheckedClient, writer: Secret) -> None:
    await rest("GET", "/user", token=writer)
    first = await rest("GET", "/rate_limit", token=writer)
    second = await rest("GET", "/rate_limit", token=writer)

    assert first.json()["rate"]["used"] == 1
    assert second.json()["rate"] == first.json()["rate"]
    assert second.headers["x-ratelimit-limit"] == "5000"


async def test_an_empty_repository_says_so(
    forge: RunningForge, rest: CheckedClient, writer: Secret
) -> None:
    forge.repository("acme/empty", writers=["ada"])

    ref = await rest("GET", "/repos/acme/empty/git/ref/heads/main", token=writer)
    tree = await rest("GET", "/repos/acme/empty/git/trees/main", token=writer)

    assert (ref.status_code, tree.status_code) == (409, 409)


async def test_comments_statuses_hooks_and_people_answer(
    forge: RunningForge, rest: CheckedClient, writer: Secret
) -> None:
    sha = await _branch(rest, writer, "change")
    await _open(rest, writer)
    owner = forge.token("acme", scopes=["repo"])
    forge.person("acme")
    here = f"/repos/{REPO}"

    made = await rest("POST", f"{here}/issues/1/comments", token=writer, json={"body": "Hi"})
    comments = await rest("GET", f"{here}/issues/1/comments", token=writer)
    status = await rest(
        "POST", f"{here}/statuses/{sha}", token=writer, json={"state": "success", "context": "ci"}
    )
    combined = await rest("GET", f"{here}/commits/change/status", token=writer)
    listed = await rest("GET", f"{here}/commits/change/statuses", token=writer)
    commit = await rest("GET", f"{here}/commits/change", token=writer)
    right = await rest("GET", f"{here}/collaborators/bob/permission", token=writer)
    hook = await rest(
        "POST",
        f"{here}/hooks",
        token=owner,
        json={"config": {"url": "http://127.0.0.1:9/hook", "secret": "made up"}},
    )
    hooks = await rest("GET", f"{here}/hooks", token=owner)
    person = await rest("GET", "/users/bob")
    meta = await rest("GET", "/meta")

    assert made.json()["user"]["login"] == "ada"
    assert [one["body"] for one in comments.json()] == ["Hi"]
    assert status.status_code == 201
    assert combined.json()["state"] == "success"
    assert len(listed.json()) == 1
    assert commit.json()["author"]["login"] == "ada"
    assert right.json()["permission"] == "read"
    assert hook.status_code == 201
    assert "secret" not in hooks.json()[0]["config"]
    assert person.json()["login"] == "bob"
    assert meta.status_code == 200


async def test_bodies_that_are_no_json_are_refused(
    forge: RunningForge, http: httpx2.AsyncClient, writer: Secret
) -> None:
    headers = {"authorization": f"Bearer {writer.reveal()}"}

    answer = await http.post(f"{forge.api}/repos/{REPO}/pulls", content=b"{", headers=headers)

    assert answer.status_code == 400
    assert answer.json()["message"] == "Problems parsing JSON"
    assert answer.json()["documentation_url"]


async def test_unknown_paths_answer_json(forge: RunningForge, http: httpx2.AsyncClient) -> None:
    answer = await http.get(f"{forge.api}/unheard/of")

    assert answer.status_code == 404
    assert answer.json()["message"] == "Not Found"
