"""News of pull requests from a forge, and from those who pretend to be one."""

import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from doubles import stories
from doubles.webhook_house import House, our_pull_request

from countersign.contracts import messages as m
from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.watcher.http import BODY_BYTES_MAX
from countersign.watcher.pulls.sources import read_sources

KEY = "made-up-webhook-key"
FORGE = Forge(name="Demo Forge", kind="github", origin="https://github.com")
REF = our_pull_request()


class GitHubHouse(House):
    def __init__(self) -> None:
        super().__init__(FORGE, secret=KEY)

    async def post(self, body: bytes, path: str = "/webhooks/demo-forge", **headers: str) -> Any:
        sent = {
            "X-Hub-Signature-256": signature(body),
            "X-GitHub-Event": "pull_request",
            "X-GitHub-Delivery": "d-1",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return await self.client.post(path, content=body, headers=sent)


def signature(body: bytes, key: str = KEY) -> str:
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def news(**changes: Any) -> bytes:
    pull: dict[str, Any] = {
        "number": 7,
        "merged": True,
        "merged_at": "2026-11-23T08:59:00Z",
        "merge_commit_sha": "c" * 40,
        "merged_by": {"id": 1001, "login": "ada"},
        "head": {"ref": "countersign/x", "repo": {"id": 55}},
        **changes.pop("pull", {}),
    }
    payload = {"action": "closed", "repository": {"id": 55}, "pull_request": pull, **changes}
    return json.dumps(payload).encode()


@pytest.fixture
def house() -> GitHubHouse:
    made = GitHubHouse()
    made.open(REF)
    return made


async def test_signed_merge_is_published_with_who_did_it(house: GitHubHouse) -> None:
    answer = await house.post(news())

    assert (answer.status_code, answer.text) == (202, "merged\n")
    (event,) = house.recorder.events
    assert isinstance(event, m.PullRequestMerged)
    assert event.by == m.ForgeUser(id="1001", login="ada")
    assert event.merge_commit == "c" * 40
    assert event.promotion == stories.ref()


async def test_webhook_is_a_span_that_the_event_is_linked_to(
    house: GitHubHouse, spans: Callable[[], Any]
) -> None:
    await house.post(news())
    await house.post(news(), X_Hub_Signature_256="sha256=0")

    followed, received = spans()
    assert received.attributes["http.route"] == "/webhooks/{forge}"
    assert received.attributes["http.response.status_code"] == 202
    assert received.attributes["countersign.outcome"] == "merged"
    assert [link.context.span_id for link in followed.links] == [received.context.span_id]


async def test_closed_without_merge_is_published_as_closed(house: GitHubHouse) -> None:
    await house.post(news(pull={"merged": False}, sender={"id": 5, "login": "grace"}))

    (event,) = house.recorder.events
    assert isinstance(event, m.PullRequestClosed)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X_Hub_Signature_256": ""}, id="no signature"),
        pytest.param({"X_Hub_Signature_256": "sha256=" + "0" * 64}, id="wrong"),
        pytest.param({"X_Hub_Signature_256": signature(news(), key="other")}, id="other key"),
        pytest.param({"X_Hub_Signature_256": "sha256"}, id="cut off"),
        pytest.param({"path": "/webhooks/other"}, id="unknown forge"),
    ],
)
async def test_what_is_not_signed_is_refused_alike(
    house: GitHubHouse, headers: dict[str, str]
) -> None:
    answer = await house.post(news(), **headers)

    assert (answer.status_code, answer.text) == (401, "not authorized\n")
    assert house.recorder.events == []


async def test_signature_covers_the_bytes_as_they_came(house: GitHubHouse) -> None:
    answer = await house.post(news() + b" ", X_Hub_Signature_256=signature(news()))

    assert answer.status_code == 401


async def test_body_that_is_too_long_is_refused(house: GitHubHouse) -> None:
    assert (await house.post(b" " * (BODY_BYTES_MAX + 1))).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"pull": {"number": 8}}, id="another number"),
        pytest.param({"repository": {"id": 56}}, id="another repository"),
        pytest.param({"pull": {"head": {"ref": "x", "repo": {"id": 99}}}}, id="from a fork"),
        pytest.param({"pull": {"head": {"ref": "x", "repo": {"id": 55}}}}, id="another branch"),
        pytest.param({"pull": {"head": {"ref": "countersign/x", "repo": None}}}, id="fork gone"),
        pytest.param({"action": "opened"}, id="no fate"),
    ],
)
async def test_news_of_other_pull_requests_changes_nothing(
    house: GitHubHouse, changes: dict[str, Any]
) -> None:
    assert (await house.post(news(**changes))).status_code == 202
    assert house.recorder.events == []


