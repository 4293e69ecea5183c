"""The REST endpoints, each answer held against GitHub's own description by the client."""

import base64

import httpx2
from checked_forge import REPO, CheckedClient

from countersign.contracts.secret import Secret
from countersign.local.forge.testing import RunningForge


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
