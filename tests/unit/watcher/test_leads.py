"""How long a content takes to an environment, and how its promotions lead to each other."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from doubles import stories
from prometheus_client import REGISTRY

from countersign.contracts import messages as m
from countersign.contracts.message import Message
from countersign.messaging.publishing import Published
from countersign.watcher.observation.projection import Projection
from countersign.watcher.observation.publication import Publication

DAY = timedelta(days=1)


class Stream:
    async def publish(
        self, _event: Message, *, message_id: str, create_once: bool = False
    ) -> Published:
        assert message_id
        del create_once
        return Published(sequence=1, duplicate=False)

    async def last(self, model: type[Message], subject: str, *, stream: str) -> None:
        raise NotImplementedError


def requested(below: str, environment: str, *, at: datetime, **more: Any) -> m.PromotionRequested:
    ref = stories.ref().model_copy(
        update={"promotion_id": environment.ljust(16, "x"), "environment": environment}
    )
    return stories.requested(promotion=ref, from_environment=below, requested_at=at, **more)


def completed(request: m.PromotionRequested, *, at: datetime) -> m.PromotionCompleted:
    return m.PromotionCompleted(promotion=request.promotion, completed_at=at)


@pytest.fixture
def publication() -> Publication:
    return Publication(Stream(), projection=Projection())


def lead(environment: str, *, of: str) -> float:
    labels = {"environment": environment}
    return REGISTRY.get_sample_value(f"countersign_{of}_lead_seconds_sum", labels) or 0.0


async def test_lead_of_a_content_begins_where_it_was_first_promoted(
    publication: Publication,
) -> None:
    first = requested("dev-a", "staging-a", at=stories.START)
    second = requested("staging-a", "prod-a", at=stories.START + DAY)

    await publication.publish([first, second, completed(second, at=stories.START + 3 * DAY)])

    assert lead("prod-a", of="promotion") == (2 * DAY).total_seconds()
    assert lead("prod-a", of="revision") == (3 * DAY).total_seconds()


async def test_lead_of_a_content_begins_when_it_was_made_where_that_is_known(
    publication: Publication,
) -> None:
    request = requested("dev-b", "prod-b", at=stories.START, content_created_at=stories.START - DAY)

    await publication.publish([request, completed(request, at=stories.START + DAY)])

    assert lead("prod-b", of="revision") == (2 * DAY).total_seconds()


async def test_promotion_is_linked_to_that_of_the_same_content_below(
    publication: Publication, spans: Callable[[], Any]
) -> None:
    other = m.Content(identity="1", revision=m.Revision(recorded="1"))
    await publication.publish(
        [
            requested("dev", "staging", at=stories.START),
            requested("staging", "prod", at=stories.START),
            requested("prod", "edge", at=stories.START, content=other),
        ]
    )

    staging, prod, edge = spans()
    assert prod.context.trace_id != staging.context.trace_id
    assert [link.context.span_id for link in prod.links] == [staging.context.span_id]
    assert not edge.links
