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
from countersign.contracts.messages import (
    Content,
    CredentialMode,
    Destination,
    ObjectRef,
    PipelineRef,
    PromotionRef,
    PromotionRequested,
    Revision,
)
from countersign.dialects import shapes
from countersign.forges.http import ForgeHttp
from countersign.pr_writer.executor.following import read_pull
from countersign.pr_writer.executor.minting import installation_token
from countersign.pr_writer.jobs.model import Job

OID = "a" * 40
MERGED = {
    "state": "closed", "merged": True, "merge_commit_sha": OID, "mergeable_state": "unknown",
    "merged_by": {"id": 5, "login": "ada"},
}  # fmt: skip


def test_merged_pull_request_is_merged() -> None:
    found = read_pull(MERGED, etag="e")

    assert (found.state, found.merge_commit) == ("merged", OID)
    assert found.by is not None
    assert found.by.login == "ada"


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
        read_pull({**MERGED, **change}, etag="e")


@pytest.mark.parametrize("body", [None, [], "x", 3])
def test_answer_about_a_pull_request_that_is_no_object_is_refused(body: Any) -> None:
    with pytest.raises(shapes.OddError):
        read_pull(body, etag="e")


def app_job(key_file: Path) -> Job:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    forge = Forge(
        name="F", kind="github", origin="https://forge.example", app_id="1",
        app_key_file=str(key_file),
    )  # fmt: skip
    pipeline = PipelineRef(namespace="ns", name="app", uid="u")
    request = PromotionRequested(
        promotion=PromotionRef(promotion_id="p", pipeline=pipeline, environment="prod"),
        app=ObjectRef(kind="HelmRelease", name="app"),
        from_environment="staging",
        content=Content(identity="i", revision=Revision(recorded="1")),
        marker_key="k",
        destination=Destination(
            origin=forge.origin, owner="acme", repository="fleet", base_branch="main"
        ),
    )
    return Job(kind="open", request=request, attempt=1, mode=CredentialMode.APP, forge=forge)


@pytest.mark.parametrize(
    ("found", "minted", "call"),
    [
        ({"id": True}, {}, "find the installation"),
        ({"id": "3/../4"}, {}, "find the installation"),
        ([], {}, "find the installation"),
        ({"id": 3}, {"token": 5}, "mint an installation token"),
        ({"id": 3}, {"token": "made-up\ntoken"}, "mint an installation token"),
        ({"id": 3}, None, "mint an installation token"),
    ],
)
async def test_unsound_answer_about_an_installation_is_refused_with_the_call(
    tmp_path: Path, found: Any, minted: Any, call: str
) -> None:
    made = app_job(tmp_path / "key.pem")

    def answer(request: httpx2.Request) -> httpx2.Response:
        body = found if request.url.path.endswith("/installation") else minted
        return httpx2.Response(
            200, content=json.dumps(body), headers={"content-type": "application/json"}
        )

    async with ForgeHttp(made.forge, transport=httpx2.MockTransport(answer)) as http:
        with pytest.raises(Rejected, match=call) as caught:
            async with installation_token(made, http):
                pass

    assert caught.value.reason == "bad_answer"
