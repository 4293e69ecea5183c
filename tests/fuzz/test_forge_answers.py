"""Whatever a forge answers, our clients return something, or refuse in their own words.

The forge is one that works; on the way its answers are bent. All kinds that are written to.
"""

import asyncio
import json
import os
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
from conformance.stages import PLACE, WRITER, GitHubStage, SmallStage, stage_of
from fuzz.mutation import json_bytes

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import KIND_BY_NAME, Forge
from countersign.contracts.messages import ForgeKind
from countersign.contracts.secret import Secret
from countersign.dialects.delegation.oauth import Grant, Registration, Target
from countersign.dialects.inspection import Question
from countersign.dialects.kinds import KINDS
from countersign.dialects.repositories.contents import EntryKind, NewCommit, Replacement, TreeEntry
from countersign.dialects.repositories.interface import LookScope, Repository
from countersign.dialects.repositories.pulls import PullText
from countersign.forges.clients import repository_client
from countersign.forges.conversations import converse
from countersign.forges.http import ForgeHttp

MINUTES = float(os.environ.get("COUNTERSIGN_FUZZ_MINUTES", "0"))
MOMENT_S = 0.5
SIGN_IN = "https://login.test/7f3c1f8e-0b6d-4a52-9a35-3f1f1c5f9d10"
BRANCH = "countersign/apps/podinfo/prod/abc"
# Of each answer's chance to be bent: then most calls come far enough to read more than one.
BENT = 0.5
# Of the words of statuses, those that an answer may be read with.
STATUSES = (200, 201, 204, 302, 304, 400, 401, 403, 404, 409, 410, 422, 429, 500, 502, 503)

pytestmark = pytest.mark.timeout(0)

