"""What a forge says of a pull request that is followed, and of an App's token."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.dialects import shapes
from countersign.dialects.github.rest import status_of
from countersign.dialects.repositories.contents import Place
from countersign.dialects.repositories.pulls import PullState, Readiness
from countersign.forges.clients import app_token
from countersign.forges.http import ForgeHttp

OID = "a" * 40
MERGED = {
    "state": "closed", "merged": True, "merge_commit_sha": OID, "mergeable_state": "unknown",
    "merged_by": {"id": 5, "login": "ada"}, "merged_at": "2026-01-02T03:04:05Z",
}  # fmt: skip


def test_merged_pull_request_is_merged() -> None:
    found = status_of(MERGED, version="e")

    assert (found.state, found.merge_commit, found.version) == (PullState.MERGED, OID, "e")
    assert found.ended_by is not None
    assert found.ended_by.login == "ada"
    assert found.ended_at_s == 1767323045


@pytest.mark.parametrize(
    ("word", "readiness"),
    [("clean", Readiness.READY), ("dirty", Readiness.CONFLICTING), ("new", Readiness.UNKNOWN)],
)
def test_open_pull_request_tells_how_far_it_is(word: str, readiness: Readiness) -> None:
    body = {"state": "open", "merged": False, "merged_by": None, "mergeable_state": word}

    assert status_of(body, version="").readiness is readiness


@pytest.mark.parametrize(
    "change",
    [
        {"merged": "yes"}, {"merged": None}, {"state": "lost"}, {"state": 1}, {"merged_by": 7},
        {"merge_commit_sha": "x"}, {"merged_by": {"id": -1, "login": "ada"}},
        {"merged_by": {"id": 5, "login": "a b"}},
    ],
    ids=str,
)  # fmt: skip
def test_unsound_answer_about_a_pull_request_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(shapes.OddError):
        status_of({**MERGED, **change}, version="e")


@pytest.mark.parametrize("body", [None, [], "x", 3])
def test_answer_about_a_pull_request_that_is_no_object_is_refused(body: Any) -> None:
    with pytest.raises(shapes.OddError):
        status_of(body, version="e")


def app_forge(key_file: Path) -> Forge:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return Forge(
        name="F", kind="github", origin="https://forge.example", app_id="1",
        app_key_file=str(key_file),
    )  # fmt: skip


# As GitHub describes a token for one repository.
NARROW: dict[str, Any] = {
    "token": "ghs_made-up",
    "permissions": {"contents": "write", "metadata": "read", "pull_requests": "write"},
    "repositories": [{"full_name": "acme/fleet"}],
}


@pytest.mark.parametrize(
    ("found", "minted", "call"),
    [
        ({"id": True}, {}, "find the installation"),
        ({"id": "3/../4"}, {}, "find the installation"),
        ([], {}, "find the installation"),
        ({"id": 3}, {"token": 5}, "mint an installation token"),
        ({"id": 3}, NARROW | {"repositories": None}, "mint an installation token"),
        ({"id": 3}, NARROW | {"repositories": []}, "mint an installation token"),
        ({"id": 3}, NARROW | {"repositories": [{"full_name": "acme/x"}]}, "mint an installation"),
        (
            {"id": 3},
            NARROW | {"repositories": [*NARROW["repositories"], {"full_name": "acme/x"}]},
            "mint an installation token",
        ),
        ({"id": 3}, NARROW | {"permissions": None}, "mint an installation token"),
        ({"id": 3}, NARROW | {"permissions": {"contents": "admin"}}, "mint an installation"),
        ({"id": 3}, NARROW | {"permissions": {"workflows": "write"}}, "mint an installation"),
        ({"id": 3}, {"token": "made-up\ntoken"}, "mint an installation token"),
        ({"id": 3}, None, "mint an installation token"),
    ],
)
async def test_unsound_answer_about_an_installation_is_refused_with_the_call(
    tmp_path: Path, found: Any, minted: Any, call: str
) -> None:
    forge = app_forge(tmp_path / "key.pem")
    place = Place(owner="acme", repository="fleet", base_branch="main")

    ended = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "DELETE":
            ended.append(request.headers["authorization"])
            return httpx2.Response(204)
        body = found if request.url.path.endswith("/installation") else minted
        return httpx2.Response(
            200, content=json.dumps(body), headers={"content-type": "application/json"}
        )

    async with ForgeHttp(forge, transport=httpx2.MockTransport(answer)) as http:
        with pytest.raises(Rejected, match=call) as caught:
            async with app_token(http, place):
                pass

    assert caught.value.reason == "bad_answer"
    # What was given is ended, also where it is not used.
    assert len(ended) == (isinstance(minted, dict) and minted.get("token") == NARROW["token"])
