"""The link of a chain as fields, in a status file and in the status of an object alike."""

from collections.abc import Mapping
from typing import Any

from countersign.contracts.messages import Content
from countersign.kube.objects import integer, mapping, sequence, text
from countersign.watcher.model import SUPERSEDED_MAX, Link


def read_link(entry: Any) -> Link:
    """Read the link of a chain.

    Raises:
        ValueError: what was brought cannot be read.
        Rejected: likewise.

    """
    content = mapping(entry, "content")
    return Link(
        promotion_id=text(entry, "promotionId"),
        content=Content.model_validate(dict(content)) if content else None,
        previous_promotion_id=text(entry, "previousPromotionId"),
        completed=mapping(entry).get("completed") is True,
        tried=integer(entry, "tried") or 0,
        superseded=tuple(str(i) for i in sequence(entry, "superseded"))[-SUPERSEDED_MAX:],
    )


def shown_link(link: Link) -> Mapping[str, Any]:
    content = link.content
    return {
        "promotionId": link.promotion_id,
        "content": content.model_dump(by_alias=True, exclude_defaults=True) if content else {},
        "previousPromotionId": link.previous_promotion_id,
        "completed": link.completed,
        "tried": link.tried,
        "superseded": list(link.superseded),
    }
