"""The watcher's end of webhooks in one process: a bus that is a list, and our pull request 7."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
from doubles import stories

from countersign.contracts import messages as m
from countersign.contracts.errors import Retryable
from countersign.contracts.forge_list import Forge
from countersign.contracts.message import Message
from countersign.contracts.secret import Secret
from countersign.messaging.refusals import BusRefusal
from countersign.process.http.listening import LoopbackHosts
from countersign.watcher.http import webhook_app
from countersign.watcher.observation.projection import Projection
from countersign.watcher.pulls.news import PullRequestNews
from countersign.watcher.pulls.sources import Source

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


class Stored:
    sequence = 9


class Recorder:
    """Publishes into a list, or fails as a bus that is away."""

    def __init__(self) -> None:
        self.events: list[Message] = []
        self.away = False

    async def publish(
        self, event: Message, *, message_id: str, create_once: bool = False
    ) -> Stored:
        assert message_id
        assert not create_once
        if self.away:
            raise Retryable(BusRefusal.TIMEOUT, "away")
        self.events.append(event)
        return Stored()

    async def last(self, model: type[Message], subject: str, *, stream: str) -> None:
        raise NotImplementedError


def our_pull_request(**changes: Any) -> m.PullRequestRef:
    ours = {"repository_id": "55", "head_repository_id": "55", "head_branch": "countersign/x"}
    return stories.PULL_REQUEST.model_copy(update={**ours, **changes})


def _sources(forges: tuple[Forge, ...], secret: str) -> Iterator[Source]:
    """All webhooks of all forges; each single one's secret ends in its name."""
    for forge in forges:
        yield Source(forge=forge, secret=Secret(secret))
        for webhook in forge.webhooks:
            own = Secret(f"{secret}-{webhook.name}")
            yield Source(forge=forge, secret=own, webhook=webhook)


class House:
    """Forges on the list, whose webhooks prove themselves with `secret`."""

    def __init__(self, *forges: Forge, secret: str) -> None:
        self.forges = forges
        self.projection = Projection()
        self.recorder = Recorder()
        self.following = PullRequestNews(
            projection=self.projection, publisher=self.recorder, clock=lambda: NOW
        )
        app = webhook_app(
            news=self.following,
            sources={source.address: source for source in _sources(forges, secret)},
            clock=NOW.timestamp,
        )
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=LoopbackHosts(app)),
            base_url="http://127.0.0.1:8081",
        )

    def open(self, ref: m.PullRequestRef) -> m.PullRequestOpened:
        opened = stories.opened().model_copy(update={"pull_request": ref})
        for sequence, event in enumerate((stories.requested(), opened), start=1):
            self.projection.apply(event, sequence=sequence, trace={})
        return opened
