"""The forge misbehaving on demand, and the journal of what came."""

import time

import httpx2
import pytest
from checked_forge import REPO
from doubles.local_forge import RunningForge

from countersign.contracts.secret import Secret

LATENCY_MS = 120


@pytest.fixture
def headers(writer: Secret) -> dict[str, str]:
    return {"authorization": f"Bearer {writer.reveal()}"}


async def test_a_fault_hits_as_often_as_told_after_those_it_skips(
    forge: RunningForge, http: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    forge.faults(path="/api/v3/user", status=503, skip=1, count=2)

    statuses = [
        (await http.get(f"{forge.api}/user", headers=headers)).status_code for _ in range(4)
    ]
    other = await http.get(f"{forge.api}/repos/{REPO}", headers=headers)

    assert statuses == [200, 503, 503, 200]
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("rule", "remaining", "words"),
    [
        ({"status": 429, "retry_after_s": 7}, "0", "API rate limit exceeded"),
        ({"status": 403, "secondary": True, "retry_after_s": 7}, None, "secondary rate limit"),
    ],
    ids=["primary", "secondary"],
)
async def test_a_limit_says_when_to_come_back(
    forge: RunningForge,
    http: httpx2.AsyncClient,
    rule: dict[str, object],
    remaining: str | None,
    words: str,
) -> None:
    forge.faults(**rule)

    answer = await http.get(f"{forge.api}/user")

    assert answer.status_code == rule["status"]
    assert answer.headers["retry-after"] == "7"
    assert answer.headers.get("x-ratelimit-remaining") == remaining
    assert words in answer.json()["message"]


async def test_an_answer_is_dropped_after_the_work_was_done(
    forge: RunningForge, http: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    forge.faults(method="POST", path="*/git/refs", drop_after_success=True, count=1)
    body = {"ref": "refs/heads/made", "sha": forge.head(REPO)}

    answer = await http.post(f"{forge.api}/repos/{REPO}/git/refs", json=body, headers=headers)

    assert answer.status_code == 502
    assert forge.head(REPO, "made") == forge.head(REPO)


async def test_a_connection_breaks_in_mid_answer_after_the_work_was_done(
    forge: RunningForge, http: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    forge.faults(method="POST", path="*/git/refs", cut=True)
    body = {"ref": "refs/heads/made", "sha": forge.head(REPO)}

    with pytest.raises(httpx2.RemoteProtocolError):
        await http.post(f"{forge.api}/repos/{REPO}/git/refs", json=body, headers=headers)

    assert forge.head(REPO, "made") == forge.head(REPO)


async def test_html_comes_instead_of_json(
    forge: RunningForge, http: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    forge.faults(html=True)

    answer = await http.get(f"{forge.api}/user", headers=headers)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html"


async def test_a_slow_answer_takes_its_time(
    forge: RunningForge, http: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    forge.faults(latency_ms=LATENCY_MS)
    started = time.monotonic()

    answer = await http.get(f"{forge.api}/user", headers=headers)

    assert answer.status_code == 200
    assert time.monotonic() - started >= LATENCY_MS / 1_000


async def test_a_fault_can_pick_one_graphql_mutation_by_its_text(
    forge: RunningForge, http: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    forge.faults(path="/api/graphql", contains="createPullRequest", status=500)
    url = f"{forge.origin}/api/graphql"

    read = await http.post(url, json={"query": "{ viewer { login } }"}, headers=headers)
    write = await http.post(url, json={"query": "# createPullRequest"}, headers=headers)

    assert read.json()["data"]["viewer"]["login"] == "ada"
    assert write.status_code == 500


async def test_faults_are_set_seen_and_ended_over_http(
    forge: RunningForge, http: httpx2.AsyncClient
) -> None:
    url = f"{forge.origin}/_local/faults"
    one = await http.put(url, json={"path": "*/meta", "status": 500, "duplicates": "allow"})
    hit = await http.get(f"{forge.api}/meta")
    wrong = await http.put(url, json={"statuss": 500})
    foreign = await http.put(url, json={}, headers={"origin": "http://evil.example"})
    await http.delete(url)
    fine = await http.get(f"{forge.api}/meta")

    assert one.json()["rules"][0]["status"] == 500
    assert one.json()["duplicates"] == "allow"
    assert hit.status_code == 500
    assert (wrong.status_code, foreign.status_code) == (422, 403)
    assert "statuss" in wrong.json()["message"]
    assert fine.status_code == 200


async def test_the_journal_counts_calls_and_holds_no_token(
    forge: RunningForge, http: httpx2.AsyncClient, headers: dict[str, str], writer: Secret
) -> None:
    await http.get(f"{forge.api}/user?x={writer.reveal()}", headers=headers)

    answer = await http.get(f"{forge.origin}/_local/requests")
    await http.delete(f"{forge.origin}/_local/requests")
    after = await http.get(f"{forge.origin}/_local/requests")

    assert answer.json() == [{"method": "GET", "path": "/api/v3/user", "status": 200}]
    assert writer.reveal() not in answer.text
    assert after.json() == []


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil", "["])
async def test_a_foreign_host_header_is_refused(
    forge: RunningForge, http: httpx2.AsyncClient, host: str
) -> None:
    answer = await http.get(f"{forge.origin}/", headers={"host": host})

    assert answer.status_code in {400, 421}