async def test_other_events_are_ignored(house: GitHubHouse) -> None:
    assert (await house.post(b"{}", X_GitHub_Event="ping")).text == "ignored\n"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"pull_request": 3}', b"\xff\xfe"])
async def test_signed_nonsense_is_a_bad_request(house: GitHubHouse, body: bytes) -> None:
    assert (await house.post(body)).status_code == 400


async def test_delivery_that_comes_twice_is_handled_once(house: GitHubHouse) -> None:
    await house.post(news())

    assert (await house.post(news())).text == "repeated\n"
    assert (await house.post(news(), X_GitHub_Delivery="d-2")).text == "known\n"
    assert len(house.recorder.events) == 1


async def test_delivery_is_asked_for_again_when_the_bus_is_away(house: GitHubHouse) -> None:
    house.recorder.away = True
    assert (await house.post(news())).status_code == 503

    house.recorder.away = False
    assert (await house.post(news())).text == "merged\n"


async def test_merge_that_is_faster_than_the_news_of_the_pull_request_is_kept() -> None:
    house = GitHubHouse()
    assert (await house.post(news())).text == "unknown\n"
    house.open(REF)

    await house.following.on_opened(stories.opened().model_copy(update={"pull_request": REF}))

    assert [type(e) for e in house.recorder.events] == [m.PullRequestMerged]


async def test_news_of_before_the_pull_request_was_opened_again_is_not_taken(
    house: GitHubHouse,
) -> None:
    """Whoever caught a signed delivery can send it again, under an id of its own making."""
    captured = news(pull={"merged": False, "closed_at": "2026-11-23T08:30:00Z"})
    assert (await house.post(captured)).text == "closed\n"
    house.projection.apply(stories.retried(2), sequence=4)
    opened = stories.opened(attempt=2).model_copy(update={"pull_request": REF})
    house.projection.apply(opened, sequence=5)

    assert (await house.post(captured, X_GitHub_Delivery="d-2")).text == "known\n"
    later = news(pull={"merged": False, "closed_at": "2026-11-23T08:31:00Z"})
    assert (await house.post(later, X_GitHub_Delivery="d-3")).text == "closed\n"
    assert len(house.recorder.events) == 2


async def test_merge_counts_though_it_was_closed_before(house: GitHubHouse) -> None:
    await house.post(news(pull={"merged": False, "closed_at": "2026-11-23T08:50:00Z"}))
    answer = await house.post(news(), X_GitHub_Delivery="d-2")

    assert answer.text == "merged\n"
    assert [type(e) for e in house.recorder.events] == [m.PullRequestClosed, m.PullRequestMerged]
    last = house.recorder.events[-1]
    assert isinstance(last, m.PullRequestMerged)
    assert last.by == m.ForgeUser(id="1001", login="ada")


async def test_merge_of_an_earlier_try_is_told_of_that_try(house: GitHubHouse) -> None:
    house.projection.apply(stories.retried(2), sequence=9)

    answer = await house.post(news())

    assert answer.text == "merged\n"
    (event,) = house.recorder.events
    assert isinstance(event, m.PullRequestMerged)
    assert event.promotion.attempt == 1


async def test_closing_of_an_earlier_try_changes_nothing(house: GitHubHouse) -> None:
    house.projection.apply(stories.retried(2), sequence=9)

    answer = await house.post(news(pull={"merged": False}))

    assert answer.text == "known\n"
    assert house.recorder.events == []


async def test_foreign_host_is_refused(house: GitHubHouse) -> None:
    assert (await house.post(news(), Host="evil.example")).status_code == 421


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_post_is_taken(house: GitHubHouse, method: str) -> None:
    assert (await house.client.request(method, "/webhooks/demo-forge")).status_code == 405


def test_empty_webhook_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n")
    forge = FORGE.model_copy(update={"webhook_secret_file": str(tmp_path / "key")})

    with pytest.raises(Rejected, match="is empty"):
        read_sources([forge])