SECONDS_MAX = 30.0
SAID: tuple[Any, ...] = (
    {"access_token": "made-up-token", "token_type": "bearer", "expires_in": 28800, "scope": "",
     "refresh_token": "made-up-refresh", "refresh_token_expires_in": 15811200},
    {"error": "bad_verification_code", "error_description": "The code is incorrect or expired."},
    {"id": 1, "login": "ada", "name": "Ada", "type": "User"},
    {"active": True, "scope": "read:user write:repository", "client_id": "Iv1.madeup",
     "username": "ada", "exp": 1_795_000_000, "sub": "1", "aud": ["Iv1.madeup"], "iss": "x"},
    {"total_count": 1, "installations": [{"id": 3, "account": {"login": "acme"}}]},
    {"total_count": 1, "repositories": [{"id": 5, "name": "fleet", "full_name": "acme/fleet",
                                         "owner": {"login": "acme"}}]},
    {"token": "made-up-child", "expires_at": "2026-11-30T10:00:00Z", "user": {"login": "ada"},
     "installation": {"id": 3, "permissions": {"contents": "write", "pull_requests": "write",
      "metadata": "read"}, "repository_selection": "selected"},
     "permissions": {"contents": "write", "metadata": "read", "pull_requests": "write"},
     "repositories": [{"id": 5, "name": "fleet", "full_name": "acme/fleet"}]},
    {"authenticatedUser": {"id": "d6245f20-2af8-44f4-9451-8107cb2767db",
                           "subjectDescriptor": "aadsp.x", "providerDisplayName": "Ada"}},
    {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"},
    [], {}, None,
)  # fmt: skip


class Bending(httpx2.AsyncBaseTransport):
    """Stands between a client and a forge, and bends what comes back."""

    def __init__(self, through: httpx2.AsyncBaseTransport, chance: random.Random) -> None:
        self._through = through
        self._chance = chance

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._through.handle_async_request(request)
        body = await answer.aread()
        if self._chance.random() > BENT:
            return httpx2.Response(answer.status_code, headers=_plain(answer), content=body)
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        status = answer.status_code
        if self._chance.random() < 0.1:
            status = self._chance.choice(STATUSES)
        bent = json_bytes(document, self._chance)
        return httpx2.Response(status, headers=_plain(answer), content=bent)


def _plain(answer: httpx2.Response) -> dict[str, str]:
    """Its headers, but for those that speak of how the body was sent."""
    told = {"content-length", "content-encoding", "transfer-encoding"}
    return {name: value for name, value in answer.headers.items() if name not in told}


def _commit(parent: str) -> NewCommit:
    change = Replacement(body=b"version: 6.9.0 # here\n")
    files = {"apps/prod/release.yaml": change}
    return NewCommit(branch=BRANCH, parent=parent, headline="Promote", files=files)


def _writes(client: Repository, parent: str) -> list[Callable[[], Awaitable[object]]]:
    """Everything that an executor asks of a repository."""
    entry = TreeEntry(path="apps/prod/release.yaml", kind=EntryKind.FILE)
    scope = LookScope(
        head_branch=BRANCH, folders=("apps",), files=("apps/prod/release.yaml",), pulls=(1,)
    )
    text = PullText(title="Promote", body="to prod")
    return [
        lambda: client.look(PLACE, scope),
        lambda: client.list_tree(PLACE, commit=parent, path="apps"),
        lambda: client.read_files(PLACE, commit=parent, files=[entry], bytes_max=10_000),
        lambda: client.commit(PLACE, _commit(parent)),
        lambda: client.open_pull(PLACE, head=BRANCH, text=text),
        lambda: client.compare(PLACE, commit=parent),
        lambda: client.follow(PLACE, 1, since=""),
        lambda: client.comment(PLACE, 1, comment="superseded"),
        lambda: client.close_pull(PLACE, 1, comment="superseded"),
    ]


@pytest.fixture(params=sorted(KIND_BY_NAME))
async def stage(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[GitHubStage | SmallStage]:
    async with stage_of(request.param, tmp_path) as made:
        assert isinstance(made, GitHubStage | SmallStage)
        yield made


async def test_client_of_a_repository_survives_whatever_it_is_answered(
    stage: GitHubStage | SmallStage,
) -> None:
    token = (
        stage.running.token(WRITER, scopes=["repo"])
        if isinstance(stage, GitHubStage)
        else Secret(stage.tokens[WRITER])
    )
    answered = 0

    for seed in _seeds():
        bending = Bending(stage.transport._inner, random.Random(seed))  # noqa: S311
        http = ForgeHttp(stage.http.forge, transport=bending)
        client = repository_client(http, token)
        for call in _writes(client, stage.head("main")):
            answered += await _answers(call(), seed=seed)

    assert answered, "everything was refused: nothing was read"


@pytest.mark.parametrize("kind", list(KINDS))
async def test_delegation_survives_whatever_it_is_answered(kind: ForgeKind) -> None:
    name = kind.name.lower().replace("_", "-")
    forge = Forge.model_validate(
        {"name": "Ours", "kind": name, "origin": "https://forge.test", "signIn": SIGN_IN}
    )
    registration = Registration(
        forge=forge,
        client_id="Iv1.madeup",
        secret=lambda: Secret("made-up-secret"),
        redirect_uri="https://countersign.test/oauth/callback/ours",
    )
    dialect = KINDS[kind].oauth
    target = Target(owner="acme", repository="fleet", ends_by=datetime.now(UTC))
    token = Secret("made-up-token-made-up-token")
    grant = Grant(code=Secret("made-up-code"), verifier=Secret("v" * 43))

    for seed in _seeds():
        http = ForgeHttp(forge, transport=Pool(random.Random(seed)))  # noqa: S311
        held: list[Any] = [dialect.exchange(registration, grant)]
        held += [dialect.whose(registration, token, "acme")]
        held += [dialect.narrow(registration, token, target)] if dialect.narrow else []
        held += [dialect.revoke(registration, token)] if dialect.revoke else []
        for conversation in held:
            await _answers(converse(http.send_one, conversation), seed=seed)


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize(
    "text", ["ghp_" + "a" * 36, "ghu_" + "a" * 36, "a" * 40, "eyJhIjoxfQ.eyJleHAiOjF9.a"]
)
async def test_inspection_survives_whatever_it_is_answered(kind: ForgeKind, text: str) -> None:
    name = kind.name.lower().replace("_", "-")
    forge = Forge.model_validate({"name": "Ours", "kind": name, "origin": "https://forge.test"})
    dialect, token = KINDS[kind].inspection, Secret(text)

    for seed in _seeds():
        http = ForgeHttp(forge, transport=Pool(random.Random(seed)))  # noqa: S311
        question = Question(
            credential=token,
            kind=dialect.kind_of(token),
            now=datetime.now(UTC),
            owners=("acme/shop",),
        )
        await _answers(converse(http.send_one, dialect.inspect(question)), seed=seed)


class Pool(httpx2.AsyncBaseTransport):
    """Answers with something that a forge says somewhere, bent."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        del request
        chance = self._chance
        document = chance.choice(SAID)
        body = json_bytes(document, chance) if chance.random() < BENT else json.dumps(document)
        status = 200 if chance.random() < 0.8 else chance.choice(STATUSES)
        return httpx2.Response(status, headers=mutated_headers(chance), content=body)


def mutated_headers(chance: random.Random) -> dict[str, str]:
    """Headers that are read, with values that are none."""
    said = ("", "0", "-1", "1e9", "9" * 40, "x", "repo, workflow", "Mon, 99 Foo 2026 00:00:00 GMT")
    names = ("retry-after", "x-ratelimit-remaining", "x-ratelimit-reset", "x-oauth-scopes", "date",
             "github-authentication-token-expiration", "etag", "link")  # fmt: skip
    return {name: chance.choice(said) for name in names if chance.random() < 0.3}


def _seeds() -> Iterator[int]:
    end_s = time.monotonic() + (60 * MINUTES / 10 or MOMENT_S)
    # An ordinary run is given the same answers each time: it judges the change, not the dice.
    dice = secrets.randbits(31) if MINUTES else 0
    first = int(os.environ.get("COUNTERSIGN_FUZZ_SEED") or dice)
    for seed in count(first):
        yield seed
        if time.monotonic() > end_s:
            return


async def _answers(call: Awaitable[object], *, seed: int) -> bool:
    try:
        async with asyncio.timeout(SECONDS_MAX):
            await call
    except (Rejected, Retryable):
        return False
    except Exception as error:
        error.add_note(f"COUNTERSIGN_FUZZ_SEED={seed}")
        raise
    return True
