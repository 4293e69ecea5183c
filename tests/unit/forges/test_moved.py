"""A repository that was moved: nothing is followed with a token, and its new name is told."""

import json
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.secret import Secret
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import Place
from countersign.dialects.repositories.interface import LookScope
from countersign.dialects.repositories.moves import moved, name_after, number_after
from countersign.forges.clients import repository_client
from countersign.forges.http import ForgeHttp

ORIGIN = "https://forge.example"
PLACE = Place(owner="acme", repository="old", base_branch="main")
SCOPE = LookScope(head_branch="countersign/x")


class Wire(httpx2.AsyncBaseTransport):
    """Answers by the end of a path, and else with a redirect to where the repository is now."""

    def __init__(self, location: str, status: int, answers: Mapping[str, Any]) -> None:
        self._location, self._status, self._answers = location, status, answers
        self.urls: list[httpx2.URL] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.urls.append(request.url)
        path = request.url.raw_path.decode()
        for end, body in self._answers.items():
            if path.endswith(end):
                kind = {"content-type": "application/json"}
                return httpx2.Response(200, content=json.dumps(body).encode(), headers=kind)
        _, _, rest = path.partition("old")
        location = self._location.format(rest=rest)
        return httpx2.Response(self._status, headers={"location": location})


async def refusal(kind: str, wire: Wire) -> Rejected:
    forge = Forge.model_validate({"name": "F", "kind": kind, "origin": ORIGIN})
    async with ForgeHttp(forge, transport=wire) as http:
        with pytest.raises(Rejected) as caught:
            await repository_client(http, Secret("made-up-token")).look(PLACE, SCOPE)
    return caught.value


@pytest.mark.parametrize("kind", ["gitea", "forgejo"])
@pytest.mark.parametrize("status", [301, 307])
async def test_gitea_tells_the_new_name_in_the_address(kind: str, status: int) -> None:
    wire = Wire("/api/v1/repos/acme/new{rest}", status, {"/user": {"id": 1, "login": "ada"}})

    error = await refusal(kind, wire)

    assert error.reason is ForgeRefusal.MOVED
    assert "'acme/old'" in error.message
    assert "'acme/new'" in error.message
    assert all("/new" not in str(url) for url in wire.urls), "a redirect was followed"


async def test_gitlab_is_asked_for_the_name_by_the_id_that_it_tells() -> None:
    project = {"id": 42, "path_with_namespace": "acme/group/new"}
    answers = {"/user": {"id": 1, "username": "ada"}, "/projects/42": project}
    wire = Wire("https://forge.example/api/v4/projects/42", 302, answers)

    error = await refusal("gitlab", wire)

    assert error.reason is ForgeRefusal.MOVED
    assert "'acme/group/new'" in error.message


@pytest.mark.parametrize("kind", ["gitea", "gitlab"])
@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/api/v1/repos/acme/n<b>ew/x",
        "https://evil.example/",
        "/api/v1/repos/",
        "/projects/42x",
        "",
    ],
)
async def test_address_that_tells_no_name_is_not_repeated(kind: str, location: str) -> None:
    wire = Wire(location, 302, {"/user": {"id": 1, "login": "ada", "username": "ada"}})

    error = await refusal(kind, wire)

    assert error.reason in {ForgeRefusal.MOVED, ForgeRefusal.BAD_ANSWER}
    assert "evil" not in error.message
    assert "<b>" not in error.message
    assert {url.host for url in wire.urls} == {"forge.example"}


@pytest.mark.parametrize(
    ("location", "name", "number"),
    [
        ("/x/repos/a/b/branches/main", "a/b", ""),
        ("/x/repos/a/b?x=1", "a/b", ""),
        ("/x/repos/a", "", ""),
        ("/x/repos/17/b", "17/b", "17"),
        ("/x/repos/17", "", "17"),
        ("elsewhere", "", ""),
    ],
)
def test_address_is_read(location: str, name: str, number: str) -> None:
    assert name_after(location, "/repos/") == name
    assert number_after(location, "/repos/") == number


@pytest.mark.parametrize("to", ["", "acme/OLD", "a b/c", "acme", "a/" + "x" * 200, "a/\u202eb"])
def test_name_that_is_none_is_left_out(to: str) -> None:
    assert moved(PLACE, to).message == moved(PLACE, "").message
