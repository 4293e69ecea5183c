"""Answers that the vendor recorded are read, and requests are such as it recorded."""

import json
from typing import Any

import pytest
import reference

from countersign.dialects.azure_devops import answers, requests
from countersign.dialects.exchange import Answer
from countersign.dialects.repositories.contents import EntryKind, NewCommit, Place, Replacement
from countersign.dialects.repositories.pulls import PullState, PullText

ROOT = "/{organization}/{project}/_apis/git/repositories/{repositoryId}"
PLACE = Place(owner="fabrikam/MyProject", repository="fleet", base_branch="master")


def recorded(call: str, title: str) -> Any:
    path = reference.skip_without("api") / "azure-devops.examples.json"
    method, _, below = call.partition(" ")
    return json.loads(path.read_text(encoding="utf-8"))["examples"][f"{method} {ROOT}{below}"][
        title
    ]


def answer(call: str, title: str) -> Answer:
    ((status, body),) = recorded(call, title)["responses"].items()
    return Answer(status=int(status), headers={}, body=json.dumps(body).encode())


def test_push_to_a_new_branch_is_such_as_was_recorded() -> None:
    """The commit that the branch begins at stands where zeros would begin a new history."""
    theirs = recorded("POST /pushes", "Update a file in a new branch")["parameters"]["body"]
    (update,), (commit,) = theirs["refUpdates"], theirs["commits"]
    (change,) = commit["changes"]
    new = NewCommit(
        branch=update["name"].removeprefix("refs/heads/"),
        parent=update["oldObjectId"],
        headline=commit["comment"],
        files={"tasks/content/activetasks.md": Replacement(body=b"x")},
    )

    ours = requests.push(PLACE, new).json

    encoded = {"content": "eA==", "contentType": "base64encoded"}
    assert ours["refUpdates"] == theirs["refUpdates"]
    assert ours["commits"] == [{**commit, "changes": [{**change, "newContent": encoded}]}]


def test_pushed_commit_and_its_parent_are_read() -> None:
    made, parents = answers.commit_in(answer("POST /pushes", "Update a file in a new branch"))

    assert made == "bee67802b97da2a274df88855065b110f232973f"
    assert parents == ("b92a68a4cd54506d0d8e264ddddbfe5076dca910",)


def test_first_commit_of_a_repository_has_no_parent() -> None:
    _, parents = answers.commit_in(answer("POST /pushes", "Initial commit (Create a new branch)"))

    assert parents == ()


def test_pull_request_is_opened_as_was_recorded() -> None:
    theirs = recorded("POST /pullrequests", "")["parameters"]["body"]
    place = Place(owner="fabrikam/x", repository="y", base_branch="new_feature")
    text = PullText(title=theirs["title"], body=theirs["description"])

    ours = requests.open_pull(place, head="npaulk/my_work", text=text).json

    assert ours.items() <= theirs.items()
    assert answers.pull_of(answer("POST /pullrequests", "").json()).number == 22


@pytest.mark.parametrize(
    ("title", "states"),
    [
        ("Pull requests by repository", {PullState.OPEN, PullState.MERGED, PullState.CLOSED}),
        ("Just completed pull requests", {PullState.MERGED}),
        ("Targeting a specific branch", {PullState.OPEN, PullState.MERGED, PullState.CLOSED}),
    ],
)
def test_listed_pull_requests_are_read(title: str, states: set[PullState]) -> None:
    pulls = answers.pulls_in([answer("GET /pullrequests", title)])

    assert pulls
    for pull in pulls:
        assert pull.state in states
        assert (pull.merge_commit != "") is (pull.state is PullState.MERGED)
        assert (pull.ended_at_s is not None) is (pull.state is not PullState.OPEN)
        assert len(pull.head_commit) == 40
        assert pull.author is not None
        assert pull.author.login == "fabrikamfiber16@hotmail.com"


def test_newest_commit_of_a_branch_is_read() -> None:
    tip = answers.tip_in(answer("GET /commits", "On a branch"))

    assert tip is not None
    assert tip.commit == "9991b4f66def4c0a9ad8f9f27043ece7eddcf1c7"
    assert tip.committed_at_s == 1529082413


def test_who_pushed_a_commit_is_read() -> None:
    pusher = answers.pusher_in(answer("GET /commits/{commitId}", "Get by ID"))

    assert pusher is not None
    assert pusher.id == "8c8c7d32-6b1b-47f4-b2e9-30b477b5ab3d"


@pytest.mark.parametrize("title", ["Recursive Example", "Non-recursive Example"])
def test_tree_is_read_with_modes_and_sizes(title: str) -> None:
    entries = answers.entries_in(answer("GET /trees/{sha1}", title), above="MyWebSite/Views")

    assert {e.kind for e in entries} == {EntryKind.FILE, EntryKind.FOLDER}
    assert all(e.path.startswith("MyWebSite/Views/") and len(e.object_id) == 40 for e in entries)
    assert all((e.size_bytes is not None) is e.is_file for e in entries)


def test_differences_are_read_without_their_folders() -> None:
    told = answer("GET /diffs/commits", "Between commit IDs")

    compared = answers.comparison_in([told], author=None)

    assert compared.fork_point == "c093714168cdd190c1e171a803e996d685454352"
    assert compared.commits_ahead == 22
    assert "CustomerAddressModule/CustomerAddressModule/Form1.cs" in compared.modified
    assert "CustomerAddressModule" not in compared.modified


def test_comment_is_such_as_was_recorded() -> None:
    theirs = recorded("POST /pullRequests/{pullRequestId}/threads", "Comment on the pull request")[
        "parameters"
    ]["body"]

    ours = requests.comment(PLACE, 22, "Superseded.").json

    assert ours.keys() <= theirs.keys()
    assert ours["comments"][0].keys() == theirs["comments"][0].keys()


def test_folder_and_the_commit_that_it_was_looked_at_in_are_read() -> None:
    told = answer("GET /items", "For a path")

    assert answers.object_in(told, kind="tree") == "d1d5c2d49045d52bba6419652d6ecb2cd560dc29"
    assert answers.object_in(told, kind="blob") == ""
    assert answers.is_at(told, "23d0bc5b128a10056dc68afece360d8a0fabb014")
    assert not answers.is_at(told, "a" * 40)


def test_repository_is_read() -> None:
    told = answer("GET ", "Get a repository by repositoryId")

    assert answers.guid(told.json(), "id") == "5febef5a-833d-4e14-b9c0-14cb638f91e6"
